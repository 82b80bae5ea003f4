//! The authorization code grant: RFC 6749 section 4.1.3. Redeeming is the insert of the grant under the code's digest.

use std::sync::Arc;

use super::issue::{Behalf, Minting, TokenResponse, first_refresh_token};
use super::place::Place;
use super::{Call, Error, Provider};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::again::again;
use crate::flow::clients::may_use;
use crate::flow::session::term;
use crate::model::setting;
use crate::model::{
    AccountState, Actor, Client, ConsentMode, Digest, EventKind, Fact, Grant, GrantType, Id, RefreshToken, Scopes,
    Secret,
};
use crate::protocol::code_exchange::{self, CodePayload};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::Error as StoreError;

/// How long the digest of a redeemed code is kept at least, so that a replay is recognised: longer than any code lives.
const REMEMBER_CODES: std::time::Duration = std::time::Duration::from_secs(20 * 60);

/// How many families a person may have at one client: past it the oldest ends, so that storage stays bounded (SEC-066).
const MOST_FAMILIES: u32 = 100;

/// Redeems a code.
pub async fn redeem(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
) -> Result<TokenResponse, Error> {
    let code = parameters
        .get("code")
        .ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "code.missing", "code is missing"))?;
    let presented = Secret::new(code);
    let digest = presented.digest();
    let Some(payload) = find_payload(provider, call, &presented).await? else {
        return refuse_unknown(provider, call, client, &digest).await;
    };
    code_exchange::judge(parameters, code, &payload, client, call.now)?;
    let behalf = load_behalf(provider, call, client, &digest, &payload).await?;
    let allowed = load_consent(provider, client, &payload).await?;
    let settings = provider.settings().await?;
    let grant = behalf.grant.clone();
    let resources = super::resources::narrow(provider, client, parameters, &grant.terms).await?;
    let mut minting = Minting::prepare(provider, call.now, client, Some(behalf), &grant.terms.scope, &resources)
        .await?
        .echoing_nonce();
    let first = client.may_use(GrantType::RefreshToken).then(|| {
        let idle_end = call.now.after(settings.duration(setting::REFRESH_IDLE_LIFETIME));
        first_refresh_token(grant.id, call.now, idle_end.min(grant.expires_at))
    });

    let place = Place::keep(provider, call, client, &grant).await?;
    let redemption = Redemption {
        grant: &grant,
        epoch: payload.epoch,
        allowed: allowed.as_ref(),
        first: first.as_ref().map(|(_, row)| row),
        minting: &minting,
        method: client.metadata.token_endpoint_auth_method.as_str(),
        is_first_use: client.unused_until.is_some(),
    };
    let since = provider.since().await?;
    // with the place that is kept already: who has gone for it can't go once more
    match again(|| write_down(provider, call, &redemption, &place)).await {
        Ok(Redeemed::Now) => place.written(provider, &grant).await,
        Ok(Redeemed::TooLate) => {
            place.give_back(provider, call, &grant, None).await;
            return refuse_late(provider, call, client, &redemption).await;
        }
        Err(error) => {
            place.give_back(provider, call, &grant, Some(&error)).await;
            return Err(error);
        }
    }
    provider.remember_grant(since, &grant, call.now);

    // the grant's row decides from here on; what waited under the code only saves a look
    if let Err(error) = provider.ephemeral.forget(Kind::CodePayload, &key_of(&presented)).await {
        tracing::warn!(trace = %call.trace, %error, "the payload of a redeemed code stays until it expires");
    }
    if let Some((token, _)) = first {
        minting = minting.with_refresh_token(token);
    }
    minting.finish()
}

/// What is written down when a code is redeemed.
struct Redemption<'a> {
    grant: &'a Grant,
    epoch: i64,
    /// What the person has allowed, where that is asked.
    allowed: Option<&'a Scopes>,
    first: Option<&'a RefreshToken>,
    minting: &'a Minting,
    /// How the client authenticated.
    method: &'static str,
    /// Whether nobody has signed in to the client before, so that it would not be kept.
    is_first_use: bool,
}

/// Whether a code was redeemed.
enum Redeemed {
    /// Here and now.
    Now,
    /// Somebody was faster: with the same code, by ending the session, or by changing what is allowed.
    TooLate,
}

/// Redeems the code by adding its family. Unless somebody has to make room nothing is asked on the way, so that all of it runs
/// in one go.
async fn write_down(
    provider: &Provider,
    call: &Call,
    redemption: &Redemption<'_>,
    place: &Place,
) -> Result<Redeemed, Error> {
    let grant = redemption.grant;
    let mut store = provider.store.write().await?;
    // nothing begins behind the back of who ends the session right now: a family that outlives it, or an application that
    // nobody would tell of its end
    store.must_hold_session(grant.session, call.now);
    // nor behind the back of who takes back what was allowed, and ends what was granted by it
    if let Some(allowed) = redemption.allowed {
        store.must_hold_consent(grant.user, grant.client, allowed);
    }
    store.must_redeem_code(grant, redemption.epoch)?;
    if !place.is_settled() {
        // nobody goes for a code that is void
        match store.decide().await {
            Err(StoreError::Missing) => {
                store.abandon().await?;
                return Ok(Redeemed::TooLate);
            }
            decided => decided?,
        }
        if let Err(error) = place.take(&mut store, call, grant).await {
            if matches!(error, Error::OAuth(_)) {
                store.abandon().await?;
            }
            return Err(error);
        }
    }
    store.add_client_of_session(grant.session, grant.client, grant.user, call.now);
    if redemption.is_first_use {
        store.mark_client_used(grant.client).await?;
    }
    if let Some(row) = redemption.first {
        store.add_refresh_token(row).await?;
    }
    redemption.minting.store(&mut store).await?;
    let event = call
        .by(Actor::Client(grant.client))
        .event(EventKind::CodeRedeemed)
        .client(grant.client)
        .user(grant.user)
        .fact("grant", Fact::Id(grant.id.uuid()))
        .fact("method", Fact::Word(redemption.method));
    store.add_event(&event).await?;
    let committed = store
        .commit_ending_oldest_grants(grant.user, grant.client, MOST_FAMILIES, call.now, "too_many")
        .await;
    match committed {
        Err(StoreError::Missing) => Ok(Redeemed::TooLate),
        committed => Ok(committed.map(|_| Redeemed::Now)?),
    }
}

