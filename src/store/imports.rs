//! Files of users that are brought in: the file in its parts, its rows, and how far it is. Whoever works on one holds a lease of it; what is
//! done with rows is written in the transaction that does it.

use super::rows::{Columns, to_json};
use super::{Error, Write, readers};
use crate::model::{
    Actor, Digest, Id, Import, ImportOptions, ImportOutcome, ImportPlan, ImportRow, ImportState, Scopes, Timestamp,
};
use crate::sql::{self, Record, Row};

impl Record for Import {
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
            format: row.named("format")?,
            options: row.json("options")?,
            layout: row.maybe_text("layout")?,
            actor,
            rights: rights.map(|held| Scopes::from_tokens(held.split(' ').filter(|token| !token.is_empty()))),
            parts: row.int("parts")?,
            bytes: row.int("bytes")?,
            position: row.int("position")?,
            row_number: row.int("row_number")?,
            creating: row.int("creating")?,
            changing: row.int("changing")?,
            skipping: row.int("skipping")?,
            refused: row.int("refused")?,
            done: row.int("done")?,
            failed: row.int("failed")?,
            reason: row.maybe_text("reason")?,
            detail: row.maybe_text("detail")?,
            created_at: row.time("created_at")?,
            visible_at: row.maybe_time("visible_at")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

impl Record for ImportRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            plan: row.named("plan")?,
            outcome: row.named("outcome")?,
            username: row.maybe_text("username")?,
            user: row.maybe_id("user_id")?,
            content: row.maybe_text("content")?,
            former: row.maybe_text("former")?,
            code: row.maybe_text("code")?,
            detail: row.maybe_text("detail")?,
        })
    }
}

/// A part of a file.
#[derive(Clone, Debug)]
pub struct ImportPart {
    /// Which, counted from 0.
    pub number: i64,
    /// How long it is.
    pub size: i64,
}

impl Record for ImportPart {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            size: row.int("size")?,
        })
    }
}

struct Content(Vec<u8>);

impl Record for Content {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(row.bytes("content")?))
    }
}

/// A row by which it is found whether another names the same.
#[derive(Clone, Debug)]
pub struct ImportKeys {
    /// The key of its username.
    pub username: Option<String>,
    /// The key of its mail address.
    pub email: Option<String>,
}

impl Record for ImportKeys {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            username: row.maybe_text("username_key")?,
            email: row.maybe_text("email_key")?,
        })
    }
}

const FIND: &str = "
select id, state, format, options, layout, actor_kind, actor_id, rights, parts, bytes, position, row_number, creating,
  changing, skipping, refused, done, failed, reason, detail, created_at, visible_at, ended_at
from imports
where id = $1";

const LIST: &str = "
select id, state, format, options, layout, actor_kind, actor_id, rights, parts, bytes, position, row_number, creating,
  changing, skipping, refused, done, failed, reason, detail, created_at, visible_at, ended_at
from imports
where id < $1
order by id desc
limit $2";

const LIST_DUE: &str = "
select id
from imports
where state in ('reading', 'making', 'showing', 'undoing')
and (lease_until is null or lease_until <= $1)
order by id
limit $2";

const COUNT_OPEN: &str = "
select count(*)
from (select 1 as one from imports where ended_at is null limit $1) as open_imports";

const PARTS: &str = "
select number, size
from import_parts
where import_id = $1
order by number";

const PART: &str = "
select content
from import_parts
where import_id = $1
and number = $2";

const ROWS: &str = "
select number, plan, outcome, username, user_id, content, former, code, detail
from import_rows
where import_id = $1
and number > $2
order by number
limit $3";

const ROWS_OF_PLAN: &str = "
select number, plan, outcome, username, user_id, content, former, code, detail
from import_rows
where import_id = $1
and plan = $4
and number > $2
order by number
limit $3";

const ROWS_OF_OUTCOME: &str = "
select number, plan, outcome, username, user_id, content, former, code, detail
from import_rows
where import_id = $1
and outcome = $4
and number > $2
order by number
limit $3";

const KEYS: &str = "
select username_key, email_key
from import_rows
where import_id = $1
and ";

const LIST_OLD: &str = "
select id
from imports
where ended_at < $1
or (ended_at is null and state in ('receiving', 'read', 'made') and created_at < $2)
order by id
limit $3";

/// Which rows are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRows {
    /// All.
    All,
    /// Those that are to do this.
    Planned(ImportPlan),
    /// Those of which this became.
    Outcome(ImportOutcome),
}

