//! Links to an account of one's own, or to the request for one, mailed to addresses that have none yet: whoever follows one can read the
//! mail of the address. An address has one open link of each purpose at most: a newer one voids it. What all links have in common stands in `recovery_links`.

use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Timestamp};
use crate::sql::{self, Record, Row};

/// What a link to somebody without an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// An account.
    Registration,
    /// The request for one.
    AccessRequest,
}

impl LinkPurpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::AccessRequest => "access_request",
        }
    }
}

/// A link to a new account that may still be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationLink {
    /// The address that it was mailed to, as it was typed.
    pub email: String,
}

impl Record for RegistrationLink {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            email: row.text("email")?,
        })
    }
}

const FIND: &str = "
select email
from action_links
where digest = $1
and purpose = $3
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

const COUNT: &str = "
select count(*)
from (
  select 1
  from action_links
  where purpose in ('registration', 'access_request')
  and used_at is null
  and expires_at > $1
  limit $2
) as open_links";

readers! {
    /// The link of this digest, if it may still be followed.
    pub async fn find_registration_link(
        &mut self,
        purpose: LinkPurpose,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<RegistrationLink>, Error> {
        Ok(self.sql(FIND).bind(digest).bind(now).bind(purpose.word()).optional().await?)
    }

    /// How many links are open, counted no further than `most`.
    pub async fn count_registration_links(&mut self, now: Timestamp, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT).bind(now).bind(most).one().await?)
    }
}

const VOID: &str = "
update action_links
set used_at = $2
where purpose = $3
and email_key = $1
and used_at is null";

const ADD: &str = "
insert into action_links (digest, purpose, email, email_key, created_at, expires_at)
values ($1, $6, $2, $3, $4, $5)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose = $3
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

impl Write {
    /// Adds a link that is mailed to `email`; earlier ones to the address no longer count.
    pub async fn add_registration_link(
        &mut self,
        purpose: LinkPurpose,
        digest: &Digest,
        email: &str,
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        let key = comparison_key(email);
        self.sql(VOID)
            .bind(key.as_str())
            .bind(now)
            .bind(purpose.word())
            .changed()
            .await?;
        self.sql(ADD)
            .bind(digest)
            .bind(email)
            .bind(key)
            .bind(now)
            .bind(expires_at)
            .bind(purpose.word())
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended, void or used; the database decides.
    pub async fn use_registration_link(
        &mut self,
        purpose: LinkPurpose,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let used = self.sql(USE).bind(digest).bind(now).bind(purpose.word());
        Ok(used.changed().await? == 1)
    }
}
