//! What counts once is raced for, again and again: of many who present the same thing at once, at every node, one succeeds.
//!
//! Ten thousand attempts of each kind in the test command, two thousand where each is a page, four hundred in its quick part; a million on each
//! database with `OSTIARY_TEST_LENGTH=full` (`scripts/once-only`).

mod kinds;
mod people;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ostiary::clock;

use crate::support::backend::{Backend, length, quick};
use crate::support::process::{Installation, Node};
use crate::support::stage::Stage;
use crate::support::wire::{Wire, WireAnswer};

/// How many present the same thing at once.
const RACERS: usize = 200;

/// An installation whose nodes are raced on: three on Postgres and Redis, one with many connections on SQLite.
struct Track {
    backend: Backend,
    installation: Installation,
    nodes: Vec<Node>,
    stage: Stage,
    racers: Vec<Wire>,
}

/// One race's answers, in the order of the racers.
type Answers = Vec<WireAnswer>;

impl Track {
    async fn lay(backend: Backend) -> Self {
        let installation = Installation::make(backend).await;
        let plan = || {
            // each race comes from another network, so that nobody is throttled for having lost many
            installation
                .plan()
                .with("OSTIARY_TRUSTED_PROXIES", "127.0.0.0/8")
                .with("OSTIARY_SETTINGS__GUESS__ACCOUNT_BUDGET", "1000")
                .with("OSTIARY_SETTINGS__GUESS__SOURCE_BUDGET", "100000")
                .with("OSTIARY_SETTINGS__CLIENT_REGISTRATION__MODE", "token")
        };
        let mut nodes = vec![plan().at(installation.front).start().await];
        if backend == Backend::PostgresRedis {
            nodes.push(plan().start().await);
            nodes.push(plan().start().await);
        }
        let stage = Stage::set_with(&installation, |client| {
            client.metadata.id_token_signed_response_alg = ostiary::model::SigningAlgorithm::Es256;
        })
        .await;
        let racers = (0..RACERS)
            .map(|turn| Wire::to(nodes[turn % nodes.len()].address))
            .collect();
        Self {
            backend,
            installation,
            nodes,
            stage,
            racers,
        }
    }

    /// All present the same at once.
    async fn race(&mut self, requests: impl Fn(usize) -> Vec<u8>, racers: usize) -> Answers {
        let ready = self.racers.iter_mut().take(racers);
        let connected = ready.map(async |wire| wire.connect().await.map(|()| wire));
        let connected = join_all(connected).await;
        let answers = connected.into_iter().enumerate().map(async |(turn, wire)| {
            let request = requests(turn);
            wire.unwrap().exchange(&request).await.unwrap()
        });
        join_all(answers).await
    }

    async fn end(self) {
        drop(self.nodes);
        self.installation.remove().await;
    }
}

/// Counts attempts of a kind and tells the rate at the end.
struct Meter {
    kind: &'static str,
    backend: Backend,
    begun: Instant,
    attempts: usize,
    rounds: usize,
    most: usize,
}

impl Meter {
    fn of(kind: &'static str, track: &Track) -> Self {
        // in the test command both databases share the ten thousand
        Self::until(kind, track.backend, length(400, 5_000, 1_000_000))
    }

    /// The same where each attempt is a page that is drawn.
    fn of_pages(kind: &'static str, backend: Backend) -> Self {
        Self::until(kind, backend, length(400, 1_000, 1_000_000))
    }

    fn until(kind: &'static str, backend: Backend, most: usize) -> Self {
        Self {
            kind,
            backend,
            begun: clock::monotonic(),
            attempts: 0,
            rounds: 0,
            most,
        }
    }

    fn goes_on(&self) -> bool {
        self.attempts < self.most
    }

    fn count(&mut self, answers: &Answers) {
        self.attempts += answers.len();
        self.rounds += 1;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let time = self.begun.elapsed().max(Duration::from_millis(1));
        println!(
            "{} on {:?}: {} attempts in {} races, {:.1} s, {:.0}/s",
            self.kind,
            self.backend,
            self.attempts,
            self.rounds,
            time.as_secs_f64(),
            self.attempts as f64 / time.as_secs_f64()
        );
    }
}

/// The answers that are successes; every other one is among the refusals, and says when to come again where it is busy.
fn winners<'a>(answers: &'a Answers, refusals: &[(u16, &str)]) -> Vec<&'a WireAnswer> {
    let (won, lost): (Vec<&WireAnswer>, Vec<&WireAnswer>) = answers
        .iter()
        .partition(|answer| answer.is_success() || answer.status == 303);
    for answer in lost {
        let busy = answer.status == 503 && !answer.header("retry-after").is_empty();
        let refused = refusals
            .iter()
            .any(|(status, word)| answer.status == *status && answer.body.contains(word));
        assert!(busy || refused, "{} {}", answer.status, answer.body);
    }
    won
}

async fn everything(backend: Backend) {
    let mut track = Track::lay(backend).await;
    kinds::codes(&mut track).await;
    kinds::refresh_tokens(&mut track).await;
    kinds::assertions(&mut track).await;
    kinds::registration_tokens(&mut track).await;
    kinds::idempotency_keys(&mut track).await;
    kinds::consents(&mut track).await;
    kinds::setup_links(&mut track).await;
    track.end().await;
}

/// SEC-041, SEC-048: on SQLite, one node and many connections.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_counts_once_is_accepted_twice() {
    everything(Backend::Embedded).await;
}

/// SEC-041, SEC-048: on Postgres and Redis, three nodes.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_counts_once_is_accepted_twice_on_three_nodes() {
    if !quick() {
        everything(Backend::PostgresRedis).await;
    }
}
