//! Every order of a few acts, each of which may be interrupted wherever it stands still.

use std::pin::Pin;

use super::conductor::{Act, Conductor};

/// What an act does, and says afterwards.
pub type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The choices of one run after another: all that there are, each once.
#[derive(Default)]
struct Choices {
    /// What was chosen, of how many.
    path: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.path.len() {
            self.path.push((0, of));
        }
        let (chosen, known) = self.path[self.at];
        assert_eq!(known, of, "the same choices lead to the same place");
        self.at += 1;
        chosen
    }

    /// The next run; none if every one was made.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((chosen, of)) = self.path.pop() {
            if chosen + 1 < of {
                self.path.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

/// What became of an act.
pub struct Done<T> {
    /// The step in which it was let on first.
    pub begun: usize,
    /// The step in which it ended.
    pub ended: usize,
    /// What it said.
    pub said: T,
}

/// One run.
pub struct Run<T> {
    pub acts: Vec<Done<T>>,
    /// Who was let on from where, in order: for whoever reads a failure.
    pub order: Vec<String>,
}

/// Makes acts anew and lets them on in another order, until every order was seen in which at most `interruptions` times an act
/// is left before its end. Judges each run; gives their number.
pub async fn every_order<T, W>(
    conductor: &Conductor,
    interruptions: usize,
    mut make: impl AsyncFnMut() -> (W, Vec<Doing<T>>),
    mut judge: impl AsyncFnMut(W, Run<T>),
) -> usize
where
    T: Send + 'static,
{
    let mut choices = Choices::default();
    let mut runs = 0;
    loop {
        let (world, doings) = make().await;
        let count = doings.len();
        let (numbers, mut running): (Vec<Act>, Vec<_>) = doings
            .into_iter()
            .map(|doing| conductor.begin(doing))
            .map(|(number, running)| (number, Some(running)))
            .unzip();
        let mut done: Vec<Option<Done<T>>> = (0..count).map(|_| None).collect();
        let mut begun: Vec<Option<usize>> = vec![None; count];
        let mut order = Vec::new();
        let mut last: Option<usize> = None;
        let mut left = interruptions;
        while done.iter().any(Option::is_none) {
            let mut open: Vec<usize> = (0..count).filter(|act| done[*act].is_none()).collect();
            // going on is the first choice; leaving an act that could go on is an interruption
            let could_go_on = last.filter(|last| open.contains(last));
            if let Some(last) = could_go_on {
                open.retain(|act| *act != last);
                open.insert(0, last);
                if left == 0 {
                    open.truncate(1);
                }
            }
            let act = open[choices.choose(open.len())];
            left -= usize::from(could_go_on.is_some_and(|last| last != act));
            last = Some(act);
            let step = order.len();
            begun[act].get_or_insert(step);
            order.push(format!("{act} from {}", conductor.place_of(numbers[act])));
            if conductor.let_on(numbers[act]).await {
                let said = running[act].take().unwrap().await.unwrap();
                done[act] = Some(Done {
                    begun: begun[act].unwrap(),
                    ended: step,
                    said,
                });
            }
        }
        let acts = done.into_iter().map(Option::unwrap).collect();
        judge(world, Run { acts, order }).await;
        runs += 1;
        if !choices.next() {
            return runs;
        }
    }
}
