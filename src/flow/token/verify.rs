//! Verifying an access token of ours: signed or opaque, still counting, for this audience.

use std::sync::Arc;

use super::{Call, Error, Provider, standing};
use crate::crypto;
use crate::flow::effective::end_at_client;
use crate::flow::memory::{Person, Recalled, RestsOn};
use crate::flow::people::permissions::is_of_administration;
use crate::flow::people::rights::both;
use crate::flow::session::term;
use crate::model::{AccessToken, Client, Digest, Grant, Id, Scopes, Secret, Timestamp};
use crate::protocol::access_token::{self, AccessTokenClaims};
use crate::protocol::audience::is_api_scope;
use crate::protocol::{ErrorCode, OAuthError, subject};

/// An access token that counts.
pub struct VerifiedToken {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// Who got it.
    pub client: Arc<Client>,
    /// The family; none for client_credentials.
    pub grant: Option<Arc<Grant>>,
    /// On whose behalf; none for client_credentials.
    pub person: Option<Arc<Person>>,
    /// What it may do in the administration API: its scopes, and of a person's token only what the person is permitted.
    pub permissions: Scopes,
}

/// Verifies a token for one audience: the issuer (userinfo), the administration API.
///
/// # Errors
/// `invalid_token` (RFC 6750 section 3.1), the same for every cause.
pub async fn access_token(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    audience: &str,
) -> Result<Arc<VerifiedToken>, Error> {
    let verified = find(provider, call, token).await?;
    let fits = |verified: &Arc<VerifiedToken>| verified.claims.audience.iter().any(|known| known == audience);
    match verified.filter(fits) {
        Some(verified) => Ok(verified),
        None => Err(standing::of_refused_token(provider, call, token, audience, invalid())
            .await
            .into()),
    }
}

