//! What a restored store must not bring back: everything that was open when the backup was made may have been ended, used
//! or taken back since, and nobody knows.

use super::{Error, Write};
use crate::model::Timestamp;

/// How much was open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voided {
    /// Sessions.
    pub sessions: u64,
    /// Grants, with their refresh and access tokens.
    pub grants: u64,
}

const END_SESSIONS: &str = "
update sessions
set ended_at = $1, ended_because = 'restored'
where ended_at is null";

const END_GRANTS: &str = "
update grants
set ended_at = $1, ended_because = 'restored'
where ended_at is null";

const FORGET_ACCESS_TOKENS: &str = "
delete from access_tokens";

const CLOSE_LINKS: &str = "
update action_links
set used_at = $1
where used_at is null";

const REVOKE_COUNTED_TOKENS: &str = "
update registration_tokens
set revoked_at = $1
where uses_left is not null
and revoked_at is null";

impl Write {
    /// Begins a new epoch, ends every session and grant, forgets opaque access tokens, closes links that were mailed or shown, and revokes the registration tokens
    /// whose uses are counted.
    pub async fn void_what_was_open(&mut self, now: Timestamp) -> Result<Voided, Error> {
        self.raise_epoch(now).await?;
        // whatever is remembered rests on them
        self.raise_client_generation().await?;
        let sessions = self.sql(END_SESSIONS).bind(now).changed().await?;
        self.tell_of_all(now);
        let grants = self.sql(END_GRANTS).bind(now).changed().await?;
        self.sql(FORGET_ACCESS_TOKENS).changed().await?;
        self.sql(CLOSE_LINKS).bind(now).changed().await?;
        self.sql(REVOKE_COUNTED_TOKENS).bind(now).changed().await?;
        Ok(Voided { sessions, grants })
    }
}
