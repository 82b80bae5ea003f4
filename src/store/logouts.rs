//! The outbox of logout tokens (Back-Channel Logout 1.0): which applications have to be told that a session has ended, and what
//! came of it. Written by whatever ends a session, in its own transaction.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Client, Id, LogoutOutcome, Session, Timestamp, User};
use crate::sql::{self, Record, Row};

/// An application that has to be told, or was.
#[derive(Clone, Debug)]
pub struct LogoutRow {
    /// The session that ended.
    pub session: Id<Session>,
    /// Who is told.
    pub client: Id<Client>,
    /// The person's public subject, until it is finished.
    pub subject: Option<String>,
    /// When the session ended.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, if it is.
    pub next_at: Option<Timestamp>,
    /// When it was told or given up.
    pub finished_at: Option<Timestamp>,
    /// What came of it.
    pub outcome: LogoutOutcome,
    /// Why the last attempt did not succeed.
    pub error: Option<String>,
}

impl Record for LogoutRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            session: row.id("session_id")?,
            client: row.id("client_id")?,
            subject: row.maybe_text("subject")?,
            created_at: row.time("created_at")?,
            attempts: row.int("attempts")?,
            next_at: row.maybe_time("next_at")?,
            finished_at: row.maybe_time("finished_at")?,
            outcome: row.named("outcome")?,
            error: row.maybe_text("error")?,
        })
    }
}

/// Of what is due the oldest, no more than some of each application: one that does not answer keeps nobody else waiting.
const LIST_DUE: &str = "
select session_id, client_id, subject, created_at, attempts, next_at, finished_at, outcome, error
from (
  select session_id, client_id, subject, created_at, attempts, next_at, finished_at, outcome, error,
    row_number() over (partition by client_id order by next_at, session_id) as place
  from (
    select session_id, client_id, subject, created_at, attempts, next_at, finished_at, outcome, error
    from logouts
    where next_at <= $1
    order by next_at
    limit $2) as oldest) as due
where place <= $3
order by place, next_at
limit $4";

const LIST_OF_CLIENT: &str = "
select session_id, client_id, subject, created_at, attempts, next_at, finished_at, outcome, error
from logouts
where client_id = $1
and (created_at, session_id) < ($2, $3)
order by created_at desc, session_id desc
limit $4";

const WAITING: &str = "
select count(*) as number, min(created_at) as oldest
from (
  select created_at
  from logouts
  where next_at is not null
  order by next_at
  limit $1
) as waiting";

/// How many applications wait to be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaitingLogouts {
    /// How many, up to the number asked for.
    pub number: i64,
    /// When the first of these sessions ended.
    pub oldest: Option<Timestamp>,
}

impl Record for WaitingLogouts {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            oldest: row.maybe_time("oldest")?,
        })
    }
}

/// How much is looked at for what is due.
#[derive(Clone, Copy, Debug)]
pub struct DueLogouts {
    /// So many of the oldest are looked at.
    pub among: u32,
    /// So many of one application are given.
    pub of_client: u32,
    /// So many are given.
    pub most: u32,
}

readers! {
    /// Applications that have to be told now.
    pub async fn list_due_logouts(&mut self, now: Timestamp, bounds: DueLogouts) -> Result<Vec<LogoutRow>, Error> {
        Ok(self
            .sql(LIST_DUE)
            .bind(now)
            .bind(bounds.among)
            .bind(bounds.of_client)
            .bind(bounds.most)
            .all()
            .await?)
    }

    /// How many applications wait to be told; no more than `most` are looked at.
    pub async fn waiting_logouts(&mut self, most: u32) -> Result<WaitingLogouts, Error> {
        Ok(self.sql(WAITING).bind(most).one().await?)
    }

    /// What an application was told, or is to be told, before this one; newest first.
    pub async fn list_logouts_of_client(
        &mut self,
        client: Id<Client>,
        before: Option<(Timestamp, Id<Session>)>,
        limit: u32,
    ) -> Result<Vec<LogoutRow>, Error> {
        let (at, session) = before.unwrap_or((Timestamp::from_micros(i64::MAX), Id::from_uuid(uuid::Uuid::max())));
        Ok(self.sql(LIST_OF_CLIENT).bind(client).bind(at).bind(session).bind(limit).all().await?)
    }
}

