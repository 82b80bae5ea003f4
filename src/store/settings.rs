//! Settings and the numbered revisions of everything that `apply`, console and API changed.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Actor, Timestamp};
use crate::sql::{self, Record, Row};

/// A revision: what stood before and after a change.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its number, from 1.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who: the kind.
    pub actor_kind: String,
    /// Who: the id.
    pub actor_id: Option<uuid::Uuid>,
    /// By what: `apply`, `api`, `rollback`.
    pub source: String,
    /// All stored settings before, as JSON by key.
    pub before: serde_json::Map<String, serde_json::Value>,
    /// All stored settings after, as JSON by key.
    pub after: serde_json::Map<String, serde_json::Value>,
}

impl Record for Revision {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            at: row.time("at")?,
            actor_kind: row.text("actor_kind")?,
            actor_id: row.maybe_uuid("actor_id")?,
            source: row.text("source")?,
            before: row.json("before")?,
            after: row.json("after")?,
        })
    }
}

struct Stored {
    key: String,
    value: serde_json::Value,
}

impl Record for Stored {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            key: row.text("key")?,
            value: row.json("value")?,
        })
    }
}

const LIST: &str = "
select key, value
from settings
order by key";

const FIND: &str = "
select key, value
from settings
where key = $1";

const REVISIONS: &str = "
select number, at, actor_kind, actor_id, source, before, after
from setting_revisions
order by number desc
limit $1";

const REVISION: &str = "
select number, at, actor_kind, actor_id, source, before, after
from setting_revisions
where number = $1";

readers! {
    /// What the store says for everyone, by key.
    pub async fn list_settings(&mut self) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        let rows: Vec<Stored> = self.sql(LIST).all().await?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }

    /// What the store says for everyone under this key, if anything.
    pub async fn find_setting(&mut self, key: &str) -> Result<Option<serde_json::Value>, Error> {
        let row: Option<Stored> = self.sql(FIND).bind(key).optional().await?;
        Ok(row.map(|row| row.value))
    }

    /// The newest revisions first.
    pub async fn list_revisions(&mut self, limit: u32) -> Result<Vec<Revision>, Error> {
        Ok(self.sql(REVISIONS).bind(limit).all().await?)
    }

    /// One revision.
    pub async fn find_revision(&mut self, number: i64) -> Result<Option<Revision>, Error> {
        Ok(self.sql(REVISION).bind(number).optional().await?)
    }
}

const CLEAR: &str = "
delete from settings";

const SET: &str = "
insert into settings (key, value)
values ($1, $2)";

const ADD_REVISION: &str = "
insert into setting_revisions (number, at, actor_kind, actor_id, source, before, after)
select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5, $6
from setting_revisions";

impl Write {
    /// Puts `after` in place of all stored settings, as a new revision.
    pub async fn replace_settings(
        &mut self,
        after: &serde_json::Map<String, serde_json::Value>,
        actor: Actor,
        source: &'static str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let before = self.list_settings().await?;
        self.sql(CLEAR).changed().await?;
        for (key, value) in after {
            self.sql(SET)
                .bind(key.as_str())
                .bind(value.to_string())
                .changed()
                .await?;
        }
        self.sql(ADD_REVISION)
            .bind(at)
            .bind(actor.kind())
            .bind(actor.id())
            .bind(source)
            .bind(serde_json::Value::Object(before).to_string())
            .bind(serde_json::Value::Object(after.clone()).to_string())
            .changed()
            .await?;
        Ok(())
    }
}
