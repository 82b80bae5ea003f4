//! The refresh token grant: RFC 6749 section 6, with rotation (RFC 9700 section 4.14.2).

use std::sync::Arc;
use std::time::Duration;

use super::issue::{Behalf, Minting, TokenResponse, refresh_row, successor};
use super::{Call, Error, Provider};
use crate::flow::clients::may_use;
use crate::flow::effective::end_at_client;
use crate::flow::memory::Person;
use crate::flow::session::term;
use crate::model::setting;
use crate::model::{AccountState, Actor, Client, ConsentMode, EventKind, Fact, Grant, RefreshToken, Secret, Timestamp};
use crate::protocol::parameters::Parameters;
use crate::protocol::refresh::{self, Verdict};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store;

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
    for attempt in 0..TRIES {
        // rotating is guarded by the family's row, so memory will do to prepare it; anything else is judged by the store
        let mut family = load_family(provider, call, &presented, attempt.into()).await?;
        let mut verdict = family.judge(client, window, call.now);
        if attempt == 0 && !matches!(verdict, Ok(Verdict::Rotate)) {
            family = load_family(provider, call, &presented, Trusting::Store).await?;
            verdict = family.judge(client, window, call.now);
        }
        match verdict? {
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
        retry_after: Duration::from_secs(1),
    })
}

struct Family {
    token: RefreshToken,
    successor: Option<RefreshToken>,
    behalf: Behalf,
}

impl Family {
    fn judge(&self, client: &Client, window: Duration, now: Timestamp) -> Result<Verdict, OAuthError> {
        let grant = &self.behalf.grant;
        refresh::judge(&self.token, grant, client, self.successor.as_ref(), window, now)
    }
}

/// Where the family and the person are looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trusting {
    Memory,
    Store,
}

impl From<u32> for Trusting {
    /// Whoever lost a race looks at the store.
    fn from(attempt: u32) -> Self {
        if attempt == 0 { Self::Memory } else { Self::Store }
    }
}

async fn load_family(
    provider: &Provider,
    call: &Call,
    presented: &Secret,
    trusting: Trusting,
) -> Result<Family, Error> {
    let unknown = || refused("refresh.unknown", "the refresh token is unknown");
    let mut store = provider.store.read().await?;
    let token = store
        .find_refresh_token(&presented.digest())
        .await?
        .ok_or_else(unknown)?;
    let successor = match token.spent_at {
        None => None,
        Some(_) => {
            store
                .find_refresh_token(&successor(provider, presented, &token.nonce).digest())
                .await?
        }
    };
    let behalf = if trusting == Trusting::Memory {
        drop(store);
        let grant = provider.grant(token.grant, call.now).await?.ok_or_else(unknown)?;
        let person = provider.person(grant.user, call.now).await?.ok_or_else(unknown)?;
        Behalf { grant, person }
    } else {
        let grant = store.find_grant(token.grant).await?.ok_or_else(unknown)?;
        let person = Person::read(&mut store, grant.user, call.now)
            .await?
            .ok_or_else(unknown)?;
        Behalf {
            grant: Arc::new(grant),
            person: Arc::new(person),
        }
    };
    Ok(Family {
        token,
        successor,
        behalf,
    })
}

/// Everything that the first sign-on rested on has to hold still (SEC-051).
async fn recheck(provider: &Provider, call: &Call, client: &Client, behalf: &Behalf) -> Result<(), Error> {
    let user = &behalf.person.user;
    if user.state(call.now) == AccountState::Expired {
        return Err(refused(
            "refresh.account_expired",
            "the account behind the refresh token has expired",
        )
        .into());
    }
    if !user.is_active(call.now) {
        return Err(refused("refresh.user", "the account behind the refresh token can not be used").into());
    }
    let grant = &behalf.grant;
    if user.password_changed_at.is_some_and(|at| at > grant.created_at) {
        // a new password ends what was begun under the old one, whatever else did not
        return Err(refused("refresh.password", "the password has been changed since the sign-in").into());
    }
    if grant.terms.is_offline() && !client.metadata.scope.contains("offline_access") {
        return Err(refused("refresh.offline_gone", "the client may no longer have offline_access").into());
    }
    if !grant.terms.is_offline() {
        let live = term::live_row(provider, call, &behalf.person, grant.session).await?;
        let Some((session, _)) = live else {
            return Err(refused("refresh.session", "the session behind the refresh token has ended").into());
        };
        let end = end_at_client(client, grant.terms.auth_time, session.remember);
        if end.is_some_and(|end| call.now >= end) {
            let why = "the person has to prove once more who they are, as often as the client asks for it";
            return Err(refused("refresh.client_lifetime", why).into());
        }
    }
    if !may_use(provider, call, user.id, client).await? {
        return Err(refused(
            "refresh.not_given",
            "the application is not given to the person any more",
        )
        .into());
    }
    if client.policy.consent == ConsentMode::Ask {
        let consent = provider.store.read().await?.find_consent(grant.user, client.id).await?;
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
    recheck(provider, call, client, &behalf).await?;
    let scope = refresh::narrow(parameters, &behalf.grant.terms.scope)?;
    let resources = super::resources::narrow(provider, client, parameters, &behalf.grant.terms).await?;
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
    store.spend_refresh_token(&token.digest, call.now);
    store.add_refresh_token(&row).await?;
    minting.store(&mut store).await?;
    let event = call
        .by(Actor::Client(client.id))
        .event(EventKind::TokenRefreshed)
        .client(client.id)
        .user(grant.user)
        .fact("grant", Fact::Id(grant.id.uuid()))
        .fact(
            "method",
            Fact::Word(client.metadata.token_endpoint_auth_method.as_str()),
        );
    store.add_event(&event).await?;
    match store.commit().await {
        Err(store::Error::Missing) => return Ok(None),
        committed => committed?,
    }
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
