//! Events that describe only an answer: written behind, in batches, with back-pressure. Events that describe a change ride in
//! the change's transaction instead.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::operations::event_chain::LATEST_WRITTEN;
use super::refused_access::Tallies;
use super::{Error, Provider};
use crate::model::{Event, EventKind, Id, Outcome, Timestamp};

/// How many events may wait. Past it, whoever wants to add one waits too.
const MOST_WAITING: usize = 10_000;
/// How long an event waits for another to be written.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How many are written in one transaction.
const BATCH: usize = 500;

/// Events that wait to be written.
#[derive(Default)]
pub struct EventQueue {
    waiting: Mutex<Vec<Event>>,
    written: Notify,
    turn: tokio::sync::Mutex<()>,
    pub(super) refused_access: Tallies,
}

impl EventQueue {
    /// How many wait, and since when the first of them does.
    pub fn waiting(&self) -> (usize, Option<Timestamp>) {
        let waiting = match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        (waiting.len(), waiting.first().map(|event| event.at))
    }

    fn try_push(&self, event: Box<Event>) -> Result<(), Box<Event>> {
        let mut waiting = match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        if waiting.len() >= MOST_WAITING {
            return Err(event);
        }
        waiting.push(*event);
        Ok(())
    }

    fn take(&self, most: usize) -> Taken<'_> {
        let mut waiting = match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        let count = waiting.len().min(most);
        let events = waiting.drain(..count).collect();
        Taken { queue: self, events }
    }

    fn put_back(&self, events: Vec<Event>) {
        let mut waiting = match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        waiting.splice(0..0, events);
    }
}

/// Events that are being written. Those that were not wait again, also if whoever writes them goes away meanwhile.
struct Taken<'q> {
    queue: &'q EventQueue,
    events: Vec<Event>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.queue.put_back(std::mem::take(&mut self.events));
    }
}

impl Provider {
    /// Hands over an event that describes only an answer. Waits if too many wait already; where none of them is written in
    /// time, because the store is away, the event goes to the log instead: the answer does not hang on it.
    pub async fn note(&self, event: Event) {
        self.count_refusal(&event);
        self.hand_over(event).await;
    }

    /// A refusal that travels to the client in a redirect is seen here alone; the others are counted where they are answered.
    pub(super) fn count_refusal(&self, event: &Event) {
        if event.kind == EventKind::Authorization
            && let Some(rule) = event.reason.filter(|_| event.outcome == Outcome::Refused)
        {
            self.counts.refusals.of(rule).count();
        }
    }

    pub(super) async fn hand_over(&self, event: Event) {
        let mut event = Box::new(event);
        loop {
            let written = self.events.written.notified();
            match self.events.try_push(event) {
                Ok(()) => return,
                Err(refused) => event = refused,
            }
            if timeout(LONGEST_WAIT, written).await.is_err() {
                tracing::error!(
                    id = %event.id,
                    kind = event.kind.as_str(),
                    outcome = event.outcome.as_str(),
                    reason = event.reason,
                    user = event.user.map(tracing::field::display),
                    client = event.client.map(tracing::field::display),
                    trace = %event.trace,
                    "an event can't be kept; it stands here alone"
                );
                return;
            }
        }
    }

    /// Writes the events that wait. A job calls this every 200 ms; at a kill, at most what came since is lost.
    pub async fn write_noted_events(&self) -> Result<(), Error> {
        // one at a time: when this answers, whatever was noted before is written, by whomever
        let _turn = self.events.turn.lock().await;
        loop {
            let mut batch = self.events.take(BATCH);
            if batch.events.is_empty() {
                return Ok(());
            }
            // the audit log is under checkpoints by then, as far as it goes back so long
            let now = Timestamp::from_micros(self.clock.micros());
            let latest = now.before(LATEST_WRITTEN);
            for event in batch.events.iter_mut().filter(|event| event.id < Id::earliest(latest)) {
                event.id = Id::new(now);
            }
            self.write_batch(&batch.events).await?;
            batch.events.clear();
            self.events.written.notify_waiters();
        }
    }

    async fn write_batch(&self, batch: &[Event]) -> Result<(), Error> {
        let mut store = self.store.write().await?;
        store.add_events(batch).await?;
        store.commit().await?;
        Ok(())
    }
}
