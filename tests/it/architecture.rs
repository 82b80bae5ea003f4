//! The arrows of the house, kept true: the sources are read and compared with the tables below.
//! Whoever changes a table changes the plan of the house, and ARCHITECTURE.md with it.

pub mod source;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, Word, sources, words};
use tables::{BANNED, LONGEST_SOURCE, LONGEST_TEST, PACKAGES, PLAIN, ROOMS};

use crate::support::sources::{files, root};

fn refuse(broken: BTreeSet<String>) {
    let list: Vec<String> = broken.into_iter().collect();
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
}

#[test]
fn a_room_imports_only_what_the_table_says() {
    let table: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut broken = BTreeSet::new();
    for source in sources("src") {
        let room = source.room().to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(may) = table.get(room.as_str()) else {
            broken.insert(format!("src/{}: {room} is no room of the table ROOMS", source.path));
            continue;
        };
        for path in source.own_paths() {
            // a macro's `super` is the place of its call; what is no room is no arrow
            let Some(wanted) = path.first().filter(|wanted| table.contains_key(wanted.as_str())) else {
                continue;
            };
            let ground = ["crypto", "model"].contains(&wanted.as_str());
            if *wanted != room && !ground && !may.contains(&wanted.as_str()) {
                broken.insert(format!(
                    "src/{}: {room} may not import {wanted}; {}",
                    source.path,
                    why(&room, wanted)
                ));
            }
        }
    }
    refuse(broken);
}

fn why(room: &str, wanted: &str) -> &'static str {
    match (room, wanted) {
        ("protocol", "clock" | "random" | "config") => "time and random values arrive as arguments",
        ("protocol", _) | (_, "protocol") => "protocol and the tools meet nowhere but in flow",
        ("http", _) => "a handler extracts, makes one flow call and responds",
        ("jobs", _) => "a job calls a flow, nothing else",
        ("cli", "http") => "a command starts a server or calls a flow",
        (_, "server" | "demo") => "concrete backends are named by server and demo, and those by cli alone",
        _ => "arrows point to lower floors, and tools do not know one another",
    }
}

#[test]
fn the_binary_starts_the_command_line_and_nothing_else() {
    let main = sources("src").iter().find(|source| source.path == "main.rs").unwrap();
    let after: Vec<&Word> = main
        .words
        .windows(3)
        .filter(|window| window[0] == Word::Name("ostiary".to_owned()) && window[1] == Word::Mark("::"))
        .map(|window| &window[2])
        .collect();
    assert!(
        after.iter().all(|word| **word == Word::Name("cli".to_owned())),
        "main.rs names {after:?}"
    );
}

#[test]
fn an_outside_package_is_named_in_its_room_alone() {
    let table: BTreeMap<&str, &[&str]> = PACKAGES.iter().copied().collect();
    let mut broken = BTreeSet::new();
    for source in sources("src") {
        for package in source.package_paths() {
            let Some(rooms) = table.get(package) else { continue };
            if !rooms.contains(&source.room()) {
                let rooms = rooms.join(", ");
                broken.insert(format!(
                    "src/{}: {package} is named in {rooms} alone; changing a package is changing a room",
                    source.path
                ));
            }
        }
        let still = ["model", "protocol"].contains(&source.room());
        if still && source.package_paths().contains(&"tokio") {
            broken.insert(format!(
                "src/{}: {} is pure and knows no tokio",
                source.path,
                source.room()
            ));
        }
    }
    refuse(broken);
}

#[test]
fn every_package_of_the_manifest_has_its_room() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let mut broken = BTreeSet::new();
    for package in manifest["dependencies"].as_table().unwrap().keys() {
        let name = package.replace('-', "_");
        let placed = PACKAGES.iter().any(|(known, _)| *known == name) || PLAIN.contains(&name.as_str());
        if !placed {
            broken.insert(format!("Cargo.toml: {package} stands in neither PACKAGES nor PLAIN"));
        }
    }
    refuse(broken);
}

#[test]
fn model_and_protocol_wait_for_nothing() {
    let mut broken = BTreeSet::new();
    for source in sources("src") {
        let waits = source
            .words
            .iter()
            .any(|word| matches!(word, Word::Name(name) if name == "async" || name == "await"));
        if ["model", "protocol"].contains(&source.room()) && waits {
            broken.insert(format!(
                "src/{}: {} is pure; what waits belongs to flow",
                source.path,
                source.room()
            ));
        }
    }
    refuse(broken);
}

