//! Audit events: written with the change they describe.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Event, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// An event as it is read back.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// The row.
    pub id: Id<Event>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: String,
    /// How it ended.
    pub outcome: String,
    /// Why, where it was refused.
    pub reason: Option<String>,
    /// Who did it: the kind.
    pub actor_kind: String,
    /// Who did it: the id.
    pub actor_id: Option<uuid::Uuid>,
    /// Whom it was done to.
    pub user: Option<uuid::Uuid>,
    /// For which client.
    pub client: Option<uuid::Uuid>,
    /// From where.
    pub address: Option<String>,
    /// The request's trace id.
    pub trace: String,
    /// What else is worth knowing.
    pub facts: serde_json::Value,
}

impl Record for EventRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            at: row.time("at")?,
            kind: row.text("kind")?,
            outcome: row.text("outcome")?,
            reason: row.maybe_text("reason")?,
            actor_kind: row.text("actor_kind")?,
            actor_id: row.maybe_uuid("actor_id")?,
            user: row.maybe_uuid("user_id")?,
            client: row.maybe_uuid("client_id")?,
            address: row.maybe_text("address")?,
            trace: row.text("trace")?,
            facts: row.json("facts")?,
        })
    }
}

const LIST: &str = "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where id < $1
order by id desc
limit $2";

/// Which events are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsOf {
    /// All.
    Everything,
    /// What was done to somebody, but for the everyday traffic of their applications.
    User(uuid::Uuid),
    /// What was done to an application, but for its everyday traffic.
    Client(uuid::Uuid),
    /// What somebody did, but for everyday traffic.
    Actor(uuid::Uuid),
    /// What is about a group, a resource, a webhook or the like.
    Object(uuid::Uuid),
    /// Of this kind.
    Kind(String),
    /// What was refused.
    Refused,
}

/// A list of events before `$1` and not before `$2`.
macro_rules! listed {
    ($picked:literal) => {
        concat!(
            "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where ",
            $picked,
            "
id < $1
and id >= $2
order by id desc
limit $3"
        )
    };
}

const LIST_EVERYTHING: &str = listed!("");
// as the indexes say it, which hold nothing else
const LIST_OF_USER_TOLD: &str =
    listed!("user_id = $4\nand kind not in ('authorization', 'code.redeemed', 'token.refreshed')\nand ");
const LIST_OF_CLIENT: &str = listed!(
    "client_id = $4\nand kind not in ('authorization', 'code.redeemed', 'token.refreshed', 'token.issued', 'client.authentication', 'consent')\nand "
);
const LIST_OF_ACTOR: &str = listed!(
    "actor_id = $4\nand kind not in ('authorization', 'code.redeemed', 'token.refreshed', 'token.issued', 'client.authentication', 'consent')\nand "
);
const LIST_OF_KIND: &str = listed!("kind = $4\nand ");
const LIST_REFUSED: &str = listed!("outcome = 'refused'\nand ");

const LIST_OF_OBJECT: &str = "
select events.id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from event_objects
join events on events.id = event_objects.event_id
where event_objects.event_id < $1
and event_objects.event_id >= $2
and event_objects.object_id = $4
order by event_objects.event_id desc
limit $3";

const LIST_FORWARD: &str = "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where id > $1
and id <= $2
order by id
limit $3";

const LIST_OF_USER: &str = "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where user_id = $1
order by at desc
limit $2";

// as the index says it, which holds nothing else
const LIST_TOLD: &str = "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where user_id = $1
and id < $2
and kind not in ('authorization', 'code.redeemed', 'token.refreshed')
order by id desc
limit $3";

const FIND: &str = "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where id = $1";

const LIST_OF_TRACE: &str = "
select id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts
from events
where trace = $1
order by id
limit $2";

