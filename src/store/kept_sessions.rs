//! Sessions that are kept here with everything that brings them back when the session store has lost them.
//!
//! A session is kept in an epoch. After a restoration or a promotion nobody knows any more which sessions ended in the lost moment,
//! so what was kept before brings nothing back; those that the session store still holds are kept anew when they are used.

use std::time::Duration;

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Digest, Id, Session, Timestamp, User};
use crate::sql::{self, Record, Row};

/// A session and the digest of the token that it is found under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// Of the token in the browser's cookie.
    pub token: Digest,
    /// The session, as it was last written down.
    pub session: Session,
}

impl Record for KeptSession {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            token: row.digest("token")?,
            session: Session {
                id: row.id("id")?,
                user: row.id("user_id")?,
                started: row.time("started_at")?,
                seen: row.time("seen_at")?,
                expires: row.time("expires_at")?,
                idle_timeout: Duration::from_micros(row.int("idle")?.max(0).unsigned_abs()),
                data: row.bytes("data")?,
            },
        })
    }
}

const FIND: &str = "
select s.token, s.id, s.user_id, s.started_at, s.seen_at, s.expires_at, s.idle, s.data
from sessions s
join installation i on i.id = 1
where s.token = $1
and s.user_id = $2
and s.ended_at is null
and s.started_at >= i.sessions_since
and s.kept_epoch = i.epoch
and s.expires_at > $3
and s.seen_at + s.idle > $3";

const LIST_OF_USER: &str = "
select s.token, s.id, s.user_id, s.started_at, s.seen_at, s.expires_at, s.idle, s.data
from sessions s
join installation i on i.id = 1
where s.user_id = $1
and s.token is not null
and s.ended_at is null
and s.started_at >= i.sessions_since
and s.kept_epoch = i.epoch
and s.expires_at > $2
and s.seen_at + s.idle > $2
order by s.seen_at desc
limit $3";

readers! {
    /// The session that is kept under this token, if it has not ended: by its row, its lifetime, or for want of use.
    pub async fn find_kept_session(&mut self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<Option<KeptSession>, Error> {
        Ok(self.sql(FIND).bind(token).bind(user).bind(now).optional().await?)
    }

    /// Whether any session is kept.
    pub async fn is_any_session_kept(&mut self) -> Result<bool, Error> {
        Ok(self.sql(ANY).one().await?)
    }

    /// A user's kept sessions that have not ended, the last used first.
    pub async fn list_kept_sessions_of(&mut self, user: Id<User>, now: Timestamp, limit: u32) -> Result<Vec<KeptSession>, Error> {
        Ok(self.sql(LIST_OF_USER).bind(user).bind(now).bind(limit).all().await?)
    }
}

const KEEP: &str = "
update sessions
set token = $2, idle = $3, seen_at = $4, data = $5, kept_epoch = (select epoch from installation where id = 1)
where id = $1
and ended_at is null";

// of a token that is not the session's any more nothing is noted
const NOTE_USE: &str = "
update sessions
set token = $2, idle = $3, seen_at = $4, data = $5, kept_epoch = (select epoch from installation where id = 1)
where id = $1
and ended_at is null
and (token is null or token = $2)
and (seen_at is null or seen_at < $4)";

const LET_GO: &str = "
update sessions
set token = null, idle = null, seen_at = null, data = null, kept_epoch = null
where id = $1";

const LET_GO_SOME: &str = "
update sessions
set token = null, idle = null, seen_at = null, data = null, kept_epoch = null
where id in (select id from sessions where token is not null limit $1)";

const ANY: &str = "
select exists (select 1 from sessions where token is not null)";

/// Idle timeouts are kept below this, so that their sums with moments stay integers.
const LARGEST_MICROS: i64 = 1 << 52;

impl Write {
    /// Keeps a session that is added in this transaction, or has a new token. Nothing happens if it has ended.
    pub fn keep_session(&mut self, kept: &KeptSession) {
        self.write_kept(KEEP, kept);
    }

    /// Notes that a session was used, and keeps it from now on if it was not. Nothing happens if it has ended, has another
    /// token, or was used later.
    pub fn note_use_of_session(&mut self, kept: &KeptSession) {
        self.write_kept(NOTE_USE, kept);
    }

    fn write_kept(&mut self, text: &'static str, kept: &KeptSession) {
        let session = &kept.session;
        let idle = i64::try_from(session.idle_timeout.as_micros()).unwrap_or(LARGEST_MICROS);
        self.sql(text)
            .bind(session.id)
            .bind(&kept.token)
            .bind(idle.min(LARGEST_MICROS))
            .bind(session.seen)
            .bind(session.data.as_slice())
            .later();
    }

    /// Keeps a session no more: it goes on as long as the session store has it.
    pub fn let_go_of_session(&mut self, id: Id<Session>) {
        self.sql(LET_GO).bind(id).later();
    }

    /// Keeps up to `limit` sessions no more, and says how many.
    pub async fn let_go_of_sessions(&mut self, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(LET_GO_SOME).bind(limit).changed().await?)
    }
}
