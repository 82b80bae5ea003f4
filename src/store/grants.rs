//! Grants: redeeming a code is the insert of its grant.

use super::rows::{Columns, to_json};
use super::{Ended, Error, Write, readers};
use crate::model::{Client, Digest, Grant, Id, Session, Timestamp, User};
use crate::sql::{self, Engine, Record, Row};

impl Record for Grant {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            client: row.id("client_id")?,
            user: row.id("user_id")?,
            session: row.id("session_id")?,
            code: row.digest("code")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            ended_at: row.maybe_time("ended_at")?,
            terms: row.json("terms")?,
        })
    }
}

const FIND: &str = "
select id, code, client_id, user_id, session_id, terms, created_at, expires_at, ended_at
from grants
where id = $1";

const FIND_BY_CODE: &str = "
select id, code, client_id, user_id, session_id, terms, created_at, expires_at, ended_at
from grants
where code = $1";

const LIST_OF_SESSION_AND_CLIENT: &str = "
select id, code, client_id, user_id, session_id, terms, created_at, expires_at, ended_at
from grants
where session_id = $1
and client_id = $2
order by id desc
limit $3";

readers! {
    /// The grant of this row.
    pub async fn find_grant(&mut self, id: Id<Grant>) -> Result<Option<Grant>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// What was granted to a client in a session, newest first; ended ones too.
    pub async fn list_grants_of_session(&mut self, session: Id<Session>, client: Id<Client>, limit: u32) -> Result<Vec<Grant>, Error> {
        let grants = self.sql(LIST_OF_SESSION_AND_CLIENT).bind(session).bind(client).bind(limit);
        Ok(grants.all().await?)
    }

    /// The grant that this code was redeemed for.
    pub async fn find_grant_by_code(&mut self, code: &Digest) -> Result<Option<Grant>, Error> {
        Ok(self.sql(FIND_BY_CODE).bind(code).optional().await?)
    }
}

