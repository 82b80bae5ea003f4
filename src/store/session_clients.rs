//! Which applications a session serves: what they are told when it ends, and what a person sees beside it.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Client, Id, Session, Timestamp, User};
use crate::sql::{self, Record, Row};

/// An application that a session serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClient {
    /// The application.
    pub client: Id<Client>,
    /// When it first got something in this session.
    pub since: Timestamp,
}

impl Record for SessionClient {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            client: row.id("client_id")?,
            since: row.time("since")?,
        })
    }
}

const LIST: &str = "
select client_id, since
from session_clients
where session_id = $1
order by since, client_id
limit $2";

readers! {
    /// The applications that a session serves or, if it has ended, served; those it served first, first.
    pub async fn list_clients_of_session(&mut self, session: Id<Session>, limit: u32) -> Result<Vec<SessionClient>, Error> {
        Ok(self.sql(LIST).bind(session).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into session_clients (session_id, client_id, user_id, since)
values ($1, $2, $3, $4)
on conflict (session_id, client_id) do nothing";

impl Write {
    /// Remembers that a session serves an application. The session has to be held by this transaction: whoever ends it sees
    /// this afterwards, or has ended it before.
    pub fn add_client_of_session(
        &mut self,
        session: Id<Session>,
        client: Id<Client>,
        user: Id<User>,
        since: Timestamp,
    ) {
        self.sql(ADD).bind(session).bind(client).bind(user).bind(since).later();
    }
}
