//! Sessions: which browsers are signed in. In Redis, or in a SQLite file of its own for a single node.
//!
//! A session is found by its user and the digest of the token in the browser's cookie; the token itself is never here,
//! so a dump signs nobody in. Expiry is judged by the `now` of the caller. How many logins a user may have is decided
//! in one atomic step, [`Sessions::admit`]. A session that can't be read is as good as absent: losing this store means
//! signing in again, never being somebody else.

mod admission;
mod embedded;
mod embedded_room;
mod known;
mod notes;
mod on_redis;
mod taking_over;

use std::path::Path;

use crate::ephemeral::redis_connection::{self, RedisConnection};
use crate::model::{Digest, Id, Session, Timestamp, User};
use crate::sql;

pub use self::admission::{Admission, AtLimit, Family, LetGo, Limit, Login, MadeRoom, NOTE, Room};
use self::embedded::Embedded;
use self::on_redis::OnRedis;
pub use self::taking_over::taken_over;

/// Why a session was not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis does not answer. Whether a change has happened is unknown.
    #[error("the store of sessions does not answer")]
    Unavailable,
    /// Redis refuses a command, or can't be addressed.
    #[error("the store of sessions refuses")]
    Redis(#[source] redis_connection::Error),
    /// A file that was taken over can't be renamed.
    #[error("the file of sessions can't be put aside")]
    PutAside(#[source] std::io::Error),
    /// The embedded file fails.
    #[error("the file of sessions fails")]
    Sql(#[from] sql::Error),
}

impl From<redis_connection::Error> for Error {
    fn from(error: redis_connection::Error) -> Self {
        match error {
            redis_connection::Error::Unavailable => Self::Unavailable,
            other => Self::Redis(other),
        }
    }
}

/// The store of sessions; clones share it.
#[derive(Clone)]
pub struct Sessions(Backend);

#[derive(Clone)]
enum Backend {
    Redis(OnRedis),
    Embedded(Embedded),
}

impl Sessions {
    /// Sessions in Redis.
    pub fn redis(connection: RedisConnection) -> Self {
        Self(Backend::Redis(OnRedis::new(connection)))
    }

    /// Sessions in the SQLite file at `path`, made if it is missing.
    ///
    /// # Errors
    /// [`Error::Sql`] if the file can't be opened.
    pub async fn embedded(path: &Path) -> Result<Self, Error> {
        Ok(Self(Backend::Embedded(Embedded::open(path).await?)))
    }

    /// Keeps a new session under the digest of its token, if there is room: counting, ending others and keeping are one atomic
    /// step. Ended and idle sessions are not counted.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn admit<'a>(
        &self,
        token: &Digest,
        session: &Session,
        room: impl Into<Room<'a>>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let room = room.into();
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.admit(token, session, &room, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.admit(token, session, &room, now).await?),
        }
    }

    /// Keeps a session that this store has lost, under the digest of its token, if there is room beside the others: nobody ends
    /// for it. One that is there already stays as it is; whatever else is kept of the same session goes. False: there is no room.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn put_back<'a>(
        &self,
        token: &Digest,
        session: &Session,
        room: impl Into<Room<'a>>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut room = room.into();
        room.limit.at_limit = AtLimit::Refuse;
        room.first = &[];
        let admission = match &self.0 {
            Backend::Redis(redis) => redis.put_back(token, session, &room, now).await?,
            Backend::Embedded(embedded) => embedded.put_back(token, session, &room, now).await?,
        };
        Ok(matches!(admission, Admission::Admitted(_)))
    }

    /// Keeps a place for a family of tokens that is being made, if there is room; by the same step as [`Sessions::admit`]. The
    /// family counts until `until` although SQL does not name it yet, and nobody makes it go before.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn reserve<'a>(
        &self,
        user: Id<User>,
        code: &Digest,
        until: Timestamp,
        room: impl Into<Room<'a>>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let room = room.into();
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.reserve(user, code, until, &room, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.reserve(user, code, until, &room, now).await?),
        }
    }

    /// The family for which a place is kept is written down: SQL names it from here on. Whoever asked SQL before this counts it
    /// by its place; in Redis that is for as long as the place is kept, where both count as two for whoever does not say
    /// which families there are.
    pub async fn written(&self, user: Id<User>, code: &Digest) {
        match &self.0 {
            Backend::Redis(_) => {}
            Backend::Embedded(embedded) => embedded.written(user, code).await,
        }
    }

    /// Gives back the place of a family that was not made after all.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn release(&self, user: Id<User>, code: &Digest) -> Result<(), Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.release(user, code).await?),
            Backend::Embedded(embedded) => {
                embedded.release(user, code).await;
                Ok(())
            }
        }
    }

    /// The user's session with this token, if it is live.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn get(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<Option<Session>, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.get(user, token, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.get(user, token, now).await?),
        }
    }

    /// Notes that the browser was seen. False: the session is not live.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn touch(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<bool, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.touch(user, token, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.touch(user, token, now).await?),
        }
    }

    /// Replaces what the flows remember with the session. False: the session is not live.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn replace_data(
        &self,
        user: Id<User>,
        token: &Digest,
        data: &[u8],
        now: Timestamp,
    ) -> Result<bool, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.replace_data(user, token, data, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.replace_data(user, token, data, now).await?),
        }
    }

    /// Gives the session a new token, at a sign-in or a change of privilege; the old one dies in the same step. False: the
    /// session is not live, or the new token is taken.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn rotate(&self, user: Id<User>, old: &Digest, new: &Digest, now: Timestamp) -> Result<bool, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.rotate(user, old, new, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.rotate(user, old, new, now).await?),
        }
    }

    /// The user's live sessions, in the order of their starts.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn list(&self, user: Id<User>, now: Timestamp) -> Result<Vec<Session>, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.list(user, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.list(user, now).await?),
        }
    }

    /// Ends a session by its id. False: there was none.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn end(&self, user: Id<User>, id: Id<Session>) -> Result<bool, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.end(user, id).await?),
            Backend::Embedded(embedded) => Ok(embedded.end(user, id).await?),
        }
    }

    /// Ends every session of the user, and names them.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn end_all(&self, user: Id<User>) -> Result<Vec<Id<Session>>, Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.end_all(user).await?),
            Backend::Embedded(embedded) => Ok(embedded.end_all(user).await?),
        }
    }

    /// Removes up to `limit` ended sessions, and says how many went. Redis does so by itself.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        match &self.0 {
            Backend::Redis(_) => Ok(0),
            Backend::Embedded(embedded) => Ok(embedded.sweep(now, limit).await?),
        }
    }

    /// The embedded file, for its numbers; none of Redis.
    pub fn database(&self) -> Option<&sql::Database> {
        match &self.0 {
            Backend::Redis(_) => None,
            Backend::Embedded(embedded) => Some(embedded.database()),
        }
    }

    /// Asks whether the store answers.
    ///
    /// # Errors
    /// [`Error`] if it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.0 {
            Backend::Redis(redis) => Ok(redis.ping().await?),
            Backend::Embedded(embedded) => Ok(embedded.ping().await?),
        }
    }
}

/// Moments and durations are kept below this (the year 2112, and as long), so that their sums stay exact in the doubles
/// of Redis and in SQL's integers.
const LARGEST_MICROS: i64 = 1 << 52;

/// Microseconds of a moment, as stored.
fn moment(timestamp: Timestamp) -> i64 {
    timestamp.micros().clamp(0, LARGEST_MICROS)
}

/// Microseconds of the idle timeout, as stored.
fn idle_micros(session: &Session) -> i64 {
    i64::try_from(session.idle_timeout.as_micros())
        .unwrap_or(LARGEST_MICROS)
        .min(LARGEST_MICROS)
}
