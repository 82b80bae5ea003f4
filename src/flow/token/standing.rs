//! Why a token does not count, and which sign-in it came from: looked up again once it was refused, or because somebody asks.
//! The paths that tokens take every day know nothing of it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Call, Error, Provider, authorization_code, verify};
use crate::ephemeral::Kind;
use crate::flow::effective::end_at_client;
use crate::flow::memory::Person;
use crate::flow::session::term;
use crate::flow::trace::Kept;
use crate::model::setting::Settings;
use crate::model::{AccountState, Client, Fact, Grant, Reason, Secret, SigningAlgorithm, Timestamp, User};
use crate::protocol::access_token::{self, AccessTokenClaims};
use crate::protocol::code_exchange::CodePayload;
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::{Read, SessionRow};

/// What is known about an access token of ours.
pub struct Standing {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// Every claim of it, of a signed one.
    pub signed: Option<Map<String, Value>>,
    /// Who got it.
    pub client: Option<Arc<Client>>,
    /// The family.
    pub grant: Option<Grant>,
    /// On whose behalf.
    pub user: Option<User>,
    /// In which session.
    pub session: Option<SessionRow>,
    /// The first reason why it does not count.
    pub refused: Option<Reason>,
}

/// Adds to a refusal of the token endpoint whom and which sign-in it concerns, if it will be kept.
pub async fn of_token_request(
    provider: &Provider,
    call: &Call,
    client: &Client,
    parameters: &Parameters,
    error: OAuthError,
) -> OAuthError {
    let error = error.fact("client", Fact::Id(client.id.uuid()));
    if !provider.keeps_traces(call, Kept::Refusal) {
        return error;
    }
    // an explanation that can't be had changes nothing about the refusal
    let found = match (parameters.get("code"), parameters.get("refresh_token")) {
        (Some(code), _) => of_code(provider, call, code, error.clone()).await,
        (None, Some(token)) => of_refresh_token(provider, token, error.clone()).await,
        (None, None) => return error,
    };
    found.unwrap_or(error)
}

async fn of_code(provider: &Provider, call: &Call, code: &str, error: OAuthError) -> Result<OAuthError, Error> {
    let code = Secret::new(code);
    let redeemed = provider.store.read().await?.find_grant_by_code(&code.digest()).await?;
    if let Some(grant) = redeemed {
        let replayed = OAuthError {
            rule: if error.rule == "code.unknown" && error.code == ErrorCode::InvalidGrant {
                "code.replayed"
            } else {
                error.rule
            },
            ..error
        };
        return Ok(of_grant(replayed, &grant).fact("redeemed", Fact::Time(grant.created_at)));
    }
    let waiting = provider
        .ephemeral
        .get(Kind::CodePayload, &authorization_code::key_of(&code), call.now)
        .await?;
    let Some(payload) = waiting.and_then(|bytes| serde_json::from_slice::<CodePayload>(&bytes).ok()) else {
        return Ok(error);
    };
    let error = error
        .fact("user", Fact::Id(payload.user.uuid()))
        .fact("expires", Fact::Time(payload.expires_at))
        .fact("challenge", Fact::Bool(payload.code_challenge.is_some()));
    Ok(match payload.terms.journey {
        Some(journey) => error.fact("journey", Fact::Id(journey.uuid())),
        None => error,
    })
}

async fn of_refresh_token(provider: &Provider, token: &str, error: OAuthError) -> Result<OAuthError, Error> {
    let mut store = provider.store.read().await?;
    let Some(row) = store.find_refresh_token(&Secret::new(token).digest()).await? else {
        return Ok(error);
    };
    let Some(grant) = store.find_grant(row.grant).await? else {
        return Ok(error);
    };
    let mut error = of_grant(error, &grant)
        .fact("issued", Fact::Time(row.issued_at))
        .fact("expires", Fact::Time(row.expires_at))
        .fact("family_expires", Fact::Time(grant.expires_at));
    if let Some(spent) = row.spent_at {
        error = error.fact("used_before", Fact::Time(spent));
    }
    if let Some(ended) = grant.ended_at {
        error = error.fact("ended", Fact::Time(ended));
    }
    Ok(error)
}

fn of_grant(error: OAuthError, grant: &Grant) -> OAuthError {
    let error = error
        .fact("user", Fact::Id(grant.user.uuid()))
        .fact("grant", Fact::Id(grant.id.uuid()));
    match grant.terms.journey {
        Some(journey) => error.fact("journey", Fact::Id(journey.uuid())),
        None => error,
    }
}

