//! Terms of use and requests for accounts from a terminal, and terms in a file of `apply`.

use serde_json::{Value, json};

use crate::support::cli::Terminal;

fn entry(version: &str, text: &str) -> Value {
    json!({"name": "terms", "version": version, "groups": ["staff"], "effective_at": "2026-01-01T00:00:00Z",
        "texts": {"en": {"title": "Terms", "text": text}, "de": {"title": "Bedingungen", "url": "https://example.com/agb"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_published_listed_and_taken_back_from_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let publish = async |entry: &Value| terminal.run_with(&["terms", "publish", "-"], &entry.to_string()).await;
    assert!(
        publish(&entry("1", "one")).await.refused().contains("group"),
        "there is none yet"
    );
    terminal.run(&["groups", "create", "staff"]).await.ok();
    assert!(
        publish(&entry("1", "one"))
            .await
            .ok()
            .contains("terms 1 counts from 2026-01-01")
    );
    assert!(publish(&entry("1", "two")).await.refused().contains("does not change"));
    publish(&entry("2", "two")).await.ok();
    terminal.run(&["terms", "withdraw", "Terms", "1"]).await.ok();
    terminal.run(&["terms", "withdraw", "terms", "1"]).await.refused();
    terminal.run(&["terms", "withdraw", "terms", "9"]).await.refused();
    let listed = terminal.run(&["terms", "list", "--json"]).await.json();
    let versions: Vec<(&str, bool)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["version"].as_str().unwrap(), row["withdrawn_at"].is_string()))
        .collect();
    assert_eq!(versions.len(), 2);
    assert!(
        versions.contains(&("1", true)) && versions.contains(&("2", false)),
        "{versions:?}"
    );
    terminal.run(&["users", "create", "ada"]).await.ok();
    assert_eq!(
        terminal.run(&["terms", "accepted", "ada", "--json"]).await.json(),
        json!([])
    );
    terminal.run(&["users", "require", "ada", "accept_terms"]).await.ok();
    assert_eq!(
        terminal.run(&["access-requests", "list", "--json"]).await.json(),
        json!([])
    );
    assert!(
        terminal
            .run(&["access-requests", "approve", "ada@example.com"])
            .await
            .refused()
            .contains("no request")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_publishes_terms_once_and_an_export_brings_them_along() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let apply = async |terms: Value| {
        let file = json!({"version": 1, "groups": [{"name": "staff"}], "terms": terms});
        terminal.run_with(&["apply", "-", "--json"], &file.to_string()).await
    };
    let first = apply(json!([entry("1", "one")])).await.json();
    let sections: Vec<&str> = first["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["section"].as_str().unwrap())
        .collect();
    assert_eq!(sections, ["groups", "terms"]);
    assert_eq!(
        apply(json!([entry("1", "one")])).await.json()["changes"],
        json!([]),
        "a second time nothing"
    );
    let changed = apply(json!([entry("1", "other words")])).await.refused();
    assert!(changed.contains("does not change"), "{changed}");
    let mut wrong = entry("2", "two");
    wrong["groups"] = json!(["nobody"]);
    assert!(apply(json!([wrong])).await.refused().contains("no group"));
    for broken in [
        json!([{"name": "terms"}]),
        json!([entry("2", "")]),
        json!([entry("3", "x"), entry("3", "x")]),
    ] {
        apply(broken).await.refused();
    }
    let export = terminal.run(&["export"]).await.json();
    assert_eq!(export["terms"], json!([entry("1", "one")]));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Terminal::at(elsewhere.path());
    other.run_with(&["apply", "-"], &export.to_string()).await.ok();
    assert_eq!(other.run(&["export"]).await.json()["terms"], export["terms"]);
}
