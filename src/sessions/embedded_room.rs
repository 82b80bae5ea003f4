//! Room for one more in the file of sessions: what is held of a user, and who goes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::admission::{Contender, Limit, judge};
use super::{Admission, Family, Login, NOTE, Room, moment};
use crate::model::{Digest, Id, Session, Timestamp, User};
use crate::sql::{Error, Record, Row, Transaction};

/// The state of a family that is being made.
pub(super) const MADE: &str = "made";
/// The state of a family that was let go.
const GONE: &str = "gone";

/// A [`Room`] of its own.
pub(super) struct OwnRoom {
    limit: Limit,
    families: Vec<Family>,
    ended: Vec<Digest>,
    first: Vec<Login>,
    begun_in: Option<Id<Session>>,
}

impl OwnRoom {
    pub(super) fn of(room: &Room<'_>) -> Self {
        Self {
            limit: room.limit,
            families: room.families.to_vec(),
            ended: room.ended.to_vec(),
            first: room.first.to_vec(),
            begun_in: room.begun_in,
        }
    }

    pub(super) fn lent(&self) -> Room<'_> {
        Room {
            limit: self.limit,
            families: &self.families,
            ended: &self.ended,
            first: &self.first,
            begun_in: self.begun_in,
        }
    }
}

/// Judges who goes, and lets them go. `own`: the family that asks, which does not compete with itself.
pub(super) async fn make_room(
    transaction: &mut Transaction,
    user: Id<User>,
    own: Option<&Digest>,
    room: &Room<'_>,
    now: Timestamp,
) -> Result<Admission, Error> {
    const END: &str = "
        delete from session
        where user_id = $1 and id = $2";
    let held = Held::read(transaction, user, room.ended, now).await?;
    let is_own = |code: &Digest| Some(code) == own;
    let there: Vec<&Family> = room
        .families
        .iter()
        .filter(|family| !is_own(&family.code) && !held.gone.contains(&family.code))
        .collect();
    let counted: BTreeSet<Digest> = there.iter().map(|family| family.code).collect();
    // what is being made has its place, and nobody can end it yet
    let being_made = held
        .made
        .iter()
        .filter(|code| !is_own(code) && !counted.contains(*code));
    let live = held.sessions.len() + there.len() + being_made.count();
    let going = if room.limit.has_room(live) {
        Vec::new()
    } else {
        let Some(going) = judge(room, live, held.contenders(&there)) else {
            return Ok(Admission::Refused {
                live: u32::try_from(live).unwrap_or(u32::MAX),
            });
        };
        going
    };
    let mut ended = Vec::new();
    // somebody let these go, and SQL may not say so yet
    let mut families: Vec<Digest> = held.gone.into_iter().filter(|code| !is_own(code)).collect();
    for login in going {
        match login {
            Login::Session(id) => {
                transaction.sql(END).bind(user.uuid()).bind(id.uuid()).later();
                ended.push(id);
            }
            Login::Family(code) => {
                note(transaction, user, &code, GONE, now.after(NOTE));
                families.push(code);
            }
        }
    }
    Ok(Admission::Admitted { ended, families })
}

/// What is held of a user, without what is past.
#[derive(Default)]
struct Held {
    sessions: Vec<HeldSession>,
    /// Families that are being made.
    made: BTreeSet<Digest>,
    /// Families that were let go.
    gone: BTreeSet<Digest>,
}

struct HeldSession {
    id: Id<Session>,
    started: Timestamp,
    seen: Timestamp,
}

/// A session, or a note if it has a state.
struct HeldRow {
    name: Vec<u8>,
    started: Option<i64>,
    seen: Option<i64>,
    state: Option<String>,
}

impl Record for HeldRow {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            name: row.bytes("name")?,
            started: row.maybe_int("started")?,
            seen: row.maybe_int("seen")?,
            state: row.maybe_text("state")?,
        })
    }
}

impl Held {
    /// Forgets the notes of families that SQL says have ended.
    async fn read(
        transaction: &mut Transaction,
        user: Id<User>,
        ended: &[Digest],
        now: Timestamp,
    ) -> Result<Self, Error> {
        const FORGET_ENDED: &str = "
            delete from session
            where user_id = $1 and ends <= $2";
        const FORGET_PAST: &str = "
            delete from note
            where user_id = $1 and until <= $2";
        const HELD: &str = "
            select id as name, started, seen, null as state
            from session
            where user_id = $1
            union all
            select code, null, null, state
            from note
            where user_id = $1";
        for text in [FORGET_ENDED, FORGET_PAST] {
            transaction.sql(text).bind(user.uuid()).bind(moment(now)).later();
        }
        let rows: Vec<HeldRow> = transaction.sql(HELD).bind(user.uuid()).all().await?;
        let ended: BTreeSet<&Digest> = ended.iter().collect();
        let mut held = Self::default();
        for row in rows {
            let Some(state) = row.state else {
                if let (Ok(id), Some(started), Some(seen)) = (Uuid::from_slice(&row.name), row.started, row.seen) {
                    held.sessions.push(HeldSession {
                        id: Id::from_uuid(id),
                        started: Timestamp::from_micros(started),
                        seen: Timestamp::from_micros(seen),
                    });
                }
                continue;
            };
            // one that can't be read is about nobody
            let Some(code) = Digest::from_bytes(&row.name) else {
                continue;
            };
            if ended.contains(&code) {
                forget_note(transaction, user, &code);
            } else if state == GONE {
                held.gone.insert(code);
            } else {
                held.made.insert(code);
            }
        }
        Ok(held)
    }

    fn contenders(&self, families: &[&Family]) -> Vec<Contender> {
        let sessions = self.sessions.iter().map(|session| Contender {
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
}

pub(super) fn note(
    transaction: &mut Transaction,
    user: Id<User>,
    code: &Digest,
    state: &'static str,
    until: Timestamp,
) {
    const NOTE_DOWN: &str = "
        insert into note (user_id, code, state, until)
        values ($1, $2, $3, $4)
        on conflict (user_id, code) do update
        set state = excluded.state, until = excluded.until";
    let noting = transaction.sql(NOTE_DOWN).bind(user.uuid()).bind(code.as_bytes());
    noting.bind(state).bind(moment(until)).later();
}

pub(super) fn forget_note(transaction: &mut Transaction, user: Id<User>, code: &Digest) {
    const FORGET: &str = "
        delete from note
        where user_id = $1 and code = $2";
    transaction.sql(FORGET).bind(user.uuid()).bind(code.as_bytes()).later();
}
