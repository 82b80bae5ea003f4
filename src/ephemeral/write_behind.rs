//! What was changed lately stands here, and goes to the file ten times a second in one transaction: what comes and goes
//! sooner never touches the disk. Whoever looks, looks here first; so the only thing a killed process loses is its last tenth
//! of a second, and with it perhaps a sign-in that has to be begun again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::place::Place;
use crate::sql::Error;

/// So many slots stand here at most: past it whoever wants one more waits until some are written.
const MOST: usize = 10_000;
/// How long is waited for that: where nothing is written for so long, the file takes nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where a value lies: its kind's word and the digest of its key.
pub type Slot = (&'static str, [u8; 32]);

impl Place {
    pub(super) fn slot(&self) -> Slot {
        (self.kind, self.key)
    }
}

/// What stands in a slot; `None` is nothing.
struct Standing<V> {
    value: Option<V>,
    /// The number of its last change, so that one that comes while it is written is noticed.
    version: u64,
}

struct Inner<V> {
    slots: HashMap<Slot, Standing<V>>,
    /// How often slots were let go because the file has them.
    written: u64,
    /// Counts the changes.
    changes: u64,
}

/// The slots of one table.
pub struct WriteBehind<V> {
    inner: Mutex<Inner<V>>,
    room: Notify,
}

/// Changes on their way into the file.
pub struct Batch<V>(pub Vec<Change<V>>);

/// A slot, what stands there now, and the version.
pub type Change<V> = (Slot, Option<V>, u64);

impl<V: Clone> Default for WriteBehind<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Clone> WriteBehind<V> {
    /// None.
    pub fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                slots: HashMap::new(),
                written: 0,
                changes: 0,
            }),
            room: Notify::new(),
        }
    }

    /// Puts a value into a slot, or nothing, whatever was there.
    ///
    /// [`Error::Unavailable`] if there is no room, and none becomes free in time.
    pub async fn put(&self, slot: Slot, value: Option<V>) -> Result<(), Error> {
        loop {
            let room = self.room.notified();
            {
                let mut inner = self.lock();
                if inner.slots.len() < MOST || inner.slots.contains_key(&slot) {
                    inner.change(slot, value);
                    return Ok(());
                }
            }
            in_time(room).await?;
        }
    }

    /// What stands in a slot. `read` asks the file, if nothing is known here.
    pub async fn get<R>(&self, slot: Slot, read: impl Fn() -> R) -> Result<Option<V>, Error>
    where
        R: Future<Output = Result<Option<V>, Error>>,
    {
        loop {
            let written = {
                let inner = self.lock();
                if let Some(standing) = inner.slots.get(&slot) {
                    return Ok(standing.value.clone());
                }
                inner.written
            };
            let in_file = read().await?;
            let inner = self.lock();
            if let Some(standing) = inner.slots.get(&slot) {
                return Ok(standing.value.clone());
            }
            // what was let go meanwhile may have been written after the file was read
            if inner.written == written {
                return Ok(in_file);
            }
        }
    }

    /// Changes what stands in a slot, alone with it: `change` gives what it leaves there, if that is something else, and its
    /// answer. `read` asks the file, if nothing is known here.
    ///
    /// [`Error::Unavailable`] if there is no room, and none becomes free in time.
    pub async fn change<T, R>(
        &self,
        slot: Slot,
        read: impl Fn() -> R,
        mut change: impl FnMut(Option<&V>) -> (Option<Option<V>>, T),
    ) -> Result<T, Error>
    where
        R: Future<Output = Result<Option<V>, Error>>,
    {
        loop {
            let room = self.room.notified();
            let (written, is_full) = {
                let mut inner = self.lock();
                if let Some(answer) = inner.try_change(slot, &mut change) {
                    return Ok(answer);
                }
                (inner.written, inner.slots.len() >= MOST)
            };
            if is_full {
                in_time(room).await?;
                continue;
            }
            let in_file = read().await?;
            let mut inner = self.lock();
            if let Some(answer) = inner.try_change(slot, &mut change) {
                return Ok(answer);
            }
            if inner.written == written {
                let (new, answer) = change(in_file.as_ref());
                if let Some(value) = new {
                    inner.change(slot, value);
                }
                return Ok(answer);
            }
        }
    }

    /// Everything that stands here: the changes that the file does not have yet.
    pub fn unwritten(&self) -> Batch<V> {
        let inner = self.lock();
        let unwritten = inner.slots.iter();
        Batch(
            unwritten
                .map(|(slot, standing)| (*slot, standing.value.clone(), standing.version))
                .collect(),
        )
    }

    /// The file has these changes: what did not change again is let go.
    pub fn let_go(&self, batch: &Batch<V>) {
        let mut inner = self.lock();
        for (slot, _, version) in &batch.0 {
            if inner
                .slots
                .get(slot)
                .is_some_and(|standing| standing.version == *version)
            {
                inner.slots.remove(slot);
            }
        }
        inner.written = inner.written.wrapping_add(1);
        drop(inner);
        self.room.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn in_time(room: impl Future<Output = ()>) -> Result<(), Error> {
    let waited = timeout(LONGEST_WAIT, room).await;
    waited.map_err(|_| Error::unwritten())
}

impl<V> Inner<V> {
    fn change(&mut self, slot: Slot, value: Option<V>) {
        self.changes = self.changes.wrapping_add(1);
        let version = self.changes;
        self.slots.insert(slot, Standing { value, version });
    }

    fn try_change<T>(
        &mut self,
        slot: Slot,
        change: &mut impl FnMut(Option<&V>) -> (Option<Option<V>>, T),
    ) -> Option<T> {
        let standing = self.slots.get(&slot)?;
        let (new, answer) = change(standing.value.as_ref());
        if let Some(value) = new {
            self.change(slot, value);
        }
        Some(answer)
    }
}
