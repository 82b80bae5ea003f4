//! Forgetting what has ended: in small batches, so that no sweep holds the store for long.

use std::time::Duration;

use crate::flow::again::again;
use crate::flow::clients;
use crate::flow::operations::{event_chain, exports, imports};
use crate::flow::people::access_requests::KEPT_FOR;
use crate::flow::{Call, Error, Provider};
use crate::model::Timestamp;
use crate::model::setting::{EVENT_KEPT_FOR, JOB_KEPT_FOR, MAIL_KEPT_FOR, TRACE_KEPT_FOR, TRACE_MOST};

/// Rows of one statement.
const BATCH: u32 = 500;
/// The same of traces and refresh tokens: they are many, small, and nothing hangs on them.
const SMALL: u32 = 2_000;
/// Batches of one kind in one go; the rest waits for the next.
const MOST_BATCHES: u32 = 40;
/// What has ended is kept for a while: a replay is still recognised as one, and lists show what was.
const ENDED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Ended families and sessions are shown to people and administrators.
const HISTORY_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// A device is forgotten when no browser holds its cookie any more.
const DEVICES_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How long the answer of a repeated request is kept.
const ANSWERS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the log of what applications were told of the ends of sessions goes back.
const LOGOUTS_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Applications are not told of what ended so long ago, however many others have to be told.
const LOGOUTS_TRIED: Duration = Duration::from_secs(60 * 60);

/// How long the log of what webhooks were told goes back.
const DELIVERIES_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Webhooks are not told of what happened so long ago.
const DELIVERIES_TRIED: Duration = Duration::from_secs(26 * 60 * 60);

/// How long what was ended is told to the memories of other nodes: a node that has not read for much less forgets everything.
const ENDED_TOLD: Duration = Duration::from_secs(60 * 60);

/// Expired refresh tokens are kept for a while: whoever comes late is told why, and a replay still ends what is left.
const REFRESH_TOKENS_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Sweeps every kind once. Gives how many rows went. A kind that can't be swept holds up no other.
///
/// # Errors
/// [`Error`] if a kind could not be swept, after the others were; what went is gone, the rest waits.
pub async fn sweep(provider: &Provider, call: &Call) -> Result<u64, Error> {
    let mut gone = 0;
    let mut failed = None;
    let mut count = |name, swept: Result<u64, Error>| match swept {
        Ok(swept) => gone += swept,
        Err(error) => {
            tracing::warn!(kind = name, %error, "what has ended was not swept");
            failed = Some(error);
        }
    };
    for kind in KINDS {
        count(kind.name, sweep_kind(provider, kind, call.now).await);
    }
    count("logouts", give_up_logouts(provider, call.now).await);
    count("webhook deliveries", give_up_deliveries(provider, call.now).await);
    count("traces", sweep_traces(provider, call.now).await);
    count("events", sweep_events(provider, call.now).await);
    count("mails", sweep_mails(provider, call.now).await);
    count("jobs", sweep_jobs(provider, call.now).await);
    count("imports", sweep_imports(provider, call).await);
    count("exports", sweep_exports(provider, call.now).await);
    count("unused clients", clients::delete_unused(provider, call).await);
    let most = BATCH * MOST_BATCHES;
    let ephemeral = provider.ephemeral.sweep(call.now, most).await;
    count("short-lived", ephemeral.map_err(Error::from));
    let sessions = provider.sessions.sweep(call.now, most).await;
    count("session store", sessions.map_err(Error::from));
    match failed {
        Some(error) => Err(error),
        None => Ok(gone),
    }
}

/// Whoever could not be told for so long is not told any more. Nothing goes for that.
async fn give_up_logouts(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    for _ in 0..MOST_BATCHES {
        let mut tx = provider.store.write().await?;
        let given_up = tx.give_up_logouts(now.before(LOGOUTS_TRIED), now, SMALL).await?;
        tx.commit().await?;
        if given_up == 0 {
            break;
        }
    }
    Ok(0)
}

/// The same of webhooks: whatever waits for one that is disabled or does not answer.
async fn give_up_deliveries(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    for _ in 0..MOST_BATCHES {
        let mut tx = provider.store.write().await?;
        let given_up = tx.give_up_deliveries(now.before(DELIVERIES_TRIED), now, SMALL).await?;
        tx.commit().await?;
        if given_up == 0 {
            break;
        }
    }
    Ok(0)
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
        let mut swept = tx.sweep_old_traces(before, SMALL).await?;
        if let Some(last) = beyond {
            swept += tx.sweep_traces_up_to(last, SMALL).await?;
        }
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
    Ok(gone)
}

/// The audit log: its chain goes on, and what is older than it goes back is forgotten, as far as it is under a checkpoint.
async fn sweep_events(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    event_chain::go_on(provider, now).await?;
    let before = now.before(provider.settings().await?.duration(EVENT_KEPT_FOR));
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        let swept = event_chain::sweep(provider, before, now, SMALL).await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
    Ok(gone)
}

