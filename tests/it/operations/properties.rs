//! Properties from a terminal and in a file of `apply`.

use serde_json::{Value, json};

use crate::support::cli::Terminal;

#[tokio::test(flavor = "multi_thread")]
async fn properties_are_defined_and_set_from_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let entry = json!({"name": "floor", "type": "number", "minimum": 0, "users": "write"});
    terminal
        .run_with(&["properties", "define", "-"], &entry.to_string())
        .await
        .ok();
    terminal
        .run_with(&["properties", "define", "-"], &entry.to_string())
        .await
        .refused();
    terminal
        .run(&[
            "users",
            "create",
            "ada",
            "--company",
            "Engines",
            "--property",
            "floor=3",
        ])
        .await
        .ok();
    let shown = terminal.run(&["users", "show", "ada", "--json"]).await.json();
    assert_eq!(shown["properties"], json!({"floor": 3}));
    terminal
        .run(&["users", "set-property", "ada", "floor", "-1"])
        .await
        .refused();
    terminal.run(&["users", "set-property", "ada", "floor", "7"]).await.ok();
    let told = terminal
        .run_with(
            &["properties", "change", "floor", "-", "--dry-run", "--json"],
            &json!({"maximum": 5}).to_string(),
        )
        .await
        .json();
    assert_eq!((&told["looked_at"], &told["invalid"]), (&json!(1), &json!(1)));
    terminal
        .run_with(
            &["properties", "change", "floor", "-"],
            &json!({"maximum": 9}).to_string(),
        )
        .await
        .ok();
    let shown = terminal.run(&["properties", "show", "floor", "--json"]).await.json();
    assert_eq!(shown["maximum"], 9);
    terminal.run(&["properties", "delete", "floor"]).await.ok();
    terminal.run(&["properties", "show", "shoe"]).await.refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_defines_properties_before_it_makes_users_and_an_export_brings_both_along() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let apply = async |file: &Value| terminal.run_with(&["apply", "-", "--json"], &file.to_string()).await;
    let mut file = json!({"version": 1,
        "properties": [
            {"name": "badge", "type": "text", "unique": true, "pattern": "[0-9]+", "claim": "badge"},
            {"name": "given_name", "max_length": 20}],
        "users": [{"username": "ada", "company": "Engines", "properties": {"badge": "1"}}]});
    let first = apply(&file).await.json();
    let sections: Vec<&str> = first["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["section"].as_str().unwrap())
        .collect();
    assert_eq!(sections, ["properties", "properties", "users"]);
    assert_eq!(apply(&file).await.json()["changes"], json!([]), "a second time nothing");
    let export = terminal.run(&["export"]).await.json();
    let badge = export["properties"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == "badge")
        .unwrap();
    assert_eq!(badge["pattern"], "[0-9]+");
    assert_eq!(export["users"][0]["properties"], json!({"badge": "1"}));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Terminal::at(elsewhere.path());
    other.run_with(&["apply", "-"], &export.to_string()).await.ok();
    assert_eq!(other.run(&["export"]).await.json()["properties"], export["properties"]);
    file["users"][0]["properties"]["badge"] = "x".into();
    assert!(apply(&file).await.refused().contains("look"));
    file["properties"][0]["type"] = "number".into();
    apply(&file).await.refused();
}
