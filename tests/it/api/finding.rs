//! Finding people: words, filters, orders; and that what an index finds is what looking at everybody finds.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::flow::people::{Rights, Search, SearchBounds, list_users_within, sweep_properties, sweep_words};
use ostiary::model::{Id, Timestamp, User};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::conversation::Caller;
use crate::support::server::{Server, each_backend};

fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// The usernames that a query of the list names, in its order, of all pages.
async fn found(caller: &Caller<'_>, query: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = caller.get(&format!("/users?{query}{after}")).await.ok().json();
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            None => return names,
            Some(next) => after = format!("&after={next}"),
        }
    }
}

async fn filtered(caller: &Caller<'_>, filter: &str) -> Vec<String> {
    found(caller, &format!("filter={}", escaped(filter))).await
}

/// Says that somebody has signed in at a moment.
async fn signed_in(server: &Server, id: &str, at: Timestamp) {
    let id: Id<User> = id.parse().unwrap();
    let mut tx = server.provider().store.write().await.unwrap();
    let user = tx.find_user(id).await.unwrap().unwrap();
    tx.must_sign_in_as(&user, at);
    tx.commit().await.unwrap();
}

async fn properties(server: &Server, caller: &Caller<'_>) {
    for definition in [
        json!({"name": "cost_centre", "type": "text", "indexed": true}),
        json!({"name": "floor", "type": "number", "indexed": true}),
        json!({"name": "tags", "type": "list", "indexed": true}),
        json!({"name": "hired", "type": "date", "indexed": true}),
        json!({"name": "note", "type": "text"}),
        json!({"name": "remote", "type": "boolean"}),
        json!({"name": "hidden", "type": "text", "indexed": true, "administrators": "none"}),
    ] {
        let made = caller.post("/properties", definition).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
    server.clock().advance(Duration::from_secs(10));
    while sweep_properties(server.provider(), &server.call()).await.unwrap() {}
}

/// Makes a user; `groups` are names.
async fn make(caller: &Caller<'_>, mut body: Value) -> String {
    let groups = body.as_object_mut().unwrap().remove("groups");
    let made = caller.post("/users", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    for name in groups.iter().flat_map(|names| names.as_array().unwrap()) {
        let filter = escaped(&format!("name eq {name}"));
        let group = caller.get(&format!("/groups?filter={filter}")).await.ok().json()["items"][0]["id"].clone();
        let path = format!("/groups/{}/members/{id}", group.as_str().unwrap());
        let put = caller.send("PUT", &path, Some(json!({})), &[]).await;
        assert!(put.status.is_success(), "{}", put.body);
    }
    id
}

#[tokio::test]
async fn people_are_found_by_every_field_on_every_store() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        properties(server, &caller).await;
        server.group("staff", &[], &[]).await;
        server.group("Büro", &[], &[]).await;
        let ada = make(&caller, json!({"username": "ada", "email": "ada@example.com", "given_name": "Ada", "family_name": "Lovelace",
            "company": "Engines", "locale": "en", "address": {"locality": "London"}, "groups": ["staff"],
            "properties": {"cost_centre": "C-100", "floor": 3, "tags": ["Maths", "poetry"], "hired": "2020-01-15", "remote": true}})).await;
        let bob = make(&caller, json!({"username": "Bob", "email": "BOB@example.org", "given_name": "Bob", "groups": ["Büro", "staff"],
            "properties": {"cost_centre": "c-200", "floor": -1, "note": "likes tea"}})).await;
        let cyd = make(&caller, json!({"username": "cyd", "expires_at": "2031-01-01T00:00:00Z", "type": "admin",
            "properties": {"hired": "2025-06-01", "remote": false, "note": "C-100"}})).await;
        let dan = make(&caller, json!({"username": "dan", "groups": ["Büro"], "properties": {"cost_centre": "C-300"}})).await;
        let now = server.call().now;
        signed_in(server, &ada, now.before(Duration::from_secs(86_400))).await;
        signed_in(server, &bob, now.before(Duration::from_secs(86_400 * 100))).await;
        caller.post(&format!("/users/{dan}/deactivate"), json!({})).await.ok();
        let caller = Caller::client(server, "admin:users admin:groups").await;

        for (filter, names) in [
            ("username eq \"ADA\"", vec!["ada"]),
            ("username sw \"B\" or username ew \"D\"", vec!["Bob", "cyd"]),
            ("email co \"EXAMPLE\"", vec!["ada", "Bob"]),
            ("email pr and not (email ew \".org\")", vec!["ada"]),
            ("email eq null", vec!["cyd"]),
            ("name eq \"ada lovelace\"", vec!["ada"]),
            ("family_name pr", vec!["ada"]),
            ("company eq \"engines\" and locale eq \"en\" and address.locality sw \"lon\"", vec!["ada"]),
            ("type eq \"admin\"", vec!["cyd"]),
            ("type ne \"admin\"", vec!["ada", "Bob"]),
            ("groups eq \"Staff\"", vec!["ada", "Bob"]),
            ("groups eq \"büro\" and groups eq \"staff\"", vec!["Bob"]),
            ("not (groups pr)", vec!["cyd"]),
            ("primary_group eq \"staff\"", vec!["ada"]),
            ("cost_centre eq \"c-100\"", vec!["ada"]),
            ("cost_centre sw \"C-\"", vec!["ada", "Bob"]),
            ("properties.cost_centre ge \"C-200\"", vec!["Bob"]),
            ("floor gt 0", vec!["ada"]),
            ("floor ge -1 and floor lt 3", vec!["Bob"]),
            ("floor eq 3.0", vec!["ada"]),
            ("tags eq \"POETRY\"", vec!["ada"]),
            ("hired lt \"2021-01-01\"", vec!["ada"]),
            ("hired pr", vec!["ada", "cyd"]),
            ("note co \"TEA\"", vec!["Bob"]),
            ("remote eq true", vec!["ada"]),
            ("signed_in_at gt \"now-7d\"", vec!["ada"]),
            ("signed_in_at lt \"now-7d\"", vec!["Bob"]),
            ("not (signed_in_at pr)", vec!["cyd"]),
            ("expires_at lt \"2031-01-02\"", vec!["cyd"]),
            ("expires_at gt \"2031-01-02T00:00:00+01:00\"", vec![]),
            ("has_password eq false and email_verified ne true", vec!["ada", "Bob", "cyd"]),
            ("created_at le \"now\"", vec!["ada", "Bob", "cyd"]),
            // what was deactivated is told where it is asked for
            ("status eq \"inactive\"", vec!["dan"]),
            ("state eq \"active\" or state eq \"inactive\"", vec!["ada", "Bob", "cyd", "dan"]),
            ("username eq \"dan\"", vec!["dan"]),
            ("groups eq \"büro\" and status pr", vec!["Bob", "dan"]),
            ("cost_centre eq \"C-300\"", vec![]),
        ] {
            let mut all = filtered(&caller, filter).await;
            // the caller's own accounts are no part of it
            all.retain(|name| ["ada", "Bob", "cyd", "dan"].contains(&name.as_str()));
            assert_eq!(all, names, "{filter}");
        }
        assert_eq!(filtered(&caller, &format!("id eq \"{bob}\"")).await, ["Bob"]);
        assert_eq!(found(&caller, "q=c&inactive=true").await, ["cyd"]);
        assert_eq!(found(&caller, "q=d&inactive=true").await, ["dan"]);
        let both = format!("q=b&filter={}", escaped("groups eq \"staff\""));
        assert_eq!(found(&caller, &both).await, ["Bob"], "words and a filter go together");
        let sorted = format!("sort=-groups&filter={}", escaped("groups eq \"staff\""));
        assert_eq!(caller.get(&format!("/users?{sorted}")).await.status, 400);
        for (sort, names) in [
            ("-floor", ["ada", "Bob", "dan"]),
            ("company,-username", ["ada", "dan", "Bob"]),
            ("status,username", ["ada", "Bob", "dan"]),
            ("-signed_in_at", ["ada", "Bob", "dan"]),
        ] {
            let asked = format!("limit=1&sort={sort}&filter={}", escaped("cost_centre pr and status pr"));
            assert_eq!(found(&caller, &asked).await, names, "{sort}");
        }
        // those in the bin only where they are named
        caller.delete(&format!("/users/{cyd}")).await.ok();
        assert!(filtered(&caller, "username eq \"cyd\"").await.is_empty());
        assert!(!filtered(&caller, "status ne \"active\"").await.contains(&"cyd".to_owned()));
        assert_eq!(filtered(&caller, "status eq \"deleted\" and hired pr").await, ["cyd"]);
        let counted = caller.get(&format!("/users?count=true&filter={}", escaped("groups pr and status pr"))).await;
        assert_eq!((counted.json()["count"].as_i64(), counted.json().get("count_at_least")), (Some(3), None));
    })
    .await;
}

