//! Whose password is so old that its end is near, and who was told of it.

use super::rows::Columns;
use super::{Error, Write, readers, visible};
use crate::model::setting::{PASSWORD_EXPIRES_AFTER, PASSWORD_INITIAL_EXPIRES_AFTER, parse_duration};
use crate::model::{Id, Timestamp, User};
use crate::sql::{self, Record, Row};
use std::time::Duration;

/// Somebody whose password was set so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordAge {
    /// Who.
    pub user: Id<User>,
    /// When it was set.
    pub changed_at: Timestamp,
}

impl Record for PasswordAge {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("id")?,
            changed_at: row.time("password_changed_at")?,
        })
    }
}

const LIST: &str = concat!(
    "
select id, password_changed_at
from users
where password_changed_at is not null
and password_changed_at <= $1
and (password_changed_at > $2 or (password_changed_at = $2 and id > $3))
and (password_warned_at is null or password_warned_at < password_changed_at)
and ",
    visible!(),
    "
order by password_changed_at, id
limit $4"
);

const SAID: &str = "
select value
from group_settings
where key in ($1, $2)
union
select value
from user_settings
where key in ($1, $2)";

readers! {
    /// Those whose password was set until then, and who were not told that it ends; after this one, the oldest first.
    pub async fn list_passwords_until(
        &mut self,
        until: Timestamp,
        after: Option<PasswordAge>,
        limit: u32,
    ) -> Result<Vec<PasswordAge>, Error> {
        let (changed_at, user) = match after {
            Some(age) => (age.changed_at, age.user),
            None => (Timestamp::from_micros(0), Id::from_uuid(uuid::Uuid::nil())),
        };
        Ok(self.sql(LIST).bind(until).bind(changed_at).bind(user).bind(limit).all().await?)
    }

    /// The shortest time that a group or a person says passwords are good for, if any says one.
    pub async fn find_shortest_password_age(&mut self) -> Result<Option<Duration>, Error> {
        let said: Vec<String> = self.sql(SAID).bind(PASSWORD_EXPIRES_AFTER).bind(PASSWORD_INITIAL_EXPIRES_AFTER).all().await?;
        let lengths = said.iter().filter_map(|value| {
            let text: String = serde_json::from_str(value).ok()?;
            parse_duration(&text).filter(|length| !length.is_zero())
        });
        Ok(lengths.min())
    }
}

const WARN: &str = "
update users
set password_warned_at = $3
where id = $1
and status = 'active'
and password_changed_at = $2
and (password_warned_at is null or password_warned_at < password_changed_at)";

impl Write {
    /// Remembers that somebody was told that the password of then has to be replaced soon. False if they have another one, or were told.
    pub async fn mark_password_warned(&mut self, age: PasswordAge, at: Timestamp) -> Result<bool, Error> {
        let warned = self.sql(WARN).bind(age.user).bind(age.changed_at).bind(at);
        Ok(warned.changed().await? == 1)
    }
}