#[test]
fn time_random_values_and_the_environment_come_from_one_place() {
    let mut broken = BTreeSet::new();
    for source in sources("src") {
        for (call, rooms, reason) in BANNED {
            if !rooms.contains(&source.room()) && source.says(call) {
                broken.insert(format!("src/{}: {}: {reason}", source.path, call.join("::")));
            }
        }
    }
    refuse(broken);
}

#[test]
fn nothing_is_global() {
    let mut broken = BTreeSet::new();
    for source in sources("src") {
        for name in ["static", "thread_local", "lazy_static", "LazyLock"] {
            if source.words.contains(&Word::Name(name.to_owned())) {
                broken.insert(format!(
                    "src/{}: {name}: everything is a field of the provider and arrives as an argument",
                    source.path
                ));
            }
        }
    }
    refuse(broken);
}

#[test]
fn grants_never_import_one_another() {
    let all = sources("src");
    let grants: Vec<&Source> = all
        .iter()
        .filter(|source| source.path.starts_with("flow/token/"))
        .collect();
    let shared = ["mod", "issue", "client_authentication"];
    let acts = ["introspection", "revocation", "userinfo"];
    let names: Vec<&str> = grants
        .iter()
        .map(|source| source.stem())
        .filter(|stem| {
            stem.ends_with("_code")
                || stem.ends_with("_token")
                || stem.ends_with("_credentials")
                || stem.ends_with("_grant")
        })
        .filter(|stem| !shared.contains(stem) && !acts.contains(stem))
        .collect();
    let mut broken = BTreeSet::new();
    for source in grants.iter().filter(|source| names.contains(&source.stem())) {
        for other in names.iter().filter(|name| **name != source.stem()) {
            let met = source
                .own_paths()
                .iter()
                .any(|path| path.len() > 2 && path[0] == "flow" && path[1] == "token" && path[2] == *other);
            if met {
                broken.insert(format!(
                    "src/{}: a grant never imports another ({other}); what they share is minted by issue",
                    source.path
                ));
            }
        }
    }
    refuse(broken);
}

#[test]
fn the_rooms_of_flow_have_no_circles() {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources("src").iter().filter(|source| source.path.starts_with("flow/")) {
        let Some(here) = source.inner_room() else { continue };
        if here == "mod" {
            continue;
        }
        for path in source.own_paths() {
            if path.len() > 1 && path[0] == "flow" && path[1] != here && is_flow_room(&path[1]) {
                arrows.entry(here.to_owned()).or_default().insert(path[1].clone());
            }
        }
    }
    for start in arrows.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = arrows[start].iter().collect();
        while let Some(room) = next.pop() {
            assert_ne!(
                room, start,
                "flow/{start} reaches itself through {seen:?}; the rooms of flow have no circles"
            );
            if seen.insert(room.clone()) {
                next.extend(arrows.get(room).into_iter().flatten());
            }
        }
    }
}

fn is_flow_room(name: &str) -> bool {
    root().join("src/flow").join(name).is_dir()
}

#[test]
fn the_rooms_of_http_share_only_what_is_made_for_sharing() {
    let leaves = ["oauth", "page", "account", "console", "api", "scim"];
    let mut broken = BTreeSet::new();
    for source in sources("src").iter().filter(|source| source.path.starts_with("http/")) {
        let Some(here) = source.inner_room().filter(|here| leaves.contains(here)) else {
            continue;
        };
        for path in source.own_paths() {
            if path.len() > 1 && path[0] == "http" && path[1] != here && leaves.contains(&path[1].as_str()) {
                broken.insert(format!(
                    "src/{}: http/{here} imports http/{}; they share through extract, layer and error",
                    source.path, path[1]
                ));
            }
        }
    }
    refuse(broken);
}

#[test]
fn statements_stand_in_the_rooms_of_storage() {
    let storage = ["sql", "store", "ephemeral", "sessions"];
    let mut broken = BTreeSet::new();
    for source in sources("src").iter().filter(|source| !storage.contains(&source.room())) {
        for word in &source.words {
            let Word::Text(text) = word else { continue };
            let text = format!(
                "{} ",
                text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
            );
            let statement = (text.starts_with("select ") && text.contains(" from "))
                || (text.starts_with("update ") && text.contains(" set "))
                || text.starts_with("insert into ")
                || text.starts_with("delete from ");
            if statement {
                broken.insert(format!("src/{}: a statement outside storage: {text}", source.path));
            }
        }
    }
    refuse(broken);
}