#[tokio::test]
async fn people_are_found_by_the_beginnings_of_their_words_on_every_store() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin:users").await;
        let anna = make(&caller, json!({"username": "al.mueller", "given_name": "Anna-Lena", "family_name": "Müller", "email": "a.lena@example.org",
            "company": "Große Werke", "phone_number": "+4917012345678"})).await;
        make(&caller, json!({"username": "temp-001", "given_name": "Anna", "family_name": "O'Neil"})).await;
        make(&caller, json!({"username": "山田太郎", "nickname": "Taro"})).await;
        let all = async |words: &str| found(&caller, &format!("q={}", escaped(words))).await;
        for (words, names) in [
            ("mul", vec!["al.mueller"]),
            ("MÜL ann", vec!["al.mueller"]),
            ("ann", vec!["al.mueller", "temp-001"]),
            ("lena", vec!["al.mueller"]),
            ("anna-lena muller", vec!["al.mueller"]),
            ("a.lena@example", vec!["al.mueller"]),
            ("example.org", vec!["al.mueller"]),
            ("grosse", vec![]),
            ("große w", vec!["al.mueller"]),
            ("+49 170 123", vec!["al.mueller"]),
            ("temp-0", vec!["temp-001"]),
            ("001", vec!["temp-001"]),
            ("o'nei", vec!["temp-001"]),
            ("山田", vec!["山田太郎"]),
            ("nna", vec![]),
            ("%", vec![]),
            ("_nna", vec![]),
            ("anna nobody", vec![]),
        ] {
            assert_eq!(all(words).await, names, "{words}");
        }
        // of a store from before there were words: they are found all the same, and by an index once all were gone through
        let mut tx = server.provider().store.database().write().await.unwrap();
        tx.sql("delete from user_words").changed().await.unwrap();
        tx.sql("insert into word_sweep (number) values (1)").changed().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(all("lena").await, ["al.mueller"]);
        while sweep_words(server.provider()).await.unwrap() {}
        assert!(server.provider().store.read().await.unwrap().find_word_sweep().await.unwrap().is_none());
        assert_eq!(all("lena").await, ["al.mueller"]);
        // by the words that they have now
        caller.patch(&format!("/users/{anna}"), json!({"family_name": "Schmidt"})).await.ok();
        assert_eq!((all("mul").await, all("schmi").await), (vec![], vec!["al.mueller".to_owned()]));
        caller.delete(&format!("/users/{anna}")).await.ok();
        assert_eq!(all("schmi").await, [""; 0]);
        assert_eq!(found(&caller, &format!("q=schmi&filter={}", escaped("status eq \"deleted\""))).await, ["al.mueller"]);
    })
    .await;
}

