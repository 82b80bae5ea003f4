//! Introspection: RFC 7662. Access and refresh tokens alike; for whoever may not look, a token does not exist.

use std::sync::Arc;

use serde_json::{Value, json};

use super::verify;
use super::{Call, Error, Provider};
use crate::flow::effective::end_at_client;
use crate::flow::session::term;
use crate::model::{Client, Secret, Timestamp};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError, introspection, subject};
use crate::store::SessionRow;

/// Answers what a token is worth to the caller, a confidential client that has proved who it is.
pub async fn introspect(
    provider: &Provider,
    call: &Call,
    caller: &Arc<Client>,
    parameters: &Parameters,
) -> Result<Value, Error> {
    if caller.is_public() {
        // RFC 7662 section 2.1: the endpoint needs authorization, against token scanning
        return Err(OAuthError::new(
            ErrorCode::InvalidClient,
            "introspection.public",
            "a public client can not look into tokens",
        )
        .into());
    }
    let token = parameters.get("token").map(Secret::new).ok_or_else(|| {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "introspection.token_missing",
            "token is missing",
        )
    })?;
    if let Some(verified) = verify::find(provider, call, &token).await? {
        if !introspection::may_look(caller, &verified.client.client_id, &verified.claims.audience) {
            return Ok(introspection::inactive());
        }
        let username = verified.person.as_ref().map(|person| person.user.username.as_str());
        return Ok(introspection::access_token(
            &verified.claims,
            provider.issuer.as_str(),
            username,
        ));
    }
    refresh_token(provider, call, caller, &token).await
}

async fn refresh_token(provider: &Provider, call: &Call, caller: &Client, token: &Secret) -> Result<Value, Error> {
    let mut store = provider.store.read().await?;
    let Some(row) = store.find_refresh_token(&token.digest()).await? else {
        return Ok(introspection::inactive());
    };
    let grant = store.find_grant(row.grant).await?.filter(|grant| {
        // a refresh token is between us and its client: nobody else may look
        grant.client == caller.id && grant.ended_at.is_none() && grant.expires_at > call.now
    });
    let live = row.spent_at.is_none() && row.expires_at > call.now;
    let Some(grant) = grant.filter(|_| live) else {
        return Ok(introspection::inactive());
    };
    drop(store);
    let person = provider.person(grant.user, call.now).await?;
    let Some(person) = person.filter(|person| person.user.is_active(call.now)) else {
        return Ok(introspection::inactive());
    };
    if !grant.terms.is_offline() {
        let live = term::live_row(provider, call, &person, grant.session).await?;
        let goes_on = |(session, _): (Arc<SessionRow>, Timestamp)| {
            let end = end_at_client(caller, grant.terms.auth_time, session.remember);
            end.is_none_or(|end| call.now < end)
        };
        if !live.is_some_and(goes_on) {
            return Ok(introspection::inactive());
        }
    }
    Ok(json!({
        "active": true,
        "iss": provider.issuer.as_str(),
        "sub": subject::of(&person.user, caller, &provider.pairwise_key()),
        "client_id": caller.client_id,
        "scope": grant.terms.scope.to_string(),
        "exp": row.expires_at.seconds(),
        "iat": row.issued_at.seconds(),
    }))
}
