//! Room for one more beside the file of sessions: what is held of a user, and who goes.

use std::collections::BTreeSet;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::admission::{Contender, Limit, judge};
use super::notes::{Noted, Notes};
use super::{Admission, Family, LetGo, Login, MadeRoom, Room, moment};
use crate::model::{Digest, Id, Session, Timestamp, User};
use crate::sql::{Connection, Error, Record, Row};

/// A [`Room`] of its own.
pub(super) struct OwnRoom {
    limit: Limit,
    families: Vec<Family>,
    ended: Vec<Digest>,
    first: Vec<Login>,
    begun_in: Option<Id<Session>>,
    asked: Option<Instant>,
}

impl OwnRoom {
    pub(super) fn of(room: &Room<'_>) -> Self {
        Self {
            limit: room.limit,
            families: room.families.to_vec(),
            ended: room.ended.to_vec(),
            first: room.first.to_vec(),
            begun_in: room.begun_in,
            asked: room.asked,
        }
    }

    pub(super) fn lent(&self) -> Room<'_> {
        Room {
            limit: self.limit,
            families: &self.families,
            ended: &self.ended,
            first: &self.first,
            begun_in: self.begun_in,
            asked: self.asked,
        }
    }
}

/// What comes of one more login.
pub(super) enum Outcome {
    /// It is admitted when these have gone.
    Admitted {
        /// Sessions, to be ended in the file.
        sessions: Vec<Id<Session>>,
        /// Families, to be noted as gone.
        families: Vec<Digest>,
        /// Families that others let go a moment ago, which SQL may not say yet.
        gone: Vec<Digest>,
    },
    /// There is no room beside so many.
    Refused { live: u32 },
}

impl Outcome {
    pub(super) const fn is_admitted(&self) -> bool {
        matches!(self, Self::Admitted { .. })
    }

    pub(super) fn ends_sessions(&self) -> bool {
        matches!(self, Self::Admitted { sessions, .. } if !sessions.is_empty())
    }

    /// Notes whom it lets go, once the file has let go its sessions, and tells the caller.
    pub(super) fn settled(self, sessions: Vec<LetGo>, notes: &mut Notes, now: Timestamp) -> Admission {
        match self {
            Self::Refused { live } => Admission::Refused { live },
            Self::Admitted { families, gone, .. } => {
                for code in &families {
                    notes.let_go(code, now);
                }
                Admission::Admitted(MadeRoom {
                    sessions,
                    families: gone.into_iter().chain(families).collect(),
                })
            }
        }
    }
}

/// Judges who goes. `own`: the family that asks, which does not compete with itself.
pub(super) fn judge_room(
    sessions: &[HeldSession],
    notes: &mut Notes,
    own: Option<&Digest>,
    room: &Room<'_>,
    now: Timestamp,
) -> Outcome {
    let Noted { made, gone } = notes.held(room.ended, room.asked, now);
    let is_own = |code: &Digest| Some(code) == own;
    let there: Vec<&Family> = room
        .families
        .iter()
        .filter(|family| !is_own(&family.code) && !gone.contains(&family.code))
        .collect();
    let counted: BTreeSet<Digest> = there.iter().map(|family| family.code).collect();
    // what is being made has its place, and nobody can end it yet
    let being_made = made.iter().filter(|code| !is_own(code) && !counted.contains(*code));
    let live_sessions = || sessions.iter().filter(|session| now < session.ends);
    let live = live_sessions().count() + there.len() + being_made.count();
    let gone = gone.into_iter().filter(|code| !is_own(code)).collect();
    if room.limit.has_room(live) {
        return Outcome::Admitted {
            sessions: Vec::new(),
            families: Vec::new(),
            gone,
        };
    }
    let contenders = contenders(live_sessions(), &there);
    let Some(going) = judge(room, live, contenders) else {
        return Outcome::Refused {
            live: u32::try_from(live).unwrap_or(u32::MAX),
        };
    };
    let (mut sessions, mut families) = (Vec::new(), Vec::new());
    for login in going {
        match login {
            Login::Session(id) => sessions.push(id),
            Login::Family(code) => families.push(code),
        }
    }
    Outcome::Admitted {
        sessions,
        families,
        gone,
    }
}

fn contenders<'a>(sessions: impl Iterator<Item = &'a HeldSession>, families: &[&Family]) -> Vec<Contender> {
    let sessions = sessions.map(|session| Contender {
        login: Login::Session(session.id),
        started: session.started,
        seen: session.seen,
        name: session.id.to_string(),
    });
    let families = families.iter().map(|family| Contender {
        login: Login::Family(family.code),
        started: family.started,
        seen: family.seen,
        name: URL_SAFE_NO_PAD.encode(family.code.as_bytes()),
    });
    sessions.chain(families).collect()
}

/// A session as the file has it, ended or not.
#[derive(Clone)]
pub(super) struct HeldSession {
    id: Id<Session>,
    started: Timestamp,
    seen: Timestamp,
    ends: Timestamp,
}

impl Record for HeldSession {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let time = |name| Ok::<_, Error>(Timestamp::from_micros(row.int(name)?));
        Ok(Self {
            id: Id::from_uuid(Uuid::from_slice(&row.bytes("id")?).map_err(|_| Error::unreadable("id"))?),
            started: time("started")?,
            seen: time("seen")?,
            ends: time("ends")?,
        })
    }
}

/// The sessions of a user.
pub(super) async fn held(
    connection: &mut Connection,
    user: Id<User>,
    now: Timestamp,
) -> Result<Vec<HeldSession>, Error> {
    const HELD: &str = "
        select id, started, seen, ends
        from session
        where user_id = $1 and ends > $2";
    let asking = connection.sql(HELD).bind(user.uuid()).bind(moment(now));
    asking.all().await
}
