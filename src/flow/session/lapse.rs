//! Sessions that end by themselves. They don't count from that moment on, wherever somebody looks; here their rows come to say so
//! too, the tokens that hang on them end, and the applications that they served are told.
//!
//! Each row says when to look at it again. When limits change for one person, their rows say so at once; when they change for
//! everyone or a group, every node walks through all the live sessions one time.

use std::collections::HashMap;
use std::time::Duration;

use super::term::{Over, Term};
use super::walk::Limits;
use super::{SessionFacts, kept};
use crate::flow::again::again;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Id, Session, Timestamp, User};
use crate::store::{SessionMark, SessionRow, SessionsOf};

/// So many sessions are looked at in one go.
const BATCH: u32 = 100;
/// None is left unlooked at for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

/// How a session stands.
enum Standing {
    /// It goes on until this moment at least.
    GoesOn(Timestamp),
    /// It has ended: why.
    Over(&'static str),
    /// The session store has lost it.
    Lost,
}

/// Sessions that were looked at, and how they stand.
#[derive(Default)]
pub(super) struct Judged(Vec<(SessionRow, Standing)>);

impl Judged {
    /// With one that is over.
    pub(super) fn over(&mut self, row: SessionRow, over: Over) {
        self.0.push((row, Standing::Over(over.word())));
    }
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
    let mut judged = Judged::default();
    let mut held = HashMap::new();
    for row in due {
        let standing = match look(provider, call, &row, &mut held).await? {
            Standing::Lost => Standing::Over(Over::Idle.word()),
            standing => standing,
        };
        judged.0.push((row, standing));
    }
    let over = no_longer.into_iter().map(|row| (row, Standing::Over("all_ended")));
    judged.0.extend(over);
    write_down(provider, call, &judged).await?;
    Ok(walk(provider, call).await? || more)
}

/// The next step of the walk. Gives whether there is another one.
async fn walk(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let Some(mark) = provider.walk.next(Limits::of(provider).await?) else {
        return Ok(false);
    };
    let mut store = provider.store.read().await?;
    let rows = store
        .list_live_sessions(&SessionsOf::Everyone, mark, call.now, BATCH)
        .await?;
    drop(store);
    let next = rows.last().map(SessionMark::behind);
    let mut judged = Judged::default();
    let mut held = HashMap::new();
    for row in rows {
        match look(provider, call, &row, &mut held).await? {
            // its row says so already, or says something earlier
            Standing::GoesOn(until) if until >= call.now.after(LONGEST_PAUSE) => {}
            // no limit has ended it: what a loss means is left to the next time it is due
            Standing::Lost => {}
            standing => judged.0.push((row, standing)),
        }
    }
    write_down(provider, call, &judged).await?;
    provider.walk.go_on(mark, next);
    Ok(next.is_some())
}

async fn look(
    provider: &Provider,
    call: &Call,
    row: &SessionRow,
    held: &mut HashMap<Id<User>, Vec<Session>>,
) -> Result<Standing, Error> {
    if row.expires_at <= call.now {
        return Ok(Standing::Over(Over::Expired.word()));
    }
    let sessions = match held.get(&row.user).cloned() {
        Some(known) => known,
        None => {
            let found = kept::list_as_kept(provider, call, row.user).await?;
            held.insert(row.user, found.clone());
            found
        }
    };
    let Some(session) = sessions.iter().find(|session| session.id == row.id) else {
        return Ok(Standing::Lost);
    };
    let Some(facts) = SessionFacts::read(&session.data) else {
        return Ok(Standing::Over(Over::Idle.word()));
    };
    let Some(person) = provider.person(row.user, call.now).await? else {
        return Ok(Standing::Over("user_deleted"));
    };
    let settings = provider.settings().await?;
    let term = Term::of(session, (&person.user, &person.layers(&settings, None)), &facts);
    Ok(match term.over(session.seen, call.now) {
        Some(over) => Standing::Over(over.word()),
        None => Standing::GoesOn(term.ends(session.seen).min(call.now.after(LONGEST_PAUSE))),
    })
}

/// Writes down how they stand: of those that are over everything that ends with them. Says whether any are.
pub(super) async fn write_down(provider: &Provider, call: &Call, judged: &Judged) -> Result<bool, Error> {
    again(|| write_once(provider, call, &judged.0)).await
}

async fn write_once(provider: &Provider, call: &Call, judged: &[(SessionRow, Standing)]) -> Result<bool, Error> {
    if judged.is_empty() {
        return Ok(false);
    }
    let mut over = Vec::new();
    let mut tx = provider.store.write().await?;
    for (row, standing) in judged {
        match standing {
            Standing::GoesOn(until) => tx.look_at_session_again(row.id, *until),
            Standing::Over(why) => {
                if tx.end_session(row.id, call.now, why).await? {
                    tx.end_grants_of_session(row.id, call.now, why).await?;
                    let event = call.event(EventKind::SignOut).because(why).user(row.user);
                    tx.add_event(&event.fact("session", Fact::Id(row.id.uuid()))).await?;
                }
                over.push((row.user, row.id));
            }
            Standing::Lost => {}
        }
    }
    tx.commit().await?;
    let any = !over.is_empty();
    for (user, session) in over {
        if let Err(error) = provider.sessions.end(user, session).await {
            tracing::warn!(%error, "an ended session is still in the store of sessions");
            break;
        }
    }
    Ok(any)
}