/// Jobs that came to their end long ago, with what became of each user.
async fn sweep_jobs(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    let before = now.before(provider.settings().await?.duration(JOB_KEPT_FOR));
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        let mut tx = provider.store.write().await?;
        let swept = tx.sweep_jobs(before, SMALL).await?;
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
    Ok(gone)
}

/// Workbooks of users that were there for long enough.
async fn sweep_exports(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        let mut tx = provider.store.write().await?;
        let swept = tx.sweep_exports(now.before(exports::KEPT), 20).await?;
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
    Ok(gone)
}

/// Files of users that were brought in long ago.
async fn sweep_imports(provider: &Provider, call: &Call) -> Result<u64, Error> {
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        if !imports::sweep(provider, call).await? {
            break;
        }
        gone += 1;
    }
    Ok(gone)
}

/// Mails that were written long ago, whatever became of them: what they lead to has ended.
async fn sweep_mails(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    let before = now.before(provider.settings().await?.duration(MAIL_KEPT_FOR));
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        let mut tx = provider.store.write().await?;
        let swept = tx.sweep_mails(before, BATCH).await?;
        tx.commit().await?;
        gone += swept;
        if swept == 0 {
            break;
        }
    }
    Ok(gone)
}

/// Rows that end.
struct Swept {
    name: &'static str,
    kind: Kind,
    /// How long they are kept after their end.
    kept: Duration,
}

#[derive(Clone, Copy)]
enum Kind {
    Tokens,
    RefreshTokens,
    Grants,
    Sessions,
    Devices,
    ActionLinks,
    AccessRequests,
    Factors,
    Logouts,
    Deliveries,
    ApiKeys,
    Proofs,
    IdempotencyKeys,
    Ended,
}

const fn swept(name: &'static str, kind: Kind, kept: Duration) -> Swept {
    Swept { name, kind, kept }
}

/// In this order: a family goes when its tokens are gone.
const KINDS: [Swept; 14] = [
    swept("tokens", Kind::Tokens, ENDED_KEPT),
    swept("refresh tokens", Kind::RefreshTokens, REFRESH_TOKENS_KEPT),
    swept("families", Kind::Grants, HISTORY_KEPT),
    swept("sessions", Kind::Sessions, HISTORY_KEPT),
    swept("devices", Kind::Devices, DEVICES_KEPT),
    swept("links", Kind::ActionLinks, ENDED_KEPT),
    swept("access requests", Kind::AccessRequests, KEPT_FOR),
    swept("begun factors", Kind::Factors, ENDED_KEPT),
    swept("logouts", Kind::Logouts, LOGOUTS_KEPT),
    swept("webhook deliveries", Kind::Deliveries, DELIVERIES_KEPT),
    swept("keys of scripts", Kind::ApiKeys, HISTORY_KEPT),
    swept("proofs", Kind::Proofs, ENDED_KEPT),
    swept("idempotency keys", Kind::IdempotencyKeys, ANSWERS_KEPT),
    swept("what ended", Kind::Ended, ENDED_TOLD),
];

async fn sweep_kind(provider: &Provider, swept: Swept, now: Timestamp) -> Result<u64, Error> {
    let mut gone = 0;
    for _ in 0..MOST_BATCHES {
        let batch = again(|| sweep_batch(provider, &swept, now)).await?;
        gone += batch;
        if batch == 0 {
            break;
        }
    }
    Ok(gone)
}

async fn sweep_batch(provider: &Provider, swept: &Swept, now: Timestamp) -> Result<u64, Error> {
    let before = now.before(swept.kept);
    let mut tx = provider.store.write().await?;
    let gone = match swept.kind {
        Kind::Tokens => tx.sweep_tokens(before, BATCH).await?,
        Kind::RefreshTokens => tx.sweep_refresh_tokens(before, SMALL).await?,
        Kind::Grants => tx.sweep_grants(before, BATCH).await?,
        Kind::Sessions => tx.sweep_sessions(before, BATCH).await?,
        Kind::Devices => tx.sweep_devices(before, BATCH).await?,
        Kind::ActionLinks => tx.sweep_action_links(before, BATCH).await?,
        Kind::Factors => tx.sweep_unconfirmed_factors(before, BATCH).await?,
        Kind::AccessRequests => tx.sweep_access_requests(before, BATCH).await?,
        Kind::Logouts => tx.sweep_logouts(before, BATCH).await?,
        Kind::Deliveries => tx.sweep_deliveries(before, SMALL).await?,
        Kind::ApiKeys => tx.sweep_api_keys(before, BATCH).await?,
        Kind::Proofs => tx.sweep_proofs(before, BATCH).await?,
        Kind::IdempotencyKeys => tx.sweep_idempotency_keys(before, BATCH).await?,
        // by the database's clock
        Kind::Ended => tx.sweep_ended(swept.kept, BATCH).await?,
    };
    tx.commit().await?;
    Ok(gone)
}
