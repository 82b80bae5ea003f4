//! Locks have one order, none is held across waiting, and whoever holds a connection waits for no other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::architecture::source::{Source, Word, sources, words};
use crate::support::backend::backends;
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

/// What gives a guard besides `lock`: found by their signatures.
fn guard_givers(all: &[Source]) -> BTreeSet<String> {
    let mut givers = BTreeSet::from(["lock".to_owned()]);
    for source in all {
        for (place, word) in source.words.iter().enumerate() {
            let is_guard = matches!(word, Word::Name(name) if ["MutexGuard", "RwLockReadGuard", "RwLockWriteGuard"].contains(&name.as_str()));
            if !is_guard {
                continue;
            }
            // back to the function whose signature it stands in, if it is one
            let before = &source.words[..place];
            let head = before
                .iter()
                .rposition(|word| matches!(word, Word::Mark("{" | "}" | ";")));
            let head = &before[head.map_or(0, |head| head + 1)..];
            let named = head.windows(2).find(|pair| pair[0] == Word::Name("fn".to_owned()));
            if let Some([_, Word::Name(name)]) = named {
                givers.insert(name.clone());
            }
        }
    }
    givers
}

fn is(word: Option<&Word>, text: &str) -> bool {
    match word {
        Some(Word::Name(name)) => name == text,
        Some(Word::Mark(mark)) => *mark == text,
        _ => false,
    }
}

/// Where a guard that must not be held across waiting is: the lines of `.await` in its life.
fn held_across_waiting(source: &Source, givers: &BTreeSet<String>) -> Vec<String> {
    /// What may follow a lock and leave it a guard.
    const STILL_A_GUARD: [&str; 5] = ["unwrap_or_else", "unwrap", "map_err", "ok", "ok_or_else"];
    let text = &source.words;
    let at = |place: usize| text.get(place);
    let mut found = Vec::new();
    for place in 1..text.len() {
        let called = match at(place) {
            Some(Word::Name(name)) if givers.contains(name) || ["read", "write"].contains(&name.as_str()) => name,
            _ => continue,
        };
        if !is(at(place - 1), ".") || !is(at(place + 1), "") {
            continue;
        }
        // the chain of calls after it, up to where the statement ends or a block begins
        let mut chain = Vec::new();
        let mut end = place + 1;
        let (mut waits, mut waits_inside) = (false, false);
        while !matches!(at(end), None | Some(Word::Mark(";" | "{" | "}" | ","))) {
            if is(at(end), ".") {
                match at(end + 1) {
                    Some(Word::Name(name)) if name == "await" && chain.is_empty() => waits = true,
                    Some(Word::Name(name)) if name == "await" && !waits => waits_inside = true,
                    Some(Word::Name(name)) => chain.push(name.clone()),
                    _ => {}
                }
            }
            end += 1;
        }
        // one that is waited for is no guard of this kind, and `read` and `write` are, too, what files and stores do
        let of_lock = givers.contains(called) || chain.first().is_some_and(|next| next == "unwrap_or_else");
        if waits || !of_lock {
            continue;
        }
        if waits_inside {
            found.push(format!(
                "src/{}: {called} at word {place}, waits in the same statement",
                source.path
            ));
            continue;
        }
        let begin = text[..place]
            .iter()
            .rposition(|word| matches!(word, Word::Mark("{" | "}" | ";")));
        let begin = begin.map_or(0, |begin| begin + 1);
        let named = match (at(begin), at(begin + 1), at(begin + 2)) {
            (Some(Word::Name(word)), Some(Word::Name(mut_or_name)), next) if word == "let" => match next {
                Some(Word::Name(name)) if mut_or_name == "mut" => Some(name.clone()),
                _ => Some(mut_or_name.clone()),
            },
            _ => None,
        };
        let stays = chain.iter().all(|name| STILL_A_GUARD.contains(&name.as_str()));
        let mut depth = 0_i32;
        let mut here = end;
        let mut last = place;
        // a guard without a name lives to the end of its statement, or of the block that it is looked at by
        let to_block = named.is_none() || !stays;
        loop {
            match at(here) {
                None => break,
                Some(Word::Mark("{")) => depth += 1,
                Some(Word::Mark("}")) => {
                    depth -= 1;
                    if depth < 0 || (to_block && depth == 0) {
                        break;
                    }
                }
                Some(Word::Mark(";")) if to_block && depth == 0 => break,
                Some(Word::Name(word)) if word == "await" && is(at(here - 1), ".") => {
                    last = here;
                    break;
                }
                Some(Word::Name(word)) if word == "drop" && depth == 0 => {
                    let dropped = named.as_ref().is_some_and(|name| is(at(here + 2), name));
                    if dropped {
                        break;
                    }
                }
                _ => {}
            }
            here += 1;
        }
        if last > place {
            found.push(format!(
                "src/{}: {called} at word {place}, waits at word {last}",
                source.path
            ));
        }
    }
    found
}

