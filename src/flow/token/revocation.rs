//! Revocation: RFC 7009. A refresh token takes its whole family along; an access token goes alone.

use std::sync::Arc;

use super::verify;
use super::{Call, Error, Provider};
use crate::model::{Actor, Client, EventKind, Fact, Grant, Id, Secret};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};

/// Revokes a token of the caller. A token that is unknown, or somebody else's, changes nothing and is no error (section 2.2).
pub async fn revoke(
    provider: &Provider,
    call: &Call,
    caller: &Arc<Client>,
    parameters: &Parameters,
) -> Result<(), Error> {
    let token = parameters.get("token").map(Secret::new).ok_or_else(|| {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "revocation.token_missing",
            "token is missing",
        )
    })?;
    let refresh = provider.store.read().await?.find_refresh_token(&token.digest()).await?;
    if let Some(refresh) = refresh {
        return revoke_family(provider, call, caller, refresh.grant).await;
    }
    let Some(verified) = verify::find(provider, call, &token).await? else {
        return Ok(());
    };
    if verified.client.id != caller.id {
        return Ok(());
    }
    let mut store = provider.store.write().await?;
    if !store.delete_access_token(&token.digest()).await? {
        let id = verify::revocation_digest(&verified.claims);
        store.revoke_token(&id, verified.claims.expires_at).await?;
    }
    let mut event = call
        .by(Actor::Client(caller.id))
        .event(EventKind::TokenRevoked)
        .client(caller.id)
        .fact("token", Fact::Word("access_token"));
    if let Some(grant) = &verified.grant {
        event = event.user(grant.user);
    }
    store.add_event(&event).await?;
    store.commit().await?;
    Ok(())
}

async fn revoke_family(provider: &Provider, call: &Call, caller: &Client, grant: Id<Grant>) -> Result<(), Error> {
    let grant = provider.store.read().await?.find_grant(grant).await?;
    let Some(grant) = grant.filter(|grant| grant.client == caller.id) else {
        return Ok(());
    };
    let mut store = provider.store.write().await?;
    store.end_grant(grant.id, call.now, "revoked").await?;
    store.delete_access_tokens_of_grant(grant.id).await?;
    let event = call
        .by(Actor::Client(caller.id))
        .event(EventKind::TokenRevoked)
        .client(caller.id)
        .user(grant.user)
        .fact("token", Fact::Word("refresh_token"))
        .fact("grant", Fact::Id(grant.id.uuid()));
    store.add_event(&event).await?;
    store.commit().await?;
    Ok(())
}