const REDEEM: &str = "
insert into grants (id, code, client_id, user_id, session_id, terms, offline, created_at, expires_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9
from installation
where epoch = $10
on conflict (code) do nothing";

/// What ends the families that are meant and have not ended: `$1` is when, `$2` why.
macro_rules! end_grants {
    ($meant:literal) => {
        concat!(
            "\nupdate grants\nset ended_at = $1, ended_because = $2\nwhere ended_at is null\nand ",
            $meant
        )
    };
}
pub(super) use end_grants;

const END: &str = end_grants!("id = $3");
const END_OF_SESSION: &str = end_grants!("session_id = $3 and offline = $4");
const END_OF_USER: &str = end_grants!("user_id = $3");
const END_OF_SESSIONS_OF_USER: &str = end_grants!("user_id = $3 and offline = $4");
const END_OF_USER_AND_CLIENT: &str = end_grants!("user_id = $3 and client_id = $4");

/// One family comes at a time, so a few at once keep up.
const AT_ONCE: u32 = 16;

// limits that are sums: one that is bound as it is makes SQLite plan the statement anew each time
const END_OLDEST_SQLITE: &str = "
update grants
set ended_at = $5, ended_because = $6
where id in (
  select id
  from grants
  where user_id = $1
  and client_id = $2
  and ended_at is null
  order by id desc
  limit $3 + 0
  offset $4 + 0)
returning id";

// nobody else writes between this and the statement above
const FORGET_OLDEST_SQLITE: &str = "
insert into ended (kind, subject)
select 'grant', id
from grants
where user_id = $1
and client_id = $2
and ended_at is null
order by id desc
limit $3 + 0
offset $4 + 0";

// whoever else writes at the same time may see other rows: what is noted is what was ended
const END_OLDEST_POSTGRES: &str = "
with oldest as (
  update grants
  set ended_at = $5, ended_because = $6
  where id in (
    select id
    from grants
    where user_id = $1
    and client_id = $2
    and ended_at is null
    order by id desc
    limit $3
    offset $4)
  returning id),
noted as (
  insert into ended (kind, subject)
  select 'grant', uuid_send(id)
  from oldest)
select id
from oldest";

const SWEEP: &str = "
delete from grants
where id in (
  select id
  from grants
  where expires_at < $1
  and not exists (select 1 from refresh_tokens where grant_id = grants.id)
  and not exists (select 1 from access_tokens where grant_id = grants.id)
  order by expires_at
  limit $2)";

impl Write {
    /// Redeems a code that was made in this epoch: adds its grant. False if the code has been redeemed before, or may have
    /// been, because its epoch has ended; the database decides.
    pub async fn redeem_code(&mut self, grant: &Grant, epoch: i64) -> Result<bool, Error> {
        Ok(self.redemption(grant, epoch)?.changed().await? == 1)
    }

    /// The same for a transaction that hangs on it: if the code can't be redeemed, the next answer or the commit is
    /// [`Error::Missing`], and nothing is kept.
    pub fn must_redeem_code(&mut self, grant: &Grant, epoch: i64) -> Result<(), Error> {
        self.redemption(grant, epoch)?.must_change_later();
        Ok(())
    }

    fn redemption(&mut self, grant: &Grant, epoch: i64) -> Result<sql::Statement<'_>, Error> {
        let terms = to_json(&grant.terms)?;
        Ok(self
            .sql(REDEEM)
            .bind(grant.id)
            .bind(&grant.code)
            .bind(grant.client)
            .bind(grant.user)
            .bind(grant.session)
            .bind(terms)
            .bind(grant.terms.is_offline())
            .bind(grant.created_at)
            .bind(grant.expires_at)
            .bind(epoch))
    }

    /// Ends a family. False if it had ended before.
    pub async fn end_grant(&mut self, id: Id<Grant>, at: Timestamp, because: &'static str) -> Result<bool, Error> {
        let ended = self.sql(END).bind(at).bind(because).bind(id).changed().await? == 1;
        if ended {
            self.forget(Ended::Grant(id)).await?;
        } else {
            self.forget_here(Ended::Grant(id));
        }
        Ok(ended)
    }

    /// Ends the families that hang on a session: those without `offline_access`. Gives how many.
    pub async fn end_grants_of_session(
        &mut self,
        id: Id<Session>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        self.end_grants_begun_in(id, at, because, false).await
    }

    /// Ends the families that began in a session and outlive it. Gives how many.
    pub async fn end_offline_grants_of_session(
        &mut self,
        id: Id<Session>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        self.end_grants_begun_in(id, at, because, true).await
    }

    async fn end_grants_begun_in(
        &mut self,
        id: Id<Session>,
        at: Timestamp,
        because: &'static str,
        offline: bool,
    ) -> Result<u64, Error> {
        let ending = self.sql(END_OF_SESSION).bind(at).bind(because);
        let ended = ending.bind(id).bind(offline).changed().await?;
        self.forget_with(ended, Ended::Session(id)).await
    }

    /// Ends every family of a user. Gives how many.
    pub async fn end_grants_of_user(
        &mut self,
        id: Id<User>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ending = self.sql(END_OF_USER).bind(at).bind(because);
        let ended = ending.bind(id).changed().await?;
        self.forget_with(ended, Ended::User(id)).await
    }

    /// Ends the families that hang on a user's sessions: those without `offline_access`. Gives how many.
    pub async fn end_grants_of_sessions_of_user(
        &mut self,
        id: Id<User>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ending = self.sql(END_OF_SESSIONS_OF_USER).bind(at).bind(because);
        let ended = ending.bind(id).bind(false).changed().await?;
        self.forget_with(ended, Ended::User(id)).await
    }

    /// Ends what a user granted one client. Gives how many families.
    pub async fn end_grants_of_user_and_client(
        &mut self,
        user: Id<User>,
        client: Id<Client>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ending = self.sql(END_OF_USER_AND_CLIENT).bind(at).bind(because);
        let ended = ending.bind(user).bind(client).changed().await?;
        self.forget_with(ended, Ended::User(user)).await
    }

    /// Has everybody forget what rests on this, if any family has ended. Gives how many have.
    pub(super) async fn forget_with(&mut self, ended: u64, rested_on: Ended) -> Result<u64, Error> {
        if ended > 0 {
            self.forget(rested_on).await?;
        }
        Ok(ended)
    }

    /// Ends a user's oldest families at a client, so that `most` are left. Gives how many.
    pub async fn end_oldest_grants(
        &mut self,
        user: Id<User>,
        client: Id<Client>,
        most: u32,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let text = self.oldest(user, client, most);
        let oldest = self.sql(text).bind(user).bind(client).bind(AT_ONCE).bind(most);
        let ended: Vec<uuid::Uuid> = oldest.bind(at).bind(because).all().await?;
        self.forgotten(ended.iter().map(|id| Ended::Grant(Id::from_uuid(*id))));
        Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
    }

    /// The same as the last of the transaction: commits it.
    pub async fn commit_ending_oldest_grants(
        mut self,
        user: Id<User>,
        client: Id<Client>,
        most: u32,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let text = self.oldest(user, client, most);
        // noted when the commit has answered, and also when it is not certain that it happened
        let mut noting = self.noting();
        let oldest = self.transaction.last(text).bind(user).bind(client).bind(AT_ONCE);
        let ended = oldest.bind(most).bind(at).bind(because).all::<uuid::Uuid>().await?;
        noting.forgotten(ended.iter().map(|id| Ended::Grant(Id::from_uuid(*id))));
        Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
    }

    /// The statement that ends the oldest families; it gives their rows.
    fn oldest(&mut self, user: Id<User>, client: Id<Client>, most: u32) -> &'static str {
        match self.transaction.engine() {
            Engine::Sqlite => {
                let forgetting = self.sql(FORGET_OLDEST_SQLITE).bind(user).bind(client);
                forgetting.bind(AT_ONCE).bind(most).later();
                END_OLDEST_SQLITE
            }
            Engine::Postgres => END_OLDEST_POSTGRES,
        }
    }

    /// Forgets grants that ended by themselves before `before`, a bounded number: those whose tokens are gone, since a family
    /// may have more of them than one statement may delete.
    pub async fn sweep_grants(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
