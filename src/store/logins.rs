//! What counts as a login beside sessions: families of tokens that outlive theirs, and what somebody has at one client.

use super::grants::end_grants;
use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::{Client, Digest, Grant, Id, Session, Timestamp, User};
use crate::sql::{self, Record, Row};

/// A live family of tokens that outlives its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineFamily {
    /// The family.
    pub grant: Id<Grant>,
    /// The digest of the code that it was redeemed for.
    pub code: Digest,
    /// Which client has it.
    pub client: Id<Client>,
    /// That client's name.
    pub name: String,
    /// The session that it began in.
    pub session: Id<Session>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its tokens were last renewed.
    pub used_at: Timestamp,
}

impl Record for OfflineFamily {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            grant: row.id("id")?,
            code: row.digest("code")?,
            client: row.id("client_id")?,
            name: row.text("client_name")?,
            session: row.id("session_id")?,
            created_at: row.time("created_at")?,
            used_at: row.time("used_at")?,
        })
    }
}

struct Code(Digest);

impl Record for Code {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(row.digest("code")?))
    }
}

/// That a session serves a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedClient {
    /// The session.
    pub session: Id<Session>,
    /// The client.
    pub client: Id<Client>,
    /// Its name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
    /// When the session began.
    pub started_at: Timestamp,
}

impl Record for ServedClient {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            session: row.id("session_id")?,
            client: row.id("client_id")?,
            name: row.text("client_name")?,
            since: row.time("since")?,
            started_at: row.time("started_at")?,
        })
    }
}

// a limit that is a sum: one that is bound as it is makes SQLite plan the statement anew each time, and sign-ins ask these

// whoever forgot the chain of tokens has no login any more: it needs one that can still be exchanged
const LIST_OFFLINE: &str = "
select g.id, g.code, g.client_id, c.client_name, g.session_id, g.created_at, t.issued_at as used_at
from grants g
join refresh_tokens t on t.grant_id = g.id
join clients c on c.id = g.client_id
where g.user_id = $1
and g.offline
and g.ended_at is null
and g.expires_at > $2
and t.issued_at = (select max(issued_at) from refresh_tokens where grant_id = g.id)
and t.spent_at is null
and t.expires_at > $2
order by t.issued_at desc
limit $3 + 0";

const LIST_ENDED_OFFLINE: &str = "
select code
from grants
where user_id = $1
and offline
and ended_at > $2
order by ended_at desc
limit $3 + 0";

// no more than the index says: whose tokens have all lapsed counts until somebody looks
const COUNT_OFFLINE: &str = "
select count(*)
from (
  select 1
  from grants
  where user_id = $1
  and offline
  and ended_at is null
  limit $2 + 0) counted";

const LIST_SERVED: &str = "
select s.session_id, s.client_id, c.client_name, s.since, r.started_at
from session_clients s
join sessions r on r.id = s.session_id
join clients c on c.id = s.client_id
where s.user_id = $1
and r.ended_at is null
and r.expires_at > $2
and r.started_at >= (select sessions_since from installation where id = 1)
order by s.since, s.client_id
limit $3 + 0";

readers! {
    /// A user's live families that outlive their sessions, the last used first.
    pub async fn list_offline_families_of(&mut self, user: Id<User>, now: Timestamp, limit: u32) -> Result<Vec<OfflineFamily>, Error> {
        let mut families: Vec<OfflineFamily> = self.sql(LIST_OFFLINE).bind(user).bind(now).bind(limit).all().await?;
        families.dedup_by_key(|family| family.grant);
        Ok(families)
    }

    /// How many such families a user has at most, and whether there are `limit` or more.
    pub async fn count_offline_families_of(&mut self, user: Id<User>, limit: u32) -> Result<u32, Error> {
        let count: i64 = self.sql(COUNT_OFFLINE).bind(user).bind(limit).one().await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The codes of a user's families of that kind that have been ended after `after`.
    pub async fn list_ended_offline_codes_of(&mut self, user: Id<User>, after: Timestamp, limit: u32) -> Result<Vec<Digest>, Error> {
        let codes: Vec<Code> = self.sql(LIST_ENDED_OFFLINE).bind(user).bind(after).bind(limit).all().await?;
        Ok(codes.into_iter().map(|code| code.0).collect())
    }

    /// Which clients a user's sessions serve, of those that SQL does not say have ended; those served first first.
    pub async fn list_served_clients_of(&mut self, user: Id<User>, now: Timestamp, limit: u32) -> Result<Vec<ServedClient>, Error> {
        Ok(self.sql(LIST_SERVED).bind(user).bind(now).bind(limit).all().await?)
    }
}

const HOLD_USER: &str = "
update users
set version = version
where id = $1";

const LEAVE_CLIENT: &str = "
delete from session_clients
where session_id = $1
and client_id = $2";

const END_AT_CLIENT: &str = end_grants!(
    "session_id = $3
and client_id = $4
returning id"
);

impl Write {
    /// Makes others wait who hold the same user, until this transaction ends. False: there is no such user.
    pub async fn hold_user(&mut self, user: Id<User>) -> Result<bool, Error> {
        Ok(self.sql(HOLD_USER).bind(user).changed().await? == 1)
    }

    /// Ends what a session has at one client: the families that began in it, and that it serves the client, which is to be told.
    /// Gives how many families.
    pub async fn end_login_at_client(
        &mut self,
        session: Id<Session>,
        client: Id<Client>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ended: Vec<uuid::Uuid> = self
            .sql(END_AT_CLIENT)
            .bind(at)
            .bind(because)
            .bind(session)
            .bind(client)
            .all()
            .await?;
        for id in &ended {
            self.forget(Ended::Grant(Id::from_uuid(*id))).await?;
        }
        self.tell_client_of_session(session, client, at);
        self.sql(LEAVE_CLIENT).bind(session).bind(client).later();
        Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
    }
}
