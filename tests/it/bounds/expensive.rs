//! What is expensive has a line in docs/limits.md, with its bound and the test that shows it; and the bounds that no other room
//! shows.

use std::collections::BTreeSet;

use ostiary::flow::token::verify;
use ostiary::model::Secret;
use ostiary::view::{Frame, Hidden, Leave, Locale, Page, Qr, Views};

use super::{documented, quoted};
use crate::architecture::source::{Source, Word, sources};
use crate::support::rooms::Rooms;
use crate::support::sources::texts;

/// What shows that a source does something expensive: names in a row, `.` for a call of something.
const MARKS: &[&[&str]] = &[
    &["spawn_blocking"],
    &[".", "get_json"],
    &[".", "post_form"],
    &["passwords", ".", "hash"],
    &["passwords", ".", "verify"],
    &["verify_assertion"],
    &["PrivateKey", "::", "generate"],
    &["QrCode"],
    &["Reader", "::", "open_readfile"],
    &["geo", ".", "place"],
    &["set_fuel"],
    &["HashQueue", "::", "start"],
];

fn says(source: &Source, mark: &[&str]) -> bool {
    let word = |text: &&str| match *text {
        "." => Word::Mark("."),
        "::" => Word::Mark("::"),
        name => Word::Name(name.to_owned()),
    };
    let wanted: Vec<Word> = mark.iter().map(word).collect();
    source.words.windows(wanted.len()).any(|window| window == wanted)
}

/// The names of all tests, as the test command spells them.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (file, text) in texts("tests/it", &["rs"]) {
        let room = file.trim_start_matches("tests/it/").trim_end_matches(".rs");
        let room = room.trim_end_matches("/mod").replace('/', "::");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                is_test |= line.contains("test");
            } else if !line.starts_with("//") {
                if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test) {
                    let name = name.split(['(', '<']).next().unwrap();
                    names.insert(format!("{room}::{name}"));
                }
                is_test = false;
            }
        }
    }
    names
}

/// SEC-641: every expensive operation has a line, every line a bound and a test that shows it; a source that does something
/// expensive and has no line is found.
#[test]
fn expensive_ops_list() {
    let rows = documented("Expensive operations");
    assert!(rows.len() > 20);
    let tests = tests();
    let mut listed = BTreeSet::new();
    for row in &rows {
        assert!(row.len() == 4 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        let shown = quoted(&row[3]);
        assert!(!shown.is_empty(), "{}: no test shows it", row[0]);
        for test in shown {
            assert!(tests.contains(&test), "{}: there is no test {test}", row[0]);
        }
        for file in quoted(&row[1]) {
            assert!(std::path::Path::new(&file).exists(), "{}: there is no {file}", row[0]);
            listed.insert(file);
        }
    }
    // the sandbox stands for somebody else's programs
    for source in sources("src").iter().filter(|source| source.room() != "demo") {
        let file = format!("src/{}", source.path);
        for mark in MARKS.iter().filter(|mark| says(source, mark)) {
            assert!(
                listed.contains(&file),
                "docs/limits.md does not name {file}, which says {}",
                mark.concat()
            );
        }
    }
}

/// SEC-641: the search for what is expensive finds it, and no mention of it in a comment.
#[test]
fn the_search_for_what_is_expensive_is_not_fooled() {
    let read = |text: &str| Source {
        path: "flow/somewhere.rs".to_owned(),
        words: crate::architecture::source::words(text),
        text: text.to_owned(),
    };
    let found = |text: &str| MARKS.iter().any(|mark| says(&read(text), mark));
    assert!(found("let x = tokio::task::spawn_blocking(move || 1);"));
    assert!(found("provider\n    .passwords\n    .hash(password)"));
    assert!(found("self.egress.get_json(&url, limits)"));
    assert!(!found("// spawn_blocking would do as well\nlet hash = digest(x);"));
    for mark in MARKS {
        assert!(
            sources("src").iter().any(|source| says(source, mark)),
            "{mark:?} is said nowhere"
        );
    }
}

/// SEC-641: a token above the bound is refused by its length, and leaves nothing.
#[tokio::test]
async fn tokens_that_are_too_long_cost_no_signature() {
    let rooms = Rooms::open().await;
    ostiary::flow::operations::keys::step(&rooms.provider, &rooms.operator())
        .await
        .unwrap();
    rooms.provider.refresh_memory().await.unwrap();
    let call = rooms.call_from("203.0.113.7");
    for letters in [ostiary::jose::MAX_COMPACT_BYTES + 1, 1 << 20] {
        let token = Secret::new(format!("{}.e30.e30", "A".repeat(letters)));
        let began = std::time::Instant::now();
        for _ in 0..50 {
            assert!(verify::find(&rooms.provider, &call, &token).await.unwrap().is_none());
        }
        // fifty digests of a MiB; decoding and verifying them would take much longer
        assert!(began.elapsed().as_secs() < 10);
    }
    let remembered: usize = rooms.provider.memory.sizes().iter().map(|(_, number)| number).sum();
    assert_eq!(remembered, 0);
}

/// SEC-641: nor is it explained.
#[tokio::test]
async fn tokens_that_are_too_long_are_not_explained() {
    let rooms = Rooms::open().await;
    ostiary::flow::operations::keys::step(&rooms.provider, &rooms.operator())
        .await
        .unwrap();
    rooms.provider.refresh_memory().await.unwrap();
    let token = Secret::new(format!("{}.e30.e30", "A".repeat(1 << 20)));
    let explained = ostiary::flow::explain::token::explain(&rooms.provider, &rooms.operator(), &token).await;
    assert!(
        matches!(explained, Err(ostiary::flow::Error::Invalid(_))),
        "{explained:?}"
    );
}

/// SEC-641: a picture is drawn of a text that a camera reads, and of none that is longer.
#[test]
fn a_picture_is_small_and_of_a_short_text_only() {
    let longest = 2_331;
    let picture = Qr::of(&"a".repeat(longest)).unwrap();
    assert_eq!(picture.size, 177 + 8);
    assert!(picture.path.len() < 400_000, "{}", picture.path.len());
    assert!(Qr::of(&"a".repeat(longest + 1)).is_none());
    assert!(Qr::of(&"a".repeat(1 << 20)).is_none());
}

/// SEC-641: a template that is given more than any page has comes to its end with a refusal, not with the machine's.
#[test]
fn a_template_ends_whatever_it_is_given() {
    let views = Views::new().unwrap();
    let page = |number: usize| {
        Page::Leave(Leave {
            hidden: (0..number)
                .map(|number| Hidden::new("name", number.to_string()))
                .collect(),
            ..Leave::sample()
        })
    };
    assert!(views.page(&page(10), &Frame::sample(Locale::English)).is_ok());
    assert!(views.page(&page(1_000_000), &Frame::sample(Locale::English)).is_err());
}
