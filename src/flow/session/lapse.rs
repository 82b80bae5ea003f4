//! Sessions that end by themselves. They don't count from that moment on, wherever somebody looks; here their rows come to say so
//! too, the tokens that hang on them end, and the applications that they served are told.

use std::collections::HashMap;
use std::time::Duration;

use super::{SessionFacts, kept};
use crate::flow::again::again;
use crate::flow::effective::SessionTimes;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Id, Session, Timestamp, User};
use crate::store::SessionRow;

/// So many sessions are looked at in one go.
const BATCH: u32 = 100;
/// None is left unlooked at for longer: the limits may be tightened meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

/// How a session stands.
enum Standing {
    /// It goes on until this moment at least.
    GoesOn(Timestamp),
    /// It has ended: why.
    Over(&'static str),
}

/// Ends the sessions that have ended by themselves, a bounded number. Gives whether more may be waiting.
///
/// # Errors
/// [`Error::Unavailable`] if a store does not answer: nothing is ended for that.
pub async fn end_lapsed(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let mut store = provider.store.read().await?;
    let due = store.list_sessions_to_look_at(call.now, BATCH).await?;
    let no_longer = store.list_sessions_that_no_longer_count(BATCH).await?;
    drop(store);
    let more = due.len().max(no_longer.len()) >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    let mut judged = Vec::new();
    let mut held = HashMap::new();
    for row in due {
        let standing = look(provider, call, &row, &mut held).await?;
        judged.push((row, standing));
    }
    judged.extend(no_longer.into_iter().map(|row| (row, Standing::Over("all_ended"))));
    again(|| write_down(provider, call, &judged)).await?;
    Ok(more)
}

async fn look(
    provider: &Provider,
    call: &Call,
    row: &SessionRow,
    held: &mut HashMap<Id<User>, Vec<Session>>,
) -> Result<Standing, Error> {
    if row.expires_at <= call.now {
        return Ok(Standing::Over("expired"));
    }
    let sessions = match held.get(&row.user).cloned() {
        Some(known) => known,
        None => {
            let found = kept::list(provider, call, row.user).await?;
            held.insert(row.user, found.clone());
            found
        }
    };
    let Some(session) = sessions.iter().find(|session| session.id == row.id) else {
        return Ok(Standing::Over("idle"));
    };
    let Some(facts) = SessionFacts::read(&session.data) else {
        return Ok(Standing::Over("idle"));
    };
    let Some(person) = provider.person(row.user, call.now).await? else {
        return Ok(Standing::Over("user_deleted"));
    };
    let settings = provider.settings().await?;
    let times = SessionTimes::of(&person.layers(&settings, None), facts.remember);
    let expires = session.expires.min(session.started.after(times.lifetime));
    let idle = session.seen.after(session.idle_timeout.min(times.idle));
    if expires <= call.now {
        return Ok(Standing::Over("expired"));
    }
    if idle <= call.now {
        return Ok(Standing::Over("idle"));
    }
    Ok(Standing::GoesOn(expires.min(idle).min(call.now.after(LONGEST_PAUSE))))
}

async fn write_down(provider: &Provider, call: &Call, judged: &[(SessionRow, Standing)]) -> Result<(), Error> {
    if judged.is_empty() {
        return Ok(());
    }
    let mut over = Vec::new();
    let mut tx = provider.store.write().await?;
    for (row, standing) in judged {
        match standing {
            Standing::GoesOn(until) => tx.look_at_session_again(row.id, *until),
            Standing::Over(why) => {
                if !tx.end_session(row.id, call.now, why).await? {
                    continue;
                }
                tx.end_grants_of_session(row.id, call.now, why).await?;
                let event = call.event(EventKind::SignOut).because(why).user(row.user);
                tx.add_event(&event.fact("session", Fact::Id(row.id.uuid()))).await?;
                over.push((row.user, row.id));
            }
        }
    }
    tx.commit().await?;
    for (user, session) in over {
        if let Err(error) = provider.sessions.end(user, session).await {
            tracing::warn!(%error, "an ended session is still in the store of sessions");
            break;
        }
    }
    Ok(())
}