readers! {
    /// The import of this row.
    pub async fn find_import(&mut self, id: Id<Import>) -> Result<Option<Import>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// Imports before this one, the last begun first.
    pub async fn list_imports(&mut self, before: Option<Id<Import>>, limit: u32) -> Result<Vec<Import>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST).bind(before).bind(limit).all().await?)
    }

    /// Imports that something is to be done with and nobody is at, the first begun first.
    pub async fn list_due_imports(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Id<Import>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(LIST_DUE).bind(now).bind(limit).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// How many imports have not come to their end, counted no further than `most`.
    pub async fn count_open_imports(&mut self, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT_OPEN).bind(most).one().await?)
    }

    /// Imports that came to their end before `ended`, or wait for somebody since before `begun`.
    pub async fn list_old_imports(&mut self, ended: Timestamp, begun: Timestamp, limit: u32) -> Result<Vec<Id<Import>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(LIST_OLD).bind(ended).bind(begun).bind(limit).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// The parts of a file, in their order.
    pub async fn list_import_parts(&mut self, id: Id<Import>) -> Result<Vec<ImportPart>, Error> {
        Ok(self.sql(PARTS).bind(id).all().await?)
    }

    /// What a part holds.
    pub async fn find_import_part(&mut self, id: Id<Import>, number: i64) -> Result<Option<Vec<u8>>, Error> {
        let found: Option<Content> = self.sql(PART).bind(id).bind(number).optional().await?;
        Ok(found.map(|content| content.0))
    }

    /// Rows after this number.
    pub async fn list_import_rows(&mut self, id: Id<Import>, which: ImportRows, after: i64, limit: u32) -> Result<Vec<ImportRow>, Error> {
        let (text, word) = match which {
            ImportRows::All => (ROWS, None),
            ImportRows::Planned(plan) => (ROWS_OF_PLAN, Some(plan.as_str())),
            ImportRows::Outcome(outcome) => (ROWS_OF_OUTCOME, Some(outcome.as_str())),
        };
        let statement = self.sql(text).bind(id).bind(after).bind(limit);
        let statement = match word {
            Some(word) => statement.bind(word),
            None => statement,
        };
        Ok(statement.all().await?)
    }

    /// The names of earlier rows that are among these.
    pub async fn list_import_keys(&mut self, id: Id<Import>, keys: &[String]) -> Result<Vec<ImportKeys>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let places = (0..keys.len()).map(|place| format!("${}", place + 2)).collect::<Vec<_>>().join(", ");
        // each by its own index
        let text = format!("{KEYS}username_key in ({places})\nunion{KEYS}email_key in ({places})");
        let statement = self.sql_built(text).bind(id);
        Ok(keys.iter().fold(statement, |statement, key| statement.bind(key)).all().await?)
    }
}

const ADD: &str = "
insert into imports (id, state, format, options, actor_kind, actor_id, rights, parts, bytes, position, row_number, creating, changing,
  skipping, refused, done, failed, shown, created_at)
values ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $9, $8)";

const PUT_PART: &str = "
insert into import_parts (import_id, number, size, content)
values ($1, $2, $3, $4)
on conflict (import_id, number) do update
set size = excluded.size, content = excluded.content";

const COUNT_PARTS: &str = "
update imports
set parts = (select count(*) from import_parts where import_id = $1),
  bytes = (select coalesce(sum(size), 0) from import_parts where import_id = $1)
where id = $1
and state = 'receiving'";

const MOVE: &str = "
update imports
set state = $3, position = 0, done = 0, failed = 0, reason = null, detail = null, ended_at = $4,
  visible_at = coalesce(visible_at, $5), shown = $6, actor_kind = $7, actor_id = $8, rights = $9, lease = null, lease_until = null
where id = $1
and state = $2";

const CLAIM: &str = "
update imports
set lease = $2, lease_until = $3
where id = $1
and state in ('reading', 'making', 'showing', 'undoing')
and (lease_until is null or lease_until <= $4)";

const LET_GO: &str = "
update imports
set lease = null, lease_until = $3
where id = $1
and lease = $2";

const FORGET_FIRST_PARTS: &str = "
delete from import_parts
where import_id = $1
and number < $2";

const FORGET_PARTS: &str = "
delete from import_parts
where import_id = $1";

const FORGET_SECRETS: &str = "
update imports
set options = $2
where id = $1";

const ADD_ROWS: &str = "
insert into import_rows (import_id, number, plan, outcome, username, username_key, email_key, user_id, content, code, detail)
values ";

const ROWS_DONE: &str = "
update import_rows
set outcome = 'done', content = null
where import_id = $1
and plan = 'create'
and outcome = 'planned'
and number > $2
and number <= $3";

const ROW_ENDED: &str = "
update import_rows
set outcome = $3, content = null, former = coalesce($4, former), code = coalesce($5, code), detail = coalesce($6, detail)
where import_id = $1
and number = $2";

const ROWS_UNDONE: &str = "
update import_rows
set outcome = 'undone'
where import_id = $1
and plan = 'create'
and outcome = 'done'
and number > $2
and number <= $3";

