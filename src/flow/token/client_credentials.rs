//! The client credentials grant: RFC 6749 section 4.4.

use std::sync::Arc;

use super::issue::{Minting, TokenResponse};
use super::{Audiences, Call, Error, Provider};
use crate::model::scope::STANDARD;
use crate::model::{Actor, Client, EventKind, Fact, Scopes};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError, audience};

/// Issues a token to a client for itself.
pub async fn issue(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
) -> Result<TokenResponse, Error> {
    if client.is_public() {
        // RFC 6749 section 4.4: confidential clients only
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "client_credentials.public",
            "a public client can not use this grant_type",
        )
        .into());
    }
    let audiences = Audiences::load(provider).await?;
    // scopes about a person make no sense without one
    let available = audience::grantable(client, &audiences.surroundings()).filter(|scope| !STANDARD.contains(&scope));
    let scope = settle_scope(parameters, &available)?;
    let minting = Minting::prepare(provider, call.now, client, None, &scope, parameters.resources()).await?;
    let event = call
        .by(Actor::Client(client.id))
        .event(EventKind::TokenIssued)
        .client(client.id)
        .fact(
            "method",
            Fact::Word(client.metadata.token_endpoint_auth_method.as_str()),
        );
    if minting.is_stored() {
        let mut store = provider.store.write().await?;
        minting.store(&mut store).await?;
        store.add_event(&event).await?;
        store.commit().await?;
    } else {
        provider.note(event).await;
    }
    minting.finish()
}

fn settle_scope(parameters: &Parameters, available: &Scopes) -> Result<Scopes, OAuthError> {
    let Some(asked) = parameters.get("scope") else {
        return Ok(available.clone());
    };
    Scopes::parse(asked)
        .ok()
        .filter(|asked| asked.is_within(available))
        .ok_or(OAuthError::new(
            ErrorCode::InvalidScope,
            "client_credentials.scope",
            "scope goes beyond what this client may have",
        ))
}
