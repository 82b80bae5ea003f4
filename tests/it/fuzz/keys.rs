//! Keys and documents of keys that are nearly right.

use ostiary::jose::{KeySet, PrivateKey, PublicKey, RemoteKeys, json};
use ostiary::model::SigningAlgorithm;
use ostiary::protocol::sector;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Change, holds, pieces};

/// RFC 7518 sections 6.2.2, 6.3.2 and 6.4.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"keys\"",
    ":",
    ",",
    "\"kty\"",
    "\"EC\"",
    "\"RSA\"",
    "\"OKP\"",
    "\"oct\"",
    "\"crv\"",
    "\"P-256\"",
    "\"Ed25519\"",
    "\"x\"",
    "\"y\"",
    "\"n\"",
    "\"e\"",
    "\"AQAB\"",
    "\"d\"",
    "\"k\"",
    "\"use\"",
    "\"sig\"",
    "\"enc\"",
    "\"alg\"",
    "\"ES256\"",
    "\"kid\"",
    "\"AAAA\"",
    "null",
    "1",
    "\"\"",
];

fn assert_public(members: &Map<String, Value>) {
    for name in PRIVATE {
        assert!(!members.contains_key(name), "{members:?}");
    }
}

/// A member set, taken out, emptied or given another's value.
#[derive(Clone, Debug)]
enum Edit {
    Remove(usize),
    Copy(usize, usize),
    Set(&'static str, &'static str),
    Bytes(Change),
}

fn edit() -> impl Strategy<Value = Edit> {
    let names = [
        "kty", "crv", "alg", "use", "kid", "d", "k", "x", "e", "n", "key_ops", "oth",
    ];
    let values = [
        "\"EC\"",
        "\"OKP\"",
        "\"RSA\"",
        "\"P-256\"",
        "\"Ed25519\"",
        "\"RS256\"",
        "\"none\"",
        "\"enc\"",
        "\"AQ\"",
        "\"\"",
        "null",
        "[]",
        "\"AAAA\"",
        "\"=\"",
    ];
    prop_oneof![
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Edit::Copy(from, to)),
        (
            proptest::sample::select(names.to_vec()),
            proptest::sample::select(values.to_vec())
        )
            .prop_map(|(name, value)| Edit::Set(name, value)),
        Change::any().prop_map(Edit::Bytes),
    ]
}

fn edited(jwk: &Map<String, Value>, edit: &Edit) -> Vec<u8> {
    let mut members = jwk.clone();
    let names: Vec<String> = jwk.keys().cloned().collect();
    let name = |at: usize| names[at % names.len()].clone();
    match edit {
        Edit::Remove(at) => drop(members.remove(&name(*at))),
        Edit::Copy(from, to) => {
            let value = jwk[&name(*from)].clone();
            members.insert(name(*to), value);
        }
        Edit::Set(name, value) => {
            members.insert((*name).to_owned(), serde_json::from_str(value).unwrap());
        }
        Edit::Bytes(change) => return change.of(Value::Object(members).to_string().as_bytes()),
    }
    Value::Object(members).to_string().into_bytes()
}

/// SEC-704: no key and no document of keys makes a reader panic, no private member comes out again, and what is taken can
/// be published and read back.
#[test]
fn fuzz_jwks_metadata() {
    let keys: Vec<(Map<String, Value>, Map<String, Value>)> = [
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ]
    .map(|algorithm| {
        let key = PrivateKey::generate(algorithm).unwrap();
        let whole = serde_json::from_str(key.to_jwk().expose()).unwrap();
        (whole, key.public().jwk())
    })
    .to_vec();
    holds(900, (0..keys.len(), any::<bool>(), edit()), |(which, whole, edit)| {
        let jwk = if whole { &keys[which].0 } else { &keys[which].1 };
        let changed = edited(jwk, &edit);
        if let Ok(public) = PublicKey::from_jwk(&changed) {
            assert_public(&json::object(&changed).unwrap());
            assert_public(&public.jwk());
            assert!(!public.algorithms().is_empty());
            assert!(PublicKey::from_jwk(Value::Object(public.jwk()).to_string().as_bytes()).is_ok());
        }
        if let Ok(private) = PrivateKey::from_jwk(&changed) {
            let set = KeySet::new(vec![private.public().clone()]).unwrap();
            let document = json::object(set.document()).unwrap();
            for key in document["keys"].as_array().unwrap() {
                assert_public(key.as_object().unwrap());
            }
        }
        let text = String::from_utf8_lossy(&changed).into_owned();
        let document = format!("{{\"keys\":[{text},{}]}}", Value::Object(keys[which].1.clone()));
        if let Ok(registered) = RemoteKeys::registered(document.as_bytes()) {
            assert!(registered.len() <= 2);
            assert!(!RemoteKeys::fetched(document.as_bytes()).unwrap().is_empty());
        }
    });
    holds(3_000, pieces(PIECES, 20), |text| {
        drop(PublicKey::from_jwk(text.as_bytes()));
        drop(PrivateKey::from_jwk(text.as_bytes()));
        drop(RemoteKeys::registered(text.as_bytes()));
        drop(RemoteKeys::fetched(text.as_bytes()));
        let uris = ["https://client.example/callback".to_owned()];
        if sector::judge_document(text.as_bytes(), &uris).is_ok() {
            assert!(text.contains(&uris[0]));
        }
        drop(PrivateKey::from_pem(&format!(
            "-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"
        )));
    });
}
