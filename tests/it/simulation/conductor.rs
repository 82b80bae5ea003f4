//! Lets acts on, one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ostiary::sql::{Edge, FailpointAnswer, Failpoints, Place, Step, Verdict};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Whoever does not reach its next halt within this time waits for another act, which stands still.
const STUCK: Duration = Duration::from_secs(30);

/// An act, by its number.
pub type Act = usize;

/// Lets acts on, one at a time. Clones share it.
#[derive(Clone, Default)]
pub struct Conductor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Who was let on.
    running: Option<Act>,
    /// Who stands still, and where.
    halts: BTreeMap<Act, Vec<(String, oneshot::Sender<Verdict>)>>,
    /// Who has come to the end.
    ended: BTreeSet<Act>,
    /// The number of the next act.
    next: Act,
    /// What becomes of one of the coming steps of an act: how many it passes before.
    faults: BTreeMap<Act, (usize, Edge)>,
    /// Whose faults have happened.
    struck: Vec<Act>,
    /// Nodes that the store does not answer.
    cut: Vec<usize>,
}

impl Conductor {
    /// What steers the store of a node.
    pub fn of_node(&self, node: usize) -> Failpoints {
        let conductor = self.clone();
        Failpoints::told_to(move |step| conductor.reached(node, &step))
    }

    fn reached(&self, node: usize, step: &Step) -> FailpointAnswer {
        let mut state = self.0.state.lock().unwrap();
        if step.place == Place::Group {
            return Box::pin(async { Verdict::Goes });
        }
        if state.cut.contains(&node) {
            return Box::pin(async { Verdict::Fails });
        }
        let Some(act) = state.running else {
            return Box::pin(async { Verdict::Goes });
        };
        if let Some((left, edge)) = state.faults.get_mut(&act)
            && *edge == step.edge
            && (step.edge == Edge::Before || step.place == Place::Commit)
        {
            if *left == 0 {
                state.faults.remove(&act);
                state.struck.push(act);
                return Box::pin(async { Verdict::Fails });
            }
            *left -= 1;
        }
        // inside a transaction it would hold up everybody who writes
        if step.edge == Edge::Before || step.place == Place::Transaction {
            return Box::pin(async { Verdict::Goes });
        }
        let (let_on, told) = oneshot::channel();
        state.halts.entry(act).or_default().push((step.label.clone(), let_on));
        drop(state);
        self.0.changed.notify_waiters();
        Box::pin(async { told.await.unwrap_or(Verdict::Goes) })
    }

    /// Begins an act, which stands still before it does anything.
    pub fn begin<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> (Act, JoinHandle<T>) {
        let (let_on, told) = oneshot::channel();
        let mut state = self.0.state.lock().unwrap();
        let act = state.next;
        state.next += 1;
        state.halts.entry(act).or_default().push(("begin".to_owned(), let_on));
        drop(state);
        let shared = self.0.clone();
        let running = tokio::spawn(async move {
            drop(told.await);
            let done = what.await;
            shared.state.lock().unwrap().ended.insert(act);
            shared.changed.notify_waiters();
            done
        });
        (act, running)
    }

    /// Lets an act on until it stands still again or has ended. True: it has ended.
    ///
    /// # Panics
    /// If it does neither: then it waits for something that another act holds while that one reads.
    pub async fn let_on(&self, act: Act) -> bool {
        let halts = {
            let mut state = self.0.state.lock().unwrap();
            state.running = Some(act);
            state.halts.remove(&act).unwrap_or_default()
        };
        for (_, let_on) in halts {
            // whoever stood still may have been given up
            let _ = let_on.send(Verdict::Goes);
        }
        let stands = timeout(STUCK, async {
            loop {
                let changed = self.0.changed.notified();
                if self.stands(act) {
                    return;
                }
                changed.await;
            }
        });
        assert!(stands.await.is_ok(), "act {act} waits for an act that stands still");
        let mut state = self.0.state.lock().unwrap();
        state.running = None;
        state.ended.contains(&act)
    }

    fn stands(&self, act: Act) -> bool {
        let state = self.0.state.lock().unwrap();
        state.ended.contains(&act) || state.halts.contains_key(&act)
    }

    /// Lets an act on to its end.
    pub async fn finish(&self, act: Act) {
        while !self.let_on(act).await {}
    }

    /// Where an act stands still.
    pub fn place_of(&self, act: Act) -> String {
        let state = self.0.state.lock().unwrap();
        state
            .halts
            .get(&act)
            .map_or_else(String::new, |halts| halts[0].0.clone())
    }

    /// After `steps` more steps of this edge, one of an act fails: before, nothing has happened; after (of commits alone),
    /// only the answer is lost.
    pub fn strike(&self, act: Act, steps: usize, edge: Edge) {
        self.0.state.lock().unwrap().faults.insert(act, (steps, edge));
    }

    /// Whether a fault of an act has happened.
    pub fn has_struck(&self, act: Act) -> bool {
        self.0.state.lock().unwrap().struck.contains(&act)
    }

    /// The store does not answer this node any more.
    pub fn cut(&self, node: usize) {
        self.0.state.lock().unwrap().cut.push(node);
    }

    /// It answers again.
    pub fn heal(&self, node: usize) {
        self.0.state.lock().unwrap().cut.retain(|cut| *cut != node);
    }
}
