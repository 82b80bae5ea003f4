//! Secrets of clients: made, given, replaced with overlap, removed.

use std::time::Duration;

use super::authority::Authority;
use super::{SECRET_PURPOSE, forget, left, load, require};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::jose;
use crate::model::{Client, ClientSecret, EventKind, Id, Secret, Timestamp, TokenEndpointAuthMethod, setting};
use crate::store::Write;

/// How long a given secret has to be.
const SHORTEST: usize = 32;
/// How long it may be.
const LONGEST: usize = 512;

/// Whether a given secret has to be strong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strength {
    /// At least 32 characters, not one repeated.
    #[default]
    Demanded,
    /// The operator's file says `accept_weak`.
    Waived,
}

/// A secret that somebody brings along instead of having one made.
#[derive(Clone, Debug)]
pub struct Given {
    /// The secret.
    pub secret: Secret,
    /// Whether it has to be strong.
    pub strength: Strength,
}

/// Gives a client another secret. The one before stays valid for the overlap of the setting `client.secret_overlap`, others end
/// at once. The secret is shown this once only.
///
/// # Errors
/// [`Error::Conflict`] for a client that has no secret; [`Error::Stale`] if it is not the expected version or somebody changed
/// it meanwhile; [`Error::Forbidden`] for scopes beyond the authority.
pub async fn rotate_secret(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    (id, expected): (Id<Client>, Option<i64>),
    given: Option<Given>,
) -> Result<(Client, Secret), Error> {
    let client = load(provider, id).await?;
    require(authority, &client, expected)?;
    let method = client.metadata.token_endpoint_auth_method;
    if !method.uses_secret() {
        return Err(Error::Conflict("the client authenticates without a secret"));
    }
    let secret = take(given, method)?;
    let overlap = provider.settings().await?.duration(setting::CLIENT_SECRET_OVERLAP);
    let mut tx = provider.store.write().await?;
    let done = rotate_in(&mut tx, provider, call, client, (&secret, overlap)).await;
    let client = settle(tx, done).await?;
    forget(provider).await;
    Ok((client, secret))
}

/// Gives a client that was read, and authenticates by secret, this one, as a part of a transaction. What it had counts for the
/// overlap.
pub(in crate::flow) async fn rotate_in(
    store: &mut Write,
    provider: &Provider,
    call: &Call,
    mut client: Client,
    (secret, overlap): (&Secret, Duration),
) -> Result<Client, Error> {
    let id = client.id;
    let method = client.metadata.token_endpoint_auth_method;
    client.updated_at = call.now;
    // also what makes one of two rotations at once fail, so that never more than two secrets count
    if !store.change_client(&client).await? {
        return Err(Error::Stale);
    }
    let kept = client
        .secrets
        .iter()
        .filter(|known| known.expires_at.is_none_or(|end| call.now < end))
        .map(|known| known.id)
        .next();
    for known in client.secrets.iter().filter(|known| Some(known.id) != kept) {
        store.delete_client_secret(id, known.id).await?;
    }
    store.expire_client_secrets(id, call.now.after(overlap)).await?;
    store
        .add_client_secret(id, &store_form(provider, secret, method, call.now))
        .await?;
    store
        .add_event(&call.event(EventKind::ClientSecretRotated).client(id))
        .await?;
    store.raise_client_generation().await?;
    left(store, id).await
}

/// Ends one secret of a client at once.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Stale`] if somebody changed the client meanwhile; [`Error::Forbidden`] for scopes beyond the
/// authority.
pub async fn remove_secret(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    id: Id<Client>,
    secret: Id<ClientSecret>,
) -> Result<(), Error> {
    let mut client = load(provider, id).await?;
    require(authority, &client, None)?;
    client.updated_at = call.now;
    let mut store = provider.store.write().await?;
    if !store.change_client(&client).await? {
        store.abandon().await?;
        return Err(Error::Stale);
    }
    if !store.delete_client_secret(id, secret).await? {
        store.abandon().await?;
        return Err(Error::NotFound);
    }
    store
        .add_event(
            &call
                .event(EventKind::ClientSecretRotated)
                .client(id)
                .because("secret removed"),
        )
        .await?;
    store.raise_client_generation().await?;
    store.commit().await?;
    forget(provider).await;
    Ok(())
}

/// The given secret if it will do, else a new one of 256 bits.
pub(in crate::flow) fn take(given: Option<Given>, method: TokenEndpointAuthMethod) -> Result<Secret, Error> {
    let Some(Given { secret, strength }) = given else {
        return Ok(Secret::generate());
    };
    let wrong = |code, detail: &str| Err(Error::field("/client_secret", code, detail));
    let text = secret.expose();
    // RFC 6749 appendix A.2
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return wrong(
            "invalid",
            "client_secret must be printable ASCII of at most 512 characters",
        );
    }
    let strong = text.len() >= SHORTEST && jose::require_strong_secret(text.as_bytes()).is_ok();
    // HMAC takes no weaker key, whoever waives it (RFC 7518 section 3.2)
    let needs_strong = strength == Strength::Demanded || method == TokenEndpointAuthMethod::ClientSecretJwt;
    if needs_strong && !strong {
        return wrong("weak", "client_secret must have at least 32 characters");
    }
    Ok(secret)
}

/// A secret as it is stored: its digest, and sealed only where it is needed again.
pub(super) fn store_form(
    provider: &Provider,
    secret: &Secret,
    method: TokenEndpointAuthMethod,
    now: Timestamp,
) -> ClientSecret {
    let sealed = (method == TokenEndpointAuthMethod::ClientSecretJwt)
        .then(|| provider.master.seal(SECRET_PURPOSE, secret.expose().as_bytes()));
    ClientSecret {
        id: Id::new(now),
        digest: secret.digest(),
        sealed,
        created_at: now,
        expires_at: None,
    }
}
