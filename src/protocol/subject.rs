//! Subject identifiers: public and pairwise (OpenID Connect Core section 8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::sector;
use crate::crypto;
use crate::model::{Client, SubjectType, User};

/// What a client knows a person by. Pairwise: a MAC of sector and subject under a key of this installation.
pub fn of(user: &User, client: &Client, pairwise_key: &[u8; 32]) -> String {
    of_public(&user.subject, client, pairwise_key)
}

/// The same for who is known by the public subject alone.
pub fn of_public(subject: &str, client: &Client, pairwise_key: &[u8; 32]) -> String {
    match client.metadata.subject_type {
        SubjectType::Public => subject.to_owned(),
        SubjectType::Pairwise => {
            let sector = sector::of(&client.metadata).unwrap_or_else(|_| client.client_id.clone());
            URL_SAFE_NO_PAD.encode(crypto::mac(pairwise_key, &[sector.as_bytes(), subject.as_bytes()]))
        }
    }
}

/// The subject of a token that a client got for itself: distinguishable from every person's (SEC-057), because a person's
/// subject never holds a colon.
pub fn of_client(client: &Client) -> String {
    format!("client:{}", client.client_id)
}
