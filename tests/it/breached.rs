//! The list of passwords that others have lost: built from whatever is at hand, found in it, refused by it.

use std::io::Cursor;

use ostiary::credential::{BreachedList, Built, ListBuilder, NotBuilt, Unlisted};
use ostiary::crypto;
use proptest::prelude::*;

use crate::support::cli::Terminal;

use crate::support::backend::length;

fn build(folder: &std::path::Path, input: &str, least_seen: u64) -> (BreachedList, Built) {
    let target = folder.join("list");
    let mut builder = ListBuilder::begin(&target, least_seen).unwrap();
    builder.add(Cursor::new(input.as_bytes()), |_| ()).unwrap();
    let built = builder.finish().unwrap();
    assert!(!folder.join("list.parts").exists());
    (BreachedList::open(&target).unwrap(), built)
}

fn digest(password: &str) -> String {
    crypto::hex(&crypto::sha1(password.as_bytes()))
}

/// SEC-212: `password_lists`. Words and digests are found, with and without how often they were seen; what is not there is not, but for
/// one in 16,384.
#[test]
fn password_lists() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        "correct horse\n".to_owned(),
        "mit Umlaut ä und leer \r\n".to_owned(),
        format!("{}:17\r\n", digest("seen often").to_uppercase()),
        format!("{}:2\n", digest("seen seldom")),
        format!("{}\n", digest("without a number")),
        // no digest: a word of forty characters and something behind
        format!("{}x\n", digest("x")),
        "\n".to_owned(),
        "correct horse\n".to_owned(),
        format!("{}\n", "long ".repeat(5_000)),
        "the last has no end".to_owned(),
    ];
    let (list, built) = build(folder.path(), &lines.concat(), 3);
    assert_eq!((built.lines, built.left_out, built.passwords), (10, 3, 6));
    for password in [
        "correct horse",
        "mit Umlaut ä und leer ",
        "seen often",
        "without a number",
        "the last has no end",
    ] {
        assert!(list.holds(password), "{password}");
    }
    assert!(list.holds(&format!("{}x", digest("x"))));
    for password in [
        "seen seldom",
        "Correct horse",
        "correct horse ",
        "mit Umlaut ä und leer",
        "x",
        "",
    ] {
        assert!(!list.holds(password), "{password}");
    }
    assert!(!BreachedList::default().holds("correct horse"));
    list.examine().unwrap();
}

#[test]
fn a_long_list_is_small_finds_all_and_mistakes_few() {
    let most: u64 = length(20_000, 200_000, 200_000);
    let folder = tempfile::tempdir().unwrap();
    let input: String = (0..most).map(|number| format!("password {number}\n")).collect();
    let (list, built) = build(folder.path(), &input, 1);
    // two that fall on one number are one
    assert!(built.passwords > most - 50, "{built:?}");
    assert!(built.bytes < most * 21 / 10, "{built:?}");
    assert!((0..most).all(|number| list.holds(&format!("password {number}"))));
    let mistaken = (0..most)
        .filter(|number| list.holds(&format!("another {number}")))
        .count();
    assert!(mistaken < 40, "12 are expected, {mistaken} are found");
    list.examine().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(length(8, 64, 64)))]

    /// Whatever is in the input is found.
    #[test]
    fn prop_whatever_is_listed_is_found(words in prop::collection::vec("[^\\r\\n]{1,12}", 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let (list, _) = build(folder.path(), &words.join("\n"), 1);
        for word in &words {
            prop_assert!(list.holds(word));
        }
    }
}

#[test]
fn what_is_no_list_is_refused_and_a_damaged_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_, built) = build(folder.path(), "one\ntwo\nthree\n", 1);
    let path = folder.path().join("list");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len() as u64, built.bytes);
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("short", whole[..40].to_vec()),
        ("broken off", whole[..whole.len() - 1].to_vec()),
        ("text", b"password\n".repeat(100)),
        ("claims more", [&whole[..whole.len() - 68], &[0xff; 68]].concat()),
    ] {
        let path = folder.path().join("other");
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(BreachedList::open(&path), Err(Unlisted::Foreign(_))), "{name}");
    }
    assert!(matches!(
        BreachedList::open(&folder.path().join("missing")),
        Err(Unlisted::Unreadable { .. })
    ));
    let mut damaged = whole.clone();
    damaged[0] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let list = BreachedList::open(&path).unwrap();
    assert!(matches!(list.examine(), Err(Unlisted::Damaged(_))));
    // whatever stands there, asking ends
    for number in 0..1_000 {
        list.holds(&format!("{number}"));
    }
}

#[test]
fn a_list_takes_its_place_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("list");
    let (before, _) = build(folder.path(), "before\n", 1);
    let mut builder = ListBuilder::begin(&target, 1).unwrap();
    builder.add(Cursor::new(b"after\n"), |_| ()).unwrap();
    assert!(
        matches!(ListBuilder::begin(&target, 1), Err(NotBuilt::File { .. })),
        "one at a time"
    );
    drop(builder);
    assert!(BreachedList::open(&target).unwrap().holds("before"));
    assert!(!folder.path().join("list.parts").exists());
    let empty = ListBuilder::begin(&target, 1).unwrap();
    assert!(matches!(empty.finish(), Err(NotBuilt::Empty)));
    build(folder.path(), "after\n", 1);
    assert!(before.holds("before"), "whoever has the old one open goes on with it");
    assert!(BreachedList::open(&target).unwrap().holds("after"));
}

/// The command: built, looked into, and named in the configuration.
#[tokio::test]
async fn a_list_is_built_by_a_command_and_counts_for_every_new_password() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    let words = folder.path().join("words");
    std::fs::write(&words, "a purple elephant sings\nanother one\n").unwrap();
    let list = folder.path().join("breached");
    let (words, path) = (words.to_str().unwrap(), list.to_str().unwrap());
    let built = terminal
        .run(&["breached-passwords", "build", words, "--to", path, "--json"])
        .await;
    assert_eq!(built.json()["passwords"], 2);
    let check = ["breached-passwords", "check", path, "--password"];
    let checked = terminal.run_with(&check, "another one\n").await.ok();
    assert!(checked.contains("this one is in it"), "{checked}");
    let listed = terminal.clone().with("OSTIARY_BREACHED_PASSWORDS", path);
    let create = ["users", "create", "ada", "--password", "stdin"];
    let refused = listed.run_with(&create, "a purple elephant sings\n").await.refused();
    assert!(refused.contains("stolen elsewhere"), "{refused}");
    listed.run_with(&create, "a purple otter sings\n").await.ok();
    let broken = terminal.with("OSTIARY_BREACHED_PASSWORDS", words);
    let refused = broken.run(&["users", "list"]).await.refused();
    assert!(refused.contains("is no list of breached passwords"), "{refused}");
}
