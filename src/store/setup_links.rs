//! One-time setup links: who follows one makes the first administrator. They are action links ([`super::action_links`] says more).

use super::{Error, Write, readers};
use crate::model::{Digest, Timestamp};

const FIND: &str = "
select expires_at
from action_links
where digest = $1
and purpose = 'setup'
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

readers! {
    /// Whether the link of this digest may still be used.
    pub async fn is_setup_link_open(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        let found: Option<i64> = self.sql(FIND).bind(digest).bind(now).optional().await?;
        Ok(found.is_some())
    }
}

const ADD: &str = "
insert into action_links (digest, purpose, created_at, expires_at)
values ($1, 'setup', $2, $3)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose = 'setup'
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

const CLOSE_ALL: &str = "
update action_links
set used_at = $1
where purpose = 'setup'
and used_at is null";

impl Write {
    /// Adds a link; earlier ones no longer count.
    pub async fn add_setup_link(
        &mut self,
        digest: &Digest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        self.sql(CLOSE_ALL).bind(now).changed().await?;
        self.sql(ADD).bind(digest).bind(now).bind(expires_at).changed().await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended or used; the database decides.
    pub async fn use_setup_link(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }
}
