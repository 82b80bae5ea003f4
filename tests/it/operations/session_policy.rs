//! docs/sessions.md says what the declarations say, with a reason each; and the commands it gives do what they say.

use ostiary::model::setting::{DECLARED, Declaration};
use ostiary::model::{Id, LayerOwner, Timestamp};
use serde_json::json;

use crate::support::cli::Terminal;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sessions.md");
    std::fs::read_to_string(path).unwrap()
}

/// SEC-186: timeouts and concurrency are documented with reasons, and the page's constants are the program's.
#[test]
fn session_policy_documented() {
    let page = page();
    let mut told = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| `session.")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [key, default, meaning, reason] = cells.as_slice() else {
            continue;
        };
        let key = key.trim_matches('`');
        let declared = Declaration::find(key).unwrap_or_else(|| panic!("there is no {key}"));
        let built_in = declared.read(&json!(declared.default)).map(|value| value.to_json());
        let built_in = built_in.unwrap_or_else(|_| serde_json::from_str(declared.default).unwrap());
        let shown = built_in.as_str().map_or_else(|| built_in.to_string(), str::to_owned);
        assert_eq!(default.trim_matches('`'), shown, "{key}");
        assert!(
            meaning.ends_with('.') && reason.ends_with('.'),
            "{key} is told in sentences"
        );
        told.push(key.to_owned());
    }
    // whatever has a say in how long and how many is there
    let ada = LayerOwner::User(Id::new(Timestamp::from_seconds(0)));
    for declared in DECLARED {
        let is_policy = declared.key.starts_with("session.") && ada.may_say(declared.key);
        if is_policy {
            assert!(
                told.iter().any(|key| key == declared.key),
                "{} is not told",
                declared.key
            );
        }
    }
    for word in ["refuse", "end_oldest", "end_least_recent", "ask"] {
        assert!(page.contains(&format!("| `{word}` |")), "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_what_counts_and_for_whom() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    for command in [
        &["users", "create", "ada"][..],
        &["groups", "create", "family-plan"],
        &["groups", "add", "family-plan", "ada"],
        &["settings", "set", "session.max_concurrent", "2"],
        &["settings", "set", "session.at_limit", "ask"],
    ] {
        terminal.run(command).await.ok();
    }
    let group = [
        "settings",
        "set",
        "session.max_concurrent",
        "5",
        "--group",
        "family-plan",
        "--json",
    ];
    assert_eq!(terminal.run(&group).await.json(), json!({"session.max_concurrent": 5}));
    let show = ["settings", "show", "--user", "ada", "--json"];
    let number = async |terminal: &Terminal| {
        let rows = terminal.run(&show).await.json();
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter()
            .find(|row| row["key"] == "session.max_concurrent")
            .unwrap()
    };
    let counts = number(&terminal).await;
    assert_eq!(counts["value"], 5);
    assert!(
        counts["source"].as_str().unwrap().ends_with("group family-plan"),
        "{counts}"
    );
    assert_eq!(counts["contenders"][0]["value"], 2);
    let own = ["settings", "set", "session.max_concurrent", "1", "--user", "ada"];
    assert_eq!(terminal.run(&own).await.ok(), "session.max_concurrent: 1\n");
    assert_eq!(number(&terminal).await["source"], "user");
    let told = terminal.run(&["settings", "show", "--user", "ada"]).await.ok();
    assert!(told.contains("5 ("), "{told}");
    let back = ["settings", "set", "session.max_concurrent", "null", "--user", "ada"];
    terminal.run(&back).await.ok();
    assert_eq!(number(&terminal).await["value"], 5);
    let wrong = ["settings", "set", "key.rotation_interval", "10d", "--user", "ada"];
    assert!(terminal.run(&wrong).await.refused().contains("has no say in it"));
    let nobody = ["settings", "set", "session.max_concurrent", "1", "--group", "nobody"];
    assert!(
        terminal
            .run(&nobody)
            .await
            .refused()
            .contains("there is no group nobody")
    );
    let both = [
        "settings",
        "set",
        "session.max_concurrent",
        "1",
        "--group",
        "a",
        "--user",
        "b",
    ];
    assert_eq!(terminal.run(&both).await.code, 2);
    let without = ["settings", "show", "--json"];
    assert!(terminal.run(&without).await.json().as_array().unwrap().len() > 20);
}