/// What a token says, if it counts; for whatever audience. None if it does not count.
///
/// What was found once is remembered by the token's digest until something that it rests on ends or changes.
pub async fn find(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<Arc<VerifiedToken>>, Error> {
    let digest = token.digest();
    let since = match provider.recall::<VerifiedToken>(&digest, call.now).await? {
        Recalled::Known(verified) => return Ok(Some(verified)),
        Recalled::Unknown(since) => since,
    };
    let Some((verified, rests_on, until)) = find_unremembered(provider, call, token).await? else {
        return Ok(None);
    };
    let verified = Arc::new(verified);
    provider.remember(since, digest, &verified, rests_on, until, call.now);
    Ok(Some(verified))
}

/// A token that counts, what that rests on, and until when it counts at most.
type Counting = (VerifiedToken, RestsOn, Timestamp);

async fn find_unremembered(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<Counting>, Error> {
    // opaque tokens are base64url, which has no dots
    let claims = if token.expose().contains('.') {
        read_signed(provider, token).await?
    } else {
        let row = provider.store.read().await?.find_access_token(&token.digest()).await?;
        row.map(read_opaque)
    };
    let Some((mut claims, client_row)) = claims.filter(|(claims, _)| claims.expires_at > call.now) else {
        return Ok(None);
    };
    let client = match client_row {
        Some(id) => provider.store.read().await?.find_client(id).await?.map(Arc::new),
        None => provider.client(&claims.client_id).await?,
    };
    let Some(client) = client.filter(|client| client.disabled_at.is_none()) else {
        return Ok(None);
    };
    let mut rests_on = RestsOn {
        token: Some(match client_row {
            Some(_) => token.digest(),
            None => revocation_digest(&claims),
        }),
        ..RestsOn::default()
    };
    let mut until = claims.expires_at;
    let Some(grant_id) = claims.grant else {
        claims.client_id.clone_from(&client.client_id);
        claims.subject = subject::of_client(&client);
        let permissions = claims.scope.filter(is_api_scope);
        let verified = VerifiedToken {
            claims,
            client,
            grant: None,
            person: None,
            permissions,
        };
        return Ok(Some((verified, rests_on, until)));
    };
    // a token that was not seen before is judged by its family as it stands
    let grant = provider
        .store
        .read()
        .await?
        .find_grant(grant_id)
        .await?
        .filter(|grant| grant.ended_at.is_none() && grant.client == client.id)
        .map(Arc::new);
    let Some(grant) = grant else {
        return Ok(None);
    };
    let person = provider.person(grant.user, call.now).await?;
    let Some(person) = person.filter(|person| person.user.is_active(call.now)) else {
        return Ok(None);
    };
    rests_on.grant = Some(grant.id);
    rests_on.user = Some(grant.user);
    // no token outlives the account
    until = person.user.expires_at.map_or(until, |end| end.min(until));
    // nor what its memberships give
    until = person.holds_until(until);
    if !grant.terms.is_offline() {
        let Some((session, ends)) = term::live_row(provider, call, &person, grant.session).await? else {
            return Ok(None);
        };
        let at_client = end_at_client(&client, grant.terms.auth_time, session.remember).unwrap_or(ends);
        rests_on.session = Some(session.id);
        until = until.min(ends).min(at_client);
        if call.now >= until {
            return Ok(None);
        }
    }
    let permissions = held(&claims.scope, &person.rights(&*provider.settings().await?));
    claims.client_id.clone_from(&client.client_id);
    claims.subject = subject::of(&person.user, &client, &provider.pairwise_key());
    let verified = VerifiedToken {
        claims,
        client,
        grant: Some(grant),
        person: Some(person),
        permissions,
    };
    Ok(Some((verified, rests_on, until)))
}

/// What a token of a person may do: what it says and the person is permitted. `account` needs no permission: it is one's own.
fn held(scope: &Scopes, permissions: &[String]) -> Scopes {
    let permits = |scope: &str| {
        permissions.iter().any(|permission| {
            permission == scope
                || permission == "admin"
                || scope.strip_suffix(".read").is_some_and(|whole| whole == permission)
        })
    };
    let mut held = scope.filter(|scope| scope.starts_with("account") || (is_api_scope(scope) && permits(scope)));
    // and what of the person's rights lies within what was asked for
    let asked = scope.iter().filter(|scope| is_of_administration(scope));
    let of_person = permissions.iter().map(String::as_str).filter(|held| is_api_scope(held));
    for permission in both(asked, of_person).iter() {
        held.add(permission);
    }
    held
}

type Found = Option<(AccessTokenClaims, Option<Id<Client>>)>;

async fn read_signed(provider: &Provider, token: &Secret) -> Result<Found, Error> {
    let Some(set) = provider.read_own(token.expose(), access_token::TYP).await? else {
        return Ok(None);
    };
    let Some(claims) = access_token::from_claims(&set, provider.issuer.as_str()) else {
        return Ok(None);
    };
    let mut store = provider.store.read().await?;
    if store.is_token_revoked(&revocation_digest(&claims)).await? {
        return Ok(None);
    }
    Ok(Some((claims, None)))
}

/// Under what a revoked JWT is remembered: its `jti`. Not its text, because whoever holds a token can spell its signature in
/// another way that verifies as well: with ECDSA the negative of `s` in place of `s`.
pub(super) fn revocation_digest(claims: &AccessTokenClaims) -> Digest {
    Digest::of(claims.id.as_bytes())
}

fn read_opaque(row: AccessToken) -> (AccessTokenClaims, Option<Id<Client>>) {
    let claims = AccessTokenClaims {
        subject: String::new(),
        client_id: String::new(),
        scope: row.scope,
        audience: row.audience,
        grant: row.grant,
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        id: crypto::hex(row.digest.as_bytes().iter().take(16)),
        authentication: None,
    };
    (claims, Some(row.client))
}

fn invalid() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidToken,
        "access_token.invalid",
        "the access token is unknown, expired, revoked or not meant for this",
    )
}
