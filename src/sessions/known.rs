//! Sessions as the file holds them, for a look that asks nobody. The file belongs to this process alone, so what it holds
//! changes here or not at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::embedded_room::HeldSession;
use crate::model::{Digest, Id, Session, User};

/// People are told apart by the last byte of their id, which is random.
const SHARDS: usize = 256;
/// How many sessions a shard knows; with one more it begins anew.
const MOST: usize = 64;

/// The sessions that were looked at lately. Clones share them.
#[derive(Clone)]
pub(super) struct Known(Arc<[Mutex<Shard>]>);

#[derive(Default)]
struct Shard {
    /// Counts the changes, so that what was read before one is not kept after it.
    version: u64,
    /// Changes on their way into the file: until they are done it is not known what it holds.
    changing: usize,
    sessions: HashMap<Digest, Session>,
    /// All that the file holds of a user, for who counts them.
    held: HashMap<Id<User>, Arc<[HeldSession]>>,
}

/// What is known.
pub(super) enum Looked {
    /// This.
    Known(Session),
    /// Nothing: whoever reads it may give it to [`Known::keep`].
    Unknown(Since),
}

/// Where a shard stood before something was read; none while it was changing.
pub(super) struct Since(Option<u64>);

/// A change of a user's sessions that is on its way. Nothing is known of them until it is dropped, which has to be after the
/// file has answered.
pub(super) struct Changing {
    known: Known,
    user: Id<User>,
}

impl Known {
    pub(super) fn nothing() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    pub(super) fn look(&self, user: Id<User>, token: &Digest) -> Looked {
        let Some(shard) = self.shard(user) else {
            return Looked::Unknown(Since(None));
        };
        match shard.sessions.get(token).filter(|session| session.user == user) {
            Some(session) => Looked::Known(session.clone()),
            None => Looked::Unknown(Since((shard.changing == 0).then_some(shard.version))),
        }
    }

    /// Keeps what the file held, unless it may have changed since.
    pub(super) fn keep(&self, since: &Since, token: &Digest, session: &Session) {
        let Some(mut shard) = self.shard(session.user) else {
            return;
        };
        if shard.changing > 0 || since.0 != Some(shard.version) {
            return;
        }
        if shard.sessions.len() >= MOST {
            shard.sessions.clear();
        }
        shard.sessions.insert(*token, session.clone());
    }

    /// What the file holds of a user, or where the shard stands, for [`Known::keep_held`].
    pub(super) fn look_held(&self, user: Id<User>) -> Result<Arc<[HeldSession]>, Since> {
        let Some(shard) = self.shard(user) else {
            return Err(Since(None));
        };
        let held = shard.held.get(&user).cloned();
        held.ok_or_else(|| Since((shard.changing == 0).then_some(shard.version)))
    }

    /// Keeps it, unless it may have changed since.
    pub(super) fn keep_held(&self, since: &Since, user: Id<User>, held: &Arc<[HeldSession]>) {
        let Some(mut shard) = self.shard(user) else {
            return;
        };
        if shard.changing > 0 || since.0 != Some(shard.version) {
            return;
        }
        if shard.held.len() >= MOST {
            shard.held.clear();
        }
        shard.held.insert(user, held.clone());
    }

    pub(super) fn changing(&self, user: Id<User>) -> Changing {
        if let Some(mut shard) = self.shard(user) {
            shard.changing += 1;
            shard.version += 1;
            shard.sessions.retain(|_, session| session.user != user);
            shard.held.remove(&user);
        }
        Changing {
            known: self.clone(),
            user,
        }
    }

    fn shard(&self, user: Id<User>) -> Option<MutexGuard<'_, Shard>> {
        let byte = user.uuid().as_bytes().last().copied().unwrap_or_default();
        let shard = self.0.get(usize::from(byte) % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        if let Some(mut shard) = self.known.shard(self.user) {
            shard.changing = shard.changing.saturating_sub(1);
            shard.version += 1;
        }
    }
}
