//! Workbooks of users: what is to be in each, how far it is, and the workbook itself in pieces. Whoever writes one holds a lease of it.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Actor, Digest, Export, Id, JobState, Scopes, Timestamp};
use crate::sql::{self, Record, Row};

impl Record for Export {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let actor = match (row.text("actor_kind")?.as_str(), row.maybe_uuid("actor_id")?) {
            ("user", Some(id)) => Actor::User(Id::from_uuid(id)),
            ("client", Some(id)) => Actor::Client(Id::from_uuid(id)),
            ("operator", _) => Actor::Operator,
            _ => Actor::Anonymous,
        };
        let rights = row.maybe_text("rights")?;
        Ok(Self {
            id: row.id("id")?,
            state: row.named("state")?,
            task: row.text("task")?,
            actor,
            rights: rights.map(|held| Scopes::from_tokens(held.split(' ').filter(|token| !token.is_empty()))),
            rows: row.int("rows_written")?,
            bytes: row.int("bytes")?,
            reason: row.maybe_text("reason")?,
            created_at: row.time("created_at")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

struct Content(Vec<u8>);

impl Record for Content {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(row.bytes("content")?))
    }
}

const FIND: &str = "
select id, state, task, actor_kind, actor_id, rights, rows_written, bytes, reason, created_at, ended_at
from exports
where id = $1";

const LIST: &str = "
select id, state, task, actor_kind, actor_id, rights, rows_written, bytes, reason, created_at, ended_at
from exports
where id < $1
order by id desc
limit $2";

const LIST_DUE: &str = "
select id
from exports
where state in ('waiting', 'running')
and (lease_until is null or lease_until <= $1)
order by id
limit 1";

const COUNT: &str = "
select count(*)
from (select 1 as one from exports where state in ('waiting', 'running', 'done') limit $1) as counted";

const PART: &str = "
select content
from export_parts
where export_id = $1
and number = $2";

readers! {
    /// The export of this row.
    pub async fn find_export(&mut self, id: Id<Export>) -> Result<Option<Export>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// Exports before this one, the last begun first.
    pub async fn list_exports(&mut self, before: Option<Id<Export>>, limit: u32) -> Result<Vec<Export>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST).bind(before).bind(limit).all().await?)
    }

    /// The first export that is to be written and nobody is at.
    pub async fn find_due_export(&mut self, now: Timestamp) -> Result<Option<Id<Export>>, Error> {
        let id: Option<uuid::Uuid> = self.sql(LIST_DUE).bind(now).optional().await?;
        Ok(id.map(Id::from_uuid))
    }

    /// How many exports there are, or will be, counted no further than `most`.
    pub async fn count_exports(&mut self, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT).bind(most).one().await?)
    }

    /// A piece of a workbook, counted from 0; none behind its end.
    pub async fn find_export_part(&mut self, id: Id<Export>, number: i64) -> Result<Option<Vec<u8>>, Error> {
        let found: Option<Content> = self.sql(PART).bind(id).bind(number).optional().await?;
        Ok(found.map(|content| content.0))
    }
}

const ADD: &str = "
insert into exports (id, state, task, actor_kind, actor_id, rights, rows_written, bytes, created_at)
values ($1, $2, $3, $4, $5, $6, 0, 0, $7)";

const CLAIM: &str = "
update exports
set state = 'running', lease = $2, lease_until = $3, rows_written = 0
where id = $1
and state in ('waiting', 'running')
and (lease_until is null or lease_until <= $4)";

const GO_ON: &str = "
update exports
set rows_written = $3, bytes = $4, lease_until = $5
where id = $1
and lease = $2
and state = 'running'";

const END: &str = "
update exports
set state = $3, reason = $4, ended_at = $5, lease = null, lease_until = null
where id = $1
and lease = $2
and state = 'running'";

const PUT_PART: &str = "
insert into export_parts (export_id, number, content)
values ($1, $2, $3)
on conflict (export_id, number) do update
set content = excluded.content";

const REMOVE: &str = "
delete from exports
where id = $1";

const SWEEP_PARTS: &str = "
delete from export_parts
where (export_id, number) in (
  select p.export_id, p.number
  from export_parts p
  join exports e on e.id = p.export_id
  where e.ended_at < $1
  limit $2
)";

const SWEEP: &str = "
delete from exports
where id in (
  select id
  from exports
  where ended_at < $1
  and not exists (select 1 from export_parts where export_parts.export_id = exports.id)
  limit $2
)";

impl Write {
    /// Adds an export that is to be written.
    pub async fn add_export(&mut self, export: &Export) -> Result<(), Error> {
        let rights = export.rights.as_ref();
        let rights = rights.map(|held| held.iter().collect::<Vec<_>>().join(" "));
        self.sql(ADD)
            .bind(export.id)
            .bind(export.state.as_str())
            .bind(export.task.as_str())
            .bind(export.actor.kind())
            .bind(export.actor.id())
            .bind(rights)
            .bind(export.created_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Takes an export that nobody is at, until then. False if somebody was first, or it has come to its end.
    pub async fn claim_export(
        &mut self,
        id: Id<Export>,
        lease: &Digest,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let claiming = self.sql(CLAIM).bind(id).bind(lease).bind(until).bind(now);
        Ok(claiming.changed().await? == 1)
    }

    /// Says how far an export is (rows and bytes), and that somebody is at it until then. False if they are no more.
    pub async fn go_on_with_export(
        &mut self,
        id: Id<Export>,
        lease: &Digest,
        ((rows, bytes), until): ((i64, i64), Timestamp),
    ) -> Result<bool, Error> {
        let going = self.sql(GO_ON).bind(id).bind(lease).bind(rows).bind(bytes).bind(until);
        Ok(going.changed().await? == 1)
    }

    /// Says that an export has come to its end. False if whoever says so is at it no more.
    pub async fn finish_export(
        &mut self,
        id: Id<Export>,
        lease: &Digest,
        (state, reason, now): (JobState, Option<&str>, Timestamp),
    ) -> Result<bool, Error> {
        let ending = self.sql(END).bind(id).bind(lease).bind(state.as_str());
        Ok(ending.bind(reason.map(str::to_owned)).bind(now).changed().await? == 1)
    }

    /// Puts a piece of a workbook into its place.
    pub async fn put_export_part(&mut self, id: Id<Export>, number: i64, content: Vec<u8>) -> Result<(), Error> {
        self.sql(PUT_PART).bind(id).bind(number).bind(content).changed().await?;
        Ok(())
    }

    /// Forgets an export with its workbook. False if it was not there.
    pub async fn remove_export(&mut self, id: Id<Export>) -> Result<bool, Error> {
        Ok(self.sql(REMOVE).bind(id).changed().await? == 1)
    }

    /// Forgets exports that came to their end before `before`, their workbooks first; a bounded number of rows.
    pub async fn sweep_exports(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let parts = self.sql(SWEEP_PARTS).bind(before).bind(limit).changed().await?;
        if parts >= u64::from(limit) {
            return Ok(parts);
        }
        let exports = self.sql(SWEEP).bind(before).bind(limit).changed().await?;
        Ok(parts.saturating_add(exports))
    }
}
