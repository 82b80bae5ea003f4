//! What the session store still holds of sessions that are over: they ended in SQL while it was not reached, everybody's ended in one
//! write, or limits were tightened since they began. None signs anybody in, but each would count as a login.

use super::lapse::{self, Judged};
use super::term::{Over, Term};
use super::{SessionFacts, kept};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, User};
use crate::sessions::{self, Admission, AtLimit, NOTE, Room};

/// More sessions of one person are not looked at: five times as many as anybody may have.
const MOST: u32 = 1_000;

/// Asks the session store for room. Where there is none, what is over by now goes before anybody else has to.
pub(in crate::flow) async fn admit<'a, F>(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    room: Room<'a>,
    ask: impl Fn(Room<'a>) -> F,
) -> Result<Admission, Error>
where
    F: Future<Output = Result<Admission, sessions::Error>>,
{
    let mut strict = room;
    strict.limit.at_limit = AtLimit::Refuse;
    let admission = ask(strict).await?;
    let Admission::Refused { .. } = admission else {
        return Ok(admission);
    };
    let any = match room.limit.at_limit {
        AtLimit::Refuse => forget(provider, call, user).await?,
        // one that ended in SQL is as good as any other to go
        AtLimit::EndOldest | AtLimit::EndLeastRecent => forget_lapsed(provider, call, user).await?,
    };
    if !any && room.limit.at_limit == AtLimit::Refuse {
        return Ok(admission);
    }
    Ok(ask(room).await?)
}

/// Has the session store forget what of this person's sessions is over, and writes down what ended by itself. Says whether there
/// was anything.
pub(in crate::flow) async fn forget(provider: &Provider, call: &Call, user: Id<User>) -> Result<bool, Error> {
    let held = kept::list_as_kept(provider, call, user).await?;
    let mut store = provider.store.read().await?;
    let rows = store.list_live_sessions_of(user, call.now, MOST).await?;
    drop(store);
    let mut any = false;
    for session in &held {
        // one without a row may be only beginning; that takes no longer than a note is kept
        let is_over = !rows.iter().any(|row| row.id == session.id)
            && (session.started.after(NOTE) < call.now
                || provider
                    .session_row(session.id, call.now)
                    .await?
                    .is_some_and(|row| row.ended_at.is_some()));
        if is_over {
            any |= provider.sessions.end(user, session.id).await?;
        }
    }
    Ok(forget_lapsed(provider, call, user).await? || any)
}

/// The same of what ended by itself, as far as SQL does not say so yet.
async fn forget_lapsed(provider: &Provider, call: &Call, user: Id<User>) -> Result<bool, Error> {
    let Some(person) = provider.person(user, call.now).await? else {
        return Ok(!provider.sessions.end_all(user).await?.is_empty());
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, None);
    let mut judged = Judged::default();
    for session in kept::list_as_kept(provider, call, user).await? {
        let over = match SessionFacts::read(&session.data) {
            Some(facts) => Term::of(&session, (&person.user, &layers), &facts).over(session.seen, call.now),
            // nobody can be recognised by it
            None => Some(Over::Idle),
        };
        // one without a row is on its way
        if let Some(over) = over
            && let Some(row) = provider.session_row(session.id, call.now).await?
        {
            judged.over((*row).clone(), over);
        }
    }
    lapse::write_down(provider, call, &judged).await
}