/// What can't be asked is refused with the place at which it stands; what is not told can't be asked either.
#[tokio::test]
async fn what_a_filter_cannot_ask_is_refused_with_its_place() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:users admin:properties").await;
    properties(&server, &caller).await;
    make(&caller, json!({"username": "ada"})).await;
    for (filter, at) in [
        ("shoe_size eq 42", 1),
        ("username eq \"a\" and password pr", 21),
        ("hidden eq \"x\"", 1),
        ("type eq \"king\"", 9),
        ("floor eq \"3\"", 10),
        ("signed_in_at lt \"yesterday\"", 17),
        ("signed_in_at co \"2026\"", 17),
        ("email_verified gt true", 19),
        ("groups sw \"st\"", 11),
        ("groups eq \"nobody knows\"", 11),
        ("username gt null", 13),
        ("username eq \"\\u0000\"", 13),
        ("username eq \"a", 13),
    ] {
        let refused = caller.get(&format!("/users?filter={}", escaped(filter))).await;
        assert_eq!(refused.status, 400, "{filter}: {}", refused.body);
        let error = refused.json()["errors"][0].clone();
        assert_eq!(error["pointer"], "filter", "{filter}");
        let detail = error["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(&format!("at character {at}: ")),
            "{filter}: {detail}"
        );
    }
    server.stop().await;
}

