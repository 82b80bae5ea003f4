//! Links that confirm a person's mail address, at the new one and at the one until now. What all links have in common stands in
//! `recovery_links`. The links of one change were made at the same moment; a person has one open change at most.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// Where a link was mailed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSide {
    /// The address that is to be the person's.
    New,
    /// The one that was confirmed before.
    Old,
}

impl AddressSide {
    const fn purpose(self) -> &'static str {
        match self {
            Self::New => "email_new",
            Self::Old => "email_old",
        }
    }
}

/// A link that may still be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressLink {
    /// Whose address.
    pub user: Id<User>,
    /// The new one, as it was typed.
    pub email: String,
    /// Where it was mailed to.
    pub side: AddressSide,
    /// When the change was asked for.
    pub created_at: Timestamp,
}

impl Record for AddressLink {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            email: row.text("email")?,
            side: match row.text("purpose")?.as_str() {
                "email_old" => AddressSide::Old,
                _ => AddressSide::New,
            },
            created_at: row.time("created_at")?,
        })
    }
}

const FIND: &str = "
select user_id, email, purpose, created_at
from action_links
where digest = $1
and purpose in ('email_new', 'email_old')
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)
and exists (
  select 1 from users
  where users.id = action_links.user_id
  and users.status = 'active'
  and (users.expires_at is null or users.expires_at > $2)
)";

const COUNT_LEFT: &str = "
select count(*)
from action_links
where user_id = $1
and purpose in ('email_new', 'email_old')
and created_at = $2
and used_at is null";

readers! {
    /// The link of this digest, if it may still be followed.
    pub async fn find_address_link(&mut self, digest: &Digest, now: Timestamp) -> Result<Option<AddressLink>, Error> {
        Ok(self.sql(FIND).bind(digest).bind(now).optional().await?)
    }

    /// How many links of a change were not followed yet.
    pub async fn count_address_links_left(&mut self, user: Id<User>, created_at: Timestamp) -> Result<i64, Error> {
        Ok(self.sql(COUNT_LEFT).bind(user).bind(created_at).one().await?)
    }
}

const VOID: &str = "
update action_links
set used_at = $2
where user_id = $1
and purpose in ('email_new', 'email_old')
and used_at is null";

const ADD: &str = "
insert into action_links (digest, purpose, user_id, email, email_key, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose in ('email_new', 'email_old')
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)
and exists (
  select 1 from users
  where users.id = action_links.user_id
  and users.status = 'active'
  and (users.expires_at is null or users.expires_at > $2)
)";

impl Write {
    /// Voids the links of a person.
    pub async fn void_address_links(&mut self, user: Id<User>, now: Timestamp) -> Result<(), Error> {
        self.sql(VOID).bind(user).bind(now).changed().await?;
        Ok(())
    }

    /// Adds a link. Whoever adds one holds the person.
    pub async fn add_address_link(
        &mut self,
        digest: &Digest,
        link: &AddressLink,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.sql(ADD)
            .bind(digest)
            .bind(link.side.purpose())
            .bind(link.user)
            .bind(link.email.as_str())
            .bind(comparison_key(&link.email))
            .bind(link.created_at)
            .bind(expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended, void or used; the database decides.
    pub async fn use_address_link(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }
}
