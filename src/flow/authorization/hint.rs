//! `id_token_hint`: an ID token of ours says whom a client expects. It selects, it never signs anybody in.

use crate::flow::{Error, Provider};
use crate::model::Client;
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError, id_token};

/// What an ID token of ours says, however old.
pub struct Hint {
    /// Whom it is about, as its client knows the person.
    pub subject: String,
    /// Whom it was made for.
    pub audience: String,
    /// The session.
    pub session: Option<String>,
}

/// Reads an ID token of ours. An expired one still hints (Core section 3.1.2.1). None if it is not ours.
pub async fn read(provider: &Provider, token: &str) -> Result<Option<Hint>, Error> {
    let Some(claims) = provider.read_own(token, id_token::TYP).await? else {
        return Ok(None);
    };
    let text = |name: &str| claims.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    // a signed userinfo answer has the same `typ`, issuer, subject and audience, but no end (RFC 8725 section 3.12)
    let ends = claims.get("exp").is_some_and(serde_json::Value::is_i64);
    if text("iss").as_deref() != Some(provider.issuer.as_str()) || !ends {
        return Ok(None);
    }
    let (Some(subject), Some(audience)) = (text("sub"), text("aud")) else {
        return Ok(None);
    };
    Ok(Some(Hint {
        subject,
        audience,
        session: text("sid"),
    }))
}

/// The subject that a request's hint names, if it has one. A hint that is not ours, or another client's, is refused.
pub async fn subject(
    provider: &Provider,
    client: &Client,
    parameters: &Parameters,
) -> Result<Result<Option<String>, OAuthError>, Error> {
    let Some(token) = parameters.get("id_token_hint") else {
        return Ok(Ok(None));
    };
    let hint = read(provider, token)
        .await?
        .filter(|hint| hint.audience == client.client_id);
    Ok(match hint {
        Some(hint) => Ok(Some(hint.subject)),
        None => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "authorization.id_token_hint",
            "id_token_hint is not an ID token of this server for this client",
        )),
    })
}
