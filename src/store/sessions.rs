//! The slow rows of sessions: they serve lists, survive any session store, and say which have ended.

use std::time::Duration;

use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::{Device, Id, Session, Timestamp, User};
use crate::sql::{self, Record, Row};

/// A session as SQL knows it.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// The session.
    pub id: Id<Session>,
    /// Who signed in.
    pub user: Id<User>,
    /// When.
    pub started_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// From where.
    pub address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
    /// With which of the person's devices, if it is known.
    pub device: Option<Id<Device>>,
    /// Where that was, roughly, if it is known.
    pub place: Option<String>,
    /// Whether the person asked to stay signed in.
    pub remember: bool,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
}

impl SessionRow {
    /// Whether SQL does not say that it has ended. The session store may still have forgotten it.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.expires_at > now
    }
}

impl Record for SessionRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            user: row.id("user_id")?,
            started_at: row.time("started_at")?,
            expires_at: row.time("expires_at")?,
            address: row.maybe_text("address")?,
            user_agent: row.maybe_text("user_agent")?,
            device: row.maybe_id("device_id")?,
            place: row.maybe_text("place")?,
            remember: row.boolean("remember")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

// those that began before the installation's moment have ended with it, whatever their rows say
const FIND: &str = "
select s.id, s.user_id, s.started_at, s.expires_at, s.address, s.user_agent, s.device_id, s.place, s.remember,
  case when s.ended_at is null and s.started_at < i.sessions_since then i.sessions_since else s.ended_at end as ended_at
from sessions s
join installation i on i.id = 1
where s.id = $1";

const LIST_LIVE_OF_USER: &str = "
select id, user_id, started_at, expires_at, address, user_agent, device_id, place, remember, ended_at
from sessions
where user_id = $1
and ended_at is null
and expires_at > $2
and started_at >= (select sessions_since from installation where id = 1)
order by started_at desc
limit $3";

const LIST_LIVE_OF_DEVICE: &str = "
select id, user_id, started_at, expires_at, address, user_agent, device_id, place, remember, ended_at
from sessions
where user_id = $1
and device_id = $2
and ended_at is null
and expires_at > $3
order by started_at desc
limit $4";

const LIST_OF_USER: &str = "
select s.id, s.user_id, s.started_at, s.expires_at, s.address, s.user_agent, s.device_id, s.place, s.remember,
  case when s.ended_at is null and s.started_at < i.sessions_since then i.sessions_since else s.ended_at end as ended_at
from sessions s
join installation i on i.id = 1
where s.user_id = $1
order by s.started_at desc
limit $2";

const LIST_TO_LOOK_AT: &str = "
select id, user_id, started_at, expires_at, address, user_agent, device_id, place, remember, ended_at
from sessions
where ended_at is null
and look_at <= $1
order by look_at
limit $2";

const LIST_OF_BEFORE: &str = "
select id, user_id, started_at, expires_at, address, user_agent, device_id, place, remember, ended_at
from sessions
where ended_at is null
and started_at < (select sessions_since from installation)
order by started_at
limit $1";

/// A session is looked at for the first time so long after its beginning.
const FIRST_LOOK: Duration = Duration::from_secs(60);

