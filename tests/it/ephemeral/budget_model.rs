//! The failure counter against a model: whatever order guesses, pauses, refunds and clearings come in, as many are admitted
//! as the model says, and never more than the budget in any stretch of time as long as the period.

use std::sync::Arc;
use std::time::Duration;

use ostiary::ephemeral::{Counted, Counter, Ephemeral, Spent};
use ostiary::model::Timestamp;
use ostiary::random;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{NOW, backends};

#[derive(Clone, Debug)]
enum Step {
    /// So many guesses at once.
    Guess(u8),
    /// The last admitted guess was right, or not checked after all.
    Refund,
    /// A success: the account's budget is whole again.
    Clear,
    /// Time passes, in thousandths of the period.
    Wait(u16),
    /// A node whose clock is behind by so many thousandths of the period guesses once.
    Behind(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1..12_u8).prop_map(Step::Guess),
        2 => Just(Step::Refund),
        1 => Just(Step::Clear),
        4 => (0..400_u16).prop_map(Step::Wait),
        1 => (1..100_u8).prop_map(Step::Behind),
    ]
}

/// What the counter must say.
struct Model {
    budget: usize,
    period: i64,
    /// The counter's own time: that of the node whose clock is ahead of the others'.
    ahead: i64,
    /// When guesses were admitted that were not given back since, and since the last clearing.
    admitted: Vec<i64>,
    /// Those of them that are not back yet. What was back when a guess was admitted stays so, whatever a clock says later that
    /// is behind.
    out: Vec<i64>,
}

impl Model {
    /// When a guess of this moment is back: a period after the end of its sixteenth.
    fn back(&self, moment: i64) -> i64 {
        let part = self.period / 16;
        (moment / part + 1) * part + self.period
    }

    fn admits(&mut self, now: Timestamp) -> bool {
        let out = self
            .out
            .iter()
            .copied()
            .filter(|&moment| self.back(moment) > now.micros());
        let mut out: Vec<i64> = out.collect();
        let admits = out.len() < self.budget;
        if admits {
            self.ahead = self.ahead.max(now.micros());
            self.admitted.push(self.ahead);
            out.push(self.ahead);
            self.out = out;
        }
        admits
    }

    /// The last admitted guess counts no more.
    fn refund(&mut self) -> Option<Timestamp> {
        let last = self.admitted.pop()?;
        self.out.pop_if(|out| *out == last);
        Some(Timestamp::from_micros(last))
    }

    fn clear(&mut self) {
        self.admitted.clear();
        self.out.clear();
        self.ahead = 0;
    }

    /// The bound itself, in its own words: every stretch that is as long as the period holds at most the budget.
    fn holds(&self) -> bool {
        self.admitted.iter().all(|begin| {
            let stretch = self
                .admitted
                .iter()
                .filter(|&end| (*begin..begin + self.period).contains(end));
            stretch.count() <= self.budget
        })
    }
}

/// Plays the steps on one counter of one place.
async fn play(store: &Ephemeral, budget: u8, period: Duration, steps: &[Step]) -> Result<(), TestCaseError> {
    let key: Arc<str> = random::hex_id().into();
    let mut model = Model {
        budget: usize::from(budget),
        period: i64::try_from(period.as_micros()).unwrap(),
        ahead: 0,
        admitted: Vec::new(),
        out: Vec::new(),
    };
    let mut now = NOW;
    for step in steps {
        match step {
            Step::Guess(count) => {
                let guesses: Vec<_> = (0..*count)
                    .map(|_| {
                        let (store, key) = (store.clone(), key.clone());
                        tokio::spawn(async move { guess(&store, &key, budget, period, now).await })
                    })
                    .collect();
                let mut admitted = 0;
                for guess in guesses {
                    admitted += u32::from(guess.await.unwrap());
                }
                let expected = (0..*count).filter(|_| model.admits(now)).count();
                prop_assert_eq!(usize::try_from(admitted).unwrap(), expected);
            }
            Step::Refund => {
                if let Some(at) = model.refund() {
                    let counter = Counter::new(Counted::PasswordByUser, &key);
                    store.refund(counter, at).await.unwrap();
                }
            }
            Step::Clear => {
                store.clear(Counter::new(Counted::PasswordByUser, &key)).await.unwrap();
                model.clear();
            }
            Step::Wait(thousandths) => now = now.after(period * u32::from(*thousandths) / 1000),
            Step::Behind(thousandths) => {
                let behind = now.before(period * u32::from(*thousandths) / 1000);
                let admitted = guess(store, &key, budget, period, behind).await;
                prop_assert_eq!(admitted, model.admits(behind));
            }
        }
        prop_assert!(model.holds(), "{:?}", model.admitted);
    }
    Ok(())
}

async fn guess(store: &Ephemeral, key: &str, budget: u8, period: Duration, now: Timestamp) -> bool {
    let counter = Counter::new(Counted::PasswordByUser, key);
    let spent = store.spend(counter, u32::from(budget), period, now).await.unwrap();
    matches!(spent, Spent::Allowed { .. })
}

/// SEC-745: for any interleaving, as many guesses are evaluated as the model admits.
#[test]
fn model_bruteforce() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (places, _directory) = runtime.block_on(backends());
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    // the same steps each time: a suite that fails by chance is not believed
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let cases = (
        3..15_u8,
        prop_oneof![Just(60_u64), Just(900), Just(86_400)],
        proptest::collection::vec(step(), 5..30),
    );
    let played = runner.run(&cases, |(budget, seconds, steps)| {
        runtime.block_on(async {
            for place in &places {
                play(place, budget, Duration::from_secs(seconds), &steps).await?;
            }
            Ok(())
        })
    });
    played.unwrap();
}

/// SEC-745: whoever guesses as often as it goes has the budget at once and then nothing until it is back; whoever spreads the
/// budget gets each guess back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn model_bruteforce_of_the_most_diligent_guesser() {
    const BUDGET: u8 = 10;
    let period = Duration::from_secs(900);
    let (places, _directory) = backends().await;
    for place in &places {
        let (hasty, even) = (random::hex_id(), random::hex_id());
        let (mut at_once, mut spread) = (Vec::new(), Vec::new());
        // three periods, in steps of a ninetieth of one
        for moment in 0..270 {
            let now = NOW.after(period * moment / 90);
            for _ in 0..40 {
                if guess(place, &hasty, BUDGET, period, now).await {
                    at_once.push(moment);
                }
            }
            // no more often than the budget lasts, and its sixteenth
            if moment % 10 == 0 && guess(place, &even, BUDGET, period, now).await {
                spread.push(moment);
            }
        }
        for admitted in [&at_once, &spread] {
            for first in admitted {
                let stretch = admitted.iter().filter(|moment| (*first..first + 90).contains(*moment));
                assert!(stretch.count() <= usize::from(BUDGET), "{admitted:?}");
            }
        }
        assert_eq!(at_once[..10], [0; 10]);
        // a period and at most its sixteenth later all ten again
        let again = at_once[10];
        assert!((90..=96).contains(&again), "{at_once:?}");
        assert_eq!(at_once[10..20], [again; 10]);
        assert_eq!(spread.len(), 27, "{spread:?}");
    }
}
