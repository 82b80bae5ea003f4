//! The audit log is chained: what was changed, added or removed in the database is found, and what may be forgotten is forgotten whole.

use std::time::Duration;

use ostiary::crypto::hex;
use ostiary::flow::operations::cleaning;
use ostiary::flow::operations::event_chain::{Fault, Verified, go_on, verify};
use ostiary::model::EventKind;
use ostiary::server::Options;
use serde_json::{Value, json};

use crate::api::conversation::Caller;
use crate::support::backend::{Backend, backends};
use crate::support::cli::Terminal;
use crate::support::server::{Server, each_backend};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// So many events, a second apart.
async fn note(server: &Server, events: usize) {
    for number in 0..events {
        server.provider().note(server.call().event(EventKind::SignIn)).await;
        server.advance(Duration::from_secs(1));
        if number % 100 == 99 {
            server.provider().write_noted_events().await.unwrap();
        }
    }
    server.provider().write_noted_events().await.unwrap();
}

/// Three stretches of four events, and two events after them.
async fn chained(server: &Server) {
    for _ in 0..3 {
        note(server, 4).await;
        server.advance(2 * HOUR);
        assert_eq!(go_on(server.provider(), server.call().now).await.unwrap(), 1);
    }
    note(server, 2).await;
}

async fn verified(server: &Server) -> Verified {
    verify(server.provider(), server.call().now).await.unwrap()
}

/// A stretch that is not what it was: its number, what is wrong, and how many events it has.
type Found = (i64, Fault, i64);

fn faults(verified: &Verified) -> Vec<Found> {
    let broken = verified.broken.iter();
    broken
        .map(|broken| (broken.number, broken.fault, broken.found))
        .collect()
}

