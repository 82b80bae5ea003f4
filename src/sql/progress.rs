//! Whether the writer of a database file goes on: since when it is held without having come to another step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// When the writer's holder came to its last step; none while nobody holds it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Option<Instant>>>);

/// The writer is held until this is dropped, which has to be before the writer is given away.
pub(super) struct Held(Progress);

impl Progress {
    pub(super) fn begin(&self) -> Held {
        self.step();
        Held(self.clone())
    }

    /// The holder begins another step.
    pub(super) fn step(&self) {
        *self.hold() = Some(clock::monotonic());
    }

    /// How long the holder has been at its step.
    pub(super) fn silent_for(&self) -> Option<Duration> {
        self.hold().map(|last| last.elapsed())
    }

    fn hold(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.hold() = None;
    }
}
