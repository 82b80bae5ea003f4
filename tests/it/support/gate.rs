//! A place in the store's work of a server of a test's own where the next one who comes by stands still, or gets no answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ostiary::server::Options;
use ostiary::sql::{Edge, Failpoints, Place, Step, Verdict};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Nobody takes longer to come by.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of whoever comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// They wait until the gate is opened.
    Wait,
    /// The store does not answer them.
    Fail,
    /// They wait until the gate is opened, and the store does not answer them.
    FailWhenOpened,
}

/// A kind of step, what its label holds, and what becomes of whoever comes by.
type Armed = (Edge, Place, String, Does);

/// The gate; clones share it.
#[derive(Clone)]
pub struct Gate {
    armed: Arc<Mutex<Option<Armed>>>,
    reached: Arc<Semaphore>,
    opened: Arc<Semaphore>,
}

impl Gate {
    /// One that nobody meets yet.
    pub fn new() -> Self {
        Self {
            armed: Arc::default(),
            reached: Arc::new(Semaphore::new(0)),
            opened: Arc::new(Semaphore::new(0)),
        }
    }

    /// Into the server that is started with these options.
    pub fn stand_in(&self, options: &mut Options) {
        let gate = self.clone();
        options.failpoints = Failpoints::told_to(move |step| {
            let does = gate.take(&step);
            let gate = gate.clone();
            Box::pin(async move {
                if does.is_some() {
                    gate.reached.add_permits(1);
                }
                if matches!(does, Some(Does::Wait | Does::FailWhenOpened)) {
                    gate.opened.acquire().await.unwrap().forget();
                }
                match does {
                    None | Some(Does::Wait) => Verdict::Goes,
                    Some(Does::Fail | Does::FailWhenOpened) => Verdict::Fails,
                }
            })
        });
    }

    /// Whoever comes next to a step of this kind whose label holds this text meets it.
    pub fn arm(&self, (edge, place): (Edge, Place), text: &str, does: Does) {
        *self.armed.lock().unwrap() = Some((edge, place, text.to_owned(), does));
    }

    fn take(&self, step: &Step) -> Option<Does> {
        let mut armed = self.armed.lock().unwrap();
        let meets = armed.as_ref().is_some_and(|(edge, place, text, _)| {
            (*edge, *place) == (step.edge, step.place) && step.label.contains(text.as_str())
        });
        if meets { armed.take().map(|armed| armed.3) } else { None }
    }

    /// Returns when somebody has met it.
    pub async fn reached(&self) {
        timeout(PATIENCE, self.reached.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
    }

    /// Whoever waits goes on.
    pub fn open(&self) {
        self.opened.add_permits(1);
    }
}
