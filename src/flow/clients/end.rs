//! Disabling, enabling and deleting a client. Its tokens end with it.

use super::authority::Authority;
use super::{forget, left, load, require};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, EventKind, Id};
use crate::store::Write;

/// How many rows of a kind one transaction deletes.
const BATCH: u32 = 1_000;

/// Disables a client: every endpoint refuses it from now on, and its opaque access tokens are gone.
///
/// It is disabled at once, whatever hangs on it. Should its tokens not go on this occasion, they count as little, and go before
/// it is enabled.
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
    let client = set(provider, call, client, "disabled").await?;
    drop_tokens(provider, id).await;
    Ok(client)
}

/// Deletes the opaque access tokens of a client that was disabled.
pub(in crate::flow) async fn drop_tokens(provider: &Provider, id: Id<Client>) {
    if let Err(error) = empty(provider, id, Part::AccessTokens).await {
        tracing::warn!(client = %id, %error, "tokens of a disabled client stay until it is enabled or they expire");
    }
}

/// Disables a client that was read, as a part of a transaction; its tokens are dropped when it has committed ([`drop_tokens`]).
pub(in crate::flow) async fn disable_in(store: &mut Write, call: &Call, mut client: Client) -> Result<Client, Error> {
    client.disabled_at = Some(call.now);
    set_in(store, call, client, "disabled").await
}

/// Enables a client that was read, as a part of a transaction.
pub(in crate::flow) async fn enable_in(store: &mut Write, call: &Call, mut client: Client) -> Result<Client, Error> {
    empty_in(store, client.id, Part::AccessTokens).await?;
    client.disabled_at = None;
    set_in(store, call, client, "enabled").await
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
    empty(provider, id, Part::AccessTokens).await?;
    client.disabled_at = None;
    set(provider, call, client, "enabled").await
}

/// Deletes a client with its secrets, grants, consents and tokens.
///
/// It is disabled first and emptied then, a bounded number at a time. One whose deletion did not come to its end is disabled,
/// and deleting it again goes on from there.
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
    let mut client = load(provider, id).await?;
    require(authority, &client, expected)?;
    if client.disabled_at.is_none() {
        client.disabled_at = Some(call.now);
        client = set(provider, call, client, "disabled").await?;
    }
    empty(provider, id, Part::Everything).await?;
    let mut tx = provider.store.write().await?;
    let done = remove_in(&mut tx, call, &client).await;
    settle(tx, done).await?;
    forget(provider).await;
    Ok(())
}

/// Deletes a client that was read with everything that hangs on it, as a part of a transaction: however much it is.
pub(in crate::flow) async fn delete_in(store: &mut Write, call: &Call, mut client: Client) -> Result<(), Error> {
    if client.disabled_at.is_none() {
        client = disable_in(store, call, client).await?;
    }
    empty_in(store, client.id, Part::Everything).await?;
    remove_in(store, call, &client).await
}

async fn remove_in(store: &mut Write, call: &Call, client: &Client) -> Result<(), Error> {
    // the version that was judged, or nothing
    if !store.delete_client(client.id, client.version).await? {
        return Err(Error::Stale);
    }
    let event = call.event(EventKind::ClientDeleted).client(client.id);
    Ok(store.add_event(&event).await?)
}

async fn set(provider: &Provider, call: &Call, client: Client, reason: &'static str) -> Result<Client, Error> {
    let mut tx = provider.store.write().await?;
    let done = set_in(&mut tx, call, client, reason).await;
    let client = settle(tx, done).await?;
    forget(provider).await;
    Ok(client)
}

async fn set_in(store: &mut Write, call: &Call, mut client: Client, reason: &'static str) -> Result<Client, Error> {
    client.updated_at = call.now;
    if !store.change_client(&client).await? {
        return Err(Error::Stale);
    }
    store
        .add_event(&call.event(EventKind::ClientChanged).client(client.id).because(reason))
        .await?;
    left(store, client.id).await
}

/// What of a client is deleted.
#[derive(Clone, Copy)]
enum Part {
    AccessTokens,
    Everything,
}

/// Deletes a part of what hangs on a disabled client, so much at a time that every transaction is short.
async fn empty(provider: &Provider, id: Id<Client>, part: Part) -> Result<(), Error> {
    loop {
        let deleted = again(|| async {
            let mut store = provider.store.write().await?;
            let deleted = empty_some(&mut store, id, part).await?;
            store.commit().await?;
            Ok(deleted)
        });
        if deleted.await? < u64::from(BATCH) {
            return Ok(());
        }
    }
}

/// The same within one transaction: so much at a time that no statement takes long.
async fn empty_in(store: &mut Write, id: Id<Client>, part: Part) -> Result<(), Error> {
    while empty_some(store, id, part).await? >= u64::from(BATCH) {}
    Ok(())
}

async fn empty_some(store: &mut Write, id: Id<Client>, part: Part) -> Result<u64, Error> {
    Ok(match part {
        Part::AccessTokens => store.delete_access_tokens_of_client(id, BATCH).await?,
        Part::Everything => store.empty_client(id, BATCH).await?,
    })
}
