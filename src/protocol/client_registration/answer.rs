//! The client information response: RFC 7591 section 3.2.1, RFC 7592 section 3.

use serde_json::{Map, Value};

use crate::model::{Client, Secret};

/// What an answer says beside the metadata.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered<'a> {
    /// The secret, where it was just made: it is never told again.
    pub secret: Option<&'a Secret>,
    /// What manages the registration, and where.
    pub management: Option<(&'a Secret, &'a str)>,
}

/// The answer that describes a client.
pub fn answer(client: &Client, answered: Answered<'_>) -> Map<String, Value> {
    let mut members = match serde_json::to_value(&client.metadata) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let mut say = |member: &str, value: Value| drop(members.insert(member.to_owned(), value));
    say("client_id", client.client_id.as_str().into());
    say("client_id_issued_at", client.created_at.seconds().into());
    if let Some(secret) = answered.secret {
        say("client_secret", secret.expose().into());
        // RFC 7591 section 3.2.1: required beside a secret; 0 says that it does not expire
        say("client_secret_expires_at", 0.into());
    }
    if let Some((token, uri)) = answered.management {
        say("registration_access_token", token.expose().into());
        say("registration_client_uri", uri.into());
    }
    members
}
