//! Introspection answers (RFC 7662 section 2.2).

use serde_json::{Value, json};

use super::access_token::{AccessTokenClaims, audience_value};
use crate::model::Client;

/// What is said of a token that does not count, or not for the caller: that, and nothing more (section 2.2).
pub fn inactive() -> Value {
    json!({ "active": false })
}

/// What is said of an access token that counts.
pub fn access_token(token: &AccessTokenClaims, issuer: &str, username: Option<&str>) -> Value {
    let mut answer = json!({
        "active": true,
        "iss": issuer,
        "sub": token.subject,
        "aud": audience_value(&token.audience),
        "client_id": token.client_id,
        "token_type": "Bearer",
        "exp": token.expires_at.seconds(),
        "iat": token.issued_at.seconds(),
        "jti": token.id,
    });
    if let Some(members) = answer.as_object_mut() {
        if !token.scope.is_empty() {
            members.insert("scope".to_owned(), token.scope.to_string().into());
        }
        if let Some(username) = username {
            members.insert("username".to_owned(), username.into());
        }
    }
    answer
}

/// Whether a client may look into a token: its own, and those whose audience names a resource it serves.
pub fn may_look(caller: &Client, token_client: &str, audience: &[String]) -> bool {
    caller.client_id == token_client
        || audience
            .iter()
            .any(|identifier| caller.policy.serves.contains(identifier))
}
