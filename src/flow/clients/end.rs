//! Disabling, enabling and deleting a client. Its tokens end with it.

use super::authority::Authority;
use super::{forget, left, load};
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, EventKind, Id};

/// Disables a client: every endpoint refuses it from now on, and its opaque access tokens are gone.
pub async fn disable(provider: &Provider, call: &Call, id: Id<Client>) -> Result<Client, Error> {
    let mut client = load(provider, id).await?;
    if client.disabled_at.is_some() {
        return Ok(client);
    }
    client.disabled_at = Some(call.now);
    set(provider, call, client, "disabled").await
}

/// Enables a client again. Its opaque access tokens are gone; families that have not ended meanwhile count again.
pub async fn enable(provider: &Provider, call: &Call, authority: &Authority, id: Id<Client>) -> Result<Client, Error> {
    let mut client = load(provider, id).await?;
    authority.require(&client.metadata)?;
    if client.disabled_at.is_none() {
        return Ok(client);
    }
    client.disabled_at = None;
    set(provider, call, client, "enabled").await
}

/// Deletes a client with its secrets, grants, consents and tokens.
pub async fn delete(provider: &Provider, call: &Call, id: Id<Client>) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    store.delete_access_tokens_of_client(id).await?;
    if !store.delete_client(id).await? {
        store.abandon().await?;
        return Err(Error::NotFound);
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