const SWEEP_ROWS: &str = "
delete from import_rows
where import_id = $1
and number in (select number from import_rows where import_id = $1 order by number limit $2)";

const SETTLE: &str = "
update users
set hidden_by = null
where id in (select id from users where hidden_by = $1 limit $2)";

const REMOVE: &str = "
delete from imports
where id = $1";

/// How far somebody who is at an import has come.
#[derive(Clone, Debug)]
pub struct ImportProgress {
    /// Where it goes on.
    pub position: i64,
    /// How many more are done.
    pub done: i64,
    /// How many more could not be.
    pub failed: i64,
}

const GO_ON: &str = "
update imports
set position = $3, done = done + $4, failed = failed + $5, lease_until = $6
where id = $1
and lease = $2";

const GO_ON_READING: &str = "
update imports
set position = $3, row_number = $4, layout = $5, creating = creating + $6, changing = changing + $7, skipping = skipping + $8,
  refused = refused + $9, lease_until = $10
where id = $1
and lease = $2
and state = 'reading'";

const END: &str = "
update imports
set state = $3, reason = $4, detail = $5, ended_at = $6, lease = null, lease_until = null
where id = $1
and lease = $2";

/// What was read of a file.
#[derive(Clone, Debug, Default)]
pub struct ImportReading {
    /// The byte at which it goes on.
    pub position: i64,
    /// The last row.
    pub row_number: i64,
    /// How the file is laid out.
    pub layout: Option<String>,
    /// How many of the rows make somebody, change somebody, do nothing, are refused.
    pub counts: [i64; 4],
}

/// A row as it is added.
#[derive(Clone, Debug)]
pub struct NewImportRow {
    /// The row.
    pub row: ImportRow,
    /// The key of its username.
    pub username_key: Option<String>,
    /// The key of its mail address.
    pub email_key: Option<String>,
}

/// How many columns a row has.
const ROW_COLUMNS: usize = 11;
/// How many rows one statement adds.
const ROWS_AT_ONCE: usize = 100;

impl Write {
    /// Adds an import whose file is to come.
    pub async fn add_import(&mut self, import: &Import) -> Result<(), Error> {
        let rights = import.rights.as_ref();
        let rights = rights.map(|held| held.iter().collect::<Vec<_>>().join(" "));
        self.sql(ADD)
            .bind(import.id)
            .bind(import.state.as_str())
            .bind(import.format.as_str())
            .bind(to_json(&import.options)?)
            .bind(import.actor.kind())
            .bind(import.actor.id())
            .bind(rights)
            .bind(import.created_at)
            .bind(false)
            .changed()
            .await?;
        Ok(())
    }

    /// Puts a part of the file into its place. False if it is not coming any more.
    pub async fn put_import_part(&mut self, id: Id<Import>, number: i64, content: Vec<u8>) -> Result<bool, Error> {
        let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let putting = self.sql(PUT_PART).bind(id).bind(number).bind(size).bind(content);
        putting.changed().await?;
        Ok(self.sql(COUNT_PARTS).bind(id).changed().await? == 1)
    }

    /// Moves an import from one state into another, and begins at its beginning there, for whoever wants that. False if it is in another.
    pub async fn move_import(
        &mut self,
        id: Id<Import>,
        (from, to): (ImportState, ImportState),
        (actor, rights): (Actor, Option<&Scopes>),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let moving = self.sql(MOVE).bind(id).bind(from.as_str()).bind(to.as_str());
        let moving = moving.bind((to == ImportState::Cancelled).then_some(now));
        let shown = to == ImportState::Showing;
        let moving = moving.bind(shown.then_some(now)).bind(shown);
        let rights = rights.map(|held| held.iter().collect::<Vec<_>>().join(" "));
        let moving = moving.bind(actor.kind()).bind(actor.id()).bind(rights);
        Ok(moving.changed().await? == 1)
    }

    /// Takes out of an import what was needed to read its file alone.
    pub async fn forget_import_secrets(&mut self, id: Id<Import>, options: &ImportOptions) -> Result<(), Error> {
        self.sql(FORGET_SECRETS)
            .bind(id)
            .bind(to_json(options)?)
            .changed()
            .await?;
        Ok(())
    }

    /// Takes an import that nobody is at, until then. False if somebody was first, or nothing is to be done.
    pub async fn claim_import(
        &mut self,
        id: Id<Import>,
        lease: &Digest,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let claiming = self.sql(CLAIM).bind(id).bind(lease).bind(until).bind(now);
        Ok(claiming.changed().await? == 1)
    }

    /// Leaves an import to whoever comes next.
    pub async fn let_go_of_import(&mut self, id: Id<Import>, lease: &Digest, now: Timestamp) -> Result<(), Error> {
        self.sql(LET_GO).bind(id).bind(lease).bind(now).changed().await?;
        Ok(())
    }

