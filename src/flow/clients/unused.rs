//! Clients that registered themselves where anyone may, and to which nobody has signed in: they go after a while.

use super::forget;
use crate::flow::again::again;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, EventKind, Id};

/// So many go in one sweep; the rest waits for the next.
const MOST: u32 = 1_000;
/// How many tokens one transaction deletes.
const BATCH: u32 = 1_000;

/// Deletes those whose time to be used is over. Gives how many went.
///
/// # Errors
/// [`Error::Unavailable`]: the rest goes at the next sweep.
pub async fn delete_unused(provider: &Provider, call: &Call) -> Result<u64, Error> {
    let unused = provider.store.read().await?.list_unused_clients(call.now, MOST).await?;
    let mut gone = 0;
    for id in unused {
        empty(provider, id).await?;
        gone += u64::from(again(|| delete(provider, call, id)).await?);
    }
    if gone > 0 {
        forget(provider).await;
    }
    Ok(gone)
}

/// What it got for itself goes first, so much at a time that every transaction is short.
async fn empty(provider: &Provider, id: Id<Client>) -> Result<(), Error> {
    loop {
        let deleted = again(|| async {
            let mut store = provider.store.write().await?;
            let deleted = store.delete_access_tokens_of_client(id, BATCH).await?;
            store.commit().await?;
            Ok(deleted)
        });
        if deleted.await? < u64::from(BATCH) {
            return Ok(());
        }
    }
}

/// False if somebody has signed in to it meanwhile, or another node was faster.
async fn delete(provider: &Provider, call: &Call, id: Id<Client>) -> Result<bool, Error> {
    let mut store = provider.store.write().await?;
    if !store.delete_unused_client(id, call.now).await? {
        store.abandon().await?;
        return Ok(false);
    }
    let event = call.event(EventKind::ClientDeleted).client(id).because("unused");
    store.add_event(&event).await?;
    store.commit().await?;
    Ok(true)
}
