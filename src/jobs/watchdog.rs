//! The thread that sees whether the others go on. It waits for nobody: what stands still can't keep it from saying so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::clock;
use crate::flow::Provider;
use crate::flow::watch::{self, Patience};

/// How often it looks, at most and at least.
const SELDOM: Duration = Duration::from_secs(1);
const OFTEN: Duration = Duration::from_millis(20);

/// The watchdog, until it is dropped.
pub struct Watchdog {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches the runtime that this is called in, and everything of the provider that others wait for.
    pub fn start(provider: &Provider, patience: Patience) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let least = patience.runtime.min(patience.hashing).min(patience.writer);
        let round = Round {
            provider: provider.clone(),
            patience,
            every: (least / 4).clamp(OFTEN, SELDOM),
            runtime: Handle::current().metrics(),
            stopped: stopped.clone(),
        };
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || round.again_and_again());
        if let Err(error) = &thread {
            tracing::warn!(%error, "nobody watches whether everything goes on");
        }
        Self {
            stopped,
            thread: thread.ok(),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

struct Round {
    provider: Provider,
    patience: Patience,
    every: Duration,
    runtime: RuntimeMetrics,
    stopped: Arc<AtomicBool>,
}

/// What was last seen of a thread that answers requests.
#[derive(Clone, Copy)]
struct Seen {
    /// How often it has gone to rest and come back; odd while it rests.
    turns: u64,
    /// How long it was busy: told every few dozen pieces of work, and when it goes to rest.
    busy: Duration,
    since: Instant,
}

impl Round {
    fn again_and_again(self) {
        let mut seen = Vec::new();
        let mut before = clock::monotonic();
        while !self.stopped.load(Ordering::Relaxed) {
            thread::park_timeout(self.every);
            let now = clock::monotonic();
            let asleep = now.saturating_duration_since(before);
            before = now;
            if asleep > self.every.saturating_mul(2).saturating_add(SELDOM) {
                // the whole process stood still, or the machine did: nobody in it could have gone on
                seen.clear();
                continue;
            }
            let silent = self.most_silent(&mut seen, now);
            watch::look(&self.provider, silent, self.patience);
        }
    }

    /// How long the most silent of the threads that answer requests has been at one piece of work.
    fn most_silent(&self, seen: &mut Vec<Seen>, now: Instant) -> Option<Duration> {
        let mut most = None;
        for worker in 0..self.runtime.num_workers() {
            let fresh = Seen {
                turns: self.runtime.worker_park_unpark_count(worker),
                busy: self.runtime.worker_total_busy_duration(worker),
                since: now,
            };
            let Some(last) = seen.get_mut(worker) else {
                seen.push(fresh);
                continue;
            };
            let rests = !fresh.turns.is_multiple_of(2);
            if rests || fresh.turns != last.turns || fresh.busy != last.busy {
                *last = fresh;
                continue;
            }
            most = most.max(Some(now.saturating_duration_since(last.since)));
        }
        most
    }
}
