//! The sessions of many people, as an administrator sees and ends them: by person, application, address and group, and all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::sessions::LiveSession;
use super::{ChangeSource, Page};
use crate::flow::again::again;
use crate::flow::session::kept;
use crate::flow::{Call, Error, Provider};
use crate::model::group::ADMIN;
use crate::model::{Event, EventKind, Fact, Grant, Id, Session, User};
use crate::store::{SessionMark, SessionRow, Write};

pub use crate::store::SessionsOf;

/// How many sessions one transaction ends.
const BATCH: u32 = 100;
/// How many families that outlive their sessions one transaction ends.
const FAMILIES: u32 = 1_000;
/// Why they end, in the rows.
const WHY: &str = "ended_by_administrator";

/// What becomes of the families of tokens that outlive the session they began in (`offline_access`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineGrants {
    /// They go on.
    Stay,
    /// They end, too.
    End,
}

/// What was ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedSessions {
    /// So many sessions.
    pub ended: u64,
    /// So many were left, because their people hold rights of administration that the caller lacks.
    pub kept: u64,
}

/// A page of live sessions, the newest first; those of a group by person. What the session store has forgotten is not on it,
/// so a page may hold fewer than `limit` although there are more.
///
/// # Errors
/// [`Error::Unavailable`]; [`Error::NotFound`] for a place that no page has given.
pub async fn list_live_sessions(
    provider: &Provider,
    call: &Call,
    of: &SessionsOf,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<LiveSession>, Error> {
    let mark = match after {
        Some(text) => text.parse().map_err(|_| Error::NotFound)?,
        None => SessionMark::start(),
    };
    let mut store = provider.store.read().await?;
    let rows = store
        .list_live_sessions(of, mark, call.now, limit.saturating_add(1))
        .await?;
    drop(store);
    let page = Page::cut(rows, limit, |row| SessionMark::behind(row).to_string());
    let mut held: HashMap<Id<User>, Vec<Session>> = HashMap::new();
    let mut items = Vec::new();
    for row in page.items {
        if let Entry::Vacant(unknown) = held.entry(row.user) {
            unknown.insert(kept::list(provider, call, row.user).await?);
        }
        let sessions = held.get(&row.user).map(Vec::as_slice).unwrap_or_default();
        items.extend(LiveSession::of(row, sessions));
    }
    Ok(Page { items, next: page.next })
}

/// Ends sessions with the families of tokens that hang on them, a bounded number at a time. Those of people who hold rights of
/// administration that the caller lacks stay.
///
/// # Errors
/// [`Error::Unavailable`]: some may have ended.
pub async fn end_sessions_of(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    of: &SessionsOf,
    offline: OfflineGrants,
) -> Result<EndedSessions, Error> {
    let mut mark = SessionMark::start();
    let mut sum = EndedSessions::default();
    loop {
        let mut store = provider.store.read().await?;
        let rows = store.list_live_sessions(of, mark, call.now, BATCH).await?;
        drop(store);
        let Some(last) = rows.last() else {
            break;
        };
        mark = SessionMark::behind(last);
        let ended = again(|| end_batch(provider, call, source, &rows, offline)).await?;
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        sum.ended += count(ended.len());
        sum.kept += count(rows.len()).saturating_sub(count(ended.len()));
        for (user, id) in ended {
            if let Err(error) = provider.sessions.end(user, id).await {
                tracing::warn!(session = %id, %error, "an ended session stays in the session store until it expires");
            }
        }
    }
    if let (SessionsOf::User(user), OfflineGrants::End) = (of, offline) {
        again(|| end_families(provider, call, source, *user)).await?;
    }
    Ok(sum)
}

/// The families whose sessions are long over.
async fn end_families(provider: &Provider, call: &Call, source: &ChangeSource, user: Id<User>) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let held = tx.list_permissions_of(user).await?;
    if source.must_outrank(&held).is_ok() {
        let ended = tx.end_grants_of_user(user, call.now, WHY).await?;
        let grants = Fact::Number(i64::try_from(ended).unwrap_or(i64::MAX));
        let event = signed_out(call, source).user(user).fact("grants", grants);
        tx.add_event(&event).await?;
    }
    Ok(tx.commit().await?)
}

async fn end_batch(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    rows: &[SessionRow],
    offline: OfflineGrants,
) -> Result<Vec<(Id<User>, Id<Session>)>, Error> {
    let mut tx = provider.store.write().await?;
    let mut may: HashMap<Id<User>, bool> = HashMap::new();
    let mut ended = Vec::new();
    for row in rows {
        if let Entry::Vacant(unknown) = may.entry(row.user) {
            let held = tx.list_permissions_of(row.user).await?;
            unknown.insert(source.must_outrank(&held).is_ok());
        }
        if may.get(&row.user) == Some(&true) {
            end_one(&mut tx, call, source, row, offline).await?;
            ended.push((row.user, row.id));
        }
    }
    tx.commit().await?;
    Ok(ended)
}

async fn end_one(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    row: &SessionRow,
    offline: OfflineGrants,
) -> Result<(), Error> {
    let is_first = tx.end_session(row.id, call.now, WHY).await?;
    tx.end_grants_of_session(row.id, call.now, WHY).await?;
    if offline == OfflineGrants::End {
        tx.end_offline_grants_of_session(row.id, call.now, WHY).await?;
    }
    if is_first {
        let event = signed_out(call, source).user(row.user);
        tx.add_event(&event.fact("session", Fact::Id(row.id.uuid()))).await?;
    }
    Ok(())
}

/// Ends every session of the installation in one write: those that began before count no more, on every node within a second,
/// and whatever any session store brings back. The families of tokens that hang on them are over as well.
///
/// # Errors
/// [`Error::Forbidden`] for callers who lack `admin`; [`Error::Unavailable`].
pub async fn end_every_session(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    offline: OfflineGrants,
) -> Result<(), Error> {
    source.must_cover([ADMIN])?;
    again(|| count_from_now(provider, call, source, offline)).await?;
    if offline == OfflineGrants::Stay {
        return Ok(());
    }
    let mut last: Option<Id<Grant>> = None;
    loop {
        let ended = again(|| async {
            let mut tx = provider.store.write().await?;
            let ended = tx.end_offline_grants(last, call.now, WHY, FAMILIES).await?;
            tx.commit().await?;
            Ok(ended)
        });
        match ended.await? {
            None => return Ok(()),
            next => last = next,
        }
    }
}

async fn count_from_now(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    offline: OfflineGrants,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    // a node whose clock is ahead may have begun one already
    let newest = tx.find_newest_session().await?.map(|row| row.started_at);
    let since = newest.map_or(call.now, |newest| newest.after(std::time::Duration::from_micros(1)));
    tx.count_sessions_since(since.max(call.now)).await?;
    let event = signed_out(call, source)
        .fact("everyone", Fact::Bool(true))
        .fact("offline", Fact::Bool(offline == OfflineGrants::End));
    tx.add_event(&event).await?;
    Ok(tx.commit().await?)
}

fn signed_out(call: &Call, source: &ChangeSource) -> Event {
    call.event(EventKind::SignOut)
        .because(WHY)
        .fact("source", source.fact())
}
