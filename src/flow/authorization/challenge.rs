//! Whether a client sends the same `code_challenge` again: then it protects nothing any more (RFC 9700 section 2.1.1).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto;
use crate::ephemeral::{Kind, Owner};
use crate::flow::{Call, Error, Provider};
use crate::model::Client;

/// How long a challenge is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How many of one client are, the latest: one that sends constants sends them again soon.
const MOST: u32 = 1_000;
/// What the key is derived for under which challenges are remembered.
const PURPOSE: &str = "challenge";

/// Remembers a challenge of this client. True if it was seen before.
pub async fn is_repeated(provider: &Provider, call: &Call, client: &Client, challenge: &str) -> Result<bool, Error> {
    let key = provider.master.derive(PURPOSE);
    let owner = Owner::new(crypto::mac(&key, &[client.id.uuid().as_bytes()]));
    let seen = crypto::mac(&key, &[client.id.uuid().as_bytes(), challenge.as_bytes()]);
    let is_new = provider
        .ephemeral
        .put_new_within(
            Kind::Challenge,
            (&owner, MOST),
            &owner.key(&URL_SAFE_NO_PAD.encode(seen)),
            b"1",
            call.now.after(REMEMBERED_FOR),
            call.now,
        )
        .await?;
    Ok(!is_new)
}