/// SEC-646: the compiler's own check is on and nowhere switched off, and a reading of the sources finds no guard of a lock that is
/// held across waiting.
#[test]
fn lock_hygiene() {
    let manifest: toml::Table = std::fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let clippy = &manifest["lints"]["clippy"];
    for lint in ["await_holding_lock", "await_holding_refcell_ref"] {
        assert_eq!(clippy[lint].as_str(), Some("deny"), "{lint}");
    }
    let all = sources("src");
    let givers = guard_givers(all);
    assert!(givers.contains("hold") && givers.contains("shard"), "{givers:?}");
    let mut broken = Vec::new();
    for source in all {
        for word in &source.words {
            assert!(
                !is(Some(word), "await_holding_lock"),
                "src/{} switches it off",
                source.path
            );
        }
        broken.extend(held_across_waiting(source, &givers));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// SEC-646: the reading finds what it is made for, and takes nothing else for it.
#[test]
fn the_reading_of_guards_is_not_fooled() {
    let givers = BTreeSet::from(["lock".to_owned(), "hold".to_owned()]);
    let finds = |text: &str| {
        let source = Source {
            path: "flow/somewhere.rs".to_owned(),
            words: words(text),
            text: text.to_owned(),
        };
        !held_across_waiting(&source, &givers).is_empty()
    };
    for wrong in [
        "fn f() { let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner); store.read().await; }",
        "fn f() { let mut inner = self.hold(); if a { b().await; } }",
        "fn f() { self.hold().push(store.read().await); }",
        "fn f() { match self.0.lock() { Ok(it) => it.go().await, Err(_) => {} } }",
        "fn f() { let it = self.state.write().unwrap_or_else(into_inner); x().await; }",
    ] {
        assert!(finds(wrong), "{wrong}");
    }
    for right in [
        "fn f() { let n = { let inner = self.hold(); inner.len() }; x().await; }",
        "fn f() { let inner = self.hold(); drop(inner); x().await; }",
        "fn f() { let n = self.hold().len(); x().await; }",
        "fn f() { let turn = self.turn.lock().await; x().await; }",
        "fn f() { let mut store = provider.store.write().await?; store.go().await?; }",
        "fn f() { self.hold().clear(); } fn g() { x().await; }",
    ] {
        assert!(!finds(right), "{right}");
    }
}

/// The files in which a lock is waited for: of a semaphore, a pool, a lock that is owned, what is made once, or `lock().await`.
fn waited_for() -> BTreeSet<String> {
    const WAITS: [&str; 5] = [
        "acquire",
        "acquire_owned",
        "acquire_many",
        "lock_owned",
        "get_or_try_init",
    ];
    let mut files = BTreeSet::new();
    for source in sources("src").iter().filter(|source| source.room() != "demo") {
        let text = &source.words;
        let awaits = |place: usize| {
            let after = (place..text.len())
                .find(|at| !is(text.get(*at), ""))
                .unwrap_or(text.len());
            is(text.get(after), ".") && is(text.get(after + 1), "await")
        };
        let is_waited_for = (1..text.len()).any(|place| match &text[place] {
            Word::Name(_) if !is(text.get(place - 1), ".") => false,
            Word::Name(name) if name == "lock" => is(text.get(place + 1), "") && awaits(place + 1),
            Word::Name(name) => WAITS.contains(&name.as_str()),
            _ => false,
        });
        if is_waited_for {
            files.insert(format!("src/{}", source.path));
        }
    }
    files
}

/// SEC-646: every lock that is waited for has a place in the one order, and nobody who holds one waits for an earlier one.
#[test]
fn every_lock_has_its_place_in_the_order() {
    let page = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    let (_, section) = page.split_once("\n## Locks\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut files = BTreeSet::new();
    let mut places = BTreeMap::new();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| place"));
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let place: u32 = cells[0].parse().unwrap();
        let meanwhile: Vec<u32> = cells[3]
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        assert!(meanwhile.iter().all(|later| *later > place), "{row}");
        assert!(places.insert(place, row).is_none(), "{row}");
        for file in super::quoted(cells[2]) {
            assert!(std::path::Path::new(&file).exists(), "{file}");
            files.insert(file);
        }
    }
    assert_eq!(
        files,
        waited_for(),
        "the table names those files in which a lock is waited for"
    );
}

/// SEC-646: whoever holds a connection waits for no other: with a single one left, everything goes on, one thing after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_a_connection_waits_for_no_other() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let person = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let administrator = server.user("root").await;
        server.group("administrators", &["admin"], &[&administrator]).await;
        server.settings(json!({"client_registration": {"mode": "open"}})).await;
        let database = server.provider().store.database();
        let mut taken = Vec::new();
        while taken.len() + 1 < database.connections() {
            taken.push(database.read().await.unwrap());
        }
        everything(&server, &person, &client).await;
        drop(taken);
        server.stop().await;
    }
}