/// A number that looks like chance, the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn filter(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 3 } else { 6 }) {
            0..=2 => self.comparison(),
            3 => format!("({} and {})", self.filter(depth - 1), self.filter(depth - 1)),
            4 => format!("({} or {})", self.filter(depth - 1), self.filter(depth - 1)),
            _ => format!("not ({})", self.filter(depth - 1)),
        }
    }

    fn comparison(&mut self) -> String {
        let order = ["eq", "ne", "gt", "ge", "lt", "le"];
        let texts = ["eq", "ne", "gt", "ge", "lt", "le", "sw", "ew", "co"];
        match self.below(12) {
            0 => format!("groups eq \"{}\"", self.one(&["g0", "g1", "outer"])),
            1 => format!(
                "primary_group {} \"{}\"",
                self.one(&["eq", "ne"]),
                self.one(&["g0", "g1"])
            ),
            2 => format!("status eq \"{}\"", self.one(&["active", "inactive", "invited"])),
            3 => format!("type eq \"{}\"", self.one(&["default", "admin"])),
            4 => format!(
                "signed_in_at {} \"now-{}d\"",
                self.one(&order),
                self.one(&["1", "3", "9"])
            ),
            5 => format!(
                "expires_at {} \"2031-01-0{}\"",
                self.one(&order),
                self.one(&["1", "3", "5"])
            ),
            6 => format!(
                "{} pr",
                self.one(&["email", "signed_in_at", "expires_at", "code", "groups", "note", "tags"])
            ),
            7 => format!(
                "username {} \"u{}\"",
                self.one(&texts),
                self.one(&["0", "1", "12", "2"])
            ),
            8 => format!("email {} \"u{}\"", self.one(&texts), self.one(&["0", "1", "12", "2"])),
            9 => format!("code {} \"c{}\"", self.one(&texts), self.one(&["0", "1", "2", "3"])),
            10 => format!("level {} {}", self.one(&order), self.one(&["-2", "0", "1.5", "3"])),
            _ => format!("tags {} \"t{}\"", self.one(&texts), self.one(&["0", "1", "2"])),
        }
    }
}

