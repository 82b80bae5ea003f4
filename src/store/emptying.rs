//! What hangs on a client, deleted a bounded number at a time: it may be more than one statement may delete.

use super::{Error, Write};
use crate::model::{Client, Id};

const ACCESS_TOKENS: &str = "
delete from access_tokens
where digest in (select digest from access_tokens where client_id = $1 limit $2)";

const REFRESH_TOKENS: &str = "
delete from refresh_tokens
where digest in (
  select refresh_tokens.digest
  from grants
  join refresh_tokens on refresh_tokens.grant_id = grants.id
  where grants.client_id = $1
  limit $2)";

// those that the statement before has emptied, so that the next one does not look through them again
const GRANTS: &str = "
delete from grants
where id in (
  select id
  from grants
  where client_id = $1
  and not exists (select 1 from refresh_tokens where grant_id = grants.id)
  and not exists (select 1 from access_tokens where grant_id = grants.id)
  limit $2)";

const CONSENTS: &str = "
delete from consents
where client_id = $1
and user_id in (select user_id from consents where client_id = $1 limit $2)";

const SESSIONS: &str = "
delete from session_clients
where client_id = $1
and session_id in (select session_id from session_clients where client_id = $1 limit $2)";

const LOGOUTS: &str = "
delete from logouts
where client_id = $1
and session_id in (select session_id from logouts where client_id = $1 limit $2)";

const TRACES: &str = "
update traces
set client_id = null
where id in (select id from traces where client_id = $1 limit $2)";

impl Write {
    /// Deletes opaque access tokens of a client, at most `limit`. Gives how many; fewer than `limit`: there are no more.
    ///
    /// Memories of them are not told: they count nowhere while the client is disabled, and nowhere after it was enabled.
    pub async fn delete_access_tokens_of_client(&mut self, client: Id<Client>, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(ACCESS_TOKENS).bind(client).bind(limit).changed().await?)
    }

    /// Deletes what hangs on a client that is disabled, at most `limit` of each kind: tokens, grants, consents, its part in
    /// sessions and what it was told of their ends, and its name in traces. Gives how many; fewer than `limit`: there is no more.
    pub async fn empty_client(&mut self, client: Id<Client>, limit: u32) -> Result<u64, Error> {
        let mut gone = 0;
        for kind in [
            ACCESS_TOKENS,
            REFRESH_TOKENS,
            GRANTS,
            CONSENTS,
            SESSIONS,
            LOGOUTS,
            TRACES,
        ] {
            gone += self.sql(kind).bind(client).bind(limit).changed().await?;
        }
        Ok(gone)
    }
}
