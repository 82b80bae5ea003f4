//! Forgetting what has ended: in small batches, so that no sweep holds the store for long.

use std::time::Duration;

use crate::flow::{Call, Error, Provider};
use crate::model::Timestamp;
use crate::model::setting::{TRACE_KEPT_FOR, TRACE_MOST};

/// Rows of one statement.
const BATCH: u32 = 500;
/// Traces of one statement: they are many, small, and nothing hangs on them.
const TRACES: u32 = 2_000;
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
    gone += sweep_traces(provider, call.now).await?;
    gone += provider.ephemeral.sweep(call.now, BATCH * MOST_BATCHES).await?;
    gone += provider.sessions.sweep(call.now, BATCH * MOST_BATCHES).await?;
    Ok(gone)
}

/// Traces that are too old, and those beyond the number that is kept.
async fn sweep_traces(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    let settings = provider.settings().await?;
    let before = now.before(settings.duration(TRACE_KEPT_FOR));
    let most = i64::try_from(settings.count(TRACE_MOST)).unwrap_or(i64::MAX);
    let beyond = provider.store.read().await?.find_trace_beyond(most).await?;
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        let mut tx = provider.store.write().await?;
        let mut swept = tx.sweep_old_traces(before, TRACES).await?;
        if let Some(last) = beyond {
            swept += tx.sweep_traces_up_to(last, TRACES).await?;
        }
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
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
