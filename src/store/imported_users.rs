//! Those whom an import makes, many at once: the same rows that making one by one writes, in few statements.

use super::account_terms::first_look;
use super::rows::{Columns, to_json};
use super::users::write_actions;
use super::{Ended, Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Channel, Group, Id, Import, Timestamp, User, UserKind};
use crate::sql::{self, Record, Row};

/// Somebody who has a name that others might want.
#[derive(Clone, Debug)]
pub struct Named {
    /// Who.
    pub user: Id<User>,
    /// The key of their username.
    pub username: String,
    /// The key of their mail address.
    pub email: Option<String>,
}

impl Record for Named {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("id")?,
            username: row.text("username_key")?,
            email: row.maybe_text("email_key")?,
        })
    }
}

readers! {
    /// Whoever has one of these keys as their username or mail address, also whom nobody sees yet.
    pub async fn list_users_named(&mut self, keys: &[String]) -> Result<Vec<Named>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let places = sql::places(1, keys.len());
        let text = format!(
            "
select id, username_key, email_key
from users
where username_key in {places}
union
select id, username_key, email_key
from users
where email_key in {places}"
        );
        let statement = self.sql_built(text);
        Ok(keys.iter().fold(statement, |statement, key| statement.bind(key)).all().await?)
    }
}

const ADD: &str = "
insert into users (id, subject, username, username_key, email_key, status, profile, password_hash,
  password_changed_at, password_initial, required_actions, applied, version, created_at, updated_at,
  starts_at, expires_at, remind_at, phone_key, invited_at, kind, idle_from, idle_look_at, hidden_by)
values ";

const ADD_MEMBERS: &str = "
insert into group_members (user_id, group_id, is_primary, since)
values ";

const SHOW: &str = "
update users
set hidden_by = null
where id = $1
and hidden_by = $2";

const ONCE: &str = "
on conflict do nothing";

const REMOVE_VALUES: &str = "
delete from event_values
where user_id in ";

const REMOVE: &str = "
delete from users
where hidden_by = ";

/// How many columns somebody has.
const COLUMNS: usize = 24;
/// How many one statement adds.
const ROWS: usize = 50;

impl Write {
    /// Adds users whom nobody sees before the import is visible. `Taken` as with one.
    pub async fn add_imported_users(&mut self, import: Id<Import>, users: &[User]) -> Result<(), Error> {
        for some in users.chunks(ROWS) {
            let text = format!("{ADD}{}", sql::places(some.len(), COLUMNS));
            let mut statement = self.sql_built(text);
            for user in some {
                let idle = (user.kind != UserKind::Server).then_some(user.created_at);
                statement = statement
                    .bind(user.id)
                    .bind(user.subject.as_str())
                    .bind(user.username.as_str())
                    .bind(comparison_key(&user.username))
                    .bind(user.profile.email.as_deref().map(comparison_key))
                    .bind(user.status.as_str())
                    .bind(to_json(&user.profile)?)
                    .bind(user.password.as_ref().map(|hash| hash.expose().to_owned()))
                    .bind(user.password_changed_at)
                    .bind(user.password_initial)
                    .bind(write_actions(&user.required_actions))
                    .bind(false)
                    .bind(user.version)
                    .bind(user.created_at)
                    .bind(user.updated_at)
                    .bind(user.starts_at)
                    .bind(user.expires_at)
                    .bind(first_look(user))
                    .bind(user.confirmed(Channel::Sms))
                    .bind(user.invited_at)
                    .bind(user.kind.as_str())
                    .bind(user.created_at)
                    .bind(idle)
                    .bind(import);
            }
            statement.changed().await?;
        }
        self.add_words_of_many(users).await
    }

    /// Puts those into their groups; of each the primary one is said.
    pub async fn add_imported_members(
        &mut self,
        members: &[(Id<User>, Id<Group>, bool)],
        since: Timestamp,
    ) -> Result<(), Error> {
        for some in members.chunks(ROWS * 4) {
            let text = format!("{ADD_MEMBERS}{}{ONCE}", sql::places(some.len(), 4));
            let statement = self.sql_built(text);
            let bound = some.iter().fold(statement, |statement, (user, group, is_primary)| {
                statement.bind(*user).bind(*group).bind(*is_primary).bind(since)
            });
            bound.changed().await?;
        }
        Ok(())
    }

    /// Somebody whom an import has made is seen whatever becomes of it. False if they were before.
    pub async fn show_imported_user(&mut self, import: Id<Import>, user: Id<User>) -> Result<bool, Error> {
        let shown = self.sql(SHOW).bind(user).bind(import).changed().await? == 1;
        if shown {
            self.forget(Ended::User(user)).await?;
        }
        Ok(shown)
    }

    /// Whoever is remembered anywhere is asked for anew: others are seen than before.
    pub async fn forget_everybody(&mut self) -> Result<(), Error> {
        self.forget(Ended::Groups).await
    }

    /// Removes these of an import whom nobody has ever seen.
    pub async fn remove_imported_users(&mut self, import: Id<Import>, users: &[Id<User>]) -> Result<u64, Error> {
        let mut gone = 0;
        for some in users.chunks(ROWS * 4) {
            let values = format!("{REMOVE_VALUES}{}", sql::places(1, some.len()));
            let statement = self.sql_built(values);
            some.iter()
                .fold(statement, |statement, user| statement.bind(*user))
                .changed()
                .await?;
            let places: Vec<String> = (0..some.len()).map(|place| format!("${}", place + 2)).collect();
            let text = format!("{REMOVE}$1\nand id in ({})", places.join(", "));
            let statement = self.sql_built(text).bind(import);
            let bound = some.iter().fold(statement, |statement, user| statement.bind(*user));
            gone += bound.changed().await?;
        }
        Ok(gone)
    }
}
