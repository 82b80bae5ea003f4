//! Segments: what was asked about people, under a name.

use super::rows::{Columns, to_json};
use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Id, Segment};
use crate::sql::{self, Record, Row};

impl Record for Segment {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            owner: Some(row.text("owner")?).filter(|owner| !owner.is_empty()),
            description: row.maybe_text("description")?,
            search: row.json("search")?,
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

const FIND: &str = "
select id, name, owner, description, search, version, created_at, updated_at
from segments
where id = $1";

const FIND_BY_NAME: &str = "
select id, name, owner, description, search, version, created_at, updated_at
from segments
where owner = $1
and name_key = $2";

const LIST: &str = "
select id, name, owner, description, search, version, created_at, updated_at
from segments
where owner = $1
order by name_key
limit $2";

const LIST_APPLIED: &str = "
select name
from segments
where applied
order by name_key";

readers! {
    /// The segment of this row.
    pub async fn find_segment(&mut self, id: Id<Segment>) -> Result<Option<Segment>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// The segment of this name, of everybody or of whoever is named.
    pub async fn find_segment_by_name(&mut self, owner: Option<&str>, name: &str) -> Result<Option<Segment>, Error> {
        Ok(self.sql(FIND_BY_NAME).bind(owner.unwrap_or_default()).bind(comparison_key(name)).optional().await?)
    }

    /// The segments of everybody, or of whoever is named, by name; a bounded number.
    pub async fn list_segments(&mut self, owner: Option<&str>, most: u32) -> Result<Vec<Segment>, Error> {
        Ok(self.sql(LIST).bind(owner.unwrap_or_default()).bind(most).all().await?)
    }

    /// The names that came by `apply`.
    pub async fn list_applied_segments(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into segments (id, name, name_key, owner, description, search, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const CHANGE: &str = "
update segments
set name = $3, name_key = $4, owner = $5, description = $6, search = $7, updated_at = $8, version = version + 1
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update segments
set applied = $2
where id = $1";

const DELETE: &str = "
delete from segments
where id = $1
and version = $2";

impl Write {
    /// Adds a segment. `Taken("segments_owner_name_key")` if there is one of this name.
    pub async fn add_segment(&mut self, segment: &Segment) -> Result<(), Error> {
        self.sql(ADD)
            .bind(segment.id)
            .bind(segment.name.as_str())
            .bind(comparison_key(&segment.name))
            .bind(segment.owner.as_deref().unwrap_or_default())
            .bind(segment.description.as_deref())
            .bind(to_json(&segment.search)?)
            .bind(false)
            .bind(segment.version)
            .bind(segment.created_at)
            .bind(segment.updated_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Changes everything, if the version still is the segment's. False if not.
    pub async fn change_segment(&mut self, segment: &Segment) -> Result<bool, Error> {
        let changing = self
            .sql(CHANGE)
            .bind(segment.id)
            .bind(segment.version)
            .bind(segment.name.as_str())
            .bind(comparison_key(&segment.name))
            .bind(segment.owner.as_deref().unwrap_or_default())
            .bind(segment.description.as_deref())
            .bind(to_json(&segment.search)?)
            .bind(segment.updated_at);
        Ok(changing.changed().await? == 1)
    }

    /// Remembers that `apply` made it.
    pub fn mark_segment_applied(&mut self, id: Id<Segment>) {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
    }

    /// Deletes a segment, if the version still is its. False if not.
    pub async fn delete_segment(&mut self, segment: &Segment) -> Result<bool, Error> {
        Ok(self
            .sql(DELETE)
            .bind(segment.id)
            .bind(segment.version)
            .changed()
            .await?
            == 1)
    }
}
