//! What webhooks have to be told, or were: one row for an event at a webhook, written in the transaction of the event.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{DeliveryOutcome, Event, Id, Timestamp, Webhook};
use crate::sql::{self, Record, Row};

/// An event that a webhook has to be told of, or was.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// Who is told.
    pub webhook: Id<Webhook>,
    /// Of what.
    pub event: Id<Event>,
    /// The event's kind.
    pub kind: String,
    /// When it was put down, or asked for again.
    pub queued_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, if it is.
    pub next_at: Option<Timestamp>,
    /// When it was taken or given up.
    pub finished_at: Option<Timestamp>,
    /// What came of it.
    pub outcome: DeliveryOutcome,
    /// The status of the last answer.
    pub status: Option<i64>,
    /// Why the last attempt did not succeed.
    pub error: Option<String>,
}

impl Record for DeliveryRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            webhook: row.id("webhook_id")?,
            event: row.id("event_id")?,
            kind: row.text("kind")?,
            queued_at: row.time("queued_at")?,
            attempts: row.int("attempts")?,
            next_at: row.maybe_time("next_at")?,
            finished_at: row.maybe_time("finished_at")?,
            outcome: row.named("outcome")?,
            status: row.maybe_int("status")?,
            error: row.maybe_text("error")?,
        })
    }
}

const LIST_DUE: &str = "
select webhook_id, event_id, kind, queued_at, attempts, next_at, finished_at, outcome, status, error
from webhook_deliveries
where webhook_id = $1
and next_at <= $2
order by next_at
limit $3";

const LIST: &str = "
select webhook_id, event_id, kind, queued_at, attempts, next_at, finished_at, outcome, status, error
from webhook_deliveries
where webhook_id = $1
and event_id < $2
order by event_id desc
limit $3";

const FIND: &str = "
select webhook_id, event_id, kind, queued_at, attempts, next_at, finished_at, outcome, status, error
from webhook_deliveries
where webhook_id = $1
and event_id = $2";

const WAITING: &str = "
select count(*)
from (
  select 1
  from webhook_deliveries
  where webhook_id = $1
  and next_at is not null
  limit $2
) as waiting";

readers! {
    /// What a webhook is to be told now, the longest due first.
    pub async fn list_due_deliveries(&mut self, webhook: Id<Webhook>, now: Timestamp, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
        Ok(self.sql(LIST_DUE).bind(webhook).bind(now).bind(limit).all().await?)
    }

    /// What a webhook was told or is to be told of events before this one, the newest first.
    pub async fn list_deliveries_of(&mut self, webhook: Id<Webhook>, before: Option<Id<Event>>, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST).bind(webhook).bind(before).bind(limit).all().await?)
    }

    /// What became of an event at a webhook.
    pub async fn find_delivery(&mut self, webhook: Id<Webhook>, event: Id<Event>) -> Result<Option<DeliveryRow>, Error> {
        Ok(self.sql(FIND).bind(webhook).bind(event).optional().await?)
    }

    /// How much waits for a webhook; no more than `most` is looked at.
    pub async fn count_waiting_deliveries(&mut self, webhook: Id<Webhook>, most: u32) -> Result<i64, Error> {
        Ok(self.sql(WAITING).bind(webhook).bind(most).one().await?)
    }
}

const ADD: &str = "
insert into webhook_deliveries (webhook_id, event_id, kind, queued_at, attempts, next_at, outcome)
values ";
const ONCE: &str = "
on conflict (webhook_id, event_id) do nothing";

/// How many columns one has when it is put down.
const COLUMNS: usize = 7;
/// How many one statement puts down.
const ROWS: usize = 100;

const CLAIM: &str = "
update webhook_deliveries
set next_at = $4, attempts = attempts + 1
where webhook_id = $1
and event_id = $2
and next_at <= $3";

const RELEASE: &str = "
update webhook_deliveries
set next_at = $4, attempts = attempts - 1
where webhook_id = $1
and event_id = $2
and next_at = $3";

const FINISH: &str = "
update webhook_deliveries
set outcome = $3, status = $4, error = $5, finished_at = $6, next_at = null
where webhook_id = $1
and event_id = $2
and next_at = $7";

