//! Whether what everybody waits for goes on: the threads that answer requests, those that compute hashes, and the writers of embedded
//! files. A thread of its own looks ([`crate::jobs`]), because it has to see that the others stand still.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Provider;
use crate::metrics::{Counter, Labelled};

/// The threads that answer requests.
pub const RUNTIME: &str = "runtime";
/// The threads that compute hashes.
pub const HASHING: &str = "hashing";
/// Everything that is watched, by the words that numbers and the log use.
pub const WATCHED: [&str; 5] = [RUNTIME, HASHING, "store", "ephemeral", "sessions"];

/// How long something may be silent until it counts as standing still.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A thread that answers requests at one piece of work: those take microseconds.
    pub runtime: Duration,
    /// A hash: those take tens of milliseconds, and the costliest that is admitted some seconds.
    pub hashing: Duration,
    /// The writer of an embedded file at one step: those take milliseconds.
    pub writer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            runtime: Duration::from_secs(5),
            hashing: Duration::from_secs(30),
            writer: Duration::from_secs(10),
        }
    }
}

/// What stands still, and how often it did.
#[derive(Debug, Default)]
pub struct Watch {
    /// How often something stood still since the process started.
    pub stalls: Labelled<Counter>,
    still: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Watch {
    /// What stands still, and for how long.
    pub fn still(&self) -> Vec<(&'static str, Duration)> {
        self.lock().iter().map(|(what, time)| (*what, *time)).collect()
    }

    /// Whether requests can't be answered as they should: hashes alone may take long without that.
    pub fn holds_up(&self) -> bool {
        self.lock().keys().any(|what| *what != HASHING)
    }

    fn judge(&self, what: &'static str, silent_for: Option<Duration>, patience: Duration) {
        let mut still = self.lock();
        let Some(time) = silent_for.filter(|time| *time >= patience) else {
            if let Some(time) = still.remove(what) {
                drop(still);
                tracing::warn!(what, seconds = time.as_secs_f32(), "goes on again");
            }
            return;
        };
        let is_new = still.insert(what, time).is_none();
        drop(still);
        if is_new {
            self.stalls.of(what).count();
            tracing::error!(what, seconds = time.as_secs_f32(), "stands still");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Duration>> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at everything. `runtime`: how long the most silent of the threads that answer requests has been at one piece of work.
pub fn look(provider: &Provider, runtime: Option<Duration>, patience: Patience) {
    let watch = &provider.watch;
    watch.judge(RUNTIME, runtime, patience.runtime);
    watch.judge(HASHING, provider.passwords.load().longest, patience.hashing);
    let files = [
        ("store", Some(provider.store.database())),
        ("ephemeral", provider.ephemeral.database()),
        ("sessions", provider.sessions.database()),
    ];
    for (what, file) in files {
        let silent = file.and_then(|file| file.writer_silent_for());
        watch.judge(what, silent, patience.writer);
    }
}
