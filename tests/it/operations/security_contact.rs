//! Where weaknesses are reported, and what is risky.

use std::collections::BTreeSet;
use std::path::Path;

use ostiary::model::Timestamp;
use serde_json::json;

use crate::architecture::packages;
use crate::support::browser::Browser;
use crate::support::server::Server;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// SEC-677: the repository says how weaknesses are reported in private, and an installation says who reads reports about it.
#[tokio::test(flavor = "multi_thread")]
async fn security_contact() {
    let policy = page("SECURITY.md");
    for said in [
        "Report a vulnerability",
        "private advisory",
        "Supported versions",
        "working days",
        "90 days",
    ] {
        assert!(policy.contains(said), "{said}");
    }
    assert!(page("README.md").contains("SECURITY.md"));
    let server = Server::start().await;
    let url = server.url("/.well-known/security.txt");
    assert_eq!(Browser::new().get(&url).await.status, 404);
    for bad in [
        "ftp://example.com",
        "mailto:",
        "https://user@example.com/",
        "security@example.com",
        "https://x\n.example",
    ] {
        let table = json!({"security": {"contact": bad}});
        use ostiary::flow::operations::settings::{ChangedBy, change};
        let refused = change(
            server.provider(),
            &server.call(),
            table.as_object().unwrap(),
            ChangedBy::Command,
        )
        .await;
        assert!(refused.is_err(), "{bad}");
    }
    server
        .settings(json!({"security": {"contact": "mailto:security@example.com"}}))
        .await;
    let shown = Browser::new().get(&url).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("content-type"), "text/plain; charset=utf-8");
    let lines: Vec<(&str, &str)> = shown.body.lines().map(|line| line.split_once(": ").unwrap()).collect();
    let field = |name: &str| lines.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!(field("Contact"), "mailto:security@example.com");
    assert_eq!(field("Canonical"), url);
    let expires = Timestamp::parse(field("Expires")).unwrap();
    let now = server.call().now;
    assert!(now < expires && expires.since(now).as_secs() < 365 * 24 * 3600);
    server.settings(json!({"security": {"contact": ""}})).await;
    assert_eq!(Browser::new().get(&url).await.status, 404);
    server.stop().await;
}

/// SEC-672: what reads hostile input is listed with its rooms and its fuzz targets, and the list is true.
#[test]
fn risky_components() {
    let text = page("docs/security.md");
    let section = text.split("## Risky components\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let quoted = |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut targets = BTreeSet::new();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 8);
    for row in &rows {
        let rooms = quoted(row[2]);
        for package in quoted(row[1]) {
            let known: BTreeSet<String> = packages(&package).iter().map(|&room| room.to_owned()).collect();
            assert_eq!(known, rooms, "{package}");
        }
        let of_row = quoted(row[3]);
        assert!(!of_row.is_empty() || row[3].starts_with("none: "), "{row:?}");
        targets.extend(of_row);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fuzz");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "mod.rs")
        .collect();
    assert_eq!(targets, files);
    // what is not there yet has no package either
    let manifest = page("Cargo.toml");
    for absent in ["xml", "tar", "image", "ldap", "samael"] {
        assert!(
            !manifest.lines().any(|line| line.starts_with(absent)),
            "{absent} needs its line"
        );
    }
}