    /// Says how far an import is, and that somebody is at it until then. False if they are no more: then nothing of it may be done.
    pub async fn go_on_with_import(
        &mut self,
        id: Id<Import>,
        lease: &Digest,
        (progress, until): (&ImportProgress, Timestamp),
    ) -> Result<bool, Error> {
        let going = self.sql(GO_ON).bind(id).bind(lease).bind(progress.position);
        let going = going.bind(progress.done).bind(progress.failed).bind(until);
        Ok(going.changed().await? == 1)
    }

    /// The same while its file is read.
    pub async fn go_on_reading_import(
        &mut self,
        id: Id<Import>,
        lease: &Digest,
        (reading, until): (&ImportReading, Timestamp),
    ) -> Result<bool, Error> {
        let going = self.sql(GO_ON_READING).bind(id).bind(lease);
        let going = going.bind(reading.position).bind(reading.row_number);
        let going = reading
            .counts
            .into_iter()
            .fold(going.bind(reading.layout.clone()), |going, count| going.bind(count));
        Ok(going.bind(until).changed().await? == 1)
    }

    /// Brings an import into the state in which nobody is at it. False if whoever says so is at it no more.
    pub async fn finish_import(
        &mut self,
        id: Id<Import>,
        lease: &Digest,
        (state, why, ended): (ImportState, Option<(&str, &str)>, Option<Timestamp>),
    ) -> Result<bool, Error> {
        let (reason, detail) = why.unzip();
        let ending = self.sql(END).bind(id).bind(lease).bind(state.as_str());
        let ending = ending.bind(reason.map(str::to_owned)).bind(detail.map(str::to_owned));
        Ok(ending.bind(ended).changed().await? == 1)
    }

    /// Forgets a file that was read.
    pub async fn forget_import_parts(&mut self, id: Id<Import>) -> Result<(), Error> {
        self.sql(FORGET_PARTS).bind(id).changed().await?;
        Ok(())
    }

    /// Forgets the parts in which a file came, once it is there in others.
    pub async fn forget_import_parts_before(&mut self, id: Id<Import>, number: i64) -> Result<(), Error> {
        self.sql(FORGET_FIRST_PARTS).bind(id).bind(number).changed().await?;
        Ok(())
    }

    /// Adds rows.
    pub async fn add_import_rows(&mut self, id: Id<Import>, rows: &[NewImportRow]) -> Result<(), Error> {
        for some in rows.chunks(ROWS_AT_ONCE) {
            let text = format!("{ADD_ROWS}{}", sql::places(some.len(), ROW_COLUMNS));
            let statement = self.sql_built(text);
            let bound = some.iter().fold(statement, |statement, new| {
                let row = &new.row;
                let statement = statement.bind(id).bind(row.number).bind(row.plan.as_str());
                let statement = statement.bind(row.outcome.as_str()).bind(row.username.clone());
                let statement = statement.bind(new.username_key.clone()).bind(new.email_key.clone());
                let statement = statement.bind(row.user).bind(row.content.clone());
                statement.bind(row.code.clone()).bind(row.detail.clone())
            });
            bound.changed().await?;
        }
        Ok(())
    }

    /// Those who were to be made by the rows after the one and up to the other are.
    pub async fn import_rows_are_done(&mut self, id: Id<Import>, after: i64, last: i64) -> Result<u64, Error> {
        let ending = self.sql(ROWS_DONE).bind(id).bind(after).bind(last);
        Ok(ending.changed().await?)
    }

    /// They are gone again.
    pub async fn import_rows_are_undone(&mut self, id: Id<Import>, after: i64, last: i64) -> Result<u64, Error> {
        let ending = self.sql(ROWS_UNDONE).bind(id).bind(after).bind(last);
        Ok(ending.changed().await?)
    }

    /// What became of one row; what was there before, and why it could not be done, where that is said.
    pub async fn import_row_ended(
        &mut self,
        id: Id<Import>,
        row: (i64, ImportOutcome),
        (former, why): (Option<String>, Option<(String, String)>),
    ) -> Result<(), Error> {
        let (code, detail) = why.unzip();
        let ending = self.sql(ROW_ENDED).bind(id).bind(row.0).bind(row.1.as_str());
        ending.bind(former).bind(code).bind(detail).changed().await?;
        Ok(())
    }

    /// Forgets a bounded number of what is left of an import: whom it made are seen for good, then its rows go, then itself. Gives
    /// whether it is gone.
    pub async fn sweep_import(&mut self, id: Id<Import>, limit: u32) -> Result<bool, Error> {
        if self.sql(SETTLE).bind(id).bind(limit).changed().await? > 0 {
            return Ok(false);
        }
        if self.sql(SWEEP_ROWS).bind(id).bind(limit).changed().await? > 0 {
            return Ok(false);
        }
        self.sql(REMOVE).bind(id).changed().await?;
        Ok(true)
    }
}
