//! Userinfo: OpenID Connect Core section 5.3.

use serde_json::{Map, Value};

use super::verify;
use super::{Call, Error, Provider};
use crate::model::Secret;
use crate::protocol::claims::{self, Person};
use crate::protocol::{ErrorCode, OAuthError};

/// The answer: plain or signed, as the client registered.
pub enum UserInfo {
    /// `application/json`.
    Plain(Map<String, Value>),
    /// `application/jwt`.
    Signed(String),
}

/// Tells about the person of an access token with the scope `openid`.
pub async fn userinfo(provider: &Provider, call: &Call, token: &Secret) -> Result<UserInfo, Error> {
    let verified = verify::access_token(provider, call, token, provider.issuer.as_str()).await?;
    let (Some(person), Some(grant)) = (&verified.person, &verified.grant) else {
        return Err(insufficient().into());
    };
    if !verified.claims.scope.contains("openid") {
        return Err(insufficient().into());
    }
    let properties = provider.properties().await?;
    let properties = claims::of_properties(&properties, &verified.client.client_id, &person.user);
    let person = Person {
        user: &person.user,
        groups: &person.groups,
        properties: &properties,
    };
    let mut answer = Map::new();
    answer.insert("sub".to_owned(), verified.claims.subject.as_str().into());
    for (name, value) in claims::for_userinfo(&person, &verified.claims.scope, &grant.terms.claims) {
        answer.entry(name).or_insert(value);
    }
    let Some(algorithm) = verified.client.metadata.userinfo_signed_response_alg else {
        return Ok(UserInfo::Plain(answer));
    };
    // section 5.3.2: signed answers name issuer and audience
    answer.insert("iss".to_owned(), provider.issuer.as_str().into());
    answer.insert("aud".to_owned(), verified.client.client_id.as_str().into());
    let signed = provider.keyring().await?.signer(algorithm)?.sign("JWT", &answer)?;
    Ok(UserInfo::Signed(signed))
}

fn insufficient() -> OAuthError {
    // RFC 6750 section 3.1
    OAuthError::new(
        ErrorCode::InsufficientScope,
        "userinfo.scope",
        "the access token has no scope openid",
    )
}
