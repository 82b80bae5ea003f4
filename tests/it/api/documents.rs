//! The pages about the API say what the program does.

use std::collections::BTreeSet;

use ostiary::flow::people::permissions;
use ostiary::http::api::route::Permission;
use ostiary::http::api::table;
use ostiary::model::EventKind;

use crate::support::sources::{root, texts};

fn page(name: &str) -> String {
    let path = root().join("docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The first cells of the rows of a page's tables, without their quotes.
fn first_cells(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`').map(|(cell, _)| cell.to_owned()))
        .collect()
}

/// SEC-610: the catalogue names exactly the events there are. Code can't emit others: an event's kind is a variant.
#[test]
fn event_catalogue() {
    let named = first_cells(&page("events.md"));
    let there: Vec<String> = EventKind::ALL.iter().map(|kind| kind.to_string()).collect();
    assert_eq!(
        named, there,
        "docs/events.md lists every kind once, in the order of declaration"
    );
    for row in page("events.md").lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(row.matches('|').count(), 5, "{row}");
    }
    // every fact that code adds is told of
    for (path, source) in texts("src", &["rs"]) {
        for (at, _) in source.match_indices(".fact(\"") {
            let name = source[at + 7..].split('"').next().unwrap();
            let told = ["events.md", "explain.md"]
                .iter()
                .any(|about| page(about).contains(&format!("`{name}`")));
            assert!(
                told,
                "{path}: neither docs/events.md nor docs/explain.md tells of the fact {name}",
            );
        }
    }
}

/// SEC-431: the table of permissions in the documentation is the one the code uses.
#[test]
fn authz_docs_generated() {
    let documented: BTreeSet<String> = page("api.md")
        .lines()
        .filter(|line| line.starts_with("| `GET ") || line.starts_with("| `P") || line.starts_with("| `DELETE "))
        .map(str::to_owned)
        .collect();
    let there: BTreeSet<String> = table()
        .iter()
        .map(|route| {
            let permission = match route.permission {
                Permission::Open => "none".to_owned(),
                Permission::Held(permission) => format!("`{permission}`"),
            };
            format!(
                "| `{} {}` | {permission} | {} |",
                route.method.as_str(),
                route.path,
                route.summary
            )
        })
        .collect();
    let missing: Vec<&String> = there.difference(&documented).collect();
    let wrong: Vec<&String> = documented.difference(&there).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "docs/api.md lacks {missing:#?} and has {wrong:#?}"
    );
    for scope in permissions::scopes().iter() {
        assert!(page("api.md").contains(scope), "{scope}");
    }
}
