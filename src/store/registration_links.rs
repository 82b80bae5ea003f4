//! Links to an account of one's own, mailed to addresses that have none yet: whoever follows one can read the mail of the address. An
//! address has one open link at most: a newer one voids it. What all links have in common stands in `recovery_links`.

use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Timestamp};
use crate::sql::{self, Record, Row};

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
and purpose = 'registration'
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

const COUNT: &str = "
select count(*)
from (
  select 1
  from action_links
  where purpose = 'registration'
  and used_at is null
  and expires_at > $1
  limit $2
) as open_links";

readers! {
    /// The link of this digest, if it may still be followed.
    pub async fn find_registration_link(
        &mut self,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<RegistrationLink>, Error> {
        Ok(self.sql(FIND).bind(digest).bind(now).optional().await?)
    }

    /// How many links are open, counted no further than `most`.
    pub async fn count_registration_links(&mut self, now: Timestamp, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT).bind(now).bind(most).one().await?)
    }
}

const VOID: &str = "
update action_links
set used_at = $2
where purpose = 'registration'
and email_key = $1
and used_at is null";

const ADD: &str = "
insert into action_links (digest, purpose, email, email_key, created_at, expires_at)
values ($1, 'registration', $2, $3, $4, $5)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose = 'registration'
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

impl Write {
    /// Adds a link that is mailed to `email`; earlier ones to the address no longer count.
    pub async fn add_registration_link(
        &mut self,
        digest: &Digest,
        email: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let key = comparison_key(email);
        self.sql(VOID).bind(key.as_str()).bind(now).changed().await?;
        self.sql(ADD)
            .bind(digest)
            .bind(email)
            .bind(key)
            .bind(now)
            .bind(expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended, void or used; the database decides.
    pub async fn use_registration_link(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }
}
