//! Links that lock an account ("this wasn't me", in a mail about a change), and those that unlock it again. What all links have in
//! common stands in `recovery_links`.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockLinkKind {
    /// It locks an account that may be used.
    Lock,
    /// It unlocks one that its owner has locked.
    Unlock,
}

impl LockLinkKind {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Unlock => "unlock",
        }
    }

    /// What the account has to be for it.
    const fn status(self) -> &'static str {
        match self {
            Self::Lock => "active",
            Self::Unlock => "locked",
        }
    }
}

/// A link that may still be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockLink {
    /// Whose account.
    pub user: Id<User>,
    /// Where it was mailed to, as addresses are compared.
    pub email_key: String,
}

impl Record for LockLink {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            email_key: row.text("email_key")?,
        })
    }
}

const FIND: &str = "
select user_id, email_key
from action_links
where digest = $1
and purpose = $2
and used_at is null
and expires_at > $3
and created_at >= (select epoch from installation)
and exists (select 1 from users where users.id = action_links.user_id and users.status = $4)";

readers! {
    /// The link of this digest, if it may still be followed.
    pub async fn find_lock_link(&mut self, kind: LockLinkKind, digest: &Digest, now: Timestamp) -> Result<Option<LockLink>, Error> {
        let finding = self.sql(FIND).bind(digest).bind(kind.purpose()).bind(now);
        Ok(finding.bind(kind.status()).optional().await?)
    }
}

const ADD: &str = "
insert into action_links (digest, purpose, user_id, email_key, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6)";

const USE: &str = "
update action_links
set used_at = $3
where digest = $1
and purpose = $2
and used_at is null
and expires_at > $3
and created_at >= (select epoch from installation)
and exists (select 1 from users where users.id = action_links.user_id and users.status = $4)";

const VOID: &str = "
update action_links
set used_at = $2
where user_id = $1
and purpose in ('lock', 'unlock')
and used_at is null";

impl Write {
    /// Adds a link that is mailed to `email`.
    pub async fn add_lock_link(
        &mut self,
        (kind, digest): (LockLinkKind, &Digest),
        (user, email): (Id<User>, &str),
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        self.sql(ADD)
            .bind(digest)
            .bind(kind.purpose())
            .bind(user)
            .bind(comparison_key(email))
            .bind(now)
            .bind(expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended, void or used, or the account is not what it has to be; the database decides.
    pub async fn use_lock_link(&mut self, kind: LockLinkKind, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        let using = self.sql(USE).bind(digest).bind(kind.purpose()).bind(now);
        Ok(using.bind(kind.status()).changed().await? == 1)
    }

    /// Voids the links of a person.
    pub async fn void_lock_links(&mut self, user: Id<User>, now: Timestamp) -> Result<(), Error> {
        self.sql(VOID).bind(user).bind(now).changed().await?;
        Ok(())
    }
}
