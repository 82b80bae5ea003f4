//! Keys and tokens: what `ostiary::jose` signs, publishes, accepts and refuses.
//!
//! Signatures are cross-checked with `openidconnect`, whose cryptography is another implementation, and forged with
//! josekit or by hand.

mod client_keys;
mod degenerate;
mod refusals;
mod round_trips;

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD as B64};
use josekit::jws::{ES256, EdDSA, HS256, JwsSigner, PS256, RS256};
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use ostiary::jose::{
    AssertionKeys, ClaimedClient, Error, KeySet, MAX_CANDIDATES, MAX_COMPACT_BYTES, MAX_DOCUMENT_BYTES, MAX_KEYS,
    PrivateKey, PublicKey, RemoteKeys, TimeLimits, check_times, half_hash, json, peek_unverified_issuer,
    require_strong_secret, verify_assertion,
};
use ostiary::model::{ClientSigningAlgorithm, SigningAlgorithm, Timestamp};
use serde_json::{Map, Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn key(algorithm: SigningAlgorithm) -> &'static PrivateKey {
    static KEYS: OnceLock<[PrivateKey; 3]> = OnceLock::new();
    let [rsa, p256, ed25519] = KEYS.get_or_init(|| {
        [
            SigningAlgorithm::Rs256,
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
        ]
        .map(|algorithm| PrivateKey::generate(algorithm).unwrap())
    });
    match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => rsa,
        SigningAlgorithm::Es256 => p256,
        SigningAlgorithm::EdDsa => ed25519,
    }
}

fn key_set() -> KeySet {
    let keys = [
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Es256,
        SigningAlgorithm::EdDsa,
    ];
    KeySet::new(keys.map(|algorithm| key(algorithm).public().clone()).to_vec()).unwrap()
}

fn claims() -> Map<String, Value> {
    object(
        json!({ "iss": "https://id.example", "sub": "s-1", "aud": ["a"], "exp": 1_900_000_000, "nested": { "é": [1, 2.5, null] } }),
    )
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn token(algorithm: SigningAlgorithm) -> String {
    key(algorithm)
        .signer(algorithm)
        .unwrap()
        .sign("at+jwt", &claims())
        .unwrap()
}

fn accept(compact: &str) -> Result<Map<String, Value>, Error> {
    accept_with(&key_set(), compact)
}

fn accept_with(set: &KeySet, compact: &str) -> Result<Map<String, Value>, Error> {
    set.verify(compact, &["at+jwt"], SigningAlgorithm::ALL)
}

/// A token with exactly this header and payload text, signed with a private JWK by josekit.
fn forge(algorithm: SigningAlgorithm, key: &PrivateKey, header: &str, payload: &[u8]) -> String {
    let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
    let signature = raw_signer(algorithm, key).sign(input.as_bytes()).unwrap();
    format!("{input}.{}", B64.encode(signature))
}

fn raw_signer(algorithm: SigningAlgorithm, key: &PrivateKey) -> Box<dyn JwsSigner> {
    let mut jwk = josekit::jwk::Jwk::from_bytes(key.to_jwk().expose()).unwrap();
    jwk.set_parameter("alg", None).unwrap();
    match algorithm {
        SigningAlgorithm::Rs256 => Box::new(RS256.signer_from_jwk(&jwk).unwrap()),
        SigningAlgorithm::Ps256 => Box::new(PS256.signer_from_jwk(&jwk).unwrap()),
        SigningAlgorithm::Es256 => Box::new(ES256.signer_from_jwk(&jwk).unwrap()),
        SigningAlgorithm::EdDsa => Box::new(EdDSA.signer_from_jwk(&jwk).unwrap()),
    }
}

fn header(algorithm: &str, kid: &str) -> String {
    format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":"at+jwt"}}"#)
}

fn hmac_token(header: &str, secret: &[u8]) -> String {
    let input = format!("{}.{}", B64.encode(header), B64.encode(br#"{"iss":"c","sub":"c"}"#));
    let padded = [secret, &[0; 64]].concat();
    // a key shorter than HMAC's block is filled with zeros, so this is the MAC of the short key as well
    let used = if secret.len() < 32 { &padded[..64] } else { secret };
    let mac = HS256.signer_from_bytes(used).unwrap().sign(input.as_bytes()).unwrap();
    format!("{input}.{}", B64.encode(mac))
}

fn with_signature(compact: &str, signature: &[u8]) -> String {
    format!("{}.{}", compact.rsplit_once('.').unwrap().0, B64.encode(signature))
}

fn signature_of(compact: &str) -> Vec<u8> {
    B64.decode(compact.rsplit_once('.').unwrap().1).unwrap()
}

fn remote(keys: Value) -> RemoteKeys {
    RemoteKeys::registered(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn named(algorithm: SigningAlgorithm, kid: Option<&str>) -> Value {
    let mut jwk = key(algorithm).public().jwk();
    jwk.remove("kid");
    if let Some(kid) = kid {
        jwk.insert("kid".into(), kid.into());
    }
    Value::Object(jwk)
}
