//! What stood there before a change and what after. It lies apart from the audit log, so that the values go with the person they are
//! about while the log stays as it is: the event names a digest of them, which says whether they are those that were written.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Event, EventValues, Id, User};
use crate::sql::{self, Record, Row};

/// The values of one event.
#[derive(Clone, Debug)]
pub struct EventValuesRow {
    /// Of which.
    pub event: Id<Event>,
    /// The values.
    pub values: EventValues,
}

impl Record for EventValuesRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            event: row.id("event_id")?,
            values: EventValues::stored(row.bytes("salt")?, row.text("changes")?),
        })
    }
}

const LIST: &str = "
select event_id, salt, changes
from event_values
where event_id in ";

readers! {
    /// The values of these events, of those that have any.
    pub async fn list_event_values(&mut self, events: &[Id<Event>]) -> Result<Vec<EventValuesRow>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!("{LIST}{}", sql::places(1, events.len()));
        let statement = self.sql_built(text);
        Ok(events.iter().fold(statement, |statement, event| statement.bind(*event)).all().await?)
    }
}

const ADD: &str = "
insert into event_values (event_id, user_id, salt, changes)
values ($1, $2, $3, $4)
on conflict (event_id) do nothing";

const ADD_MANY: &str = "
insert into event_values (event_id, user_id, salt, changes)
values ";
const ONCE: &str = "
on conflict (event_id) do nothing";
/// How many one statement adds.
const ROWS: usize = 50;

const ADD_OBJECT: &str = "
insert into event_objects (object_id, event_id)
values ($1, $2)
on conflict (object_id, event_id) do nothing";

const ERASE: &str = "
delete from event_values
where user_id = $1";

const SWEEP: &str = "
delete from event_values
where event_id in (select event_id from event_values where event_id <= $1 order by event_id limit $2)";

const SWEEP_OBJECTS: &str = "
delete from event_objects
where event_id <= $1
and event_id in (select event_id from event_objects where event_id <= $1 order by event_id limit $2)";

/// The facts that name what an event is about.
const OBJECTS: &[&str] = &[
    "group",
    "role",
    "property",
    "relation",
    "segment",
    "resource",
    "webhook",
    "api_key",
    "terms",
    "promo_code",
];

impl Write {
    /// The same for many.
    pub(super) async fn add_values_of_many(&mut self, events: &[Event]) -> Result<(), Error> {
        let with_values: Vec<&Event> = events.iter().filter(|event| event.values.is_some()).collect();
        for some in with_values.chunks(ROWS) {
            let text = format!("{ADD_MANY}{}{ONCE}", sql::places(some.len(), 4));
            let statement = self.sql_built(text);
            let bound = some.iter().fold(statement, |statement, event| match &event.values {
                Some(values) => statement
                    .bind(event.id)
                    .bind(event.user)
                    .bind(values.salt().to_vec())
                    .bind(values.text()),
                None => statement,
            });
            bound.changed().await?;
        }
        for event in events {
            self.add_objects_of(event);
        }
        Ok(())
    }

    /// Keeps what an event changed, and what it is about. For whatever adds an event.
    pub(super) fn add_values_of(&mut self, event: &Event) {
        if let Some(values) = &event.values {
            self.sql(ADD)
                .bind(event.id)
                .bind(event.user)
                .bind(values.salt().to_vec())
                .bind(values.text())
                .later();
        }
        self.add_objects_of(event);
    }

    fn add_objects_of(&mut self, event: &Event) {
        let objects: Vec<uuid::Uuid> = event
            .facts
            .iter()
            .filter(|(name, _)| OBJECTS.contains(name))
            .filter_map(|(_, fact)| fact.id())
            .collect();
        for object in objects {
            self.sql(ADD_OBJECT).bind(object).bind(event.id).later();
        }
    }

    /// Forgets every value that somebody had, with them.
    pub(super) fn erase_values_of(&mut self, user: Id<User>) {
        self.sql(ERASE).bind(user).later();
    }

    /// Forgets the values of events up to and with this one, a bounded number.
    pub(super) async fn sweep_values(&mut self, last: Id<Event>, limit: u32) -> Result<(), Error> {
        self.sql(SWEEP).bind(last).bind(limit).changed().await?;
        self.sql(SWEEP_OBJECTS).bind(last).bind(limit).changed().await?;
        Ok(())
    }
}
