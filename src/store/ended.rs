//! The list of what was ended or changed, for the memories of all nodes: whoever remembers something that rests on an entry
//! forgets it. The methods that end or change append to it themselves, in the same transaction.
//!
//! A reader goes on from the mark of its reading before. On SQLite marks count up in the order of the commits. On Postgres a
//! mark is the number of the writing transaction, and a reading goes on from the oldest one that was still running: what it
//! commits later is seen then, and what was seen may be seen again.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::{Error, Write, readers};
use crate::model::{Digest, Grant, Id, Session, User};
use crate::sql::{self, Record, Row};

/// What was ended or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// A session, and the families that hang on it.
    Session(Id<Session>),
    /// A family of tokens.
    Grant(Id<Grant>),
    /// A person: changed, deactivated, deleted, moved between groups; or every session or family of theirs ended.
    User(Id<User>),
    /// An access token, by the digest it is revoked under.
    Token(Digest),
    /// A group: everybody's names of groups and permissions may be others.
    Groups,
    /// Every session of the installation that had begun.
    Sessions,
}

impl Ended {
    const fn kind(self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Grant(_) => "grant",
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Groups => "groups",
            Self::Sessions => "sessions",
        }
    }

    fn subject(self) -> Vec<u8> {
        match self {
            Self::Session(id) => id.uuid().as_bytes().to_vec(),
            Self::Grant(id) => id.uuid().as_bytes().to_vec(),
            Self::User(id) => id.uuid().as_bytes().to_vec(),
            Self::Token(digest) => digest.as_bytes().to_vec(),
            Self::Groups | Self::Sessions => Vec::new(),
        }
    }

    fn of(kind: &str, subject: &[u8]) -> Option<Self> {
        let id = || Uuid::from_slice(subject).ok();
        match kind {
            "session" => Some(Self::Session(Id::from_uuid(id()?))),
            "grant" => Some(Self::Grant(Id::from_uuid(id()?))),
            "user" => Some(Self::User(Id::from_uuid(id()?))),
            "token" => Some(Self::Token(Digest::from_bytes(subject)?)),
            "groups" => Some(Self::Groups),
            "sessions" => Some(Self::Sessions),
            _ => None,
        }
    }
}

/// An entry of the list and its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndedRow {
    /// Where it stands. Several entries may have the same on Postgres.
    pub mark: i64,
    /// What was ended. `None` is of a kind that this program does not know: a newer node wrote it.
    pub ended: Option<Ended>,
}

impl Record for EndedRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            mark: row.int("mark")?,
            ended: Ended::of(&row.text("kind")?, &row.bytes("subject")?),
        })
    }
}

const MARK: &str = "
select mark
from ended_now";

// a limit that is a sum: one that is bound as it is makes SQLite plan the statement anew each time
const LIST: &str = "
select mark, kind, subject
from ended
where mark >= $1
order by mark
limit $2 + 0";

readers! {
    /// From where a reading that begins now has to go on the next time.
    pub async fn get_ended_mark(&mut self) -> Result<i64, Error> {
        Ok(self.sql(MARK).one().await?)
    }

    /// The entries from a mark on, at most `limit`.
    pub async fn list_ended(&mut self, from: i64, limit: u32) -> Result<Vec<EndedRow>, Error> {
        Ok(self.sql(LIST).bind(from).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into ended (kind, subject)
values ($1, $2)";

const SWEEP: &str = "
delete from ended
where mark in (select mark from ended where at < (select at from ended_now) - $1 limit $2)";

impl Write {
    /// Appends to the list, and tells this process when the transaction commits.
    pub(super) async fn forget(&mut self, ended: Ended) -> Result<(), Error> {
        if !self.own.ended.insert(ended) {
            return Ok(());
        }
        self.sql(ADD).bind(ended.kind()).bind(ended.subject()).later();
        Ok(())
    }

    /// Tells this process of entries that a statement of this transaction has appended itself.
    pub(super) fn forgotten(&mut self, ended: impl Iterator<Item = Ended>) {
        self.own.ended.extend(ended);
    }

    /// Tells this process alone: what was to be ended had ended already, maybe on another node a moment ago. Whoever is told
    /// that it has ended must not find it remembered here afterwards.
    pub(super) fn forget_here(&mut self, ended: Ended) {
        self.own.here.push(ended);
    }

    /// Forgets entries older than `age` by the database's clock, a bounded number.
    pub async fn sweep_ended(&mut self, age: Duration, limit: u32) -> Result<u64, Error> {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        Ok(self.sql(SWEEP).bind(age).bind(limit).changed().await?)
    }
}

/// What this process has ended and changed since its memory last took note, so that it forgets at once.
#[derive(Default)]
pub(super) struct OwnChanges {
    waiting: AtomicBool,
    noted: Mutex<Own>,
}

/// What one transaction, or several, have ended and changed.
#[derive(Default)]
pub struct Own {
    /// What has ended: the entries of the list.
    pub ended: HashSet<Ended>,
    /// What had ended already when it was to be ended: in the list by somebody else.
    here: Vec<Ended>,
    /// The generations that were raised.
    pub raised: Vec<&'static str>,
}

impl OwnChanges {
    pub(super) fn note(&self, own: Own) {
        if own.ended.is_empty() && own.here.is_empty() && own.raised.is_empty() {
            return;
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.ended.extend(own.ended);
        noted.ended.extend(own.here);
        noted.raised.extend(own.raised);
        self.waiting.store(true, Ordering::Release);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    pub(super) fn take(&self) -> Own {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut *noted)
    }
}