readers! {
    /// Events before this one, newest first.
    pub async fn list_events(&mut self, before: Option<Id<Event>>, limit: u32) -> Result<Vec<EventRow>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST).bind(before).bind(limit).all().await?)
    }

    /// Some events before one and not before the other, the newest first.
    pub async fn list_events_of(
        &mut self,
        of: &EventsOf,
        before: Id<Event>,
        from: Id<Event>,
        limit: u32,
    ) -> Result<Vec<EventRow>, Error> {
        let text = match of {
            EventsOf::Everything => LIST_EVERYTHING,
            EventsOf::User(_) => LIST_OF_USER_TOLD,
            EventsOf::Client(_) => LIST_OF_CLIENT,
            EventsOf::Actor(_) => LIST_OF_ACTOR,
            EventsOf::Object(_) => LIST_OF_OBJECT,
            EventsOf::Kind(_) => LIST_OF_KIND,
            EventsOf::Refused => LIST_REFUSED,
        };
        let statement = self.sql(text).bind(before).bind(from).bind(limit);
        let statement = match of {
            EventsOf::Everything | EventsOf::Refused => statement,
            EventsOf::User(id) | EventsOf::Client(id) | EventsOf::Actor(id) | EventsOf::Object(id) => statement.bind(*id),
            EventsOf::Kind(kind) => statement.bind(kind),
        };
        Ok(statement.all().await?)
    }

    /// Events after this one, up to and with the other, the oldest first.
    pub async fn list_events_between(&mut self, after: Option<Id<Event>>, last: Id<Event>, limit: u32) -> Result<Vec<EventRow>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST_FORWARD).bind(after).bind(last).bind(limit).all().await?)
    }

    /// What a person is told of what was done to them, before this event, newest first: not every token of every application.
    pub async fn list_events_told_to(&mut self, user: Id<User>, before: Option<Id<Event>>, limit: u32) -> Result<Vec<EventRow>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST_TOLD).bind(user).bind(before).bind(limit).all().await?)
    }

    /// An event.
    pub async fn find_event(&mut self, id: Id<Event>) -> Result<Option<EventRow>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// What was done under a trace id, in order.
    pub async fn list_events_of_trace(&mut self, trace: &str, limit: u32) -> Result<Vec<EventRow>, Error> {
        Ok(self.sql(LIST_OF_TRACE).bind(trace).bind(limit).all().await?)
    }

    /// What was done to a user, newest first.
    pub async fn list_events_of_user(&mut self, user: Id<User>, limit: u32) -> Result<Vec<EventRow>, Error> {
        Ok(self.sql(LIST_OF_USER).bind(user).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into events (id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (id) do nothing";

const ADD_MANY: &str = "
insert into events (id, at, kind, outcome, reason, actor_kind, actor_id, user_id, client_id, address, trace, facts)
values ";
const ONCE: &str = "
on conflict (id) do nothing";

const SWEEP: &str = "
delete from events
where id in (select id from events where id <= $1 order by id limit $2)";

/// How many columns an event has.
const COLUMNS: usize = 12;
/// How many events one statement adds.
const ROWS: usize = 50;

impl Write {
    /// Forgets events up to and with this one, a bounded number.
    pub async fn sweep_events(&mut self, last: Id<Event>, limit: u32) -> Result<u64, Error> {
        self.sweep_values(last, limit).await?;
        Ok(self.sql(SWEEP).bind(last).bind(limit).changed().await?)
    }

    /// Adds an event, once: a batch whose commit was not answered is written again.
    pub async fn add_event(&mut self, event: &Event) -> Result<(), Error> {
        bind(self.sql(ADD), event).later();
        self.add_values_of(event);
        self.tell_webhooks(std::slice::from_ref(event));
        Ok(())
    }

    /// Adds many events, each once.
    pub async fn add_events(&mut self, events: &[Event]) -> Result<(), Error> {
        for some in events.chunks(ROWS) {
            let text = format!("{ADD_MANY}{}{ONCE}", sql::places(some.len(), COLUMNS));
            let statement = self.transaction.sql_built(text);
            some.iter().fold(statement, bind).changed().await?;
        }
        self.add_values_of_many(events).await?;
        self.tell_webhooks(events);
        Ok(())
    }
}

fn bind<'c>(statement: sql::Statement<'c>, event: &Event) -> sql::Statement<'c> {
    let facts: serde_json::Map<String, serde_json::Value> = event
        .facts
        .iter()
        .map(|(name, fact)| ((*name).to_owned(), fact.to_json()))
        .chain(
            event
                .values
                .as_ref()
                .map(|values| ("changes_digest".to_owned(), values.digest().into())),
        )
        .collect();
    statement
        .bind(event.id)
        .bind(event.at)
        .bind(event.kind.as_str())
        .bind(event.outcome.as_str())
        .bind(event.reason.map(str::to_owned))
        .bind(event.actor.kind())
        .bind(event.actor.id())
        .bind(event.user)
        .bind(event.client)
        .bind(event.address.map(|address| address.to_string()))
        .bind(event.trace.text())
        .bind(serde_json::Value::Object(facts).to_string())
}
