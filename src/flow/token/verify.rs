//! Verifying an access token of ours: signed or opaque, still counting, for this audience.

use std::sync::Arc;

use super::{Call, Error, Provider};
use crate::model::{AccessToken, Client, Digest, Grant, Id, Scopes, Secret, SigningAlgorithm, User};
use crate::protocol::access_token::{self, AccessTokenClaims};
use crate::protocol::audience::is_api_scope;
use crate::protocol::{ErrorCode, OAuthError, subject};
use crate::store::Read;

/// An access token that counts.
pub struct VerifiedToken {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// Who got it.
    pub client: Arc<Client>,
    /// The family; none for client_credentials.
    pub grant: Option<Grant>,
    /// On whose behalf; none for client_credentials.
    pub user: Option<User>,
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
) -> Result<VerifiedToken, Error> {
    let verified = find(provider, call, token).await?.ok_or_else(invalid)?;
    if !verified.claims.audience.iter().any(|known| known == audience) {
        return Err(invalid().into());
    }
    Ok(verified)
}

/// What a token says, if it counts; for whatever audience. None if it does not count.
pub async fn find(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<VerifiedToken>, Error> {
    let mut store = provider.store.read().await?;
    // opaque tokens are base64url, which has no dots
    let claims = if token.expose().contains('.') {
        read_signed(provider, &mut store, token).await?
    } else {
        store.find_access_token(&token.digest()).await?.map(read_opaque)
    };
    let Some((mut claims, client_row)) = claims.filter(|(claims, _)| claims.expires_at > call.now) else {
        return Ok(None);
    };
    let client = match client_row {
        Some(id) => store.find_client(id).await?.map(Arc::new),
        None => provider.client(&claims.client_id).await?,
    };
    let Some(client) = client.filter(|client| client.disabled_at.is_none()) else {
        return Ok(None);
    };
    let Some(grant_id) = claims.grant else {
        claims.client_id.clone_from(&client.client_id);
        claims.subject = subject::of_client(&client);
        let permissions = claims.scope.filter(is_api_scope);
        return Ok(Some(VerifiedToken {
            claims,
            client,
            grant: None,
            user: None,
            permissions,
        }));
    };
    let grant = store
        .find_grant(grant_id)
        .await?
        .filter(|grant| grant.ended_at.is_none() && grant.client == client.id);
    let Some(grant) = grant else {
        return Ok(None);
    };
    let Some(user) = store.find_user(grant.user).await?.filter(User::is_active) else {
        return Ok(None);
    };
    if !grant.terms.is_offline() {
        let session = store.find_session(grant.session).await?;
        if !session.is_some_and(|session| session.is_live(call.now)) {
            return Ok(None);
        }
    }
    let permissions = held(&claims.scope, &store.list_permissions_of(user.id).await?);
    claims.client_id.clone_from(&client.client_id);
    claims.subject = subject::of(&user, &client, &provider.pairwise_key());
    Ok(Some(VerifiedToken {
        claims,
        client,
        grant: Some(grant),
        user: Some(user),
        permissions,
    }))
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
    if scope.contains("admin") {
        // asked for everything: gets what there is
        for permission in permissions.iter().filter(|permission| is_api_scope(permission)) {
            held.add(permission);
        }
    }
    held
}

type Found = Option<(AccessTokenClaims, Option<Id<Client>>)>;

async fn read_signed(provider: &Provider, store: &mut Read, token: &Secret) -> Result<Found, Error> {
    let keyring = provider.keyring().await?;
    let Ok(set) = keyring
        .set()
        .verify(token.expose(), &[access_token::TYP], SigningAlgorithm::ALL)
    else {
        return Ok(None);
    };
    let Some(claims) = access_token::from_claims(&set, provider.issuer.as_str()) else {
        return Ok(None);
    };
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
        id: row
            .digest
            .as_bytes()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
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
