//! Groups in groups, memberships for a time, and the primary group.

use std::time::Duration;

use ostiary::flow::Error;
use ostiary::flow::people::ChangeSource::Command;
use ostiary::flow::people::{self, NewGroup, create_group};
use ostiary::model::{Group, Id, Timestamp};
use serde_json::json;

use super::conversation::{Caller, user_token};
use super::provider::holder;
use crate::support::server::{Server, TestUser, each_backend};

const MINUTE: Duration = Duration::from_secs(60);

async fn group(server: &Server, name: &str, permissions: &[&str]) -> Id<Group> {
    let new = NewGroup {
        name: name.to_owned(),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
        ..NewGroup::default()
    };
    let made = create_group(server.provider(), &server.call(), &Command, new).await;
    made.unwrap().id
}

async fn nest(server: &Server, inner: Id<Group>, outer: Id<Group>) -> Result<(), Error> {
    people::nest_group(server.provider(), &server.call(), &Command, outer, inner).await
}

async fn person(server: &Server, user: &TestUser) -> (Vec<String>, Vec<String>) {
    let person = server
        .provider()
        .person(user.id, server.call().now)
        .await
        .unwrap()
        .unwrap();
    (person.groups.clone(), person.permissions.clone())
}

fn later(server: &Server, by: Duration) -> String {
    Timestamp::rfc3339(server.call().now.after(by))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outer_group_carries_counts_for_the_members_of_an_inner_one() {
    each_backend(async |server| {
        let company = group(server, "company", &["news.read"]).await;
        let staff = group(server, "staff", &["orders.read"]).await;
        let night = group(server, "night", &[]).await;
        let ada = server.user("ada").await;
        let caller = Caller::client(server, "admin").await;
        let put = |path: String| {
            let caller = &caller;
            async move { caller.send("PUT", &path, None, &[]).await.status.as_u16() }
        };
        assert_eq!(put(format!("/groups/{night}/members/{}", ada.id)).await, 204);
        assert_eq!(person(server, &ada).await, (vec!["night".to_owned()], vec![]));
        assert_eq!(put(format!("/groups/{staff}/inner-groups/{night}")).await, 204);
        assert_eq!(put(format!("/groups/{company}/inner-groups/{staff}")).await, 204);
        assert_eq!(
            put(format!("/groups/{company}/inner-groups/{staff}")).await,
            204,
            "once more"
        );
        let (groups, permissions) = person(server, &ada).await;
        assert_eq!(groups, ["company", "night", "staff"]);
        assert_eq!(permissions, ["news.read", "orders.read"]);
        let list = caller.get(&format!("/groups/{company}/inner-groups")).await.ok().json();
        let names: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (&item["name"], &item["distance"]))
            .collect();
        assert_eq!(names, [(&json!("staff"), &json!(1)), (&json!("night"), &json!(2))]);
        let list = caller
            .get(&format!("/groups/{night}/outer-groups?limit=1"))
            .await
            .ok()
            .json();
        assert_eq!(list["items"][0]["name"], "staff");
        assert!(list["next"].is_string());

        // what an inner group says about settings is nearer than what an outer one says
        let say = async |group: Id<Group>, times: &str| {
            let body = json!({"session": {"at_limit": times}});
            caller.patch(&format!("/groups/{group}/settings"), body).await.ok();
        };
        say(company, "refuse").await;
        let at_limit = async || {
            let shown = caller
                .get(&format!("/users/{}/effective-settings", ada.id))
                .await
                .ok()
                .json();
            let items = shown["items"].as_array().unwrap().clone();
            items
                .into_iter()
                .find(|item| item["key"] == "session.at_limit")
                .unwrap()["value"]
                .clone()
        };
        assert_eq!(at_limit().await, "refuse");
        say(staff, "ask").await;
        assert_eq!(at_limit().await, "ask");

        // a middle group that goes takes with it what came by way of it
        let gone = caller.delete(&format!("/groups/{staff}")).await;
        assert_eq!(gone.status.as_u16(), 204);
        assert_eq!(person(server, &ada).await, (vec!["night".to_owned()], vec![]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_close_no_circle_and_lie_no_deeper_than_eight() {
    each_backend(async |server| {
        let mut chain = Vec::new();
        for number in 0..9 {
            chain.push(group(server, &format!("g{number}"), &[]).await);
        }
        for pair in chain.windows(2) {
            nest(server, pair[0], pair[1]).await.unwrap();
        }
        let refused = |answer: Result<(), Error>, what: &str| match answer {
            Err(Error::Conflict(word)) => assert_eq!(word, what),
            other => panic!("expected {what}, got {other:?}"),
        };
        refused(nest(server, chain[8], chain[0]).await, "circle");
        refused(nest(server, chain[3], chain[3]).await, "circle");
        let tenth = group(server, "g9", &[]).await;
        refused(nest(server, chain[8], tenth).await, "too_deep");
        refused(nest(server, tenth, chain[0]).await, "too_deep");
        // two ways up count once, and one of them may go
        nest(server, chain[0], chain[2]).await.unwrap();
        let ada = server.user("ada").await;
        people::add_member(server.provider(), &server.call(), &Command, chain[0], ada.id)
            .await
            .unwrap();
        assert_eq!(person(server, &ada).await.0.len(), 9);
        people::unnest_group(server.provider(), &server.call(), &Command, chain[1], chain[0])
            .await
            .unwrap();
        assert_eq!(person(server, &ada).await.0.len(), 8);
        let again = people::unnest_group(server.provider(), &server.call(), &Command, chain[1], chain[0]).await;
        assert!(matches!(again, Err(Error::NotFound)));
        // two at once don't close a circle together
        let (one, other) = (group(server, "one", &[]).await, group(server, "other", &[]).await);
        let both = tokio::join!(nest(server, one, other), nest(server, other, one));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    })
    .await;
}

/// SEC-413: nobody gains rights by putting groups into groups, and SEC-422: nor takes the last administrator's away so.
#[tokio::test(flavor = "multi_thread")]
async fn nesting_confers_and_takes_what_the_caller_holds() {
    each_backend(async |server| {
        let administrators = group(server, "administrators", &["admin"]).await;
        let board = group(server, "board", &[]).await;
        let mine = group(server, "mine", &[]).await;
        let ada = server.user("ada").await;
        let (provider, call) = (server.provider(), server.call());
        nest(server, board, administrators).await.unwrap();
        people::add_member(provider, &call, &Command, board, ada.id)
            .await
            .unwrap();
        let limited = holder("admin:users admin:groups");
        let forbidden = |answer: Result<(), Error>| match answer {
            Err(Error::Forbidden(permission)) => assert_eq!(permission, "admin"),
            other => panic!("expected a refusal, got {other:?}"),
        };
        forbidden(people::nest_group(provider, &call, &limited, administrators, mine).await);
        // by way of the board, too
        forbidden(people::nest_group(provider, &call, &limited, board, mine).await);
        forbidden(people::nest_group(provider, &call, &limited, mine, board).await);
        forbidden(people::unnest_group(provider, &call, &limited, administrators, board).await);
        forbidden(people::add_member(provider, &call, &limited, board, call_user(server, "bob").await).await);
        forbidden(people::remove_member(provider, &call, &limited, board, ada.id, None).await);
        let last = |answer: Result<(), Error>| match answer {
            Err(Error::Conflict(word)) => assert_eq!(word, "last_administrator"),
            other => panic!("expected a refusal, got {other:?}"),
        };
        last(people::unnest_group(provider, &call, &Command, administrators, board).await);
        last(people::remove_member(provider, &call, &Command, board, ada.id, None).await);
        last(people::delete_group(provider, &call, &Command, administrators, None, None).await);
        last(people::delete_group(provider, &call, &Command, board, None, Some(mine)).await);
        let ends = people::MembershipChange {
            ends_at: Some(Some(call.now.after(MINUTE))),
            ..Default::default()
        };
        last(people::put_member(provider, &call, &Command, board, ada.id, ends).await);
        assert_eq!(person(server, &ada).await.1, ["admin"]);
    })
    .await;
}

async fn call_user(server: &Server, name: &str) -> Id<ostiary::model::User> {
    server.user(name).await.id
}

/// A membership counts from its beginning until its end, to the moment, whoever remembers what; afterwards it is on record.
#[tokio::test(flavor = "multi_thread")]
async fn a_membership_counts_within_its_time() {
    each_backend(async |server| {
        server.settings(json!({"token.access_lifetime": "1h"})).await;
        let staff = group(server, "staff", &[]).await;
        let readers = group(server, "readers", &["admin:users.read"]).await;
        let ada = server.user("ada").await;
        let caller = Caller::client(server, "admin").await;
        let path = format!("/groups/{readers}/members/{}", ada.id);
        let put = async |body: serde_json::Value| caller.send("PUT", &path, Some(body), &[]).await;
        caller
            .send("PUT", &format!("/groups/{staff}/members/{}", ada.id), None, &[])
            .await
            .ok();
        let wrong = put(json!({"starts_at": later(server, 2 * MINUTE), "ends_at": later(server, MINUTE)})).await;
        assert_eq!(wrong.status.as_u16(), 422);
        let wrong = put(json!({"starts_at": later(server, MINUTE), "primary": true})).await;
        assert_eq!(wrong.json()["errors"][0]["pointer"], "/primary");
        let body = json!({"starts_at": later(server, 10 * MINUTE), "ends_at": later(server, 20 * MINUTE)});
        assert_eq!(put(body).await.status.as_u16(), 204);
        let shown = caller.get(&path).await.ok().json();
        assert_eq!((&shown["counts"], &shown["primary"]), (&json!(false), &json!(false)));
        assert!(shown["ends_at"].is_string());

        let token = user_token(server, &ada, "openid admin:users.read").await;
        let own = Caller::with_token(server, &token).await;
        let asked = async || own.get("/users?limit=1").await.status.as_u16();
        assert_eq!(asked().await, 403);
        server.advance(8 * MINUTE);
        assert_eq!(asked().await, 403);
        server.advance(2 * MINUTE);
        assert_eq!(asked().await, 200, "at the very moment");
        people::turn_memberships(server.provider(), &server.call())
            .await
            .unwrap();
        server.advance(8 * MINUTE);
        assert_eq!(asked().await, 200);
        server.advance(2 * MINUTE);
        assert_eq!(
            asked().await,
            403,
            "at the very moment, and nobody has put it on record"
        );
        while people::turn_memberships(server.provider(), &server.call())
            .await
            .unwrap()
        {}
        assert_eq!(caller.get(&path).await.status.as_u16(), 404);
        let mut store = server.provider().store.read().await.unwrap();
        let events = store.list_events(None, 50).await.unwrap();
        let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.clone()).collect();
        for reason in ["membership_began", "membership_ended"] {
            let times = reasons.iter().filter(|known| *known == reason).count();
            assert_eq!(times, 1, "{reason}: {reasons:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_has_one_primary_group_and_a_group_where_it_is_mandatory() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        let everybody = group(server, "everybody", &["news.read"]).await;
        let staff = group(server, "staff", &[]).await;
        let board = group(server, "board", &["admin:users"]).await;
        let set = async |body: serde_json::Value| caller.patch("/settings", body).await;
        let unknown = set(json!({"groups": {"default": "ghosts"}})).await;
        assert_eq!(unknown.json()["errors"][0]["code"], "unknown");
        let powerful = set(json!({"groups.default": "board"})).await;
        assert_eq!(powerful.json()["errors"][0]["code"], "contradiction");
        // whoever puts everybody into a group must hold what it carries
        let limited = Caller::client(server, "admin:settings admin:users admin:groups").await;
        let refused = limited.patch("/settings", json!({"groups.default": "everybody"})).await;
        assert_eq!(refused.status.as_u16(), 403);
        set(json!({"groups": {"default": "everybody", "mandatory": true}}))
            .await
            .ok();

        let make = async |body: serde_json::Value| {
            let made = limited.post("/users", body).await;
            assert_eq!(made.status.as_u16(), 201, "{}", made.body);
            made.get("id")
        };
        let primary = async |user: &str| {
            let list = caller.get(&format!("/users/{user}/groups")).await.ok().json();
            let items = list["items"].as_array().unwrap().clone();
            let primary: Vec<_> = items.iter().filter(|item| item["primary"] == true).collect();
            assert_eq!(primary.len(), usize::from(!items.is_empty()), "{items:?}");
            let name = primary.first().map(|item| item["name"].as_str().unwrap().to_owned());
            (name.unwrap_or_default(), items.len())
        };
        let ada = make(json!({"username": "ada"})).await;
        assert_eq!(primary(&ada).await, ("everybody".to_owned(), 1));
        let bob = make(json!({"username": "bob"})).await;
        // the last one can't be left, and another one leaves the default
        let member = |group: Id<Group>, user: &str| format!("/groups/{group}/members/{user}");
        let staff_first = Some(json!({"primary": true}));
        caller.send("PUT", &member(staff, &bob), staff_first, &[]).await.ok();
        caller.delete(&member(everybody, &bob)).await.ok();
        assert_eq!(primary(&bob).await, ("staff".to_owned(), 1));
        let refused = caller.delete(&member(everybody, &ada)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.get("detail").contains("last one")),
            (409, true)
        );
        caller.delete(&member(staff, &bob)).await.ok();
        assert_eq!(primary(&bob).await, ("everybody".to_owned(), 1));
        // the next primary one may be named, and is one of the user's
        caller
            .send("PUT", &member(staff, &ada), Some(json!({"primary": true})), &[])
            .await
            .ok();
        caller.send("PUT", &member(board, &ada), None, &[]).await.ok();
        let elsewhere = group(server, "elsewhere", &[]).await;
        let path = format!("{}?primary_group={elsewhere}", member(staff, &ada));
        assert_eq!(caller.delete(&path).await.status.as_u16(), 404);
        assert_eq!(
            primary(&ada).await,
            ("staff".to_owned(), 3),
            "the refusal changed nothing"
        );
        let path = format!("{}?primary_group={everybody}", member(staff, &ada));
        caller.delete(&path).await.ok();
        assert_eq!(primary(&ada).await, ("everybody".to_owned(), 2));
        // the default group stays, and keeps its name
        let refused = caller.delete(&format!("/groups/{everybody}")).await;
        assert!(refused.get("detail").contains("whoever has none"), "{}", refused.body);
        let refused = caller
            .patch(&format!("/groups/{everybody}"), json!({"name": "all"}))
            .await;
        assert_eq!(refused.status.as_u16(), 409);
        // a primary group is deleted for another one, which the caller may confer
        caller
            .send("PUT", &member(staff, &bob), Some(json!({"primary": true})), &[])
            .await
            .ok();
        let refused = caller.delete(&format!("/groups/{staff}")).await;
        assert!(refused.get("detail").contains("primary_group"), "{}", refused.body);
        let refused = limited
            .delete(&format!("/groups/{staff}?primary_group={everybody}"))
            .await;
        assert_eq!(refused.status.as_u16(), 403, "{}", refused.body);
        caller
            .delete(&format!("/groups/{staff}?primary_group={board}"))
            .await
            .ok();
        assert_eq!(primary(&bob).await, ("board".to_owned(), 2));
    })
    .await;
}

/// A primary membership that ends by itself passes on to another group, and where a group is mandatory to the default one.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_membership_that_ends_has_a_successor() {
    each_backend(async |server| {
        let project = group(server, "project", &[]).await;
        let other = group(server, "zebra", &[]).await;
        group(server, "everybody", &[]).await;
        server
            .settings(json!({"groups": {"default": "everybody", "mandatory": true}}))
            .await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let (provider, call) = (server.provider(), server.call());
        for user in [&ada, &bob] {
            let change = people::MembershipChange {
                ends_at: Some(Some(call.now.after(MINUTE))),
                primary: true,
                ..Default::default()
            };
            people::put_member(provider, &call, &Command, project, user.id, change)
                .await
                .unwrap();
        }
        people::add_member(provider, &call, &Command, other, ada.id)
            .await
            .unwrap();
        let primary = async |user: &TestUser| {
            let mut store = server.provider().store.read().await.unwrap();
            store.find_primary_group_of(user.id).await.unwrap().unwrap_or_default()
        };
        assert_eq!(
            (primary(&ada).await, primary(&bob).await),
            ("project".to_owned(), "project".to_owned())
        );
        server.advance(MINUTE);
        while people::turn_memberships(provider, &server.call()).await.unwrap() {}
        assert_eq!(
            (primary(&ada).await, primary(&bob).await),
            ("zebra".to_owned(), "everybody".to_owned())
        );
    })
    .await;
}

/// A big group is emptied a bounded number at a time, and everybody has the new primary group.
#[tokio::test(flavor = "multi_thread")]
async fn a_big_group_is_deleted_in_parts() {
    each_backend(async |server| {
        let big = group(server, "big", &[]).await;
        let next = group(server, "next", &[]).await;
        let ada = server.user("ada").await;
        let (provider, call) = (server.provider(), server.call());
        people::add_member(provider, &call, &Command, big, ada.id)
            .await
            .unwrap();
        let template = server.account(&ada).await;
        let mut users = Vec::new();
        let mut tx = provider.store.write().await.unwrap();
        for number in 0..1_200 {
            let mut user = template.clone();
            user.id = Id::new(call.now);
            user.subject = format!("subject-{number}");
            user.username = format!("user-{number}");
            user.profile.email = None;
            tx.add_user(&user).await.unwrap();
            tx.add_member(big, user.id, call.now).await.unwrap();
            tx.make_primary(big, user.id).await.unwrap();
            users.push(user.id);
        }
        tx.commit().await.unwrap();
        let refused = people::delete_group(provider, &call, &Command, big, None, None).await;
        assert!(matches!(refused, Err(Error::Conflict("primary_group"))), "{refused:?}");
        people::delete_group(provider, &call, &Command, big, None, Some(next))
            .await
            .unwrap();
        let mut store = provider.store.read().await.unwrap();
        assert!(store.find_group(big).await.unwrap().is_none());
        assert_eq!(store.count_members(next, 10_000).await.unwrap(), 1_201);
        for user in users.iter().step_by(97).chain([&ada.id]) {
            assert_eq!(
                store.find_primary_group_of(*user).await.unwrap().as_deref(),
                Some("next")
            );
        }
    })
    .await;
}
