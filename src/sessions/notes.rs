//! Notes of families of tokens that SQL does not name yet, beside the file of sessions. In memory: the file belongs to this
//! process alone, and what was being made or let go when it ended was written down in SQL or never was.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::NOTE;
use crate::clock;
use crate::model::{Digest, Id, Timestamp, User};

/// People are told apart by the last byte of their id, which is random.
const SHARDS: usize = 256;

/// The notes of everybody, and the right to judge who goes: one at a time of each shard's people. Clones share them.
#[derive(Clone)]
pub(super) struct Notebook(Arc<[Arc<Mutex<Shard>>]>);

type Shard = HashMap<Id<User>, Notes>;

/// The notes of one user, and nobody else who reads or writes them.
pub(super) struct Held {
    shard: OwnedMutexGuard<Shard>,
    user: Id<User>,
}

/// What is noted of somebody's families.
#[derive(Default)]
pub(super) struct Notes {
    /// Those that are being made, and until when they count although SQL does not name them.
    made: HashMap<Digest, Timestamp>,
    /// Those that were let go, and until when they do not count although SQL names them.
    gone: HashMap<Digest, Timestamp>,
    /// Those that were made, with the moment after which SQL names them; the earliest first. Whoever asked SQL before has not
    /// seen them.
    written: VecDeque<(Instant, Digest)>,
}

/// What counts of the notes.
pub(super) struct Noted {
    /// Families that have a place.
    pub(super) made: BTreeSet<Digest>,
    /// Families that have lost theirs.
    pub(super) gone: BTreeSet<Digest>,
}

impl Notebook {
    pub(super) fn empty() -> Self {
        Self((0..SHARDS).map(|_| Arc::default()).collect())
    }

    /// The notes of a user, when nobody else of the same shard judges any more.
    pub(super) async fn of(&self, user: Id<User>) -> Option<Held> {
        let byte = user.uuid().as_bytes().last().copied().unwrap_or_default();
        let shard = self.0.get(usize::from(byte) % SHARDS)?.clone();
        let shard = shard.lock_owned().await;
        Some(Held { shard, user })
    }

    /// Forgets what counts no more, of everybody.
    pub(super) async fn sweep(&self, now: Timestamp) {
        for shard in self.0.iter() {
            shard.lock().await.retain(|_, notes| {
                notes.forget_past(now);
                !notes.is_empty()
            });
        }
    }
}

impl Held {
    pub(super) fn notes(&mut self) -> &mut Notes {
        self.shard.entry(self.user).or_default()
    }
}

impl Notes {
    /// What counts at `now` for somebody who asked SQL at `asked`, and was told that `ended` have ended.
    pub(super) fn held(&mut self, ended: &[Digest], asked: Option<Instant>, now: Timestamp) -> Noted {
        self.forget_past(now);
        for code in ended {
            self.made.remove(code);
            self.gone.remove(code);
        }
        let since = self.written.iter().rev();
        let unseen = since.take_while(|(written, _)| asked.is_none_or(|asked| asked <= *written));
        let unseen = unseen.map(|(_, code)| *code).filter(|code| !ended.contains(code));
        Noted {
            made: self.made.keys().copied().chain(unseen).collect(),
            gone: self.gone.keys().copied().collect(),
        }
    }

    /// A family is being made.
    pub(super) fn make(&mut self, code: &Digest, until: Timestamp) {
        self.gone.remove(code);
        self.made.insert(*code, until);
    }

    /// SQL names it from here on.
    pub(super) fn written(&mut self, code: &Digest) {
        if self.made.remove(code).is_some() {
            self.written.push_back((clock::monotonic(), *code));
        }
    }

    /// It was not made after all.
    pub(super) fn release(&mut self, code: &Digest) {
        self.made.remove(code);
        self.gone.remove(code);
    }

    /// It has lost its place.
    pub(super) fn let_go(&mut self, code: &Digest, now: Timestamp) {
        self.made.remove(code);
        self.gone.insert(*code, now.after(NOTE));
    }

    fn forget_past(&mut self, now: Timestamp) {
        self.made.retain(|_, until| now < *until);
        self.gone.retain(|_, until| now < *until);
        while self
            .written
            .front()
            .is_some_and(|(written, _)| written.elapsed() > NOTE)
        {
            self.written.pop_front();
        }
    }

    fn is_empty(&self) -> bool {
        self.made.is_empty() && self.gone.is_empty() && self.written.is_empty()
    }
}
