//! Accounts that nobody signs in to: which of them are to be looked at by now.

use super::rows::Columns;
use super::{Error, Write, readers, visible};
use crate::model::setting::{ACCOUNT_UNUSED_AFTER, parse_duration};
use crate::model::{Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// An account that is to be looked at, because it may have been unused for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleAccount {
    /// Whose.
    pub user: Id<User>,
    /// Since when it counts that nobody signs in.
    pub from: Timestamp,
    /// Since when it is to be looked at.
    pub look_at: Timestamp,
    /// When its owner was told last.
    pub told_at: Option<Timestamp>,
}

impl Record for IdleAccount {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("id")?,
            from: row.time("idle_from")?,
            look_at: row.time("idle_look_at")?,
            told_at: row.maybe_time("idle_told_at")?,
        })
    }
}

const LIST: &str = concat!(
    "
select id, coalesce(idle_from, created_at) as idle_from, idle_look_at, idle_told_at
from users
where idle_look_at <= $1
and ",
    visible!(),
    "
order by idle_look_at
limit $2"
);

const SAID: &str = "
select value
from group_settings
where key = $1
union
select value
from user_settings
where key = $1";

readers! {
    /// Accounts to be looked at by now, a bounded number.
    pub async fn list_idle_accounts(&mut self, now: Timestamp, limit: u32) -> Result<Vec<IdleAccount>, Error> {
        Ok(self.sql(LIST).bind(now).bind(limit).all().await?)
    }

    /// Whether a group or a person says that unused accounts are deactivated.
    pub async fn do_any_end_unused(&mut self) -> Result<bool, Error> {
        let said: Vec<String> = self.sql(SAID).bind(ACCOUNT_UNUSED_AFTER).all().await?;
        let mut lengths = said.iter().filter_map(|value| {
            let text: String = serde_json::from_str(value).ok()?;
            parse_duration(&text)
        });
        Ok(lengths.any(|length| !length.is_zero()))
    }
}

const LOOK_AGAIN: &str = "
update users
set idle_told_at = $3, idle_look_at = $4
where id = $1
and idle_look_at = $2";

const BEGIN_ANEW: &str = "
update users
set idle_from = $2, idle_told_at = null
where id = $1";

impl Write {
    /// Says when an account is to be looked at again, and when its owner was told last. False if somebody else has looked meanwhile.
    pub async fn look_at_idle_again(
        &mut self,
        seen: IdleAccount,
        (told_at, next): (Option<Timestamp>, Timestamp),
    ) -> Result<bool, Error> {
        let looking = self.sql(LOOK_AGAIN).bind(seen.user).bind(seen.look_at);
        Ok(looking.bind(told_at).bind(next).changed().await? == 1)
    }

    /// Says that it counts from now on that nobody signs in to an account.
    pub async fn begin_idle_anew(&mut self, id: Id<User>, now: Timestamp) -> Result<(), Error> {
        self.sql(BEGIN_ANEW).bind(id).bind(now).changed().await?;
        Ok(())
    }
}
