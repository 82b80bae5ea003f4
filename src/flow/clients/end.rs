//! Disabling, enabling and deleting a client. Its tokens end with it.

use super::authority::Authority;
use super::{forget, left, load, require};
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, EventKind, Id};

/// Disables a client: every endpoint refuses it from now on, and its opaque access tokens are gone.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Stale`] if it is not the expected version; [`Error::Forbidden`] for scopes beyond the
/// authority.
pub async fn disable(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    id: Id<Client>,
    expected: Option<i64>,
) -> Result<Client, Error> {
    let mut client = load(provider, id).await?;
    require(authority, &client, expected)?;
    if client.disabled_at.is_some() {
        return Ok(client);
    }
    client.disabled_at = Some(call.now);
    set(provider, call, client, "disabled").await
}

/// Enables a client again. Its opaque access tokens are gone; families that have not ended meanwhile count again.
///
/// # Errors
/// As [`disable`].
pub async fn enable(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    id: Id<Client>,
    expected: Option<i64>,
) -> Result<Client, Error> {
    let mut client = load(provider, id).await?;
    require(authority, &client, expected)?;
    if client.disabled_at.is_none() {
        return Ok(client);
    }
    client.disabled_at = None;
    set(provider, call, client, "enabled").await
}

/// Deletes a client with its secrets, grants, consents and tokens.
///
/// # Errors
/// As [`disable`].
pub async fn delete(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    id: Id<Client>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let client = load(provider, id).await?;
    require(authority, &client, expected)?;
    let mut store = provider.store.write().await?;
    store.delete_access_tokens_of_client(id).await?;
    // the version that was judged, or nothing
    if !store.delete_client(id, client.version).await? {
        store.abandon().await?;
        return Err(Error::Stale);
    }
    store
        .add_event(&call.event(EventKind::ClientDeleted).client(id))
        .await?;
    store.raise_client_generation().await?;
    store.commit().await?;
    forget(provider).await;
    Ok(())
}

async fn set(provider: &Provider, call: &Call, mut client: Client, reason: &'static str) -> Result<Client, Error> {
    client.updated_at = call.now;
    let mut store = provider.store.write().await?;
    if !store.change_client(&client).await? {
        store.abandon().await?;
        return Err(Error::Stale);
    }
    store.delete_access_tokens_of_client(client.id).await?;
    store
        .add_event(&call.event(EventKind::ClientChanged).client(client.id).because(reason))
        .await?;
    store.raise_client_generation().await?;
    let client = left(&mut store, client.id).await?;
    store.commit().await?;
    forget(provider).await;
    Ok(client)
}
