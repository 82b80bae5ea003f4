//! Checkpoints of the audit log: what a stretch of it was, under a digest that goes on from the stretch before.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Digest, Event, Id, Timestamp};
use crate::sql::{self, Record, Row};

/// A checkpoint: the events after the one before it, up to and with its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCheckpoint {
    /// From one on, without gaps.
    pub number: i64,
    /// The last event of the stretch.
    pub last_event: Id<Event>,
    /// When that happened.
    pub last_at: Timestamp,
    /// How many events the stretch has.
    pub events: i64,
    /// What they, and everything before them, come to.
    pub digest: Digest,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its events were forgotten, because their time was over.
    pub swept_at: Option<Timestamp>,
}

impl Record for EventCheckpoint {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            last_event: row.id("last_event")?,
            last_at: row.time("last_at")?,
            events: row.int("events")?,
            digest: row.digest("digest")?,
            made_at: row.time("made_at")?,
            swept_at: row.maybe_time("swept_at")?,
        })
    }
}

const FIND_LAST: &str = "
select number, last_event, last_at, events, digest, made_at, swept_at
from event_checkpoints
order by number desc
limit 1";

const FIND_LAST_BEFORE: &str = "
select number, last_event, last_at, events, digest, made_at, swept_at
from event_checkpoints
where last_at < $1
order by number desc
limit 1";

const FIND_SWEPT: &str = "
select number, last_event, last_at, events, digest, made_at, swept_at
from event_checkpoints
where swept_at is not null
order by number desc
limit 1";

const LIST: &str = "
select number, last_event, last_at, events, digest, made_at, swept_at
from event_checkpoints
where number > $1
order by number
limit $2";

const LIST_BACKWARD: &str = "
select number, last_event, last_at, events, digest, made_at, swept_at
from event_checkpoints
where number < $1
order by number desc
limit $2";

readers! {
    /// The newest.
    pub async fn find_last_event_checkpoint(&mut self) -> Result<Option<EventCheckpoint>, Error> {
        Ok(self.sql(FIND_LAST).optional().await?)
    }

    /// The newest of those whose events all happened before this.
    pub async fn find_event_checkpoint_before(&mut self, before: Timestamp) -> Result<Option<EventCheckpoint>, Error> {
        Ok(self.sql(FIND_LAST_BEFORE).bind(before).optional().await?)
    }

    /// The newest of those whose events were forgotten.
    pub async fn find_swept_event_checkpoint(&mut self) -> Result<Option<EventCheckpoint>, Error> {
        Ok(self.sql(FIND_SWEPT).optional().await?)
    }

    /// Those after this one, in order.
    pub async fn list_event_checkpoints(&mut self, after: i64, limit: u32) -> Result<Vec<EventCheckpoint>, Error> {
        Ok(self.sql(LIST).bind(after).bind(limit).all().await?)
    }

    /// Those before this one, the newest first.
    pub async fn list_latest_event_checkpoints(&mut self, before: i64, limit: u32) -> Result<Vec<EventCheckpoint>, Error> {
        Ok(self.sql(LIST_BACKWARD).bind(before).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into event_checkpoints (number, last_event, last_at, events, digest, made_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (number) do nothing";

const MARK_SWEPT: &str = "
update event_checkpoints
set swept_at = $2
where number = $1
and swept_at is null";

const SWEEP: &str = "
delete from event_checkpoints
where number in (select number from event_checkpoints where number < $1 order by number limit $2)";

impl Write {
    /// Adds a checkpoint; of several who make the same one the first counts. Gives whether it was this one.
    pub async fn add_event_checkpoint(&mut self, made: &EventCheckpoint) -> Result<bool, Error> {
        let added = self
            .sql(ADD)
            .bind(made.number)
            .bind(made.last_event)
            .bind(made.last_at)
            .bind(made.events)
            .bind(&made.digest)
            .bind(made.made_at)
            .changed()
            .await?;
        Ok(added == 1)
    }

    /// Says that the events of a checkpoint, and of all before it, are forgotten.
    pub async fn mark_event_checkpoint_swept(&mut self, number: i64, now: Timestamp) -> Result<(), Error> {
        self.sql(MARK_SWEPT).bind(number).bind(now).changed().await?;
        Ok(())
    }

    /// Forgets checkpoints before this one, a bounded number.
    pub async fn sweep_event_checkpoints(&mut self, before: i64, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
