//! Which applications a session serves: what they are told when it ends, and what a person sees beside it.

use super::{Error, Write, readers};
use crate::model::{Client, Id, Session, Timestamp, User};

const LIST: &str = "
select c.id, c.client_id, c.origin, c.trusted, c.metadata, c.policy, c.registration_token, c.disabled_at, c.unused_until, c.version,
  c.created_at, c.updated_at
from session_clients s
join clients c on c.id = s.client_id
where s.session_id = $1
order by s.since, s.client_id
limit $2";

readers! {
    /// The applications that a session serves or, if it has ended, served, without their secrets; those it served first, first.
    pub async fn list_clients_of_session(&mut self, session: Id<Session>, limit: u32) -> Result<Vec<Client>, Error> {
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
