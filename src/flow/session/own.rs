//! A person's own sessions, as the person sees and ends them.

use std::time::Duration;

use super::{Account, end, kept};
use crate::flow::effective::SessionTimes;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, EventKind, Fact, Id, Session, Timestamp, User};
use crate::store::Write;

/// Whoever ends other sessions has to have proved within this time who they are (SEC-175).
pub const PROOF_GOOD_FOR: Duration = Duration::from_secs(5 * 60);
/// More sessions of one person are not listed.
const MOST: u32 = 200;
/// More applications of all sessions of one person are not named.
const MOST_APPLICATIONS: u32 = 1_000;
/// At least so many of somebody's other sessions end at a time, if there are so many.
const BATCH: u32 = MOST - 1;
/// Why they end, in the rows.
const WHY: &str = "ended_by_person";

/// Somebody who asks about their own sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The person.
    pub user: Id<User>,
    /// The session that asks, or that an application asks in.
    pub session: Id<Session>,
    /// When the person last proved who they are.
    pub proved: Timestamp,
    /// Whether they did so with a second factor.
    pub is_multiple: bool,
}

impl From<&Account> for Asker {
    fn from(account: &Account) -> Self {
        Self {
            user: account.user.id,
            session: account.session.id,
            proved: account.facts.auth_time,
            is_multiple: super::is_multiple(&account.facts.amr),
        }
    }
}

/// A session of somebody's own.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// The session.
    pub id: Id<Session>,
    /// Whether it is the one that looks.
    pub is_here: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// When it ends if it is not used any more.
    pub ends_at: Timestamp,
    /// From where it was begun.
    pub address: Option<String>,
    /// Roughly from which place, if that is known.
    pub place: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
    /// The names of the applications that it serves.
    pub applications: Vec<String>,
}

/// Which of one's sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnEnd {
    /// This one.
    One(Id<Session>),
    /// All but the one that asks.
    Others,
}

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// The last proof is too old: the person has to prove once more who they are.
    #[error("the person has to prove once more who they are")]
    ProofTooOld,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Whether whoever asks has proved a moment ago who they are, with a second factor if they have one.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn is_freshly_proved(provider: &Provider, call: &Call, asker: Asker) -> Result<bool, Error> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Ok(false);
    }
    Ok(asker.is_multiple
        || provider
            .store
            .read()
            .await?
            .list_factors_of(asker.user)
            .await?
            .is_empty())
}

/// How long the sessions of this person last that are begun as this one was.
///
/// # Errors
/// [`Error::NotFound`] if the person is gone.
pub async fn own_times(provider: &Provider, call: &Call, account: &Account) -> Result<SessionTimes, Error> {
    let settings = provider.settings().await?;
    let person = provider
        .person(account.user.id, call.now)
        .await?
        .ok_or(Error::NotFound)?;
    Ok(SessionTimes::of(
        &person.layers(&settings, None),
        account.facts.remember,
    ))
}

/// The live sessions of a person: the one that looks first, then the last used.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn own_sessions(provider: &Provider, call: &Call, asker: Asker) -> Result<Vec<OwnSession>, Error> {
    let user = asker.user;
    let held = kept::list(provider, call, user).await?;
    let mut store = provider.store.read().await?;
    let mut rows = store.list_live_sessions_of(user, call.now, MOST).await?;
    for session in &held {
        // behind newer ones that have lapsed, and whose rows don't say so yet
        if !rows.iter().any(|row| row.id == session.id) {
            let row = store.find_session(session.id).await?;
            rows.extend(row.filter(|row| row.ended_at.is_none()));
        }
    }
    let served = store.list_served_clients_of(user, call.now, MOST_APPLICATIONS).await?;
    drop(store);
    let mut sessions: Vec<OwnSession> = Vec::new();
    for row in rows {
        let Some(session) = held.iter().find(|session| session.id == row.id) else {
            continue;
        };
        let of_this = served.iter().filter(|served| served.session == row.id);
        sessions.push(OwnSession {
            id: row.id,
            is_here: row.id == asker.session,
            started_at: row.started_at,
            seen_at: session.seen,
            ends_at: session.ends(),
            address: row.address,
            place: row.place,
            user_agent: row.user_agent,
            applications: of_this.map(|served| served.name.clone()).collect(),
        });
    }
    sessions.sort_by_key(|session| {
        (
            !session.is_here,
            std::cmp::Reverse((session.seen_at, session.started_at)),
        )
    });
    Ok(sessions)
}

/// Ends other sessions of the person, with the families of tokens that hang on them. The session that asks is never among them:
/// that is signing out.
///
/// # Errors
/// [`NotEnded`]: nothing was ended. [`Error::NotFound`] in it: the one that is named has ended already, or is not the person's.
pub async fn end_own(provider: &Provider, call: &Call, asker: Asker, wish: OwnEnd) -> Result<(), NotEnded> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotEnded::ProofTooOld);
    }
    match wish {
        OwnEnd::One(id) => end_one(provider, call, asker, id).await?,
        // so many at a time that every transaction is short
        OwnEnd::Others => while end_some(provider, call, asker).await? >= BATCH {},
    }
    Ok(())
}

/// Ends the session of this id, however many others there are.
async fn end_one(provider: &Provider, call: &Call, asker: Asker, id: Id<Session>) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let row = tx.find_session(id).await?;
    let is_meant =
        row.is_some_and(|row| row.user == asker.user && row.id != asker.session && call.now < row.expires_at);
    if !is_meant || !end_in(&mut tx, call, asker.user, id).await? {
        tx.abandon().await?;
        return Err(Error::NotFound);
    }
    tx.commit().await?;
    end::forgotten(provider.sessions.end(asker.user, id).await);
    Ok(())
}

/// Gives how many.
async fn end_some(provider: &Provider, call: &Call, asker: Asker) -> Result<u32, Error> {
    let user = asker.user;
    let mut tx = provider.store.write().await?;
    let rows = tx.list_live_sessions_of(user, call.now, MOST).await?;
    let mut ended = Vec::new();
    for row in rows {
        if row.id != asker.session && end_in(&mut tx, call, user, row.id).await? {
            ended.push(row.id);
        }
    }
    tx.commit().await?;
    let count = u32::try_from(ended.len()).unwrap_or(u32::MAX);
    for id in ended {
        end::forgotten(provider.sessions.end(user, id).await);
    }
    Ok(count)
}

/// Says in the store that a session ended, with what hangs on it. False if it has ended already.
async fn end_in(tx: &mut Write, call: &Call, user: Id<User>, id: Id<Session>) -> Result<bool, Error> {
    if !tx.end_session(id, call.now, WHY).await? {
        return Ok(false);
    }
    tx.end_grants_of_session(id, call.now, WHY).await?;
    let by = call.by(Actor::User(user));
    let event = by.event(EventKind::SignOut).because(WHY).user(user);
    tx.add_event(&event.fact("session", Fact::Id(id.uuid()))).await?;
    Ok(true)
}

/// Whether an origin is one that a trusted client registered which this session serves: its pages may ask in the person's name.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn serves_origin(provider: &Provider, account: &Account, origin: &str) -> Result<bool, Error> {
    let mut store = provider.store.read().await?;
    let served = store
        .list_clients_of_session(account.session.id, MOST_APPLICATIONS)
        .await?;
    Ok(served.iter().any(|client| {
        let is_registered = client.metadata.allowed_cors_origins.iter().any(|known| known == origin);
        is_registered && client.trusted && client.disabled_at.is_none()
    }))
}
