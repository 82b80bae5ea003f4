//! Live sessions by whom or what they belong to, and the moment since which the sessions of this installation count.

use std::str::FromStr;

use uuid::Uuid;

use super::grants::end_grants;
use super::{Ended, Error, SessionRow, Write, readers};
use crate::model::{Client, Device, Grant, Group, Id, Session, Timestamp, User};

/// Which sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionsOf {
    /// All of them.
    Everyone,
    /// Of one person.
    User(Id<User>),
    /// That serve an application.
    Client(Id<Client>),
    /// This one.
    One(Id<Session>),
    /// That were begun from a network address.
    Address(String),
    /// Of the members of a group.
    Group(Id<Group>),
}

/// Where a list of sessions stands: behind this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionMark {
    user: Id<User>,
    started_at: Timestamp,
    id: Id<Session>,
}

impl SessionMark {
    /// Before every session.
    pub const fn start() -> Self {
        Self {
            user: Id::from_uuid(Uuid::nil()),
            started_at: Timestamp::from_micros(i64::MAX),
            id: Id::from_uuid(Uuid::max()),
        }
    }

    /// Behind this one.
    pub const fn behind(row: &SessionRow) -> Self {
        Self {
            user: row.user,
            started_at: row.started_at,
            id: row.id,
        }
    }
}

impl std::fmt::Display for SessionMark {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} {}", self.user, self.started_at.micros(), self.id)
    }
}

impl FromStr for SessionMark {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let mut parts = text.split(' ');
            Some(Self {
                user: parts.next()?.parse().ok()?,
                started_at: Timestamp::from_micros(parts.next()?.parse().ok()?),
                id: parts.next()?.parse().ok()?,
            })
        };
        read().ok_or(Error::Unreadable("a place in a list of sessions"))
    }
}

/// The columns of a live session, from a table or two that give `s`; what is asked for follows.
macro_rules! live {
    ($from:literal, $rest:literal) => {
        concat!(
            "\nselect s.id, s.user_id, s.started_at, s.expires_at, s.address, s.user_agent, s.device_id, s.place,\n  s.remember, s.ended_at\n",
            $from,
            "\nwhere s.ended_at is null
and s.expires_at > $1
and s.started_at >= (select sessions_since from installation where id = 1)\n",
            $rest
        )
    };
}

// ids come in the order of their making
const LIST_ALL: &str = live!(
    "from sessions s",
    "and s.started_at <= $2
and s.id < $3
order by s.id desc
limit $4"
);

const LIST_ONE: &str = live!(
    "from sessions s",
    "and s.started_at <= $2
and s.id < $3
and s.id = $5
limit $4"
);

const LIST_OF_USER: &str = live!(
    "from sessions s",
    "and (s.started_at, s.id) < ($2, $3)
and s.user_id = $5
order by s.started_at desc, s.id desc
limit $4"
);

const LIST_OF_CLIENT: &str = live!(
    "from session_clients c
join sessions s on s.id = c.session_id",
    "and s.started_at <= $2
and c.session_id < $3
and c.client_id = $5
order by c.session_id desc
limit $4"
);

const LIST_OF_ADDRESS: &str = live!(
    "from sessions s",
    "and (s.started_at, s.id) < ($2, $3)
and s.started_at <= $2
and s.address = $5
order by s.started_at desc, s.id desc
limit $4"
);

const LIST_OF_GROUP: &str = live!(
    "from group_members m
join sessions s on s.user_id = m.user_id",
    "and m.group_id = $5
and m.user_id >= $6
and (m.user_id > $6 or (s.started_at, s.id) < ($2, $3))
order by m.user_id, s.started_at desc, s.id desc
limit $4"
);

const NEWEST: &str = "
select id, user_id, started_at, expires_at, address, user_agent, device_id, place, remember, ended_at
from sessions
order by id desc
limit 1";

