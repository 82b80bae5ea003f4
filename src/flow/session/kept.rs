//! Sessions that are kept in the store too (`session.durable`): a session store that was emptied, or came back as it was earlier,
//! costs nobody a login then.
//!
//! The session store stays in front. Where it has lost a session, the one that the store has kept takes its place again, if there
//! still is room for it; what has ended in the store stays so. Uses are written behind, so that the idle timeout may be judged a
//! little early after a loss, and never late.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::logins::Families;
use super::term::Term;
use super::{Account, SessionFacts, term};
use crate::flow::again::again;
use crate::flow::effective::LoginLimit;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::SESSION_DURABLE;
use crate::model::{Digest, Id, Session, User};
use crate::sessions::AtLimit;
use crate::store::KeptSession;

/// More sessions of one person are not brought back: as many as anybody may have logins.
const MOST: u32 = 200;
/// More uses do not wait to be written; those beyond are noted the next time.
const MOST_WAITING: usize = 100_000;
/// So many uses are written in one transaction.
const BATCH: usize = 200;
/// So many sessions are kept no more in one transaction.
const LET_GO: u32 = 500;

/// Uses of sessions that wait to be written.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<Id<Session>, KeptSession>>);

impl Uses {
    /// Notes a use; one that waits already is replaced.
    fn note(&self, used: KeptSession) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&used.session.id) {
            waiting.insert(used.session.id, used);
        }
    }

    /// What could not be written waits on, unless something newer does.
    fn put_back<'a>(&self, unwritten: impl Iterator<Item = &'a KeptSession>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for used in unwritten {
            waiting.entry(used.session.id).or_insert_with(|| used.clone());
        }
    }

    fn take(&self) -> Vec<KeptSession> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<KeptSession> = std::mem::take(&mut *waiting).into_values().collect();
        // two nodes that write of the same sessions don't wait for each other in a circle
        taken.sort_by_key(|used| used.session.id);
        taken
    }
}

/// Whether sessions are kept.
pub(super) async fn is_on(provider: &Provider) -> Result<bool, Error> {
    Ok(provider.settings().await?.flag(SESSION_DURABLE))
}

/// Notes that a session was used, with what is kept with it now.
pub(super) async fn note_use(provider: &Provider, token: Digest, session: Session) -> Result<(), Error> {
    if is_on(provider).await? {
        provider.uses.note(KeptSession { token, session });
    }
    Ok(())
}

/// Keeps a session under another token.
pub(super) async fn renew(provider: &Provider, token: Digest, session: &Session) -> Result<(), Error> {
    if !is_on(provider).await? {
        return Ok(());
    }
    let kept = KeptSession {
        token,
        session: session.clone(),
    };
    again(async || {
        let mut store = provider.store.write().await?;
        store.keep_session(&kept);
        Ok(store.commit().await?)
    })
    .await
}

/// Keeps a session under the token that its browser still has, because another one came to nothing.
pub(super) async fn keep_as_before(provider: &Provider, account: &Account) {
    told(renew(provider, account.token.digest(), &account.session).await);
}

/// Keeps a session no more, because nobody has the token that it is kept under.
pub(super) async fn let_go(provider: &Provider, session: Id<Session>) {
    let gone = async {
        if is_on(provider).await? {
            let mut store = provider.store.write().await?;
            store.let_go_of_session(session);
            store.commit().await?;
        }
        Ok(())
    };
    told(gone.await);
}

fn told(done: Result<(), Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "a session is kept under a token that nobody has");
    }
}

/// The live sessions of a person: those that the session store holds, and those that it has lost. Each with the limits that count
/// for it now.
pub(in crate::flow) async fn list(provider: &Provider, call: &Call, user: Id<User>) -> Result<Vec<Session>, Error> {
    let held = list_as_kept(provider, call, user).await?;
    term::going_on(provider, call, user, held).await
}

/// The same as they are kept: limits that were tightened since have ended some of them.
pub(super) async fn list_as_kept(provider: &Provider, call: &Call, user: Id<User>) -> Result<Vec<Session>, Error> {
    let mut held = provider.sessions.list(user, call.now).await?;
    if is_on(provider).await? {
        held.extend(
            lost(provider, call, user, &held)
                .await?
                .into_iter()
                .map(|kept| kept.session),
        );
        held.sort_by_key(|session| (session.started, session.id));
    }
    Ok(held)
}

