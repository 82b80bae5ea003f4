//! A user's sessions, as an administrator sees and ends them.

use super::ChangeSource;
use super::departure::end_browsers;
use super::session_lists::OfflineGrants;
use crate::flow::session::kept;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Device, EventKind, Fact, Id, Session, Timestamp, User};
use crate::store::{SessionRow, Write};

/// More live sessions of one person are not listed.
const MOST: u32 = 200;

/// A session that goes on.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// The session.
    pub id: Id<Session>,
    /// Who signed in.
    pub user: Id<User>,
    /// When.
    pub started_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// When it ends if it is not used any more.
    pub ends_at: Timestamp,
    /// From where it was begun.
    pub address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
    /// Roughly from which place, if that is known.
    pub place: Option<String>,
    /// With which of the person's devices.
    pub device: Option<Id<Device>>,
}

/// The live sessions of a user, newest first: those the session store holds and SQL does not say have ended.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_sessions(provider: &Provider, call: &Call, user: Id<User>) -> Result<Vec<LiveSession>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    let rows = store.list_live_sessions_of(user, call.now, MOST).await?;
    drop(store);
    let held = kept::list(provider, call, user).await?;
    Ok(rows.into_iter().filter_map(|row| LiveSession::of(row, &held)).collect())
}

impl LiveSession {
    /// The session of this row, if the session store holds it.
    pub(super) fn of(row: SessionRow, held: &[Session]) -> Option<Self> {
        let session = held.iter().find(|session| session.id == row.id)?;
        Some(Self {
            id: row.id,
            user: row.user,
            started_at: row.started_at,
            seen_at: session.seen,
            ends_at: session.ends(),
            address: row.address,
            user_agent: row.user_agent,
            place: row.place,
            device: row.device,
        })
    }
}

/// Ends a session and the grants that were begun in it.
///
/// # Errors
/// [`Error::NotFound`] also if it has ended, [`Error::Forbidden`] if the user holds rights of administration that the caller
/// lacks.
pub async fn end_session(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<Session>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = end_in(&mut tx, call, source, id).await;
    let user = settle(tx, done).await?;
    if let Err(error) = provider.sessions.end(user, id).await {
        tracing::warn!(session = %id, %error, "an ended session stays in the session store until it expires");
    }
    Ok(())
}

async fn end_in(tx: &mut Write, call: &Call, source: &ChangeSource, id: Id<Session>) -> Result<Id<User>, Error> {
    const WHY: &str = "ended_by_administrator";
    let session = tx.find_session(id).await?.ok_or(Error::NotFound)?;
    source.must_outrank(&tx.list_permissions_of(session.user).await?)?;
    if !tx.end_session(id, call.now, WHY).await? {
        return Err(Error::NotFound);
    }
    tx.end_grants_of_session(id, call.now, WHY).await?;
    let event = call
        .event(EventKind::SignOut)
        .user(session.user)
        .because(WHY)
        .fact("session", Fact::Id(id.uuid()))
        .fact("source", source.fact());
    tx.add_event(&event).await?;
    Ok(session.user)
}

/// Ends every session of a user and the grants that hang on them; the others if `offline` says so. Gives how many sessions.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the user holds rights of administration that the caller lacks.
pub async fn end_sessions(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    offline: OfflineGrants,
) -> Result<u64, Error> {
    let mut tx = provider.store.write().await?;
    let done = end_all_in(&mut tx, call, source, user, offline).await;
    let ended = settle(tx, done).await?;
    end_browsers(provider, call, user).await;
    Ok(ended)
}

pub(super) async fn end_all_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    offline: OfflineGrants,
) -> Result<u64, Error> {
    const WHY: &str = "ended_by_administrator";
    if tx.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    source.must_outrank(&tx.list_permissions_of(user).await?)?;
    let ended = tx.end_sessions_of_user(user, call.now, WHY).await?;
    match offline {
        OfflineGrants::Stay => tx.end_grants_of_sessions_of_user(user, call.now, WHY).await?,
        OfflineGrants::End => tx.end_grants_of_user(user, call.now, WHY).await?,
    };
    let event = call
        .event(EventKind::SignOut)
        .user(user)
        .because(WHY)
        .fact("sessions", Fact::Number(i64::try_from(ended).unwrap_or(i64::MAX)))
        .fact("source", source.fact());
    tx.add_event(&event).await?;
    Ok(ended)
}