readers! {
    /// Sessions that SQL does not say have ended, the newest first; those of a group by person.
    pub async fn list_live_sessions(&mut self, of: &SessionsOf, after: SessionMark, now: Timestamp, limit: u32) -> Result<Vec<SessionRow>, Error> {
        let statement = match of {
            SessionsOf::Everyone => self.sql(LIST_ALL),
            SessionsOf::One(_) => self.sql(LIST_ONE),
            SessionsOf::User(_) => self.sql(LIST_OF_USER),
            SessionsOf::Client(_) => self.sql(LIST_OF_CLIENT),
            SessionsOf::Address(_) => self.sql(LIST_OF_ADDRESS),
            SessionsOf::Group(_) => self.sql(LIST_OF_GROUP),
        };
        let statement = statement.bind(now).bind(after.started_at).bind(after.id).bind(limit);
        let statement = match of {
            SessionsOf::Everyone => statement,
            SessionsOf::One(id) => statement.bind(*id),
            SessionsOf::User(id) => statement.bind(*id),
            SessionsOf::Client(id) => statement.bind(*id),
            SessionsOf::Address(address) => statement.bind(address.clone()),
            SessionsOf::Group(id) => statement.bind(*id).bind(after.user),
        };
        Ok(statement.all().await?)
    }

    /// The session that began last, ended or not.
    pub async fn find_newest_session(&mut self) -> Result<Option<SessionRow>, Error> {
        Ok(self.sql(NEWEST).optional().await?)
    }
}

const COUNT_SINCE: &str = "
update installation
set sessions_since = case when sessions_since < $1 then $1 else sessions_since end
where id = 1";

// by id, so that one pass over the families is enough
const LIST_OFFLINE: &str = "
select id
from grants
where id > $1
and offline = $2
and ended_at is null
order by id
limit $3";

const END_OFFLINE: &str = end_grants!("id > $3 and id <= $4 and offline = $5");
const END_OFFLINE_OF_DEVICE: &str = end_grants!(
    "user_id = $3
and offline = $4
and session_id in (select id from sessions where user_id = $3 and device_id = $5)"
);

impl Write {
    /// Says since when sessions count: every one that began before has ended, and the families of tokens that hang on it. The
    /// moment never goes back.
    pub async fn count_sessions_since(&mut self, moment: Timestamp) -> Result<(), Error> {
        self.sql(COUNT_SINCE).bind(moment).changed().await?;
        self.forget(Ended::Sessions).await
    }

    /// Ends the next families behind `after` that outlive their sessions, at most `limit`. Gives the last of them, if there
    /// was one.
    pub async fn end_offline_grants(
        &mut self,
        after: Option<Id<Grant>>,
        at: Timestamp,
        because: &'static str,
        limit: u32,
    ) -> Result<Option<Id<Grant>>, Error> {
        let after = after.unwrap_or(Id::from_uuid(Uuid::nil()));
        let next: Vec<Uuid> = self.sql(LIST_OFFLINE).bind(after).bind(true).bind(limit).all().await?;
        let Some(last) = next.last().copied().map(Id::<Grant>::from_uuid) else {
            return Ok(None);
        };
        self.sql(END_OFFLINE)
            .bind(at)
            .bind(because)
            .bind(after)
            .bind(last)
            .bind(true)
            .changed()
            .await?;
        self.forget(Ended::Sessions).await?;
        Ok(Some(last))
    }

    /// Ends the families that outlive their sessions, of the sessions of a device that are on record, ended ones too. Gives how
    /// many.
    pub async fn end_offline_grants_of_device(
        &mut self,
        user: Id<User>,
        device: Id<Device>,
        at: Timestamp,
        because: &'static str,
    ) -> Result<u64, Error> {
        let ending = self.sql(END_OFFLINE_OF_DEVICE).bind(at).bind(because);
        let ended = ending.bind(user).bind(true).bind(device).changed().await?;
        self.forget_with(ended, Ended::User(user)).await
    }
}
