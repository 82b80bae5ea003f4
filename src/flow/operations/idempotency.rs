//! `Idempotency-Key`: a request that is sent again is answered again, not done again. Kept per caller for a day; the answer
//! is sealed, since it may hold a secret.

use std::time::Duration;

use crate::flow::{Call, Error, Provider};
use crate::model::{Digest, Secret};

const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// What answers are sealed for.
pub const SEALED_FOR: &str = "idempotent answer";

/// A key in one request.
#[derive(Clone, Debug)]
pub struct Key {
    caller: String,
    digest: Digest,
}

/// What a key stands for.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Nothing yet: the request is to be done, and the key answered or released.
    New(Key),
    /// The same request was done: this was the answer.
    Answered(Vec<u8>),
}

/// Takes a key for a request. `caller` is whoever sends it; `request` is all of it that matters: method, path and body.
///
/// # Errors
/// [`Error::Conflict`] while the same request is being done; [`Error::Invalid`] if the key came with another request.
pub async fn claim(provider: &Provider, call: &Call, caller: &str, key: &str, request: &[u8]) -> Result<Claim, Error> {
    let digest = Digest::of(key.as_bytes());
    let request = Digest::of(request);
    let since = call.now.before(KEPT_FOR);
    let mut tx = provider.store.write().await?;
    if tx.claim_idempotency_key(caller, &digest, &request, call.now).await? {
        tx.commit().await?;
        return Ok(Claim::New(Key {
            caller: caller.to_owned(),
            digest,
        }));
    }
    let Some(known) = tx.find_idempotency_key(caller, &digest, since).await? else {
        // older than a day: it counts no longer, and only its row is in the way
        tx.forget_idempotency_key(caller, &digest, since).await?;
        if !tx.claim_idempotency_key(caller, &digest, &request, call.now).await? {
            tx.abandon().await?;
            return Err(Error::Conflict("in_progress"));
        }
        tx.commit().await?;
        return Ok(Claim::New(Key {
            caller: caller.to_owned(),
            digest,
        }));
    };
    tx.abandon().await?;
    if !known.body.matches(&request) {
        return Err(Error::field(
            "Idempotency-Key",
            "reused",
            "this key came with another request within the last day",
        ));
    }
    let Some(sealed) = known.sealed_answer else {
        return Err(Error::Conflict("in_progress"));
    };
    let answer = provider
        .master
        .open(SEALED_FOR, &sealed)
        .map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(Claim::Answered(answer.to_vec()))
}

/// Keeps the answer of a request that was done.
///
/// # Errors
/// The store's.
pub async fn answer(provider: &Provider, key: &Key, answer: &Secret) -> Result<(), Error> {
    let sealed = provider.master.seal(SEALED_FOR, answer.expose().as_bytes());
    let mut tx = provider.store.write().await?;
    tx.answer_idempotency_key(&key.caller, &key.digest, &sealed).await?;
    Ok(tx.commit().await?)
}

/// Gives back the key of a request that was refused: nothing was done, so it may be sent again.
///
/// # Errors
/// The store's.
pub async fn release(provider: &Provider, key: &Key) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    tx.release_idempotency_key(&key.caller, &key.digest).await?;
    Ok(tx.commit().await?)
}