async fn everything(
    server: &Server,
    person: &crate::support::server::TestUser,
    client: &crate::support::server::TestClient,
) {
    let party = RelyingParty::new(server, client);
    let browser = Browser::new();
    let arrival = party.sign_in(&browser, person).await;
    let first = party.redeem(arrival.code()).await.ok();
    let second = party.refresh(&first.get("refresh_token")).await.ok();
    let access = second.get("access_token");
    party.userinfo(&access).await.ok();
    party.introspect(&access).await.ok();
    // the same code once more ends the family
    assert_eq!(party.redeem(arrival.code()).await.error(), "invalid_grant");
    for path in [
        "/account",
        "/account/password",
        "/account/factors",
        "/login?again=1",
        "/readyz",
        "/login/forgot",
    ] {
        let page = browser.get(&server.url(path)).await;
        assert!(page.status.as_u16() < 400, "{path}: {} {}", page.status, page.body);
    }
    let body = json!({"redirect_uris": ["https://client.example/callback"]});
    let registered = crate::support::http::plain_http()
        .build()
        .unwrap()
        .post(server.url("/oauth2/register"))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(registered.status().as_u16(), 201);
    let call = server.call();
    let provider = server.provider();
    ostiary::flow::people::ask_for_recovery(provider, &call, "ada".to_owned(), None)
        .await
        .unwrap();
    ostiary::flow::people::answer_wishes(provider).await.unwrap();
    ostiary::flow::operations::cleaning::sweep(provider, &call)
        .await
        .unwrap();
    ostiary::flow::operations::keys::step(provider, &call).await.unwrap();
    ostiary::flow::session::end_lapsed(provider, &call).await.unwrap();
    ostiary::flow::operations::logouts::deliver_due(provider, &call)
        .await
        .unwrap();
    provider.write_events(call.now).await.unwrap();
    provider.write_traces().await.unwrap();
    ostiary::flow::session::write_uses(provider).await.unwrap();
    let page = browser.get(&server.url("/logout")).await;
    let done = browser
        .submit(&page, page.form_with("csrf"), &[("decision", "sign_out")])
        .await;
    assert!(done.status.as_u16() < 400, "{}", done.status);
}