/// Adds to the refusal of an access token why it does not count at `audience`, if it will be kept. The answer stays the same.
pub async fn of_refused_token(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    audience: &str,
    error: OAuthError,
) -> OAuthError {
    if !provider.keeps_traces(call, Kept::Refusal) {
        return error;
    }
    let unknown = OAuthError {
        rule: "access_token.unknown",
        ..error.clone()
    };
    let standing = match find(provider, call.now, token).await {
        Ok(Some(standing)) => standing,
        Ok(None) => return unknown,
        Err(_) => return error,
    };
    let mut error = match &standing.grant {
        Some(grant) => of_grant(error, grant),
        None => error,
    };
    if let Some(client) = &standing.client {
        error = error.fact("client", Fact::Id(client.id.uuid()));
    }
    let fits = standing.claims.audience.iter().any(|known| known == audience);
    let reason = match standing.refused {
        Some(reason) => reason,
        None if !fits => Reason::new("access_token.audience"),
        None => return error,
    };
    error.facts.extend(reason.facts);
    OAuthError {
        rule: reason.rule,
        ..error
    }
}

/// Everything about an access token of ours, whether it counts or not. None if it is not one.
pub async fn find(provider: &Provider, now: Timestamp, token: &Secret) -> Result<Option<Standing>, Error> {
    // what memory is asked for may have to be read, and whoever holds a reader must not wait for another one
    let signed = if token.expose().contains('.') {
        let keyring = provider.keyring().await?;
        let verified = keyring
            .set()
            .verify(token.expose(), &[access_token::TYP], SigningAlgorithm::ALL);
        let Ok(set) = verified else { return Ok(None) };
        let Some(claims) = access_token::from_claims(&set, provider.issuer.as_str()) else {
            return Ok(None);
        };
        let client = provider.client(&claims.client_id).await?;
        Some((claims, set, client))
    } else {
        None
    };
    let settings = provider.settings().await?;
    let mut store = provider.store.read().await?;
    let (claims, signed, client) = if let Some((claims, set, client)) = signed {
        (claims, Some(set), client)
    } else {
        let Some(row) = store.find_access_token(&token.digest()).await? else {
            return Ok(None);
        };
        let client = store.find_client(row.client).await?.map(Arc::new);
        let claims = AccessTokenClaims {
            subject: String::new(),
            client_id: client
                .as_ref()
                .map(|client| client.client_id.clone())
                .unwrap_or_default(),
            scope: row.scope,
            audience: row.audience,
            grant: row.grant,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            id: String::new(),
            authentication: None,
        };
        (claims, None, client)
    };
    let grant = match claims.grant {
        Some(id) => store.find_grant(id).await?,
        None => None,
    };
    let person = match &grant {
        Some(grant) => Person::read(&mut store, grant.user, now).await?,
        None => None,
    };
    let session = match &grant {
        Some(grant) => store.find_session(grant.session).await?,
        None => None,
    };
    let mut standing = Standing {
        claims,
        signed,
        client,
        grant,
        user: person.as_ref().map(|person| person.user.clone()),
        session,
        refused: None,
    };
    standing.refused = judge(&mut store, now, (&standing, person.as_ref(), &settings)).await?;
    Ok(Some(standing))
}

/// The first reason why it does not count, in the order in which tokens are verified.
async fn judge(
    store: &mut Read,
    now: Timestamp,
    (standing, person, settings): (&Standing, Option<&Person>, &Settings),
) -> Result<Option<Reason>, Error> {
    let claims = &standing.claims;
    let refused = |rule| Ok(Some(Reason::new(rule)));
    if standing.signed.is_some() && store.is_token_revoked(&verify::revocation_digest(claims)).await? {
        return refused("access_token.revoked");
    }
    if claims.expires_at <= now {
        let reason = Reason::new("access_token.expired").fact("expired", Fact::Time(claims.expires_at));
        return Ok(Some(reason));
    }
    let Some(client) = &standing.client else {
        return refused("access_token.client_gone");
    };
    if client.disabled_at.is_some() {
        return refused("access_token.client_disabled");
    }
    if claims.grant.is_none() {
        return Ok(None);
    }
    let Some(grant) = &standing.grant else {
        return refused("access_token.grant_ended");
    };
    if let Some(ended) = grant.ended_at {
        return Ok(Some(
            Reason::new("access_token.grant_ended").fact("ended", Fact::Time(ended)),
        ));
    }
    if grant.client != client.id {
        return refused("access_token.grant_ended");
    }
    let Some(person) = person else {
        return refused("access_token.user");
    };
    match person.user.state(now) {
        AccountState::Active | AccountState::Invited => {}
        AccountState::Expired => return refused("access_token.account_expired"),
        _ => return refused("access_token.user"),
    }
    if grant.terms.is_offline() {
        return Ok(None);
    }
    let layers = person.layers(settings, None);
    let live =
        |session: &&SessionRow| session.ended_at.is_none() && now < term::end_of_row(session, (&person.user, &layers));
    let Some(session) = standing.session.as_ref().filter(live) else {
        return refused("access_token.session");
    };
    if end_at_client(client, grant.terms.auth_time, session.remember).is_some_and(|end| now >= end) {
        return refused("access_token.client_lifetime");
    }
    Ok(None)
}
