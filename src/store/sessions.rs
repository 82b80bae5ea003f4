//! The slow rows of sessions: they serve lists, survive any session store, and say which have ended.

use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::{Id, Session, Timestamp, User};
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
            remember: row.boolean("remember")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

const FIND: &str = "
select id, user_id, started_at, expires_at, address, user_agent, remember, ended_at
from sessions
where id = $1";

const LIST_LIVE_OF_USER: &str = "
select id, user_id, started_at, expires_at, address, user_agent, remember, ended_at
from sessions
where user_id = $1
and ended_at is null
and expires_at > $2
order by started_at desc
limit $3";

const LIST_OF_USER: &str = "
select id, user_id, started_at, expires_at, address, user_agent, remember, ended_at
from sessions
where user_id = $1
order by started_at desc
limit $2";

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
}

const ADD: &str = "
insert into sessions (id, user_id, started_at, expires_at, address, user_agent, remember)
values ($1, $2, $3, $4, $5, $6, $7)";

const HOLD: &str = "
update sessions
set ended_at = ended_at
where id = $1
and ended_at is null
and expires_at > $2";

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
            .bind(session.remember)
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

    /// Ends a session. False if it had ended before.
    pub async fn end_session(&mut self, id: Id<Session>, at: Timestamp, because: &'static str) -> Result<bool, Error> {
        let ended = self.sql(END).bind(id).bind(at).bind(because).changed().await? == 1;
        if ended {
            self.forget(Ended::Session(id)).await?;
        }
        Ok(ended)
    }

    /// Ends all sessions of a user. Gives how many.
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
            self.forget(Ended::User(user)).await?;
        }
        Ok(ended)
    }

    /// Forgets sessions that ended by themselves before `before`, a bounded number.
    pub async fn sweep_sessions(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
