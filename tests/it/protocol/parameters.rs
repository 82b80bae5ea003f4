//! Request parameters: RFC 6749 sections 3.1, 3.2 and appendix B.

use ostiary::protocol::parameters::{MOST_BYTES, Parameters};
use proptest::prelude::*;

use super::{code, query, rule};

#[test]
fn names_and_values_are_decoded_once() {
    let read = query("scope=openid+profile&state=a%2Bb%20c%26d%3De&%6eonce=%C3%A9&x=%2525");
    assert_eq!(read.get("scope"), Some("openid profile"));
    assert_eq!(read.get("state"), Some("a+b c&d=e"));
    assert_eq!(read.get("nonce"), Some("é"));
    assert_eq!(read.get("x"), Some("%25"));
    assert_eq!(read.words("scope"), ["openid", "profile"]);
    assert_eq!(read.words("absent"), Vec::<&str>::new());
}

#[test]
fn a_value_keeps_what_follows_its_first_equals_sign() {
    assert_eq!(query("state=a=b==").get("state"), Some("a=b=="));
    assert_eq!(query("=a").get(""), Some("a"));
}

#[test]
fn a_parameter_without_a_value_counts_as_not_sent() {
    // RFC 6749 section 3.1
    let read = query("state=&prompt&nonce=a&&&");
    assert_eq!(read.get("state"), None);
    assert_eq!(read.get("prompt"), None);
    assert_eq!(read.pairs().collect::<Vec<_>>(), [("nonce", "a")]);
    assert_eq!(query("state=&state=a").refuse_repeated(), Ok(()));
}

/// SEC-012.
#[test]
fn params_duplicate_refused_in_the_rule() {
    for (parts, name) in [
        (vec!["scope=a&scope=b"], "scope"),
        (vec!["scope=a&state=x&scope=a"], "scope"),
        (vec!["client_id=a", "client_id=a"], "client_id"),
        (vec!["a=1&state=x", "b=2&state=y"], "state"),
        (vec!["unknown=1&unknown=2"], "unknown"),
        (vec!["sc%6Fpe=a&scope=b"], "scope"),
    ] {
        let bytes: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let read = Parameters::parse(&bytes).unwrap();
        assert!(read.is_repeated(name), "{parts:?}");
        assert_eq!(code(read.refuse_repeated()), "invalid_request");
    }
    assert_eq!(query("a=1&b=1&A=1").refuse_repeated(), Ok(()));
}

#[test]
fn resource_alone_may_repeat() {
    // RFC 8707 section 2
    let read = query("resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example");
    assert_eq!(read.refuse_repeated(), Ok(()));
    assert_eq!(read.resources(), ["https://a.example", "https://b.example"]);
    assert_eq!(read.pairs().count(), 2);
}

/// SEC-013.
#[test]
fn params_encoding_and_size_in_the_rule() {
    for malformed in ["state=%FF", "state=%C3", "%FF=a", "state=%ED%A0%80", "state=%C0%AF"] {
        assert_eq!(
            rule(Parameters::parse(&[malformed.as_bytes()])),
            "parameters.utf8",
            "{malformed}"
        );
    }
    for control in [
        "state=%00",
        "state=a%0Ab",
        "state=a%0d",
        "a%0A=b",
        "state=a\nb",
        "state=\0",
    ] {
        assert_eq!(
            rule(Parameters::parse(&[control.as_bytes()])),
            "parameters.control",
            "{control}"
        );
    }
    let fits = format!("state={}", "a".repeat(MOST_BYTES - 6));
    assert_eq!(
        Parameters::parse(&[fits.as_bytes()])
            .unwrap()
            .get("state")
            .unwrap()
            .len(),
        MOST_BYTES - 6
    );
    assert_eq!(rule(Parameters::parse(&[fits.as_bytes(), b"a"])), "parameters.size");
    let many: String = (0..201).map(|index| format!("p{index}=1&")).collect();
    assert_eq!(rule(Parameters::parse(&[many.as_bytes()])), "parameters.count");
    let many = "resource=a&".repeat(201);
    assert_eq!(rule(Parameters::parse(&[many.as_bytes()])), "parameters.count");
}

#[test]
fn what_is_set_stands_in_place_of_what_came() {
    let mut read = query("state=a&nonce=b");
    read.set("state", "c");
    read.remove("nonce");
    assert_eq!(read.pairs().collect::<Vec<_>>(), [("state", "c")]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(read) = Parameters::parse(&[&bytes]) {
            for (name, value) in read.pairs() {
                prop_assert!(!value.is_empty());
                prop_assert!(!name.contains(['\0', '\r', '\n']) && !value.contains(['\0', '\r', '\n']));
            }
        }
    }

    #[test]
    fn what_was_written_is_read(pairs in proptest::collection::btree_map("[a-z_]{1,12}", "[^\\x00\\r\\n]{1,40}", 0..12)) {
        let written: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let read = Parameters::parse(&[written.as_bytes()]).unwrap();
        prop_assert_eq!(read.refuse_repeated(), Ok(()));
        for (name, value) in &pairs {
            if name == "resource" {
                prop_assert_eq!(read.resources(), std::slice::from_ref(value));
            } else {
                prop_assert_eq!(read.get(name), Some(value.as_str()));
            }
        }
    }

    #[test]
    fn one_way_to_carry_it_over_changes_nothing(query in "([a-z]{1,4}=[a-z%+0-9]{0,8}&){0,8}") {
        let Ok(first) = Parameters::parse(&[query.as_bytes()]) else { return Ok(()) };
        let again: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(first.pairs()).finish();
        let second = Parameters::parse(&[again.as_bytes()]).unwrap();
        prop_assert_eq!(first.pairs().collect::<Vec<_>>(), second.pairs().collect::<Vec<_>>());
    }
}
