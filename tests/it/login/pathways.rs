//! The table of the ways in, beside the sources and the routes.

use std::collections::BTreeSet;

use crate::api::routes::MOUNTED;
use crate::support::sources::texts;

/// What begins a session or mints a token, as the edge calls it.
const DOORS: &[&str] = &[
    "password::sign_in(",
    "passkey::sign_in(",
    "code::answer(&http",
    "link::go_on(",
    "link::enter(",
    "factor::answer(&http",
    "done::answer(",
    ".end_and_enter(",
    "login::enter(",
    "session::begin(",
    "session::begin_for(",
    "token::grant(",
    "first_party::challenge(",
];

/// SEC-233: every way in has a line with its strength and what watches it; a source that lets somebody in and has none fails.
#[test]
fn auth_pathway_inventory() {
    let page = std::fs::read_to_string("docs/ways-in.md").unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `/"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let mut listed = BTreeSet::new();
    for row in &rows {
        assert!(row.len() == 4 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        let route = row[0].split('`').nth(1).unwrap();
        assert!(
            MOUNTED.iter().any(|(path, _)| *path == route),
            "there is no route {route}"
        );
        listed.insert(row[1].trim_matches('`').to_owned());
    }
    let mut found = BTreeSet::new();
    for folder in ["src/http", "src/cli", "src/jobs", "src/server"] {
        for (path, text) in texts(folder, &["rs"]) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            if code
                .into_iter()
                .any(|line| DOORS.iter().any(|door| line.contains(door)))
            {
                found.insert(path);
            }
        }
    }
    assert_eq!(found, listed, "docs/ways-in.md and the sources name different files");
}
