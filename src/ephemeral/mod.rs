//! State that may vanish at the price of a new login: interactions, code payloads, ceremonies, counters. What an auditor
//! would ask for lives in the store.
//!
//! Two places keep it: Redis, and a SQLite file of its own for a single node, which survives a restart (a killed process
//! loses a tenth of a second). Both judge
//! expiry by the `now` of the caller and nothing else.
//!
//! Keys are ids or `Digest`s of secrets, never secrets: whoever reads a dump must not be able to continue anything.
//! An entry that can't be read is as good as absent.

mod allowance;
mod embedded;
mod embedded_room;
mod examination;
mod kind;
mod local;
mod on_redis;
mod owner;
mod place;
mod redis_address;
pub mod redis_connection;
pub mod write_behind;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::model::Timestamp;
use crate::sql;

use self::allowance::Allowance;
use self::embedded::Embedded;
use self::local::{FULL, Local};
use self::on_redis::{Among, OnRedis};
use self::place::Place;

pub use self::allowance::Spent;
pub use self::examination::Examination;
pub use self::kind::{Counted, Counter, Kind};
pub use self::owner::Owner;
pub use self::redis_connection::RedisConnection;

/// Why short-lived state was not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis does not answer. Whether a change has happened is unknown; a `take` may have taken.
    #[error("the store of short-lived state does not answer")]
    Unavailable,
    /// Redis refuses a command, or can't be addressed.
    #[error("the store of short-lived state refuses")]
    Redis(#[source] redis_connection::Error),
    /// The embedded file fails.
    #[error("the file of short-lived state fails")]
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

/// The store of short-lived state; clones share it.
#[derive(Clone)]
pub struct Ephemeral {
    backend: Backend,
    epoch: Arc<AtomicI64>,
    here: Arc<Local>,
}

#[derive(Clone)]
enum Backend {
    Redis(OnRedis),
    Embedded(Embedded),
}

impl Ephemeral {
    /// Short-lived state in Redis.
    pub fn redis(connection: RedisConnection) -> Self {
        Self::on(Backend::Redis(OnRedis::new(connection)))
    }

    /// Short-lived state in the SQLite file at `path`, made if it is missing.
    ///
    /// # Errors
    /// [`Error::Sql`] if the file can't be opened.
    pub async fn embedded(path: &Path) -> Result<Self, Error> {
        Ok(Self::on(Backend::Embedded(Embedded::open(path).await?)))
    }

    fn on(backend: Backend) -> Self {
        Self {
            backend,
            epoch: Arc::default(),
            here: Arc::default(),
        }
    }

    /// Entries are kept in the epoch that this number says, and will say.
    #[must_use]
    pub fn in_epoch_of(self, epoch: Arc<AtomicI64>) -> Self {
        Self { epoch, ..self }
    }

    /// The epoch of the store that entries are kept in.
    pub fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Begins a later epoch: entries of earlier ones are not there any more. Counters go on.
    pub fn begin_epoch(&self, epoch: i64) {
        self.epoch.fetch_max(epoch, Ordering::AcqRel);
    }

    /// Keeps `value` until `expires`, in the place of whatever was there.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn put(
        &self,
        kind: Kind,
        key: &str,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let place = Place::entry(kind, key, self.epoch());
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.put(&place, value, expires, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.put(&place, value, expires, now).await?),
        }
    }

    /// Keeps `value` until `expires` among the entries of `owner`, of which at most `most` live at once: those that end
    /// soonest make room. Of a kind that strangers make there are at most 128,000 altogether: past that an owner keeps no more
    /// than 50, and if that is not enough, those that end soonest make room, whoever they are of. One step on either store. `key` is one of [`Owner::key`].
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn put_within(
        &self,
        kind: Kind,
        (owner, most): (&Owner, u32),
        key: &str,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (place, owned) = (&Place::entry(kind, key, self.epoch()), &Place::owned(kind, key, owner));
        let all = &Place::all(kind, key);
        let among = || Among {
            place,
            owned,
            all,
            most,
        };
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.put_within(among(), value, expires, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.put_within((place, owned), most, value, expires, now).await?),
        }
    }

    /// The same unless something live is there. False: it was.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn put_new_within(
        &self,
        kind: Kind,
        (owner, most): (&Owner, u32),
        key: &str,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (place, owned) = (&Place::entry(kind, key, self.epoch()), &Place::owned(kind, key, owner));
        let all = &Place::all(kind, key);
        let among = || Among {
            place,
            owned,
            all,
            most,
        };
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.put_new_within(among(), value, expires, now).await?),
            Backend::Embedded(embedded) => Ok(embedded
                .put_new_within((place, owned), most, value, expires, now)
                .await?),
        }
    }

    /// Keeps `value` until `expires` unless something live is there. False: it was.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn put_new(
        &self,
        kind: Kind,
        key: &str,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let place = Place::entry(kind, key, self.epoch());
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.put_new(&place, value, expires, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.put_new(&place, value, expires, now).await?),
        }
    }

    /// What is there and has not ended.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn get(&self, kind: Kind, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let place = Place::entry(kind, key, self.epoch());
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.get(&place, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.get(&place, now).await?),
        }
    }

    /// Removes and gives what is there and has not ended. Of any number of callers one gets it.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn take(&self, kind: Kind, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let place = Place::entry(kind, key, self.epoch());
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.take(&place, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.take(&place, now).await?),
        }
    }

    /// Moves the end of what is there and has not ended. False: nothing is.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn extend(&self, kind: Kind, key: &str, expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let place = Place::entry(kind, key, self.epoch());
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.extend(&place, expires, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.extend(&place, expires, now).await?),
        }
    }

    /// Removes what is there, if anything.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn forget(&self, kind: Kind, key: &str) -> Result<(), Error> {
        let place = Place::entry(kind, key, self.epoch());
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.forget(&place).await?),
            Backend::Embedded(embedded) => Ok(embedded.forget(&place).await?),
        }
    }

    /// Spends one of `budget` in every `period`, and says what is left: in no stretch as long as `period` more are allowed than
    /// `budget`. Of parallel callers exactly as many are allowed as the budget holds.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn spend(
        &self,
        counter: Counter<'_>,
        budget: u32,
        period: Duration,
        now: Timestamp,
    ) -> Result<Spent, Error> {
        let place = Place::counter(counter);
        let allowance = Allowance::new(budget, period);
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.spend(&place, allowance, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.spend(&place, allowance, now).await?),
        }
    }

    /// What [`Ephemeral::spend`] would find, without spending: `remaining` counts the unit asked about.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn spent(
        &self,
        counter: Counter<'_>,
        budget: u32,
        period: Duration,
        now: Timestamp,
    ) -> Result<Spent, Error> {
        let place = Place::counter(counter);
        let allowance = Allowance::new(budget, period);
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.spent(&place, allowance, now).await?),
            Backend::Embedded(embedded) => Ok(embedded.spent(&place, allowance, now).await?),
        }
    }

    /// [`Ephemeral::spend`] from a counter whose key a stranger chooses, at next to no cost: a name that was typed, the network
    /// that somebody comes from. Of each thing that is counted a node adds no more than 50,000 such counters in the time that
    /// they are kept; past that a new one counts as used up, and those that are there go on.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn spend_of_stranger(
        &self,
        counter: Counter<'_>,
        budget: u32,
        period: Duration,
        now: Timestamp,
    ) -> Result<Spent, Error> {
        let newcomers = self.here.newcomers(counter.counted.word(), period);
        if newcomers.are_too_many(now) && self.spent(counter, budget, period, now).await?.is_untouched(budget) {
            return Ok(Spent::Refused { retry_after: FULL });
        }
        let spent = self.spend(counter, budget, period, now).await?;
        if spent.is_first_of(budget) {
            newcomers.count(now);
        }
        Ok(spent)
    }

    /// [`Ephemeral::spend`] by the counters of this node alone: while the shared ones do not answer.
    pub fn spend_here(&self, counter: Counter<'_>, budget: u32, period: Duration, now: Timestamp) -> Spent {
        let allowance = Allowance::new(budget, period);
        self.here.spend(&Place::counter(counter), allowance, now)
    }

    /// [`Ephemeral::spent`] by the counters of this node alone.
    pub fn spent_here(&self, counter: Counter<'_>, budget: u32, period: Duration, now: Timestamp) -> Spent {
        let allowance = Allowance::new(budget, period);
        self.here.spent(&Place::counter(counter), allowance, now)
    }

    /// Gives one unit back that was spent at `at`: what was spent for turned out well.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn refund(&self, counter: Counter<'_>, at: Timestamp) -> Result<(), Error> {
        let place = Place::counter(counter);
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.refund(&place, at).await?),
            Backend::Embedded(embedded) => Ok(embedded.refund(&place, at).await?),
        }
    }

    /// Makes a budget whole again: a success clears the failures before it.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn clear(&self, counter: Counter<'_>) -> Result<(), Error> {
        let place = Place::counter(counter);
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.forget(&place).await?),
            Backend::Embedded(embedded) => Ok(embedded.clear(&place).await?),
        }
    }

    /// Removes up to `limit` ended entries and up to `limit` whole counters, and says how many went. Redis does so by
    /// itself.
    ///
    /// # Errors
    /// [`Error`] if the store does not answer.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        match &self.backend {
            Backend::Redis(_) => Ok(0),
            Backend::Embedded(embedded) => Ok(embedded.sweep(now, limit).await?),
        }
    }

    /// The embedded file, for its numbers; none of Redis.
    pub fn database(&self) -> Option<&sql::Database> {
        match &self.backend {
            Backend::Redis(_) => None,
            Backend::Embedded(embedded) => Some(embedded.database()),
        }
    }

    /// What Redis was asked, if it is Redis. Sessions use the same connection.
    pub fn redis_measures(&self) -> Option<&redis_connection::Measures> {
        match &self.backend {
            Backend::Redis(redis) => Some(redis.measures()),
            Backend::Embedded(_) => None,
        }
    }

    /// Writes what waits to be written, before the process ends. Redis has everything at once.
    ///
    /// # Errors
    /// [`Error`] if the file can't be written.
    pub async fn close(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Redis(_) => Ok(()),
            Backend::Embedded(embedded) => Ok(embedded.write().await?),
        }
    }

    /// Asks whether the store answers.
    ///
    /// # Errors
    /// [`Error`] if it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Redis(redis) => Ok(redis.ping().await?),
            Backend::Embedded(embedded) => Ok(embedded.ping().await?),
        }
    }
}
