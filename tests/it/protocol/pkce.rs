//! RFC 7636, RFC 9700 section 2.1.1: S256 alone, and a verifier if and only if there was a challenge.

use ostiary::protocol::pkce::{challenge, verify};
use proptest::prelude::*;

use super::{CHALLENGE, VERIFIER, code, rule};

/// SEC-009.
#[test]
fn pkce_s256_required_in_the_rule() {
    assert_eq!(
        challenge(Some(CHALLENGE), Some("S256"), true).unwrap().unwrap(),
        CHALLENGE
    );
    assert_eq!(challenge(None, None, false), Ok(None));
    assert_eq!(rule(challenge(None, None, true)), "pkce.required");
    assert_eq!(rule(challenge(None, Some("S256"), false)), "pkce.method_alone");
    for method in [
        None,
        Some("plain"),
        Some("s256"),
        Some("S512"),
        Some("S256 "),
        Some("none"),
    ] {
        for required in [false, true] {
            assert_eq!(
                rule(challenge(Some(CHALLENGE), method, required)),
                "pkce.method",
                "{method:?}"
            );
        }
    }
    let short = &CHALLENGE[1..];
    let long = format!("{CHALLENGE}A");
    let padded = format!("{short}=");
    let standard = CHALLENGE.replace('-', "+");
    let blank = CHALLENGE.replace('-', " ");
    let wide = CHALLENGE.replacen("E9", "é", 1);
    for malformed in ["", "a", short, &long, &padded, &standard, &blank, &wide] {
        let judged = challenge(Some(malformed), Some("S256"), false);
        assert_eq!(
            judged.clone().map_err(|error| error.rule),
            Err("pkce.challenge"),
            "{malformed}"
        );
        assert_eq!(code(judged), "invalid_request");
    }
}

/// SEC-010.
#[test]
fn pkce_no_downgrade_in_the_rule() {
    assert_eq!(verify(None, None), Ok(()));
    assert_eq!(verify(Some(CHALLENGE), Some(VERIFIER)), Ok(()));
    assert_eq!(rule(verify(Some(CHALLENGE), None)), "pkce.verifier_missing");
    assert_eq!(rule(verify(None, Some(VERIFIER))), "pkce.unexpected_verifier");
    assert_eq!(code(verify(None, Some(VERIFIER))), "invalid_grant");
}

#[test]
fn the_challenge_is_no_verifier_of_itself() {
    // what "plain" would let through
    assert_eq!(rule(verify(Some(CHALLENGE), Some(CHALLENGE))), "pkce.verifier");
    assert_eq!(rule(verify(Some(VERIFIER), Some(VERIFIER))), "pkce.verifier");
}

#[test]
fn a_verifier_has_the_length_and_alphabet_of_section_4_1() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let challenge_of = |verifier: &str| URL_SAFE_NO_PAD.encode(ostiary::crypto::sha256(verifier.as_bytes()));
    for good in ["a".repeat(43), "Z~._-9".repeat(20), "0".repeat(128)] {
        assert_eq!(verify(Some(&challenge_of(&good)), Some(&good)), Ok(()), "{good}");
    }
    let strange = [
        "a".repeat(42),
        "a".repeat(129),
        format!("{}+", "a".repeat(43)),
        format!("{}é", "a".repeat(43)),
    ];
    for bad in strange {
        // the right digest of a verifier that must not exist
        assert_eq!(
            rule(verify(Some(&challenge_of(&bad)), Some(&bad))),
            "pkce.verifier",
            "{bad}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_other_verifier_fits(other in "[A-Za-z0-9._~-]{43,128}") {
        prop_assume!(other != VERIFIER);
        prop_assert!(verify(Some(CHALLENGE), Some(&other)).is_err());
    }

    #[test]
    fn what_is_kept_as_a_challenge_is_what_was_sent(sent in ".{0,60}", method in proptest::option::of("S256|plain|.{0,6}")) {
        if let Ok(Some(kept)) = challenge(Some(&sent), method.as_deref(), true) {
            prop_assert_eq!(&kept, &sent);
            prop_assert_eq!(method.as_deref(), Some("S256"));
            prop_assert_eq!(kept.len(), 43);
        }
    }
}