/// SEC-616: an event that is changed, removed or slipped in, and a checkpoint that is, are found, each by its stretch.
#[tokio::test]
async fn audit_chain() {
    const NTH: &str = "(select id from events order by id limit 1 offset 5)";
    let changes: [(&str, &[Found]); 9] = [
        (
            "update events set outcome = 'refused' where id = NTH",
            &[(2, Fault::Digest, 4)],
        ),
        (
            "update events set address = '192.0.2.1' where id = NTH",
            &[(2, Fault::Digest, 4)],
        ),
        (
            "update events set facts = '{\"session\":1}' where id = NTH",
            &[(2, Fault::Digest, 4)],
        ),
        ("update events set at = at + 1 where id = NTH", &[(2, Fault::Digest, 4)]),
        ("delete from events where id = NTH", &[(2, Fault::Count, 3)]),
        (
            "insert into events (id, at, kind, outcome, actor_kind, trace, facts)
            select ANOTHER, at, kind, outcome, actor_kind, trace, facts from events where id = NTH",
            &[(1, Fault::Count, 5)],
        ),
        (
            "update event_checkpoints set events = 3 where number = 2",
            &[(2, Fault::Count, 4)],
        ),
        (
            "delete from event_checkpoints where number = 2",
            &[(3, Fault::Missing, 8)],
        ),
        // made up without the key: the next one does not go on from it either
        (
            "update event_checkpoints set digest = (select digest from event_checkpoints where number = 1) where number = 2",
            &[(2, Fault::Digest, 4), (3, Fault::Digest, 4)],
        ),
    ];
    for backend in backends() {
        for (change, expected) in changes {
            let server = Server::start_with(backend).await;
            chained(&server).await;
            let whole = verified(&server).await;
            assert_eq!(whole.broken, []);
            assert_eq!((whole.checkpoints, whole.events, whole.open), (3, 12, 2));
            assert!(!whole.forgotten_early);

            // the first event's neighbour
            let another = match backend {
                Backend::Embedded => {
                    "(select cast(substr(id, 1, 15) || x'ff' as blob) from events order by id limit 1)"
                }
                Backend::PostgresRedis => "(select (left(id::text, 34) || 'ff')::uuid from events order by id limit 1)",
            };
            server
                .behind(&change.replace("ANOTHER", another).replace("NTH", NTH))
                .await;
            assert_eq!(faults(&verified(&server).await), expected, "{backend:?}: {change}");
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn a_stretch_waits_until_it_is_settled_and_worth_it_and_is_made_once() {
    each_backend(async |server| {
        let provider = server.provider();
        let go_on = async || go_on(provider, server.call().now).await.unwrap();
        note(server, 3).await;
        assert_eq!(go_on().await, 0);
        server.advance(Duration::from_secs(50 * 60));
        assert_eq!(go_on().await, 0, "three events can wait for others for an hour");
        server.advance(Duration::from_secs(11 * 60));
        // several nodes at once
        let made = futures_util::future::join_all((0..4).map(|_| go_on())).await;
        assert_eq!(made.iter().sum::<u64>(), 1);
        assert_eq!(go_on().await, 0, "nothing is new");
        note(server, 1_700).await;
        assert_eq!(go_on().await, 1, "the rest is not settled yet");
        let found = verified(server).await;
        assert_eq!(found.checkpoints, 2);
        assert!((1..1_700).contains(&found.open), "{}", found.open);
        assert_eq!(found.broken, []);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_could_not_be_written_for_long_joins_where_the_chain_has_not_been() {
    each_backend(async |server| {
        note(server, 1).await;
        let held = server.provider().store.write().await.unwrap();
        server.provider().note(server.call().event(EventKind::SignIn)).await;
        let noted = server.call().now;
        server.advance(2 * HOUR);
        drop(held);
        server.provider().write_noted_events().await.unwrap();
        assert_eq!(go_on(server.provider(), server.call().now).await.unwrap(), 1);
        let found = verified(server).await;
        assert_eq!((found.events, found.open), (1, 1));
        let mut store = server.provider().store.read().await.unwrap();
        let at = store.list_events(None, 1).await.unwrap()[0].at;
        assert!(at <= noted && at.after(HOUR) > noted, "it says when it happened");
    })
    .await;
}

#[tokio::test]
async fn what_is_forgotten_is_forgotten_in_whole_stretches_and_not_before_its_time() {
    each_backend(async |server| {
        server.settings(json!({"event.kept_for": "30d"})).await;
        chained(server).await;
        let sweep = async || cleaning::sweep(server.provider(), &server.call()).await.unwrap();
        server.advance(2 * HOUR);
        sweep().await;
        server.advance(20 * DAY);
        note(server, 1).await;
        server.advance(2 * HOUR);
        sweep().await;
        assert_eq!(verified(server).await.checkpoints, 5, "nothing goes before its time");
        server.advance(11 * DAY);
        sweep().await;
        let found = verified(server).await;
        assert_eq!((found.events, found.checkpoints), (1, 1), "{found:?}");
        assert_eq!(found.broken, []);
        assert!(!found.forgotten_early);
        assert_eq!(found.head.as_ref().unwrap().number, 5);
        sweep().await;
        assert_eq!(verified(server).await.broken, []);
        // somebody removes the beginning and says that it was swept
        server.behind("delete from events").await;
        let swept = format!("update event_checkpoints set swept_at = {}", server.call().now.micros());
        server.behind(&swept).await;
        assert!(verified(server).await.forgotten_early);
    })
    .await;
}

/// SEC-616: the log can be followed by another system, which keeps it and its checkpoints where nobody here reaches them.
#[tokio::test]
async fn another_system_follows_the_log_and_its_checkpoints() {
    each_backend(async |server| {
        chained(server).await;
        let api = Caller::client(server, "admin:events.read").await;
        let first = "00000000-0000-0000-0000-000000000000";
        let mut last = first.to_owned();
        let mut followed = Vec::new();
        let after = async |last: &str| {
            let path = format!("/events?limit=5&filter=id%20gt%20%22{last}%22");
            let page = api.get(&path).await.ok().json();
            page["items"].as_array().unwrap().clone()
        };
        loop {
            let items = after(&last).await;
            let Some(newest) = items.last() else { break };
            last = newest["id"].as_str().unwrap().to_owned();
            followed.extend(items);
        }
        let ids: Vec<&str> = followed.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert!(ids.is_sorted());
        // what is under the chain, and nothing of the last half minute
        let sign_ins = followed.iter().filter(|event| event["kind"] == "sign_in").count();
        assert_eq!(sign_ins, 12);
        server.advance(Duration::from_secs(40));
        let rest = after(&last).await;
        assert!(rest.iter().any(|event| event["kind"] == "sign_in"));
        assert!(rest.iter().all(|event| !ids.contains(&event["id"].as_str().unwrap())));
        for wrong in [
            "id%20gt%20%22ada%22",
            "id%20eq%20%22ada%22",
            "facts%20eq%20%22sign_in%22",
            "id%20lt%20%22x%22",
        ] {
            assert_eq!(api.get(&format!("/events?filter={wrong}")).await.status, 400, "{wrong}");
        }

        let page = api.get("/events/checkpoints?limit=2").await.ok().json();
        let numbers: Vec<&Value> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["number"])
            .collect();
        assert_eq!(numbers, [&json!(3), &json!(2)]);
        let next = page["next"].as_str().unwrap();
        let rest = api
            .get(&format!("/events/checkpoints?limit=2&after={next}"))
            .await
            .ok()
            .json();
        assert_eq!(rest["items"][0]["number"], 1);
        assert_eq!(rest["next"], Value::Null);
        let head = verified(server).await.head.unwrap();
        assert_eq!(page["items"][0]["digest"], hex(head.digest.as_bytes()));
        let stranger = Caller::client(server, "admin:users").await;
        assert_eq!(stranger.get("/events/checkpoints").await.status, 403);
    })
    .await;
}

/// The command's exit code says whether the log is what it was, also to somebody who has kept a checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_verifies_the_log() {
    let commands = |options: &mut Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let terminal = Terminal::at(server.folder());
    chained(&server).await;
    let whole = terminal.run(&["events", "verify", "--json"]).await.json();
    assert_eq!((&whole["events"], &whole["broken"]), (&json!(12), &json!([])));
    let head = &whole["last_checkpoint"];
    let kept = format!("3:{}", head["digest"].as_str().unwrap());
    let told = terminal.run(&["events", "verify", "--checkpoint", &kept]).await.ok();
    assert!(
        told.contains("12 events under 3 checkpoints since") && told.contains(&kept),
        "{told}"
    );
    let listed = terminal.run(&["events", "checkpoints", "--limit", "1"]).await.ok();
    assert!(listed.contains(head["digest"].as_str().unwrap()), "{listed}");
    for (wrong, code) in [
        ("3:xy", 2),
        (&format!("3:{}", "0".repeat(64)), 1),
        (&format!("4:{}", "0".repeat(64)), 1),
    ] {
        let refused = terminal.run(&["events", "verify", "--checkpoint", wrong]).await;
        assert_eq!(refused.code, code, "{refused:?}");
    }
    // the newest stretch is taken away with its checkpoint: nothing is left that tells, but what was kept elsewhere
    server
        .behind("delete from events where id > (select last_event from event_checkpoints where number = 2)")
        .await;
    server.behind("delete from event_checkpoints where number = 3").await;
    terminal.run(&["events", "verify"]).await.ok();
    let lost = terminal.run(&["events", "verify", "--checkpoint", &kept]).await;
    assert_eq!(lost.code, 1);
    assert!(lost.err.contains("no checkpoint 3"), "{lost:?}");

    server
        .behind("update events set outcome = 'refused' where kind = 'sign_in'")
        .await;
    let broken = terminal.run(&["events", "verify", "--json"]).await;
    assert_eq!(broken.code, 1);
    let report: Value = serde_json::from_str(&broken.out).unwrap();
    let numbers: Vec<&Value> = report["broken"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["checkpoint"])
        .collect();
    assert_eq!(numbers, [&json!(1), &json!(2)]);
    let drawn = terminal.run(&["events", "verify"]).await;
    assert!(drawn.out.contains("checkpoint 2 (until"), "{drawn:?}");
    assert!(drawn.err.contains("not what it was"), "{drawn:?}");
    server.stop().await;
}
