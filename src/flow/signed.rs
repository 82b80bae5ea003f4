//! Signing what is posted to others, as Standard Webhooks have it (standardwebhooks.com): whoever holds the secret knows who sent
//! it, when, and that it is the same message again.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::crypto;
use crate::model::{Secret, Timestamp};
use crate::random;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret that is brought along has to have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret of 256 bits.
pub fn new_secret() -> Secret {
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(random::bytes::<32>())))
}

/// Whether a secret can be signed with: `whsec_` and 24 to 64 bytes in base64.
pub fn is_secret(secret: &Secret) -> bool {
    key(secret).is_some_and(|key| BYTES.contains(&key.len()))
}

fn key(secret: &Secret) -> Option<Vec<u8>> {
    let encoded = secret.expose().strip_prefix(PREFIX)?.trim_end_matches('=');
    STANDARD_NO_PAD.decode(encoded).ok()
}

/// The headers of a message. With several secrets it has a signature of each.
pub fn headers(secrets: &[Secret], id: &str, at: Timestamp, body: &str) -> Vec<(String, Secret)> {
    let seconds = at.seconds();
    let signed = format!("{id}.{seconds}.{body}");
    let signatures = secrets.iter().filter_map(key).map(|key| {
        let signature = crypto::signature(&key, signed.as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    });
    let signatures: Vec<String> = signatures.collect();
    vec![
        ("content-type".to_owned(), Secret::new("application/json")),
        ("webhook-id".to_owned(), Secret::new(id)),
        ("webhook-timestamp".to_owned(), Secret::new(seconds.to_string())),
        ("webhook-signature".to_owned(), Secret::new(signatures.join(" "))),
    ]
}
