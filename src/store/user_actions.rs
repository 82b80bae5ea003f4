//! Actions of one's own on users, and what their calls are signed with.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Id, UserAction};
use crate::sql::{self, Record, Row};

impl Record for UserAction {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            label: row.text("label")?,
            url: row.text("url")?,
            disabled: row.boolean("disabled")?,
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

const FIND: &str = "
select id, name, label, url, disabled, version, created_at, updated_at
from user_actions
where id = $1";

const LIST: &str = "
select id, name, label, url, disabled, version, created_at, updated_at
from user_actions
order by name
limit $1";

const SECRET: &str = "
select sealed
from user_actions
where id = $1";

readers! {
    /// The action of this row.
    pub async fn find_user_action(&mut self, id: Id<UserAction>) -> Result<Option<UserAction>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// The actions there are, by name; a bounded number.
    pub async fn list_user_actions(&mut self, most: u32) -> Result<Vec<UserAction>, Error> {
        Ok(self.sql(LIST).bind(most).all().await?)
    }

    /// What the calls of an action are signed with, sealed.
    pub async fn find_secret_of_user_action(&mut self, id: Id<UserAction>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.sql(SECRET).bind(id).optional().await?)
    }
}

const ADD: &str = "
insert into user_actions (id, name, label, url, sealed, disabled, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const CHANGE: &str = "
update user_actions
set name = $3, label = $4, url = $5, disabled = $6, updated_at = $7, version = version + 1
where id = $1
and version = $2";

const ROTATE: &str = "
update user_actions
set sealed = $3, version = version + 1
where id = $1
and version = $2";

const DELETE: &str = "
delete from user_actions
where id = $1
and version = $2";

impl Write {
    /// Adds an action. `Taken("user_actions_name")` if there is one of this name.
    pub async fn add_user_action(&mut self, action: &UserAction, sealed: Vec<u8>) -> Result<(), Error> {
        self.sql(ADD)
            .bind(action.id)
            .bind(action.name.as_str())
            .bind(action.label.as_str())
            .bind(action.url.as_str())
            .bind(sealed)
            .bind(action.disabled)
            .bind(action.version)
            .bind(action.created_at)
            .bind(action.updated_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Changes everything but the secret, if the version still is the action's. False if not.
    pub async fn change_user_action(&mut self, action: &UserAction) -> Result<bool, Error> {
        let changing = self
            .sql(CHANGE)
            .bind(action.id)
            .bind(action.version)
            .bind(action.name.as_str())
            .bind(action.label.as_str())
            .bind(action.url.as_str())
            .bind(action.disabled)
            .bind(action.updated_at);
        Ok(changing.changed().await? == 1)
    }

    /// Has the calls of an action be signed with another secret, if the version still is the action's. False if not.
    pub async fn rotate_secret_of_user_action(&mut self, action: &UserAction, sealed: Vec<u8>) -> Result<bool, Error> {
        let rotating = self.sql(ROTATE).bind(action.id).bind(action.version).bind(sealed);
        Ok(rotating.changed().await? == 1)
    }

    /// Deletes an action, if the version still is its. False if not.
    pub async fn delete_user_action(&mut self, action: &UserAction) -> Result<bool, Error> {
        Ok(self.sql(DELETE).bind(action.id).bind(action.version).changed().await? == 1)
    }
}
