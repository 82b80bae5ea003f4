//! When a session ends: after its lifetime, or when it was not used for too long. For each the strictest counts of everything that
//! is said now and of what was said when it began: everyone's value, the groups', the person's record, the administrators'.
//!
//! Whoever asks whether a session goes on asks here. Its last use is known to the session store alone; what hangs on a session in
//! SQL is told of its lifetime at once, and of its rest by [`super::end_lapsed`].

use std::sync::Arc;
use std::time::Duration;

use super::SessionFacts;
use crate::flow::effective::SessionTimes;
use crate::flow::memory::Person;
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Layers, Session, Timestamp, User};
use crate::store::SessionRow;

/// Until when a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) struct Term {
    /// Its end in any case.
    pub(in crate::flow) absolute: Timestamp,
    /// How long it goes on without being used.
    pub(in crate::flow) idle: Duration,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Over {
    /// It has reached its end.
    Expired,
    /// It was not used for too long.
    Idle,
}

impl Over {
    /// In a word, for its row.
    pub(in crate::flow) const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Idle => "idle",
        }
    }
}

impl Term {
    /// Of a session of a person of whom this is said. Limits that were tightened since hold for sessions that began before; and none
    /// outlives the account.
    pub(in crate::flow) fn of(session: &Session, (user, layers): (&User, &Layers<'_>), facts: &SessionFacts) -> Self {
        let times = SessionTimes::of(layers, facts.remember);
        let ends = absolute(session.started, session.expires, times);
        Self {
            absolute: user.expires_at.map_or(ends, |end| end.min(ends)),
            idle: session.idle_timeout.min(times.idle),
        }
    }

    /// Whether a session that was last used then is over.
    pub(in crate::flow) fn over(self, seen: Timestamp, now: Timestamp) -> Option<Over> {
        if now >= self.absolute {
            return Some(Over::Expired);
        }
        (now >= seen.after(self.idle)).then_some(Over::Idle)
    }

    /// When a session ends that was last used then, if it is not used any more.
    pub(in crate::flow) fn ends(self, seen: Timestamp) -> Timestamp {
        self.absolute.min(seen.after(self.idle))
    }
}

/// When a session ends in any case, as far as its row tells.
pub(in crate::flow) fn end_of_row(row: &SessionRow, (user, layers): (&User, &Layers<'_>)) -> Timestamp {
    let ends = absolute(row.started_at, row.expires_at, SessionTimes::of(layers, row.remember));
    user.expires_at.map_or(ends, |end| end.min(ends))
}

fn absolute(started: Timestamp, expires: Timestamp, times: SessionTimes) -> Timestamp {
    expires.min(started.after(times.lifetime))
}

/// The row of a session that goes on, and its end in any case; for what hangs on it and must do without the session store.
pub(in crate::flow) async fn live_row(
    provider: &Provider,
    call: &Call,
    person: &Person,
    id: Id<Session>,
) -> Result<Option<(Arc<SessionRow>, Timestamp)>, Error> {
    let Some(row) = provider.session_row(id, call.now).await? else {
        return Ok(None);
    };
    let settings = provider.settings().await?;
    let ends = end_of_row(&row, (&person.user, &person.layers(&settings, None)));
    Ok((row.ended_at.is_none() && call.now < ends).then_some((row, ends)))
}

/// Those of a person's sessions that go on, each with the limits that count for it now.
pub(super) async fn going_on(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    sessions: Vec<Session>,
) -> Result<Vec<Session>, Error> {
    if sessions.is_empty() {
        return Ok(sessions);
    }
    let Some(person) = provider.person(user, call.now).await? else {
        return Ok(Vec::new());
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, None);
    let limited = sessions.into_iter().filter_map(|session| {
        // what can't be read signs nobody in
        let term = Term::of(&session, (&person.user, &layers), &SessionFacts::read(&session.data)?);
        term.over(session.seen, call.now).is_none().then_some(Session {
            expires: term.absolute,
            idle_timeout: term.idle,
            ..session
        })
    });
    Ok(limited.collect())
}