#[test]
fn every_migration_has_its_twin() {
    let names = |engine: &str| -> BTreeSet<String> {
        files(&root().join("migrations").join(engine))
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("sqlite"),
        names("postgres"),
        "the same migrations stand in both folders under the same names"
    );
}

#[test]
fn every_test_file_is_listed() {
    let all = sources("tests/it");
    let mut broken = BTreeSet::new();
    for source in all {
        let mut steps: Vec<&str> = source.path.trim_end_matches(".rs").split('/').collect();
        if steps.last() == Some(&"mod") {
            steps.pop();
        }
        let name = steps.pop().unwrap();
        if source.path == "main.rs" {
            continue;
        }
        let folder = steps.join("/");
        let parents = if folder.is_empty() {
            vec!["main.rs".to_owned()]
        } else {
            vec![format!("{folder}.rs"), format!("{folder}/mod.rs")]
        };
        let listed = all
            .iter()
            .filter(|parent| parents.contains(&parent.path))
            .any(|parent| {
                parent
                    .words
                    .windows(2)
                    .any(|pair| pair == [Word::Name("mod".to_owned()), Word::Name(name.to_owned())])
            });
        if !listed {
            broken.insert(format!(
                "tests/it/{}: not listed in {}",
                source.path,
                parents.join(" or ")
            ));
        }
    }
    refuse(broken);
}

#[test]
fn files_stay_small_and_are_named_after_what_they_hold() {
    let mut broken = BTreeSet::new();
    for (folder, longest) in [("src", LONGEST_SOURCE), ("tests/it", LONGEST_TEST)] {
        for source in sources(folder) {
            let lines = source.text.lines().count();
            if lines > longest {
                broken.insert(format!(
                    "{folder}/{}: {lines} lines; a file is one noun or one act",
                    source.path
                ));
            }
            let vague = [
                "util", "utils", "common", "helper", "helpers", "misc", "manager", "service",
            ];
            if let Some(name) = source
                .path
                .trim_end_matches(".rs")
                .split('/')
                .find(|step| vague.contains(step))
            {
                broken.insert(format!(
                    "{folder}/{}: {name} says nothing about what is inside",
                    source.path
                ));
            }
        }
    }
    refuse(broken);
}

#[test]
fn the_tree_names_no_machine() {
    let mut broken = BTreeSet::new();
    let folders = [
        "src",
        "tests",
        "docs",
        "scripts",
        "templates",
        "migrations",
        ".ci",
        "benches",
        "keys",
    ];
    let mut all: Vec<_> = folders.iter().flat_map(|folder| files(&root().join(folder))).collect();
    all.extend(
        std::fs::read_dir(root())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file()),
    );
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/."), concat!("/ho", "me/")];
    for path in all {
        // a worktree's `.git` is a file with a path in it
        if path.file_name().is_some_and(|name| name == ".git") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for place in places {
            if text.contains(place) {
                broken.insert(format!(
                    "{}: {place} is a place of one machine",
                    path.strip_prefix(root()).unwrap().display()
                ));
            }
        }
    }
    refuse(broken);
}

/// SEC-670: the sandbox is a room of its own that only the command line reaches, no build script puts the repository's
/// state into the binary, no route of the server is made for trying things out, and the places where tests make a process
/// stand still are in no build but theirs.
#[test]
fn release_surface() {
    assert!(
        !root().join("build.rs").exists(),
        "a build script could carry the repository's state into the binary"
    );
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let features = manifest
        .split("[features]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    assert!(
        !features.contains("default"),
        "a feature is on unless somebody turns it off"
    );
    let mut broken = BTreeSet::new();
    for file in ["Dockerfile", "docker-compose.yml", "README.md", "scripts/demo"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        if ["failpoints", "--features", "--all-features"]
            .iter()
            .any(|word| text.contains(word))
        {
            broken.insert(format!("{file}: builds something else than what is released"));
        }
    }
    for source in sources("src") {
        let reaches = source
            .own_paths()
            .iter()
            .any(|path| path.first().is_some_and(|room| room == "demo"));
        if reaches && !["demo", "cli"].contains(&source.room()) {
            broken.insert(format!(
                "src/{}: the sandbox is reached from the command line alone",
                source.path
            ));
        }
        for word in &source.words {
            let Word::Text(text) = word else { continue };
            if text.contains(".git/") {
                broken.insert(format!("src/{}: names the repository", source.path));
            }
            let trial = ["/debug", "/test", "/sample", "/demo", "/dev", "/mock"];
            if ["http", "server"].contains(&source.room()) && trial.iter().any(|start| text.starts_with(start)) {
                broken.insert(format!("src/{}: {text} is a route for trying things out", source.path));
            }
        }
    }
    refuse(broken);
}

