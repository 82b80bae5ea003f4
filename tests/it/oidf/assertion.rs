//! `private_key_jwt`: the client's keys and the assertions it signs (OpenID Connect Core section 9, RFC 7523).

use std::cell::Cell;
use std::sync::LazyLock;

use ostiary::jose::PrivateKey;
use ostiary::model::SigningAlgorithm;
use ostiary::random;
use serde_json::{Value, json};

/// The registered value of `client_assertion_type` (RFC 7523 section 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key of a client: another one each time that a test asks, up to three times. They are the same for all tests, since making one takes long.
pub fn key() -> &'static PrivateKey {
    static KEYS: [LazyLock<PrivateKey>; 3] =
        [const { LazyLock::new(|| PrivateKey::generate(SigningAlgorithm::Rs256).unwrap()) }; 3];
    thread_local! {
        static ASKED: Cell<usize> = const { Cell::new(0) };
    }
    let turn = ASKED.replace(ASKED.get() + 1);
    &KEYS[turn]
}

/// The key set that a client publishes.
pub fn jwks(key: &PrivateKey) -> Value {
    json!({ "keys": [Value::Object(key.public().jwk())] })
}

/// An assertion for this audience, good for a minute from `now` (seconds since 1970).
pub fn assertion(key: &PrivateKey, client_id: &str, audience: &str, now: i64) -> String {
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": random::token(),
        "iat": now,
        "exp": now + 60,
    });
    let signer = key.signer(SigningAlgorithm::Rs256).unwrap();
    signer.sign("JWT", claims.as_object().unwrap()).unwrap()
}
