//! The time in which accounts may be used: which of them have come to their end, and whose owners are to be reminded of it.

use super::rows::Columns;
use super::{Error, Write, readers, visible};
use crate::model::setting::LONGEST_REMINDER;
use crate::model::{Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// An account that is to be looked at, because its end is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearEnd {
    /// Whose.
    pub user: Id<User>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Since when it is to be looked at.
    pub remind_at: Timestamp,
    /// When its owner was reminded of this end last.
    pub reminded_at: Option<Timestamp>,
}

impl Record for NearEnd {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("id")?,
            expires_at: row.time("expires_at")?,
            remind_at: row.time("remind_at")?,
            reminded_at: row.maybe_time("reminded_at")?,
        })
    }
}

/// When to look first whether somebody is to be reminded of the end of their account: no reminder comes earlier.
pub(super) fn first_look(user: &User) -> Option<Timestamp> {
    user.expires_at.map(|end| end.before(LONGEST_REMINDER))
}

const LIST_EXPIRED: &str = concat!(
    "
select id
from users
where expires_at <= $1
and expired_at is null
and ",
    visible!(),
    "
order by expires_at
limit $2"
);

const LIST_NEAR: &str = concat!(
    "
select id, expires_at, remind_at, reminded_at
from users
where remind_at <= $1
and ",
    visible!(),
    "
order by remind_at
limit $2"
);

readers! {
    /// Accounts that have come to their end, and of which nobody has ended everything yet; a bounded number.
    pub async fn list_expired_users(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Id<User>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(LIST_EXPIRED).bind(now).bind(limit).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// Accounts whose end is near enough to look at them by now, a bounded number.
    pub async fn list_users_near_end(&mut self, now: Timestamp, limit: u32) -> Result<Vec<NearEnd>, Error> {
        Ok(self.sql(LIST_NEAR).bind(now).bind(limit).all().await?)
    }
}

const EXPIRE: &str = "
update users
set expired_at = $2
where id = $1
and expires_at <= $2
and expired_at is null";

const LOOK_AGAIN: &str = "
update users
set reminded_at = $4, remind_at = $5
where id = $1
and expires_at = $2
and remind_at = $3";

impl Write {
    /// Says that everything of an account ends with it, which has come to its end. False if it has not, or if that was said before.
    pub async fn mark_user_expired(&mut self, id: Id<User>, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(EXPIRE).bind(id).bind(now).changed().await? == 1)
    }

    /// Says when an account is to be looked at again, if at all, and when its owner was reminded last. False if somebody else has
    /// looked meanwhile, or the account ends at another time by now.
    pub async fn look_at_end_again(
        &mut self,
        seen: NearEnd,
        reminded_at: Option<Timestamp>,
        next: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let looking = self
            .sql(LOOK_AGAIN)
            .bind(seen.user)
            .bind(seen.expires_at)
            .bind(seen.remind_at);
        Ok(looking.bind(reminded_at).bind(next).changed().await? == 1)
    }
}
