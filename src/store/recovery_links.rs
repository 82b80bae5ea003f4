//! Links to a new password, for people who forgot theirs; and what all action links have in common.
//!
//! Every link that lets its holder do something once stands in one table: setup links, the links of mails about a new device, and
//! these, whether the person asked for one (`recovery`) or somebody who administers (`password`). A link is found by the digest of its secret and by what it is for, so none works for another purpose. A person has one open
//! recovery link at most: a newer one, a new password, another mail address and the end of the account void it.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// A link to a new password that may still be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryLink {
    /// Whose password.
    pub user: Id<User>,
    /// When it was mailed.
    pub created_at: Timestamp,
    /// Whether the person asked for it.
    pub is_own: bool,
}

impl Record for RecoveryLink {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            created_at: row.time("created_at")?,
            is_own: row.text("purpose")? == RECOVERY,
        })
    }
}

const RECOVERY: &str = "recovery";
const PASSWORD: &str = "password";

const FIND: &str = "
select user_id, created_at, purpose
from action_links
where digest = $1
and purpose in ('recovery', 'password')
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)
and exists (
  select 1 from users
  where users.id = action_links.user_id
  and users.status = 'active'
  and (users.expires_at is null or users.expires_at > $2)
  and users.email_key = action_links.email_key
)";

readers! {
    /// The link of this digest, if it may still be followed.
    pub async fn find_recovery_link(&mut self, digest: &Digest, now: Timestamp) -> Result<Option<RecoveryLink>, Error> {
        Ok(self.sql(FIND).bind(digest).bind(now).optional().await?)
    }
}

const ADD: &str = "
insert into action_links (digest, purpose, user_id, email_key, created_at, expires_at)
values ($1, $6, $2, $3, $4, $5)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose in ('recovery', 'password')
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)
and exists (
  select 1 from users
  where users.id = action_links.user_id
  and users.status = 'active'
  and (users.expires_at is null or users.expires_at > $2)
  and users.email_key = action_links.email_key
)";

const VOID: &str = "
update action_links
set used_at = $2
where user_id = $1
and purpose in ('recovery', 'password')
and used_at is null";

const SWEEP: &str = "
delete from action_links
where digest in (select digest from action_links where expires_at < $1 limit $2)";

impl Write {
    /// Adds a link that is mailed to `email`; earlier ones of the person no longer count. Whoever adds one holds the person.
    pub async fn add_recovery_link(
        &mut self,
        digest: &Digest,
        of: (Id<User>, &str),
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.add_link_to_password(RECOVERY, digest, of, (now, expires_at)).await
    }

    /// The same where somebody who administers has it mailed.
    pub async fn add_password_link(
        &mut self,
        digest: &Digest,
        of: (Id<User>, &str),
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.add_link_to_password(PASSWORD, digest, of, (now, expires_at)).await
    }

    async fn add_link_to_password(
        &mut self,
        purpose: &'static str,
        digest: &Digest,
        (user, email): (Id<User>, &str),
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        self.void_recovery_links(user, now).await?;
        self.sql(ADD)
            .bind(digest)
            .bind(user)
            .bind(comparison_key(email))
            .bind(now)
            .bind(expires_at)
            .bind(purpose)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended, void or used; the database decides.
    pub async fn use_recovery_link(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }

    /// Voids the links of a person.
    pub async fn void_recovery_links(&mut self, user: Id<User>, now: Timestamp) -> Result<(), Error> {
        self.sql(VOID).bind(user).bind(now).changed().await?;
        Ok(())
    }

    /// Forgets links of every purpose that ended before `before`, a bounded number.
    pub async fn sweep_action_links(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
