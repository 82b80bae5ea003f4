//! Resources: APIs with an audience of their own.

use std::time::Duration;

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Id, Resource};
use crate::sql::{self, Record, Row};

impl Record for Resource {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let format = row.maybe_text("access_token_format")?;
        Ok(Self {
            id: row.id("id")?,
            identifier: row.text("identifier")?,
            name: row.maybe_text("name")?,
            scopes: row.named::<ScopesText>("scope")?.0,
            access_token_format: match format {
                None => None,
                Some(text) => Some(
                    text.parse()
                        .map_err(|_| sql::Error::unreadable("access_token_format"))?,
                ),
            },
            access_token_lifetime: row
                .maybe_int("access_token_lifetime")?
                .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// Scopes as they stand in a column.
pub(super) struct ScopesText(pub crate::model::Scopes);

impl std::str::FromStr for ScopesText {
    type Err = crate::model::scope::InvalidScope;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::model::Scopes::parse(text).map(Self)
    }
}

const LIST: &str = "
select id, identifier, name, scope, access_token_format, access_token_lifetime, version, created_at, updated_at
from resources
order by identifier";

const LIST_APPLIED: &str = "
select identifier
from resources
where applied
order by identifier";

readers! {
    /// Every resource, by identifier.
    pub async fn list_resources(&mut self) -> Result<Vec<Resource>, Error> {
        Ok(self.sql(LIST).all().await?)
    }

    /// The identifiers that came by `apply`.
    pub async fn list_applied_resources(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into resources (id, identifier, name, scope, access_token_format, access_token_lifetime, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const CHANGE: &str = "
update resources
set name = $3, scope = $4, access_token_format = $5, access_token_lifetime = $6, updated_at = $7, version = version + 1
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update resources
set applied = $2
where id = $1";

const DELETE: &str = "
delete from resources
where id = $1";

impl Write {
    /// Adds a resource. `Taken("resources_identifier")` if it is there.
    pub async fn add_resource(&mut self, resource: &Resource) -> Result<(), Error> {
        self.sql(ADD)
            .bind(resource.id)
            .bind(resource.identifier.as_str())
            .bind(resource.name.clone())
            .bind(resource.scopes.to_string())
            .bind(resource.access_token_format.map(|format| format.as_str().to_owned()))
            .bind(resource.access_token_lifetime.map(seconds))
            .bind(false)
            .bind(resource.version)
            .bind(resource.created_at)
            .bind(resource.updated_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Changes everything but id and identifier, if the version still is the resource's. False if not.
    pub async fn change_resource(&mut self, resource: &Resource) -> Result<bool, Error> {
        let changed = self
            .sql(CHANGE)
            .bind(resource.id)
            .bind(resource.version)
            .bind(resource.name.clone())
            .bind(resource.scopes.to_string())
            .bind(resource.access_token_format.map(|format| format.as_str().to_owned()))
            .bind(resource.access_token_lifetime.map(seconds))
            .bind(resource.updated_at)
            .changed()
            .await?;
        Ok(changed == 1)
    }

    /// Remembers that `apply` made it.
    pub async fn mark_resource_applied(&mut self, id: Id<Resource>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Deletes a resource. False if it was not there.
    pub async fn delete_resource(&mut self, id: Id<Resource>) -> Result<bool, Error> {
        Ok(self.sql(DELETE).bind(id).changed().await? == 1)
    }
}

fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}
