//! RFC 7644 section 3.4.2.2.

use ostiary::model::search::Operator;
use ostiary::protocol::scim_filter::{Filter, LONGEST, MOST_COMPARISONS, read};
use proptest::prelude::*;
use serde_json::json;

/// A filter with parentheses around everything.
fn told(filter: &Filter) -> String {
    let all = |parts: &[Filter], word: &str| {
        let parts: Vec<String> = parts.iter().map(told).collect();
        format!("({})", parts.join(word))
    };
    match filter {
        Filter::And(parts) => all(parts, " and "),
        Filter::Or(parts) => all(parts, " or "),
        Filter::Not(part) => format!("not ({})", told(part)),
        Filter::Present(path) => format!("{} pr", path.name),
        Filter::Compare {
            path, operator, value, ..
        } => format!("{} {} {value}", path.name, operator.map_or("ne", Operator::as_str)),
    }
}

#[test]
fn filters_are_read_as_the_grammar_binds_them() {
    for (written, meant) in [
        ("title pr", "title pr"),
        ("UserName Eq \"bjensen\"", "username eq \"bjensen\""),
        ("a eq 1 and b eq 2 or c eq 3", "((a eq 1 and b eq 2) or c eq 3)"),
        ("a eq 1 or b eq 2 and c eq 3", "(a eq 1 or (b eq 2 and c eq 3))"),
        ("a eq 1 and (b eq 2 or c eq 3)", "(a eq 1 and (b eq 2 or c eq 3))"),
        ("not(a pr)AND b ne null", "(not (a pr) and b ne null)"),
        ("not (a pr or b pr)", "not ((a pr or b pr))"),
        ("((a pr))", "a pr"),
        ("  a   gt  -1.5e3 ", "a gt -1500.0"),
        ("a.b sw \"\\u00e4 \\\"x\\\" )\"", "a.b sw \"ä \\\"x\\\" )\""),
        ("a eq true and b eq false", "(a eq true and b eq false)"),
        ("andy pr and orla pr", "(andy pr and orla pr)"),
        ("nothing pr", "nothing pr"),
    ] {
        let filter = read(written).unwrap_or_else(|fault| panic!("{written}: {fault}"));
        assert_eq!(told(&filter), meant, "{written}");
    }
    for operator in ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"] {
        assert!(read(&format!("a {operator} \"x\"")).is_ok(), "{operator}");
    }
    let Filter::Compare { path, value, at, .. } = read("not_a eq \"x\"").unwrap() else {
        panic!("another filter")
    };
    assert_eq!((path.at, at, value), (1, 10, json!("x")));
}

#[test]
fn whatever_is_none_is_refused_where_it_is_none() {
    for (written, at) in [
        ("", 1),
        ("   ", 4),
        ("a", 2),
        ("a eq", 5),
        ("a eq x", 6),
        ("a xx \"b\"", 3),
        ("a eq \"b", 6),
        ("a eq \"b\" c", 10),
        ("a eq \"b\" and", 13),
        ("ä eq 1", 1),
        ("\u{1F600} pr", 1),
        ("a eq \"äöü\" or 1 eq 2", 15),
        ("(a pr", 6),
        ("a pr)", 5),
        ("not a pr", 5),
        ("emails[type eq \"work\"]", 7),
        ("a eq {\"b\": 1}", 6),
        ("a eq [1]", 6),
        ("a eq \"\\x\"", 6),
        ("a eq 1 && b eq 2", 8),
    ] {
        let fault = read(written).expect_err(written);
        assert_eq!(fault.at, at, "{written}: {fault}");
    }
}

/// SEC-424: whatever is sent, reading it is bounded.
#[test]
fn filters_are_bounded_in_length_depth_and_number() {
    assert!(read(&format!("{}a pr{}", "(".repeat(21), ")".repeat(21))).is_err());
    assert!(read(&format!("{}a pr{}", "(".repeat(20), ")".repeat(20))).is_ok());
    assert!(read(&"(".repeat(3_000)).is_err());
    assert!(read(&format!("a eq \"{}\"", "x".repeat(LONGEST))).is_err());
    let many = |number: usize| vec!["a pr"; number].join(" or ");
    assert!(read(&many(MOST_COMPARISONS)).is_ok());
    assert!(read(&many(MOST_COMPARISONS + 1)).is_err());
}

proptest! {
    #[test]
    fn anything_is_read_or_refused_at_a_place_that_it_has(written in any::<String>()) {
        if let Err(fault) = read(&written) {
            prop_assert!(fault.at >= 1 && fault.at <= written.chars().count() + 1);
        }
    }

    #[test]
    fn pieces_of_filters_are_read_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "a", "eq", "ne", "pr", "and", "or", "not", "(", ")", "\"x\"", "1", "null", " ", "[", "]", "\"", "\\", "true", ".",
    ]), 0..40)) {
        let written = pieces.join(" ");
        if let Ok(filter) = read(&written) {
            // what was understood is understood the same when it is told again
            prop_assert_eq!(told(&read(&told(&filter)).unwrap()), told(&filter));
        }
    }
}
