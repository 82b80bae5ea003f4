//! What authenticators answer, changed at random: read without a panic, and taken only where it is what was asked for.

use ostiary::credential::{PasskeyAnswer, PasskeyOwner, RelyingParty, UserVerification, Wanted};
use serde_json::Value;
use uuid::Uuid;

use super::{Change, holds};
use crate::support::authenticator::{BE, BS, Device, UP, UV, decode, encode};

const ORIGIN: &str = "https://id.example";

fn party() -> RelyingParty {
    RelyingParty::of(&ORIGIN.parse().unwrap()).unwrap()
}

fn owner() -> PasskeyOwner<'static> {
    PasskeyOwner {
        handle: Uuid::from_bytes([7; 16]),
        name: "ada@example.com",
        display_name: "Ada",
    }
}

/// One of the answer's values, changed.
fn changed(answer: &str, place: &str, change: &Change) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let value = answer.pointer_mut(place).unwrap();
    *value = encode(change.of(&decode(value.as_str().unwrap()))).into();
    answer.to_string()
}

/// SEC-710: attestation, client data and authenticator data: no panic, and what is accepted is to this challenge, on this origin,
/// with the flags that it has to have.
#[test]
fn fuzz_webauthn() {
    let party = party();
    let mut device = Device::new(ORIGIN);
    let wanted = Wanted {
        verification: UserVerification::Required,
        makers: None,
        hints: &[],
    };
    let begun = party.begin_enrolment(owner(), &[], &wanted).unwrap();
    let answer = device.make(&begun.options);
    let passkey = party.finish_enrolment(&begun.state, &answer).unwrap();
    let asked = party.begin_for_anybody().unwrap();
    let signed = device.sign(&asked.options);
    let handle = owner().handle;
    let read = PasskeyAnswer::read(&signed).unwrap();
    assert!(party.finish(&asked.state, &read, &passkey, handle).unwrap().is_verified);

    let places = proptest::sample::select(vec![
        "/rawId",
        "/response/clientDataJSON",
        "/response/attestationObject",
    ]);
    holds(3_000, (places, Change::any()), |(place, change)| {
        let other = changed(&answer, place, &change);
        if let Ok(taken) = party.finish_enrolment(&begun.state, &other) {
            // an attestation that nobody signs may be changed by whoever makes it: in its key and id, and where nothing is read
            assert!(
                place == "/response/attestationObject"
                    || other == answer
                    || taken.credential_id == passkey.credential_id
            );
            assert!(!taken.credential_id.is_empty());
        }
    });
    let places = proptest::sample::select(vec![
        "/rawId",
        "/response/clientDataJSON",
        "/response/authenticatorData",
        "/response/signature",
        "/response/userHandle",
    ]);
    holds(3_000, (places, Change::any()), |(place, change)| {
        let other = changed(&signed, place, &change);
        let Ok(read) = PasskeyAnswer::read(&other) else { return };
        // nothing of it may be changed: all that is signed is signed, and the rest names what is
        let is_same = serde_json::from_str::<Value>(&other).unwrap() == serde_json::from_str::<Value>(&signed).unwrap();
        assert_eq!(
            party.finish(&asked.state, &read, &passkey, handle).is_ok(),
            is_same,
            "{place} {other}"
        );
    });
    // whatever the flags: one that stands alone was there, and was verified
    holds(300, 0..=255u8, |flags| {
        let key = &device.keys[0];
        let answer = crate::support::authenticator::assertion(key, &asked.options, ORIGIN, flags);
        let read = PasskeyAnswer::read(&answer).unwrap();
        if party.finish(&asked.state, &read, &passkey, handle).is_ok() {
            assert_eq!(flags & (UP | UV | BE), UP | UV | BE, "{flags:b}");
            assert_eq!(flags & BS & !BE, flags & BS);
        }
    });
    holds(2_000, ".{0,200}", |text| {
        assert!(party.finish_enrolment(&begun.state, &text).is_err());
        assert!(PasskeyAnswer::read(&text).is_err());
        assert!(party.finish_enrolment(&text, &answer).is_err());
        assert!(party.finish(&text, &read, &passkey, handle).is_err());
    });
}
