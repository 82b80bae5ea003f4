//! JWT access tokens (RFC 9068).

use serde_json::{Map, Value};

use crate::model::{Grant, Id, Scopes, Timestamp};

/// The header's `typ` (RFC 9068 section 2.1).
pub const TYP: &str = "at+jwt";

/// What an access token says.
#[derive(Clone, Debug)]
pub struct AccessTokenClaims {
    /// Who it is about: a person as the client knows them, or the client itself.
    pub subject: String,
    /// Who got it.
    pub client_id: String,
    /// What it allows.
    pub scope: Scopes,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// The family; none for client_credentials.
    pub grant: Option<Id<Grant>>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Unique; begins with the family's id, so that a token can be led back to it.
    pub id: String,
    /// When the person signed in, and how (RFC 9068 section 2.2.1).
    pub authentication: Option<(Timestamp, String, Vec<String>)>,
}

/// What separates the family's id from the random part of `jti`.
const SEPARATOR: char = '.';

/// A `jti`: the family's id, if there is one, and a random part.
pub fn token_id(grant: Option<Id<Grant>>, random: &str) -> String {
    match grant {
        Some(grant) => format!("{grant}{SEPARATOR}{random}"),
        None => random.to_owned(),
    }
}

/// The claims as they are signed.
pub fn to_claims(token: &AccessTokenClaims, issuer: &str) -> Map<String, Value> {
    let mut set = Map::new();
    set.insert("iss".to_owned(), issuer.into());
    set.insert("sub".to_owned(), token.subject.as_str().into());
    set.insert("aud".to_owned(), audience_value(&token.audience));
    set.insert("client_id".to_owned(), token.client_id.as_str().into());
    set.insert("exp".to_owned(), token.expires_at.seconds().into());
    set.insert("iat".to_owned(), token.issued_at.seconds().into());
    set.insert("jti".to_owned(), token.id.as_str().into());
    if !token.scope.is_empty() {
        set.insert("scope".to_owned(), token.scope.to_string().into());
    }
    if let Some((auth_time, acr, amr)) = &token.authentication {
        set.insert("auth_time".to_owned(), auth_time.seconds().into());
        set.insert("acr".to_owned(), acr.as_str().into());
        set.insert("amr".to_owned(), amr.clone().into());
    }
    set
}

/// Reads the claims of a token of ours whose signature has been verified. None if one is missing or of another kind.
pub fn from_claims(set: &Map<String, Value>, issuer: &str) -> Option<AccessTokenClaims> {
    let text = |name: &str| set.get(name).and_then(Value::as_str);
    if text("iss") != Some(issuer) {
        return None;
    }
    let audience = match set.get("aud")? {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several
            .iter()
            .map(|each| each.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        _ => return None,
    };
    let id = text("jti")?.to_owned();
    let grant = match id.split_once(SEPARATOR) {
        Some((grant, _)) => Some(grant.parse().ok()?),
        None => None,
    };
    Some(AccessTokenClaims {
        subject: text("sub")?.to_owned(),
        client_id: text("client_id")?.to_owned(),
        scope: Scopes::parse(text("scope").unwrap_or_default()).ok()?,
        audience,
        grant,
        issued_at: Timestamp::from_seconds(set.get("iat")?.as_i64()?),
        expires_at: Timestamp::from_seconds(set.get("exp")?.as_i64()?),
        id,
        authentication: None,
    })
}

/// One audience as a string, several as an array (RFC 7519 section 4.1.3).
pub fn audience_value(audience: &[String]) -> Value {
    match audience {
        [one] => one.as_str().into(),
        several => several.to_vec().into(),
    }
}
