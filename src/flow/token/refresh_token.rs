//! The refresh token grant: RFC 6749 section 6, with rotation (RFC 9700 section 4.14.2).

use std::sync::Arc;

use super::issue::{Behalf, Minting, TokenResponse, refresh_row, successor};
use super::{Call, Error, Provider};
use crate::model::setting;
use crate::model::{Actor, Client, ConsentMode, EventKind, Fact, Grant, RefreshToken, Secret};
use crate::protocol::parameters::Parameters;
use crate::protocol::refresh::{self, Verdict};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::Read;

/// How often a race for the same token is judged anew.
const TRIES: u32 = 4;

/// Exchanges a refresh token for its successor and new tokens.
pub async fn refresh(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
) -> Result<TokenResponse, Error> {
    let presented = parameters
        .get("refresh_token")
        .map(Secret::new)
        .ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "refresh.missing", "refresh_token is missing"))?;
    let window = provider.settings().await?.duration(setting::REFRESH_RETRY_WINDOW);
    for _ in 0..TRIES {
        let family = load_family(provider, &presented).await?;
        let successor_row = family.successor.as_ref();
        match refresh::judge(
            &family.token,
            &family.behalf.grant,
            client,
            successor_row,
            window,
            call.now,
        )? {
            Verdict::Rotate => {
                if let Some(answer) = rotate(provider, call, client, parameters, &presented, family).await? {
                    return Ok(answer);
                }
                // somebody was faster: what they did is judged next time round
            }
            Verdict::Repeat => return repeat(provider, call, client, parameters, &presented, family).await,
            Verdict::RefuseOnly => {
                return Err(refused(
                    "refresh.successor_used",
                    "the refresh token has been used, and so has its successor",
                )
                .into());
            }
            Verdict::Replay => return end_family(provider, call, client, &family.behalf.grant).await,
        }
    }
    Err(Error::Busy {
        retry_after: std::time::Duration::from_secs(1),
    })
}

struct Family {
    token: RefreshToken,
    successor: Option<RefreshToken>,
    behalf: Behalf,
}

async fn load_family(provider: &Provider, presented: &Secret) -> Result<Family, Error> {
    let unknown = || refused("refresh.unknown", "the refresh token is unknown");
    let mut store = provider.store.read().await?;
    let token = store
        .find_refresh_token(&presented.digest())
        .await?
        .ok_or_else(unknown)?;
    let grant = store.find_grant(token.grant).await?.ok_or_else(unknown)?;
    let successor = match token.spent_at {
        None => None,
        Some(_) => {
            store
                .find_refresh_token(&successor(provider, presented, &token.nonce).digest())
                .await?
        }
    };
    let user = store.find_user(grant.user).await?.ok_or_else(unknown)?;
    let groups = store.list_group_names_of(user.id).await?;
    Ok(Family {
        token,
        successor,
        behalf: Behalf { grant, user, groups },
    })
}

/// Everything that the first sign-on rested on has to hold still (SEC-051).
async fn recheck(store: &mut Read, call: &Call, client: &Client, behalf: &Behalf) -> Result<(), Error> {
    if !behalf.user.is_active() {
        return Err(refused("refresh.user", "the account behind the refresh token can not be used").into());
    }
    let grant = &behalf.grant;
    if behalf.user.password_changed_at.is_some_and(|at| at > grant.created_at) {
        // a new password ends what was begun under the old one, whatever else did not
        return Err(refused("refresh.password", "the password has been changed since the sign-in").into());
    }
    if grant.terms.is_offline() && !client.metadata.scope.contains("offline_access") {
        return Err(refused("refresh.offline_gone", "the client may no longer have offline_access").into());
    }
    if !grant.terms.is_offline() {
        let session = store.find_session(grant.session).await?;
        if !session.is_some_and(|session| session.is_live(call.now)) {
            return Err(refused("refresh.session", "the session behind the refresh token has ended").into());
        }
    }
    if client.policy.consent == ConsentMode::Ask {
        let consent = store.find_consent(grant.user, client.id).await?;
        let granted = consent.map(|consent| consent.scope).unwrap_or_default();
        if !grant.terms.scope.is_within(&granted) {
            return Err(refused("refresh.consent", "the person has taken back what was allowed").into());
        }
    }
    Ok(())
}

async fn prepare(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
    behalf: Behalf,
) -> Result<Minting, Error> {
    recheck(&mut provider.store.read().await?, call, client, &behalf).await?;
    let scope = refresh::narrow(parameters, &behalf.grant.terms.scope)?;
    let resources = refresh::narrow_resources(parameters, &behalf.grant.terms.resources)?;
    let minting = Minting::prepare(provider, call.now, client, Some(behalf), &scope, &resources).await?;
    if minting.scope().is_empty() {
        return Err(refused("refresh.scope_gone", "the client may have none of the scopes any more").into());
    }
    Ok(minting)
}

/// None if somebody else used the token meanwhile.
async fn rotate(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
    presented: &Secret,
    family: Family,
) -> Result<Option<TokenResponse>, Error> {
    let settings = provider.settings().await?;
    let token = family.token;
    let grant = family.behalf.grant.clone();
    let minting = prepare(provider, call, client, parameters, family.behalf).await?;
    let next = successor(provider, presented, &token.nonce);
    let idle_end = call.now.after(settings.duration(setting::REFRESH_IDLE_LIFETIME));
    let row = refresh_row(&next, grant.id, call.now, idle_end.min(grant.expires_at));

    let mut store = provider.store.write().await?;
    if !store.spend_refresh_token(&token.digest, call.now).await? {
        store.abandon().await?;
        return Ok(None);
    }
    store.add_refresh_token(&row).await?;
    minting.store(&mut store).await?;
    let event = call
        .by(Actor::Client(client.id))
        .event(EventKind::TokenRefreshed)
        .client(client.id)
        .user(grant.user)
        .fact("grant", Fact::Id(grant.id.uuid()));
    store.add_event(&event).await?;
    store.commit().await?;
    minting.with_refresh_token(next).finish().map(Some)
}

/// The answer was lost: the same successor again. Only an opaque access token has to be stored.
async fn repeat(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
    presented: &Secret,
    family: Family,
) -> Result<TokenResponse, Error> {
    let next = successor(provider, presented, &family.token.nonce);
    let minting = prepare(provider, call, client, parameters, family.behalf).await?;
    let mut store = provider.store.write().await?;
    minting.store(&mut store).await?;
    store.commit().await?;
    minting.with_refresh_token(next).finish()
}

async fn end_family(provider: &Provider, call: &Call, client: &Client, grant: &Grant) -> Result<TokenResponse, Error> {
    let mut store = provider.store.write().await?;
    store.end_grant(grant.id, call.now, "refresh_replayed").await?;
    store.delete_access_tokens_of_grant(grant.id).await?;
    let event = call
        .by(Actor::Client(client.id))
        .event(EventKind::RefreshReplayed)
        .refused("refresh.replayed")
        .client(client.id)
        .user(grant.user)
        .fact("grant", Fact::Id(grant.id.uuid()));
    store.add_event(&event).await?;
    store.commit().await?;
    Err(refused(
        "refresh.replayed",
        "the refresh token has been used before; the sign-in has ended",
    )
    .into())
}

fn refused(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, rule, description)
}
