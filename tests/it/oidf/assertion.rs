//! `private_key_jwt`: the client's keys and the assertions it signs (OpenID Connect Core section 9, RFC 7523).

use ostiary::jose::PrivateKey;
use ostiary::model::SigningAlgorithm;
use ostiary::random;
use serde_json::{Value, json};

/// The registered value of `client_assertion_type` (RFC 7523 section 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A new key of a client.
pub fn key() -> PrivateKey {
    PrivateKey::generate(SigningAlgorithm::Rs256).unwrap()
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
