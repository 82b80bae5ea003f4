//! Requests for an account that an administrator decides about. An address has one at most that waits.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{AccessRequest, AccessRequestStatus, Id, Timestamp};
use crate::sql::{self, Record, Row};

impl Record for AccessRequest {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            email: row.text("email")?,
            name: row.maybe_text("name")?,
            reason: row.maybe_text("reason")?,
            locale: row.text("locale")?,
            status: row.named("status")?,
            created_at: row.time("created_at")?,
            decided_at: row.maybe_time("decided_at")?,
        })
    }
}

const FIND: &str = "
select id, email, name, reason, locale, status, created_at, decided_at
from access_requests
where id = $1";

const LIST: &str = "
select id, email, name, reason, locale, status, created_at, decided_at
from access_requests
where status = $1
and id > $2
order by id
limit $3";

const COUNT: &str = "
select count(*)
from (
  select 1
  from access_requests
  where status = 'waiting'
  and created_at > $1
  limit $2
) as waiting";

readers! {
    /// The request of this row.
    pub async fn find_access_request(&mut self, id: Id<AccessRequest>) -> Result<Option<AccessRequest>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// Requests with this status after a row, the first made first.
    pub async fn list_access_requests(
        &mut self,
        status: AccessRequestStatus,
        after: Option<Id<AccessRequest>>,
        limit: u32,
    ) -> Result<Vec<AccessRequest>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST).bind(status.as_str()).bind(after).bind(limit).all().await?)
    }

    /// How many wait that were made after `since`, counted no further than `most`.
    pub async fn count_waiting_access_requests(&mut self, since: Timestamp, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT).bind(since).bind(most).one().await?)
    }
}

const FORGET_WAITING: &str = "
delete from access_requests
where email_key = $1
and status = 'waiting'";

const ADD: &str = "
insert into access_requests (id, email, email_key, name, reason, locale, status, created_at)
values ($1, $2, $3, $4, $5, $6, 'waiting', $7)";

const DECIDE: &str = "
update access_requests
set status = $2, decided_at = $3
where id = $1
and status = 'waiting'
and created_at > $4";

const SWEEP: &str = "
delete from access_requests
where id in (select id from access_requests where created_at < $1 limit $2)";

impl Write {
    /// Adds a request in the place of the one that waits for the same address, if one does.
    pub async fn add_access_request(&mut self, request: &AccessRequest) -> Result<(), Error> {
        let key = comparison_key(&request.email);
        self.sql(FORGET_WAITING).bind(key.as_str()).changed().await?;
        self.sql(ADD)
            .bind(request.id)
            .bind(request.email.as_str())
            .bind(key)
            .bind(request.name.clone())
            .bind(request.reason.clone())
            .bind(request.locale.as_str())
            .bind(request.created_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Decides about a request that waits and was made after `since`. False if none does; the database decides who was first.
    pub async fn decide_access_request(
        &mut self,
        id: Id<AccessRequest>,
        status: AccessRequestStatus,
        (now, since): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let decided = self.sql(DECIDE).bind(id).bind(status.as_str()).bind(now).bind(since);
        Ok(decided.changed().await? == 1)
    }

    /// Forgets requests that were made before `before`, a bounded number.
    pub async fn sweep_access_requests(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
