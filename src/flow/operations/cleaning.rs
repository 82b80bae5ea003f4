//! Forgetting what has ended: in small batches, so that no sweep holds the store for long.

use std::time::Duration;

use crate::flow::{Call, Error, Provider};
use crate::model::Timestamp;

/// Rows of one statement.
const BATCH: u32 = 500;
/// Batches of one kind in one go; the rest waits for the next.
const MOST_BATCHES: u32 = 40;
/// What has ended is kept for a while: a replay is still recognised as one, and lists show what was.
const ENDED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Ended families and sessions are shown to people and administrators.
const HISTORY_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long the answer of a repeated request is kept.
const ANSWERS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long what was ended is told to the memories of other nodes: a node that has not read for much less forgets everything.
const ENDED_TOLD: Duration = Duration::from_secs(60 * 60);

/// Sweeps every kind once. Gives how many rows went.
///
/// # Errors
/// [`Error`] if a store does not answer; what went is gone, the rest waits.
pub async fn sweep(provider: &Provider, call: &Call) -> Result<u64, Error> {
    let mut gone = 0;
    for kind in [Kind::Tokens, Kind::Grants, Kind::Sessions, Kind::Ended] {
        for _ in 0..MOST_BATCHES {
            let swept = sweep_kind(provider, kind, call.now).await?;
            gone += swept;
            if swept == 0 {
                break;
            }
        }
    }
    let mut tx = provider.store.write().await?;
    gone += tx.sweep_proofs(call.now.before(ENDED_KEPT)).await?;
    gone += tx.sweep_idempotency_keys(call.now.before(ANSWERS_KEPT)).await?;
    tx.commit().await?;
    gone += provider.ephemeral.sweep(call.now, BATCH * MOST_BATCHES).await?;
    gone += provider.sessions.sweep(call.now, BATCH * MOST_BATCHES).await?;
    Ok(gone)
}

#[derive(Clone, Copy)]
enum Kind {
    Tokens,
    Grants,
    Sessions,
    Ended,
}

async fn sweep_kind(provider: &Provider, kind: Kind, now: Timestamp) -> Result<u64, Error> {
    let mut tx = provider.store.write().await?;
    let swept = match kind {
        Kind::Tokens => tx.sweep_tokens(now.before(ENDED_KEPT), BATCH).await?,
        Kind::Grants => tx.sweep_grants(now.before(HISTORY_KEPT), BATCH).await?,
        Kind::Sessions => tx.sweep_sessions(now.before(HISTORY_KEPT), BATCH).await?,
        Kind::Ended => tx.sweep_ended(ENDED_TOLD, BATCH).await?,
    };
    tx.commit().await?;
    Ok(swept)
}
