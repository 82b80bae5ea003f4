//! What is held about a person beyond what is live: for the person who wants all of it.

use super::logins::ServedClient;
use super::rows::Columns;
use super::{Error, readers};
use crate::model::{GrantTerms, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// What an application was granted, live or not, as its person is told of it.
#[derive(Clone, Debug)]
pub struct HeldGrant {
    /// The application, by `client_id`.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// What was agreed.
    pub terms: GrantTerms,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
}

impl Record for HeldGrant {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            client_id: row.text("client_id")?,
            name: row.text("client_name")?,
            terms: row.json("terms")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

const LIST_GRANTS: &str = "
select c.client_id, c.client_name, g.terms, g.created_at, g.expires_at, g.ended_at
from grants g
join clients c on c.id = g.client_id
where g.user_id = $1
order by g.created_at desc
limit $2";

const LIST_SERVED: &str = "
select s.session_id, s.client_id, c.client_name, s.since, r.started_at
from session_clients s
join sessions r on r.id = s.session_id
join clients c on c.id = s.client_id
where s.user_id = $1
order by s.since desc
limit $2";

readers! {
    /// What somebody has granted, the last first, with what has ended and is still kept.
    pub async fn list_held_grants_of(&mut self, user: Id<User>, limit: u32) -> Result<Vec<HeldGrant>, Error> {
        Ok(self.sql(LIST_GRANTS).bind(user).bind(limit).all().await?)
    }

    /// Which applications all of somebody's sessions serve or served, the last first.
    pub async fn list_clients_of_sessions_of(&mut self, user: Id<User>, limit: u32) -> Result<Vec<ServedClient>, Error> {
        Ok(self.sql(LIST_SERVED).bind(user).bind(limit).all().await?)
    }
}
