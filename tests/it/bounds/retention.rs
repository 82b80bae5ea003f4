//! How long what is kept about people stays: docs/privacy.md says it by class, and three years on it is so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ostiary::flow::Call;
use ostiary::flow::operations::cleaning;
use ostiary::flow::people;
use serde_json::json;

use super::census::{census, tables};
use super::quoted;
use crate::api::conversation::Caller;
use crate::login::sign_in;
use crate::oauth::scene::Scene;
use crate::support::backend::backends;
use crate::support::browser::Browser;
use crate::support::server::Server;

/// The classes of docs/privacy.md: their tables, and when these are gone.
fn classes() -> BTreeMap<String, (Vec<String>, String)> {
    let page = std::fs::read_to_string("docs/privacy.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|')).skip(2);
    let classes = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
        (cells[0].to_owned(), (quoted(cells[1]), cells[4].to_owned()))
    });
    classes.collect()
}

#[test]
fn every_table_is_in_one_class() {
    let named: Vec<String> = classes().into_values().flat_map(|(tables, _)| tables).collect();
    let once: BTreeSet<&String> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "a table is in two classes");
    assert_eq!(once, tables().iter().collect(), "docs/privacy.md and the schema");
}

/// SEC-620: what is gone by time is gone, whatever it was and whether or not somebody deletes an account; what belongs to a person stays
/// with the person.
#[tokio::test(flavor = "multi_thread")]
async fn data_classes_retention() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        server.settings(json!({"registration.mode": "request"})).await;
        let scene = Scene::on(&server).await;
        let tokens = scene.tokens().await;
        let party = scene.party();
        party.refresh(&tokens.refresh).await.ok();
        party.refresh("no-such-token").await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(&server, &browser, &ada).await;
        browser.open(&scene.party().authorization_url()).await;
        for (path, field) in [("/login/forgot", "username"), ("/request-access", "email")] {
            let page = browser.get(&server.url(path)).await;
            let form = page.forms().into_iter().find(|form| form.has(field));
            let form = form.unwrap_or_else(|| panic!("{path}: {}", page.body));
            let who = if field == "email" { "grace@example.com" } else { "ada" };
            browser.submit(&page, form, &[(field, who)]).await;
        }
        people::answer_wishes(server.provider()).await.unwrap();
        let api = Caller::client(&server, "admin:users").await;
        let body = Some(json!({"username": "kept"}));
        let made = api.send("POST", "/users", body, &[("idempotency-key", "one")]).await;
        assert_eq!(made.status, 201, "{}", made.body);
        scene.end_sessions().await;
        server.provider().write_events(server.call().now).await.unwrap();
        server.provider().write_traces().await.unwrap();

        let before = census(&server, backend).await;
        let classes = classes();
        let by_time: Vec<&String> = classes
            .values()
            .filter(|(_, gone)| gone.starts_with("by time"))
            .flat_map(|(tables, _)| tables)
            // an hour by the database's own clock, which nobody moves
            .filter(|table| *table != "ended")
            .collect();
        let count = |census: &BTreeMap<String, i64>, table: &str| census[&format!("sql {table}")];
        let filled = by_time.iter().filter(|table| count(&before, table) > 0).count();
        assert!(filled >= 8, "{before:?}");

        server.advance(Duration::from_secs(3 * 366 * 24 * 60 * 60));
        while cleaning::sweep(server.provider(), &Call::system(server.clock()))
            .await
            .unwrap()
            > 0
        {}
        let after = census(&server, backend).await;
        for table in by_time {
            // the last checkpoint of what went is what the next goes on from
            let stays = i64::from(table == "event_checkpoints");
            assert!(
                count(&after, table) <= stays,
                "{backend:?} {table}: {}",
                count(&after, table)
            );
        }
        for table in ["users", "consents", "clients", "settings"] {
            assert_eq!(count(&after, table), count(&before, table), "{backend:?} {table}");
        }
        server.stop().await;
    }
}
