//! Processes that are killed, starved, or lose what they write to: nothing acknowledged is gone, nothing is accepted twice.

mod changes;
mod disk;
mod exchange;
mod import;
mod kills;
mod limits;
mod logout;

use std::time::Duration;

use crate::support::backend::{Backend, quick};
use crate::support::failpoints::{Failpoints, changes as is_change, is_of_a_timer};
use crate::support::process::{Installation, Node, PATIENCE, until};
use crate::support::stage::Stage;

/// How long after a kill the next process has to be ready: three times the promise of two seconds, and more where the
/// program is not optimised.
const READY_AGAIN: Duration = Duration::from_secs(10);

/// Whether this run has the time for everything (`OSTIARY_TEST_LENGTH=full`).
pub fn full_length() -> bool {
    std::env::var("OSTIARY_TEST_LENGTH").is_ok_and(|length| length == "full")
}

/// Of these steps all in a run of full length, else those next to a change; in the quick part those around a commit and every third
/// of the others.
fn wanted(mut steps: Vec<String>) -> Vec<String> {
    steps.retain(|step| !is_of_a_timer(step) && (full_length() || is_change(step)));
    assert!(steps.iter().any(|step| step.starts_with("after commit")), "{steps:?}");
    if quick() {
        let mut others = (0..3).cycle();
        steps.retain(|step| step.contains("commit") || others.next() == Some(0));
    }
    steps
}

/// One node that obeys failpoints.
struct Steered {
    installation: Installation,
    failpoints: Failpoints,
    node: Option<Node>,
    stage: Stage,
}

impl Steered {
    async fn on(backend: Backend) -> Self {
        let installation = Installation::make(backend).await;
        let failpoints = Failpoints::at(installation.folder());
        // whoever asks with a secret that the node has not heard of yet asks again
        let plan = installation
            .plan()
            .with("OSTIARY_SETTINGS__GUESS__ACCOUNT_BUDGET", "1000");
        let plan = failpoints.steer(plan).at(installation.front);
        let node = plan.start().await;
        let stage = Stage::set(&installation).await;
        Self {
            installation,
            failpoints,
            node: Some(node),
            stage,
        }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// The steps of what is done meanwhile, as [`wanted`].
    async fn steps(&self, done: impl AsyncFnOnce()) -> Vec<String> {
        self.failpoints.record();
        done().await;
        wanted(self.failpoints.recorded())
    }

    /// Kills the node, starts it again, and gives how long it was until it was ready.
    async fn kill(&mut self) -> Duration {
        let killed = ostiary::clock::monotonic();
        let plan = self.node.take().unwrap().kill();
        self.failpoints.disarm();
        self.node = Some(plan.start().await);
        killed.elapsed()
    }

    /// Waits until the armed step is reached or the task has ended.
    async fn reached<T>(&self, task: &tokio::task::JoinHandle<T>) {
        until(PATIENCE, "the step is reached, or done without it", async || {
            self.failpoints.is_reached() || task.is_finished()
        })
        .await;
    }

    async fn end(self) {
        drop(self.node);
        self.installation.remove().await;
    }
}