/// SEC-585: random values come from the operating system by way of one room, and ids are never made from secrets' source
/// by another way. The lints refuse the calls; this test sees that the lints stand, and that no second generator is a dependency.
#[test]
fn random_values_audit() {
    let fence = std::fs::read_to_string(root().join("clippy.toml")).unwrap();
    for call in ["getrandom::fill", "uuid::Uuid::now_v7"] {
        assert!(fence.contains(call), "clippy.toml refuses {call}");
    }
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    for other in ["rand", "fastrand", "oorandom", "nanorand"] {
        assert!(
            !manifest["dependencies"].as_table().unwrap().contains_key(other),
            "{other} is a second generator"
        );
    }
    for source in sources("src").iter().filter(|source| source.room() != "random") {
        for generator in ["OsRng", "thread_rng", "SystemRandom", "SmallRng", "getrandom"] {
            let named = source.words.contains(&Word::Name(generator.to_owned()));
            assert!(
                !named,
                "src/{}: {generator}: random.rs is the only source of random values",
                source.path
            );
        }
    }
}

/// SEC-581, SEC-586: cryptography comes from vetted libraries, and hashes are SHA-256 or stronger. One-time codes alone are made with
/// HMAC-SHA-1 where authenticators know no other (RFC 6238): the library that makes them brings it.
#[test]
fn crypto_libs_only() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let packages = manifest["dependencies"].as_table().unwrap();
    for young in [
        "md5",
        "md-5",
        "sha1",
        "sha-1",
        "des",
        "rc4",
        "rsa",
        "aes",
        "aes-gcm",
        "ed25519-dalek",
        "p256",
        "k256",
        "ring",
    ] {
        assert!(
            !packages.contains_key(young),
            "{young} is no library of ours for cryptography"
        );
    }
    for source in sources("src") {
        for weak in [
            "SHA1_FOR_LEGACY_USE_ONLY",
            "Md5",
            "md5",
            "Sha1",
            "HMAC_SHA1_FOR_LEGACY_USE_ONLY",
        ] {
            // public lists of stolen passwords are lists of such digests: comparing with them protects nothing by it
            let compares = source.path == "crypto.rs" && weak == "SHA1_FOR_LEGACY_USE_ONLY";
            assert!(
                compares || !source.words.contains(&Word::Name(weak.to_owned())),
                "src/{}: {weak}",
                source.path
            );
        }
        let may_compare = [
            "crypto.rs",
            "credential/breached.rs",
            "credential/breached_build.rs",
            "flow/people/breach_service.rs",
        ];
        let names = source.words.contains(&Word::Name("sha1".to_owned()));
        assert!(
            !names || may_compare.contains(&source.path.as_str()),
            "src/{}: sha1",
            source.path
        );
    }
}

#[test]
fn the_reader_of_sources_is_not_fooled() {
    let text = r###"
        // crate::comment::x
        /* crate::block /* nested */ */
        use crate::{flow::token, model::{Id, Secret}, store};
        use super::super::view::render;
        use http::Uri;
        fn f<'a>(x: &'static str, c: char) { let _ = ('"', '\'', "select \" 1", r#"raw " text"#); std::time::now(); }
    "###;
    let source = Source {
        path: "http/page/login.rs".to_owned(),
        text: text.to_owned(),
        words: words(text),
    };
    let paths: Vec<String> = source.own_paths().iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "flow::token",
            "model::Id",
            "model::Secret",
            "store",
            "http::view::render"
        ]
    );
    assert_eq!(source.package_paths(), ["crate", "super", "http", "std"]);
    assert!(!source.words.contains(&Word::Name("static".to_owned())));
    assert!(source.words.contains(&Word::Text("raw \" text".to_owned())));
    assert!(source.says(&["time", "now"]) && !source.says(&["comment", "x"]));
    assert!(root().join("Cargo.toml").exists());
}

/// The rooms that may name a package.
pub fn packages(name: &str) -> &'static [&'static str] {
    PACKAGES
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(&[], |(_, rooms)| *rooms)
}
