//! The languages: one set of texts, one choice among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ostiary::view::{Locale, negotiate};

use crate::support::sources;

fn texts(locale: Locale) -> BTreeMap<String, String> {
    let path = format!("templates/locale/{}.toml", locale.tag());
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The names in braces.
fn values(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .map(|rest| rest.split_once('}').unwrap().0)
        .collect()
}

#[test]
fn every_locale_has_the_same_texts_with_the_same_values() {
    let english = texts(Locale::English);
    for locale in Locale::ALL {
        let other = texts(locale);
        let keys = |texts: &BTreeMap<String, String>| texts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&other), keys(&english), "{}", locale.tag());
        for (key, text) in &other {
            assert_eq!(values(text), values(&english[key]), "{key} in {}", locale.tag());
            assert!(!text.trim().is_empty(), "{key} in {}", locale.tag());
        }
    }
}

#[test]
fn texts_neither_beg_nor_shout() {
    for locale in Locale::ALL {
        for (key, text) in texts(locale) {
            let lower = text.to_lowercase();
            for word in ["please", "oops", "sorry", "!", "bitte ", "veuillez", "s’il vous plaît"] {
                assert!(!lower.contains(word), "{word:?} in {key} of {}", locale.tag());
            }
        }
    }
}

#[test]
fn every_text_is_used_and_every_used_text_exists() {
    let templates = sources::texts("templates", &["html", "txt"]);
    let known = texts(Locale::English);
    let mut used = BTreeSet::new();
    // The keys of lengths and moments, and of text messages, are asked for by the program.
    let mut prefixes = ["minute_", "hour_", "day_", "month_", "text_code_"]
        .map(str::to_owned)
        .to_vec();
    used.insert("moment".to_owned());
    for (_, source) in &templates {
        for call in [" t(\"", "(t(\"", "=t(\"", " rich(\""] {
            for after in source.split(call).skip(1) {
                let (key, rest) = after.split_once('"').unwrap();
                if rest.trim_start().starts_with('~') {
                    prefixes.push(key.to_owned());
                } else {
                    assert!(known.contains_key(key), "no text {key}");
                    used.insert(key.to_owned());
                }
            }
        }
    }
    for key in known.keys() {
        let asked = used.contains(key) || prefixes.iter().any(|prefix| key.starts_with(prefix));
        assert!(asked, "nobody shows the text {key}");
    }
}

#[test]
fn the_request_chooses_the_language_before_the_user_and_the_browser() {
    type Case<'a> = (&'a [&'a str], Option<&'a str>, Option<&'a str>, Locale);
    let table: [Case<'_>; 12] = [
        (&[], None, None, Locale::English),
        (&["fr"], Some("de"), Some("en"), Locale::French),
        (&["xx", "fr-CA", "de"], Some("de"), None, Locale::French),
        (&["xx"], Some("de_AT"), Some("fr"), Locale::German),
        (&[], Some("ja"), Some("fr"), Locale::French),
        (&[], None, Some("ja, de;q=0.5, fr;q=0.9"), Locale::French),
        (&[], None, Some("de, fr"), Locale::German),
        (&[], None, Some("DE-ch"), Locale::German),
        (&[], None, Some("fr;q=0, de;q=0.1"), Locale::German),
        (&[], None, Some("fr;q=NaN, de;q=2"), Locale::English),
        (&[], None, Some("*"), Locale::English),
        (&[], None, Some(",;,;q=,"), Locale::English),
    ];
    for (ui_locales, user, browser, expected) in table {
        assert_eq!(
            negotiate(ui_locales, user, browser),
            expected,
            "{ui_locales:?} {user:?} {browser:?}"
        );
    }
}

/// SEC-026: however long the lists, only their beginning is read, and the answer is one of a fixed list.
#[test]
fn authz_hint_params_bounded() {
    let mut many = vec!["xx"; 1_000_000];
    many.push("de");
    assert_eq!(negotiate(&many, None, None), Locale::English);
    let header = format!("{}de", "xx,".repeat(1_000_000));
    assert_eq!(negotiate(&[], None, Some(&header)), Locale::English);
    let tag = format!("de-{}", "x".repeat(1_000_000));
    assert_eq!(negotiate(&[&tag], Some(&tag), Some(&tag)), Locale::English);
    assert_eq!(negotiate(&[], None, Some(&"ü".repeat(400))), Locale::English);
}