/// The session of this token, brought back if the session store has lost it.
pub(super) async fn bring_back(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    token: &Digest,
) -> Result<Option<Session>, Error> {
    if !is_on(provider).await? {
        return Ok(None);
    }
    let mut store = provider.store.read().await?;
    let kept = store.find_kept_session(user, token, call.now).await?;
    drop(store);
    let back = put_back(provider, call, user, kept.into_iter().collect()).await?;
    Ok(back.into_iter().next())
}

/// Brings back every session of a person that the session store has lost: before another one is admitted beside them.
pub(super) async fn bring_all_back(provider: &Provider, call: &Call, user: Id<User>) -> Result<(), Error> {
    if is_on(provider).await? {
        let held = provider.sessions.list(user, call.now).await?;
        let lost = lost(provider, call, user, &held).await?;
        put_back(provider, call, user, lost).await?;
    }
    Ok(())
}

async fn lost(provider: &Provider, call: &Call, user: Id<User>, held: &[Session]) -> Result<Vec<KeptSession>, Error> {
    let mut store = provider.store.read().await?;
    let mut kept = store.list_kept_sessions_of(user, call.now, MOST).await?;
    kept.retain(|kept| !held.iter().any(|session| session.id == kept.session.id));
    Ok(kept)
}

/// Puts sessions back, each if there is room beside the others. Gives those that are there.
async fn put_back(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    lost: Vec<KeptSession>,
) -> Result<Vec<Session>, Error> {
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let Some(person) = provider.person(user, call.now).await? else {
        return Ok(Vec::new());
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, None);
    let limit = LoginLimit::of(&layers);
    let families = Families::of(provider, call, user).await?;
    // whoever made room in the session store has ended in the store a moment later: nobody ends for them again
    let room = families.room(limit, AtLimit::Refuse, &[]);
    let mut back = Vec::new();
    for KeptSession { token, session } in lost {
        // whoever is over by now takes nobody's place
        let term = SessionFacts::read(&session.data).map(|facts| Term::of(&session, (&person.user, &layers), &facts));
        if term.is_none_or(|term| term.over(session.seen, call.now).is_some()) {
            continue;
        }
        if provider.sessions.put_back(&token, &session, room, call.now).await? {
            back.push(session);
        }
    }
    // one that ended meanwhile may have been put back after it was ended there
    let mut store = provider.store.read().await?;
    let mut live = Vec::new();
    for session in back {
        match store.find_session(session.id).await? {
            Some(row) if row.ended_at.is_none() => live.push(session),
            _ => drop(provider.sessions.end(user, session.id).await?),
        }
    }
    if !live.is_empty() {
        tracing::debug!(%user, sessions = live.len(), "sessions that the session store had lost are back");
    }
    Ok(live)
}

/// Writes down which sessions were used. Where sessions are not kept, lets go of those that were.
///
/// # Errors
/// [`Error::Unavailable`]: what was not written waits for the next time.
pub async fn write_uses(provider: &Provider) -> Result<(), Error> {
    let taken = provider.uses.take();
    if !is_on(provider).await? {
        return let_go_of_all(provider).await;
    }
    let mut batches = taken.chunks(BATCH);
    while let Some(batch) = batches.next() {
        if let Err(error) = again(|| write(provider, batch)).await {
            provider.uses.put_back(batch.iter().chain(batches.flatten()));
            return Err(error);
        }
    }
    Ok(())
}

async fn write(provider: &Provider, batch: &[KeptSession]) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    for used in batch {
        store.note_use_of_session(used);
    }
    Ok(store.commit().await?)
}

async fn let_go_of_all(provider: &Provider) -> Result<(), Error> {
    while provider.store.read().await?.is_any_session_kept().await? {
        let mut store = provider.store.write().await?;
        let gone = store.let_go_of_sessions(LET_GO).await?;
        store.commit().await?;
        tracing::info!(gone, "sessions are kept in the store no more");
    }
    Ok(())
}