/// Who is told: of sessions that were picked by what stands behind `where`, whoever they served and takes logout tokens. `$1` is
/// the moment. A session may come to serve an application again after it ended there: then it is told again.
macro_rules! tell {
    ($picked:literal) => {
        concat!(
            "
insert into logouts (session_id, client_id, subject, created_at, attempts, next_at, outcome)
select served.session_id, served.client_id, users.subject, $1, 0, $1, 'waiting'
from session_clients as served
join sessions on sessions.id = served.session_id
join clients on clients.id = served.client_id
join users on users.id = served.user_id
where ",
            $picked,
            "
and clients.backchannel_logout_uri is not null
on conflict (session_id, client_id) do update
set subject = excluded.subject, created_at = excluded.created_at, attempts = 0, next_at = excluded.next_at,
  finished_at = null, outcome = excluded.outcome, error = null"
        )
    };
}

const TELL_OF_SESSION: &str = tell!("served.session_id = $2");

const TELL_CLIENT: &str = tell!("served.session_id = $2 and served.client_id = $3");

const TELL_OF_USER: &str = tell!("served.user_id = $2 and sessions.ended_at = $1");

const TELL_OF_ALL: &str = tell!("sessions.ended_at = $1");

const CLAIM: &str = "
update logouts
set next_at = $4, attempts = attempts + 1
where session_id = $1
and client_id = $2
and next_at <= $3";

const FINISH: &str = "
update logouts
set outcome = $3, error = $4, finished_at = $5, next_at = null, subject = null
where session_id = $1
and client_id = $2
and next_at = $6";

const PUT_OFF: &str = "
update logouts
set error = $3, next_at = $4
where session_id = $1
and client_id = $2
and next_at = $5";

const PUT_OFF_CLIENT: &str = "
update logouts
set next_at = $3
where client_id = $1
and next_at <= $2";

const GIVE_UP: &str = "
update logouts
set outcome = 'given_up', finished_at = $2, next_at = null, subject = null
where (session_id, client_id) in (
  select session_id, client_id
  from logouts
  where next_at is not null
  and created_at < $1
  limit $3)";

const SWEEP: &str = "
delete from logouts
where (session_id, client_id) in (
  select session_id, client_id
  from logouts
  where created_at < $1
  limit $2)";

impl Write {
    /// Whoever a session has served is to be told of its end. For every method that ends one.
    pub(super) fn tell_of_session(&mut self, session: Id<Session>, at: Timestamp) {
        self.sql(TELL_OF_SESSION).bind(at).bind(session).later();
    }

    /// One application is to be told that what it had in a session has ended.
    pub(super) fn tell_client_of_session(&mut self, session: Id<Session>, client: Id<Client>, at: Timestamp) {
        self.sql(TELL_CLIENT).bind(at).bind(session).bind(client).later();
    }

    /// The same for the sessions of a user that ended at this moment.
    pub(super) fn tell_of_user(&mut self, user: Id<User>, at: Timestamp) {
        self.sql(TELL_OF_USER).bind(at).bind(user).later();
    }

    /// The same for all sessions that ended at this moment.
    pub(super) fn tell_of_all(&mut self, at: Timestamp) {
        self.sql(TELL_OF_ALL).bind(at).later();
    }

    /// Takes what is due for telling until `until`. False if another node has it.
    pub async fn claim_logout(&mut self, row: &mut LogoutRow, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
        let claimed = self.sql(CLAIM).bind(row.session).bind(row.client).bind(now).bind(until);
        let is_ours = claimed.changed().await? == 1;
        if is_ours {
            row.next_at = Some(until);
        }
        Ok(is_ours)
    }

    /// Remembers what came of it; the person's subject is forgotten. Nothing if it was claimed or told anew since `row` was
    /// claimed: whoever has it now says what came of it.
    pub fn finish_logout(&mut self, row: &LogoutRow, outcome: LogoutOutcome, error: Option<&str>, at: Timestamp) {
        self.sql(FINISH)
            .bind(row.session)
            .bind(row.client)
            .bind(outcome.as_str())
            .bind(error.map(str::to_owned))
            .bind(at)
            .bind(row.next_at)
            .later();
    }

    /// Remembers why the application was not told, and when to try again; as above.
    pub fn put_off_logout(&mut self, row: &LogoutRow, error: &str, next: Timestamp) {
        self.sql(PUT_OFF)
            .bind(row.session)
            .bind(row.client)
            .bind(error)
            .bind(next)
            .bind(row.next_at)
            .later();
    }

    /// Lets whatever else is due at an application that can't be reached wait until `next`.
    pub fn put_off_logouts_of_client(&mut self, client: Id<Client>, now: Timestamp, next: Timestamp) {
        self.sql(PUT_OFF_CLIENT).bind(client).bind(now).bind(next).later();
    }

    /// Gives up telling of what ended before `before`, a bounded number.
    pub async fn give_up_logouts(&mut self, before: Timestamp, at: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(GIVE_UP).bind(before).bind(at).bind(limit).changed().await?)
    }

    /// Forgets what ended before `before`, a bounded number.
    pub async fn sweep_logouts(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
