//! The ID token (OpenID Connect Core section 2).

use std::time::Duration;

use serde_json::{Map, Value};

use super::claims::{self, Person};
use crate::model::{GrantTerms, Timestamp};

/// The header's `typ`.
pub const TYP: &str = "JWT";

/// What an ID token is made of.
pub struct IdToken<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// What the client knows the person by.
    pub subject: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// The session, for `sid`.
    pub session: String,
    /// What was agreed.
    pub terms: &'a GrantTerms,
    /// The person.
    pub person: &'a Person<'a>,
    /// Left half of the access token's hash (Core section 3.1.3.6).
    pub at_hash: Option<String>,
    /// Whether `nonce` is echoed: at the code's exchange; Core section 12.2 lets it out after a refresh.
    pub nonce: Option<&'a str>,
}

/// The claims.
pub fn claims(token: &IdToken<'_>, now: Timestamp, lifetime: Duration) -> Map<String, Value> {
    let mut set = Map::new();
    set.insert("iss".to_owned(), token.issuer.into());
    set.insert("sub".to_owned(), token.subject.into());
    set.insert("aud".to_owned(), token.client_id.into());
    set.insert("exp".to_owned(), now.after(lifetime).seconds().into());
    set.insert("iat".to_owned(), now.seconds().into());
    // always told: cheap, and what max_age and require_auth_time want
    set.insert("auth_time".to_owned(), token.terms.auth_time.seconds().into());
    set.insert("acr".to_owned(), token.terms.acr.as_str().into());
    set.insert("amr".to_owned(), token.terms.amr.clone().into());
    set.insert("azp".to_owned(), token.client_id.into());
    set.insert("sid".to_owned(), token.session.as_str().into());
    if let Some(nonce) = token.nonce {
        set.insert("nonce".to_owned(), nonce.into());
    }
    if let Some(at_hash) = &token.at_hash {
        set.insert("at_hash".to_owned(), at_hash.as_str().into());
    }
    for (name, value) in claims::for_id_token(token.person, &token.terms.scope, &token.terms.claims) {
        set.entry(name).or_insert(value);
    }
    set
}
