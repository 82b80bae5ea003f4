//! How many logins somebody may have at once, and what becomes of one more.
//!
//! A login is a session of this store, or a family of tokens that outlives its session (`offline_access`). Families are in SQL;
//! the caller says which it finds there, and this store keeps a short note of those that are being made and of those that it
//! let go a moment ago. Whatever SQL does not say yet is in the notes, so that nobody is counted twice or not at all.

use std::time::{Duration, Instant};

use crate::model::{Digest, Id, Session, Timestamp};

/// How long a note is kept: longer than any request takes from asking SQL to its commit.
pub const NOTE: Duration = Duration::from_secs(60);

/// How many logins a user may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The greatest number; none: as many as they like. Zero admits nobody, whatever `at_limit` says.
    pub max: Option<u32>,
    /// What happens to the one too many.
    pub at_limit: AtLimit,
}

impl Limit {
    /// Whether there is room for one more than `live` as it is.
    pub(super) fn has_room(self, live: usize) -> bool {
        self.max
            .is_none_or(|max| live < usize::try_from(max).unwrap_or(usize::MAX))
    }
}

/// What happens at a sign-in that would exceed the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLimit {
    /// It is refused.
    Refuse,
    /// The logins that were started first end.
    EndOldest,
    /// The logins that were not used for the longest time end.
    EndLeastRecent,
}

impl AtLimit {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::EndOldest => "end_oldest",
            Self::EndLeastRecent => "end_least_recent",
        }
    }
}

/// A family of tokens that outlives its session, as SQL says. Its name is the digest of the code that it was redeemed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub code: Digest,
    /// When it began.
    pub started: Timestamp,
    /// When it was last used.
    pub seen: Timestamp,
}

/// One of somebody's logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Login {
    /// A session.
    Session(Id<Session>),
    /// A family, by its code.
    Family(Digest),
}

/// What there is room for, and who makes it.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// How many, and what happens above.
    pub limit: Limit,
    /// The families that are live, as SQL says.
    pub families: &'a [Family],
    /// Those that SQL says have ended of late: a note of them counts no more.
    pub ended: &'a [Digest],
    /// Those that go before anybody else where there is no room, in this order, whatever `at_limit` says. Either they make
    /// room enough, with those that `at_limit` ends, or nothing changes.
    pub first: &'a [Login],
    /// The session that a family is made in: once that has been let go, nobody else goes for the family, which can't be made any
    /// more.
    pub begun_in: Option<Id<Session>>,
    /// When SQL was asked for the families: whatever was written down before, it has named. None: that is unknown.
    pub asked: Option<Instant>,
}

impl From<Limit> for Room<'_> {
    fn from(limit: Limit) -> Self {
        Self {
            limit,
            families: &[],
            ended: &[],
            first: &[],
            begun_in: None,
            asked: None,
        }
    }
}

/// A session that this store holds no more, as it was: [`super::Sessions::put_back`] takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetGo {
    /// The digest of its token.
    pub token: Digest,
    /// The session.
    pub session: Session,
}

/// Who made room for a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeRoom {
    /// The sessions that were ended for it.
    pub sessions: Vec<LetGo>,
    /// The families that have to end for it, by their codes: they are not counted any more. Those that others let go a
    /// moment ago are among them: whoever relies on their end brings it about.
    pub families: Vec<Digest>,
}

/// What became of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is there.
    Admitted(MadeRoom),
    /// The limit is reached.
    Refused {
        /// How many live logins the user has.
        live: u32,
    },
}

/// A login that competes, as both stores compare them: by its moment, then by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contender {
    pub login: Login,
    pub started: Timestamp,
    pub seen: Timestamp,
    /// The id of a session, or the code of a family, as text.
    pub name: String,
}

/// Who has to go so that there is room for one more than `live`. `None`: there is no room.
pub(super) fn judge(room: &Room<'_>, live: usize, mut contenders: Vec<Contender>) -> Option<Vec<Login>> {
    let Some(max) = room.limit.max else {
        return Some(Vec::new());
    };
    let most = usize::try_from(max).unwrap_or(usize::MAX);
    let over = live.saturating_add(1).saturating_sub(most);
    if over == 0 {
        return Some(Vec::new());
    }
    if most == 0 {
        return None;
    }
    let is_held = |session| contenders.iter().any(|other| other.login == Login::Session(session));
    if room.begun_in.is_some_and(|session| !is_held(session)) {
        return None;
    }
    let mut going = Vec::new();
    for first in room.first {
        if going.len() < over && !going.contains(first) && contenders.iter().any(|other| other.login == *first) {
            going.push(*first);
        }
    }
    if going.len() < over {
        match room.limit.at_limit {
            AtLimit::Refuse => return None,
            AtLimit::EndOldest => contenders.sort_by(|a, b| (a.started, &a.name).cmp(&(b.started, &b.name))),
            AtLimit::EndLeastRecent => contenders.sort_by(|a, b| (a.seen, &a.name).cmp(&(b.seen, &b.name))),
        }
        for other in contenders {
            if going.len() < over && !going.contains(&other.login) {
                going.push(other.login);
            }
        }
    }
    (going.len() >= over).then_some(going)
}
