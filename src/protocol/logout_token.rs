//! The logout token: OpenID Connect Back-Channel Logout 1.0 section 2.4.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::model::Timestamp;

/// The header's `typ`: no other token of ours can be mistaken for one (section 2.4).
pub const TYP: &str = "logout+jwt";
/// The member of `events` that makes it a logout token.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long it is good for: section 2.4 recommends no more than two minutes.
const LIFETIME: Duration = Duration::from_secs(120);

/// What a logout token is made of.
pub struct LogoutToken<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The client that is told.
    pub client_id: &'a str,
    /// What the client knows the person by, if that is still known here.
    pub subject: Option<&'a str>,
    /// The session that has ended, as `sid` in its ID tokens.
    pub session: String,
    /// Made for this notice alone; a notice that is repeated keeps it.
    pub id: &'a str,
}

/// The claims. Never `nonce` (section 2.4), so that it can't pass for an ID token.
pub fn claims(token: &LogoutToken<'_>, now: Timestamp) -> Map<String, Value> {
    let mut set = Map::new();
    set.insert("iss".to_owned(), token.issuer.into());
    set.insert("aud".to_owned(), token.client_id.into());
    set.insert("iat".to_owned(), now.seconds().into());
    set.insert("exp".to_owned(), now.after(LIFETIME).seconds().into());
    set.insert("jti".to_owned(), token.id.into());
    if let Some(subject) = token.subject {
        set.insert("sub".to_owned(), subject.into());
    }
    set.insert("sid".to_owned(), token.session.as_str().into());
    set.insert("events".to_owned(), json!({ EVENT: {} }));
    set
}