/// Why it was too late, and what follows from that.
async fn refuse_late(
    provider: &Provider,
    call: &Call,
    client: &Client,
    redemption: &Redemption<'_>,
) -> Result<TokenResponse, Error> {
    let grant = redemption.grant;
    let mut store = provider.store.read().await?;
    if store.find_grant_by_code(&grant.code).await?.is_none() {
        let session = store.find_session(grant.session).await?;
        if !session.is_some_and(|session| session.is_live(call.now)) {
            return Err(gone("code.session").into());
        }
        if let Some(allowed) = redemption.allowed {
            let consent = store.find_consent(grant.user, grant.client).await?;
            if consent.is_none_or(|consent| consent.scope != *allowed) {
                return Err(gone("code.consent").into());
            }
        }
    }
    drop(store);
    // somebody was faster with the same code: RFC 6749 section 4.1.2 wants the family ended
    refuse_unknown(provider, call, client, &grant.code).await
}

/// The key under which a code's payload waits: its last letter, which is its owner's mark, and its digest.
pub fn key_of(code: &Secret) -> String {
    let mark = code.expose().chars().next_back().unwrap_or('-');
    format!("{mark}{}", crypto::hex(code.digest().as_bytes()))
}

async fn find_payload(provider: &Provider, call: &Call, code: &Secret) -> Result<Option<CodePayload>, Error> {
    let waiting = provider
        .ephemeral
        .get(Kind::CodePayload, &key_of(code), call.now)
        .await?;
    Ok(waiting.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The code is unknown, expired or used. If it was used by this client, its family ends (RFC 6749 section 4.1.2).
async fn refuse_unknown(
    provider: &Provider,
    call: &Call,
    client: &Client,
    code: &Digest,
) -> Result<TokenResponse, Error> {
    let refusal = OAuthError::new(
        ErrorCode::InvalidGrant,
        "code.unknown",
        "the code is unknown, expired or used",
    );
    let grant = provider.store.read().await?.find_grant_by_code(code).await?;
    let Some(grant) = grant.filter(|grant| grant.client == client.id) else {
        return Err(refusal.into());
    };
    let mut store = provider.store.write().await?;
    store.end_grant(grant.id, call.now, "code_replayed").await?;
    store.delete_access_tokens_of_grant(grant.id).await?;
    let event = call
        .by(Actor::Client(client.id))
        .event(EventKind::CodeReplayed)
        .refused("code.replayed")
        .client(client.id)
        .user(grant.user)
        .fact("grant", Fact::Id(grant.id.uuid()));
    store.add_event(&event).await?;
    store.commit().await?;
    Err(refusal.into())
}

/// The person behind the code, if account and session still count (SEC-045).
async fn load_behalf(
    provider: &Provider,
    call: &Call,
    client: &Client,
    code: &Digest,
    payload: &CodePayload,
) -> Result<Behalf, Error> {
    let person = provider
        .person(payload.user, call.now)
        .await?
        .ok_or_else(|| gone("code.user"))?;
    match person.user.state(call.now) {
        AccountState::Active | AccountState::Invited => {}
        AccountState::Expired => return Err(gone("code.account_expired").into()),
        _ => return Err(gone("code.user").into()),
    }
    let live = term::live_row(provider, call, &person, payload.session).await?;
    if live.is_none() {
        return Err(gone("code.session").into());
    }
    if !may_use(provider, call, person.user.id, client).await? {
        return Err(gone("code.not_given").into());
    }
    let settings = provider.settings().await?;
    let expires_at = if client.may_use(GrantType::RefreshToken) {
        call.now.after(settings.duration(setting::REFRESH_LIFETIME))
    } else {
        call.now
            .after(settings.duration(setting::ACCESS_TOKEN_LIFETIME).max(REMEMBER_CODES))
    };
    let grant = Arc::new(Grant {
        id: Id::new(call.now),
        client: client.id,
        user: payload.user,
        session: payload.session,
        code: *code,
        created_at: call.now,
        expires_at,
        ended_at: None,
        terms: payload.terms.clone(),
    });
    Ok(Behalf { grant, person })
}

/// What the person has allowed the client, if it is a client that people are asked about: taken back while the code was on its
/// way, the code is void.
async fn load_consent(provider: &Provider, client: &Client, payload: &CodePayload) -> Result<Option<Scopes>, Error> {
    if client.policy.consent != ConsentMode::Ask {
        return Ok(None);
    }
    let mut store = provider.store.read().await?;
    let consent = store.find_consent(payload.user, client.id).await?;
    let allowed = consent.map(|consent| consent.scope).unwrap_or_default();
    if !payload.terms.scope.is_within(&allowed) {
        return Err(gone("code.consent").into());
    }
    Ok(Some(allowed))
}

fn gone(rule: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, rule, "the sign-in behind the code has ended")
}
