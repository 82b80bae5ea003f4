//! Grants: redeeming a code is the insert of its grant.

use super::rows::{Columns, to_json};
use super::{Ended, Error, Write, readers};
use crate::model::{Client, Digest, Grant, Id, Session, Timestamp, User};
use crate::sql::{self, Record, Row};

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

const END: &str = "
update grants
set ended_at = $2, ended_because = $3
where id = $1
and ended_at is null";

const END_OF_SESSION: &str = "
update grants
set ended_at = $2, ended_because = $3
where session_id = $1
and offline = $4
and ended_at is null";

const END_OF_USER: &str = "
update grants
set ended_at = $2, ended_because = $3
where user_id = $1
and ended_at is null";

const END_OF_USER_AND_CLIENT: &str = "
update grants
set ended_at = $3, ended_because = $4
where user_id = $1
and client_id = $2
and ended_at is null";

const END_OLDEST: &str = "
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
returning id";

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
        let added = self
            .sql(REDEEM)
            .bind(grant.id)
            .bind(&grant.code)
            .bind(grant.client)
            .bind(grant.user)
            .bind(grant.session)
            .bind(to_json(&grant.terms)?)
            .bind(grant.terms.is_offline())
            .bind(grant.created_at)
            .bind(grant.expires_at)
            .bind(epoch)
            .changed()
            .await?;
        Ok(added == 1)
    }

    /// Ends a family. False if it had ended before.
    pub async fn end_grant(&mut self, id: Id<Grant>, at: Timestamp, because: &'static str) -> Result<bool, Error> {
        let ended = self.sql(END).bind(id).bind(at).bind(because).changed().await? == 1;
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
        let ended = self
            .sql(END_OF_SESSION)
            .bind(id)
            .bind(at)
            .bind(because)
            .bind(false)
            .changed()
            .await?;
        if ended > 0 {
            self.forget(Ended::Session(id)).await?;
        }
        Ok(ended)
    }

    /// Ends every family of a user. Gives how many.
    pub async fn end_grants_of_user(
        &mut self,
        id: Id<User>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ended = self.sql(END_OF_USER).bind(id).bind(at).bind(because).changed().await?;
        if ended > 0 {
            self.forget(Ended::User(id)).await?;
        }
        Ok(ended)
    }

    /// Ends what a user granted one client. Gives how many families.
    pub async fn end_grants_of_user_and_client(
        &mut self,
        user: Id<User>,
        client: Id<Client>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ended = self
            .sql(END_OF_USER_AND_CLIENT)
            .bind(user)
            .bind(client)
            .bind(at)
            .bind(because)
            .changed()
            .await?;
        if ended > 0 {
            self.forget(Ended::User(user)).await?;
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
        // one family comes at a time, so a few at once keep up
        const AT_ONCE: u32 = 16;
        let ended: Vec<uuid::Uuid> = self
            .sql(END_OLDEST)
            .bind(user)
            .bind(client)
            .bind(AT_ONCE)
            .bind(most)
            .bind(at)
            .bind(because)
            .all()
            .await?;
        for id in &ended {
            self.forget(Ended::Grant(Id::from_uuid(*id))).await?;
        }
        Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
    }

    /// Forgets grants that ended by themselves before `before`, a bounded number: those whose tokens are gone, since a family
    /// may have more of them than one statement may delete.
    pub async fn sweep_grants(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
