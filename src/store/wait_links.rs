//! Links that end the wait for an account at which others guess. They are rows of the table of every action link.

use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Id, Timestamp, User};

const FIND: &str = "
select user_id
from action_links
where digest = $1
and purpose = 'wait'
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
    /// Whose wait the link of this digest ends, if it may still be followed.
    pub async fn find_wait_link(&mut self, digest: &Digest, now: Timestamp) -> Result<Option<Id<User>>, Error> {
        let found: Option<uuid::Uuid> = self.sql(FIND).bind(digest).bind(now).optional().await?;
        Ok(found.map(Id::from_uuid))
    }
}

const ADD: &str = "
insert into action_links (digest, purpose, user_id, email_key, created_at, expires_at)
values ($1, 'wait', $2, $3, $4, $5)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose = 'wait'
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

impl Write {
    /// Adds a link that is mailed to `email`.
    pub async fn add_wait_link(
        &mut self,
        digest: &Digest,
        (user, email): (Id<User>, &str),
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.sql(ADD)
            .bind(digest)
            .bind(user)
            .bind(comparison_key(email))
            .bind(now)
            .bind(expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended or used; the database decides.
    pub async fn use_wait_link(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }
}
