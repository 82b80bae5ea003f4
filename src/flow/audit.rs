//! Events that describe only an answer: written behind, in batches, with back-pressure. Events that describe a change ride in
//! the change's transaction instead.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::{Error, Provider};
use crate::model::Event;

/// How many events may wait. Past it, whoever wants to add one waits too.
const MOST_WAITING: usize = 10_000;
/// How many are written in one transaction.
const BATCH: usize = 500;

/// Events that wait to be written.
#[derive(Default)]
pub struct EventQueue {
    waiting: Mutex<Vec<Event>>,
    written: Notify,
    turn: tokio::sync::Mutex<()>,
}

impl EventQueue {
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

    fn take(&self, most: usize) -> Vec<Event> {
        let mut waiting = match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    fn put_back(&self, events: Vec<Event>) {
        let mut waiting = match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        };
        waiting.splice(0..0, events);
    }
}

impl Provider {
    /// Hands over an event that describes only an answer. Waits if too many wait already.
    pub async fn note(&self, event: Event) {
        let mut event = Box::new(event);
        loop {
            let written = self.events.written.notified();
            match self.events.try_push(event) {
                Ok(()) => return,
                Err(refused) => event = refused,
            }
            written.await;
        }
    }

    /// Writes the events that wait. A job calls this every 200 ms; at a kill, at most what came since is lost.
    pub async fn write_noted_events(&self) -> Result<(), Error> {
        // one at a time: when this answers, whatever was noted before is written, by whomever
        let _turn = self.events.turn.lock().await;
        loop {
            let batch = self.events.take(BATCH);
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.write_batch(&batch).await {
                self.events.put_back(batch);
                return Err(error);
            }
            self.events.written.notify_waiters();
        }
    }

    async fn write_batch(&self, batch: &[Event]) -> Result<(), Error> {
        let mut store = self.store.write().await?;
        for event in batch {
            store.add_event(event).await?;
        }
        store.commit().await?;
        Ok(())
    }
}