const PUT_OFF: &str = "
update webhook_deliveries
set status = $3, error = $4, next_at = $5
where webhook_id = $1
and event_id = $2
and next_at = $6";

const REPEAT: &str = "
update webhook_deliveries
set outcome = 'waiting', status = null, error = null, finished_at = null, attempts = 0, queued_at = $3, next_at = $3
where webhook_id = $1
and event_id = $2";

const GIVE_UP: &str = "
update webhook_deliveries
set outcome = 'given_up', finished_at = $2, next_at = null
where (webhook_id, event_id) in (
  select webhook_id, event_id
  from webhook_deliveries
  where queued_at < $1
  and next_at is not null
  limit $3)";

const SWEEP: &str = "
delete from webhook_deliveries
where (webhook_id, event_id) in (
  select webhook_id, event_id
  from webhook_deliveries
  where queued_at < $1
  limit $2)";

impl Write {
    /// Puts down which webhooks are to be told of these events. For whatever adds events; without webhooks nothing is done.
    pub(super) fn tell_webhooks(&mut self, events: &[Event]) {
        let Some(webhooks) = self.webhooks.clone() else {
            return;
        };
        let wanted: Vec<(Id<Webhook>, &Event)> = events
            .iter()
            .flat_map(|event| {
                webhooks
                    .iter()
                    .filter(|webhook| webhook.takes(event))
                    .map(move |webhook| (webhook.id, event))
            })
            .collect();
        for wanted in wanted.chunks(ROWS) {
            let text = format!("{ADD}{}{ONCE}", sql::places(wanted.len(), COLUMNS));
            let mut statement = self.sql_built(text);
            for (webhook, event) in wanted {
                statement = statement
                    .bind(*webhook)
                    .bind(event.id)
                    .bind(event.kind.as_str())
                    .bind(event.at)
                    .bind(0_i64)
                    .bind(event.at)
                    .bind(DeliveryOutcome::Waiting.as_str());
            }
            statement.later();
        }
    }

    /// Takes what is due for telling until `until`. False if another node has it.
    pub async fn claim_delivery(
        &mut self,
        row: &mut DeliveryRow,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        let claimed = self.sql(CLAIM).bind(row.webhook).bind(row.event).bind(now).bind(until);
        let is_ours = claimed.changed().await? == 1;
        if is_ours {
            row.next_at = Some(until);
        }
        Ok(is_ours)
    }

    /// Gives back what was taken and not tried.
    pub fn release_delivery(&mut self, row: &DeliveryRow, next: Timestamp) {
        self.sql(RELEASE)
            .bind(row.webhook)
            .bind(row.event)
            .bind(row.next_at)
            .bind(next)
            .later();
    }

    /// Remembers what came of it. Nothing if it was claimed or asked for anew since `row` was claimed.
    pub fn finish_delivery(
        &mut self,
        row: &DeliveryRow,
        outcome: DeliveryOutcome,
        (status, error): (Option<u16>, Option<&str>),
        at: Timestamp,
    ) {
        self.sql(FINISH)
            .bind(row.webhook)
            .bind(row.event)
            .bind(outcome.as_str())
            .bind(status.map(i64::from))
            .bind(error.map(str::to_owned))
            .bind(at)
            .bind(row.next_at)
            .later();
    }

    /// Remembers why it did not come through, and when to try again; as above.
    pub fn put_off_delivery(&mut self, row: &DeliveryRow, (status, error): (Option<u16>, &str), next: Timestamp) {
        self.sql(PUT_OFF)
            .bind(row.webhook)
            .bind(row.event)
            .bind(status.map(i64::from))
            .bind(error)
            .bind(next)
            .bind(row.next_at)
            .later();
    }

    /// Tells of it once more, whatever came of it. False if there is no such delivery.
    pub async fn repeat_delivery(
        &mut self,
        webhook: Id<Webhook>,
        event: Id<Event>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        Ok(self.sql(REPEAT).bind(webhook).bind(event).bind(now).changed().await? == 1)
    }

    /// Gives up telling of what was put down before `before`, a bounded number.
    pub async fn give_up_deliveries(&mut self, before: Timestamp, at: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(GIVE_UP).bind(before).bind(at).bind(limit).changed().await?)
    }

    /// Forgets what was put down before `before`, a bounded number.
    pub async fn sweep_deliveries(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