readers! {
    /// The session of this row.
    pub async fn find_session(&mut self, id: Id<Session>) -> Result<Option<SessionRow>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// A user's sessions, ended ones too, newest first.
    pub async fn list_sessions_of(&mut self, user: Id<User>, limit: u32) -> Result<Vec<SessionRow>, Error> {
        Ok(self.sql(LIST_OF_USER).bind(user).bind(limit).all().await?)
    }

    /// A user's sessions that SQL does not say have ended, newest first.
    pub async fn list_live_sessions_of(&mut self, user: Id<User>, now: Timestamp, limit: u32) -> Result<Vec<SessionRow>, Error> {
        Ok(self.sql(LIST_LIVE_OF_USER).bind(user).bind(now).bind(limit).all().await?)
    }

    /// A user's sessions of one device that SQL does not say have ended, newest first.
    pub async fn list_live_sessions_of_device(&mut self, user: Id<User>, device: Id<Device>, now: Timestamp, limit: u32) -> Result<Vec<SessionRow>, Error> {
        Ok(self.sql(LIST_LIVE_OF_DEVICE).bind(user).bind(device).bind(now).bind(limit).all().await?)
    }

    /// Sessions of which it is time to look whether they have ended by themselves.
    pub async fn list_sessions_to_look_at(&mut self, now: Timestamp, limit: u32) -> Result<Vec<SessionRow>, Error> {
        Ok(self.sql(LIST_TO_LOOK_AT).bind(now).bind(limit).all().await?)
    }

    /// Sessions that began before the moment since which the installation's sessions count, and whose rows don't say so yet.
    pub async fn list_sessions_that_no_longer_count(&mut self, limit: u32) -> Result<Vec<SessionRow>, Error> {
        Ok(self.sql(LIST_OF_BEFORE).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into sessions (id, user_id, started_at, expires_at, address, user_agent, device_id, place, remember, look_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const HOLD: &str = "
update sessions
set ended_at = ended_at
where id = $1
and ended_at is null
and expires_at > $2
and started_at >= (select sessions_since from installation where id = 1)";

const LOOK_AGAIN: &str = "
update sessions
set look_at = $2
where id = $1
and ended_at is null";

// of every session of theirs: whether it was due before or is now
const LOOK_AT_THOSE_OF_USER: &str = "
update sessions
set look_at = $2
where user_id = $1
and ended_at is null";

const END: &str = "
update sessions
set ended_at = $2, ended_because = $3
where id = $1
and ended_at is null";

const END_OF_USER: &str = "
update sessions
set ended_at = $2, ended_because = $3
where user_id = $1
and ended_at is null";

const SWEEP: &str = "
delete from sessions
where id in (select id from sessions where expires_at < $1 limit $2)";

impl Write {
    /// Adds a session that begins.
    pub async fn add_session(&mut self, session: &SessionRow) -> Result<(), Error> {
        self.sql(ADD)
            .bind(session.id)
            .bind(session.user)
            .bind(session.started_at)
            .bind(session.expires_at)
            .bind(session.address.clone())
            .bind(session.user_agent.clone())
            .bind(session.device)
            .bind(session.place.clone())
            .bind(session.remember)
            .bind(session.started_at.after(FIRST_LOOK))
            .later();
        Ok(())
    }

    /// Keeps a session from being ended until this transaction is: whoever wants to end it waits. False if it has ended.
    pub async fn hold_session(&mut self, id: Id<Session>, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(HOLD).bind(id).bind(now).changed().await? == 1)
    }

    /// The same, as a condition of this transaction: if the session has ended, the next answer or the commit is
    /// [`Error::Missing`].
    pub fn must_hold_session(&mut self, id: Id<Session>, now: Timestamp) {
        self.sql(HOLD).bind(id).bind(now).must_change_later();
    }

    /// Remembers when to look again whether a session has ended by itself.
    pub fn look_at_session_again(&mut self, id: Id<Session>, at: Timestamp) {
        self.sql(LOOK_AGAIN).bind(id).bind(at).later();
    }

    /// Has somebody's sessions looked at as soon as may be: what is said about how long they go on has changed.
    pub(super) fn look_at_sessions_of(&mut self, user: Id<User>) {
        let at_once = Timestamp::from_micros(0);
        self.sql(LOOK_AT_THOSE_OF_USER).bind(user).bind(at_once).later();
    }

    /// Ends a session; the applications that it served are to be told. False if it had ended before.
    pub async fn end_session(&mut self, id: Id<Session>, at: Timestamp, because: &'static str) -> Result<bool, Error> {
        let ended = self.sql(END).bind(id).bind(at).bind(because).changed().await? == 1;
        if ended {
            self.tell_of_session(id, at);
            self.forget(Ended::Session(id)).await?;
        } else {
            self.forget_here(Ended::Session(id));
        }
        Ok(ended)
    }

    /// Ends all sessions of a user; the applications that they served are to be told. Gives how many.
    pub async fn end_sessions_of_user(
        &mut self,
        user: Id<User>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ended = self
            .sql(END_OF_USER)
            .bind(user)
            .bind(at)
            .bind(because)
            .changed()
            .await?;
        if ended > 0 {
            self.tell_of_user(user, at);
            self.forget(Ended::User(user)).await?;
        } else {
            self.forget_here(Ended::User(user));
        }
        Ok(ended)
    }

    /// Forgets sessions that ended by themselves before `before`, a bounded number.
    pub async fn sweep_sessions(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