async fn everybody_of(server: &Server, search: &Search, limit: u32, bounds: SearchBounds) -> Vec<String> {
    let (mut names, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    for _ in 0..1_000 {
        let asked = (server.call().now, &Rights::All);
        let place = (after.as_deref(), limit);
        let page = list_users_within(server.provider(), asked, search, place, bounds).await;
        let page = page.unwrap_or_else(|error| panic!("{search:?} {bounds:?}: {error:?}"));
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        names.extend(page.items.into_iter().map(|user| user.username));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
    panic!("{search:?} {bounds:?} has no end");
}

/// Whichever index is taken and however little is looked at for a page, a search finds whom looking at everybody finds, each once, in
/// the order that was asked for.
#[tokio::test]
async fn what_an_index_finds_is_what_looking_at_everybody_finds() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        for definition in [
            json!({"name": "code", "type": "text", "indexed": true}),
            json!({"name": "level", "type": "number", "indexed": true}),
            json!({"name": "tags", "type": "list", "indexed": true}),
            json!({"name": "note", "type": "text"}),
        ] {
            caller.post("/properties", definition).await;
        }
        server.clock().advance(Duration::from_secs(10));
        while sweep_properties(server.provider(), &server.call()).await.unwrap() {}
        let mut ids = Vec::new();
        for name in ["g0", "g1", "outer"] {
            let group = caller.post("/groups", json!({"name": name})).await.json();
            ids.push(group["id"].as_str().unwrap().to_owned());
        }
        let nested = caller
            .send("PUT", &format!("/groups/{}/inner-groups/{}", ids[2], ids[1]), None, &[])
            .await;
        assert!(nested.status.is_success(), "{}", nested.body);
        let mut dice = Dice(7);
        for number in 0..30 {
            server.clock().advance(Duration::from_millis(3));
            let mut body = json!({"username": format!("u{number}"), "properties": {}});
            if dice.below(3) > 0 {
                body["email"] = json!(format!("u{}@example.com", 99 - number));
            }
            let groups: Vec<&str> = ["g0", "g1", "outer"]
                .into_iter()
                .filter(|_| dice.below(3) == 0)
                .collect();
            body["groups"] = json!(groups);
            if dice.below(4) == 0 {
                body["type"] = json!("admin");
            }
            if dice.below(2) == 0 {
                body["expires_at"] = json!(format!("2031-01-0{}T00:00:00Z", 1 + dice.below(5)));
            }
            if dice.below(2) == 0 {
                body["properties"]["code"] = json!(format!("C{}", dice.below(4)));
            }
            if dice.below(2) == 0 {
                body["properties"]["level"] = json!(dice.below(6) as i64 - 2);
            }
            if dice.below(2) == 0 {
                let tags: BTreeSet<String> = (0..=dice.below(3)).map(|_| format!("T{}", dice.below(3))).collect();
                body["properties"]["tags"] = json!(tags);
            }
            let id = make(&caller, body).await;
            if dice.below(2) == 0 {
                let days = u64::try_from(dice.below(10)).unwrap();
                signed_in(
                    server,
                    &id,
                    server.call().now.before(Duration::from_secs(86_400 * days + 60)),
                )
                .await;
            }
            if dice.below(5) == 0 {
                caller.post(&format!("/users/{id}/deactivate"), json!({})).await.ok();
            }
        }
        let bounds = |whole, sorted, looked_at| SearchBounds {
            whole,
            sorted,
            by_making: sorted,
            looked_at,
        };
        let orders = [
            "created_at",
            "-created_at",
            "username",
            "-email",
            "email",
            "signed_in_at",
            "-signed_in_at",
            "-expires_at",
        ];
        let rounds = if cfg!(debug_assertions) { 60 } else { 200 };
        let mut found_any = 0;
        for round in 0..rounds {
            let filter = dice.filter(2);
            let search = |filter: String| Search {
                filter: Some(filter),
                sort: vec![orders[round % orders.len()].to_owned()],
                inactive: true,
                words: None,
            };
            // of what is turned round twice no index is known
            let plain = search(format!("not (not ({filter}))"));
            let plain = everybody_of(server, &plain, 200, SearchBounds::USUAL).await;
            let each: BTreeSet<&String> = plain.iter().collect();
            assert_eq!(each.len(), plain.len(), "{filter}");
            found_any += usize::from(!plain.is_empty());
            let asked = search(filter.clone());
            for (limit, bounds) in [
                (7, SearchBounds::USUAL),
                (5, bounds(0, 1_000, 5_000)),
                (4, bounds(0, 0, 50)),
                (200, bounds(0, 0, 5_000)),
            ] {
                let planned = everybody_of(server, &asked, limit, bounds).await;
                assert_eq!(planned, plain, "{filter} {:?} {bounds:?}", asked.sort);
            }
        }
        assert!(found_any > rounds / 3, "most filters find somebody");
    })
    .await;
}
