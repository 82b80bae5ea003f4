//! The threads that compute hashes, and the bounded queue before them.
//!
//! As many hashes run at once as there are threads, so memory is bounded by their number; what waits is bounded by places
//! and by expected time, so that a storm is refused at once instead of everybody waiting for nothing. The threads stand back
//! behind those that answer requests: what needs no hash does not wait for hashes.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Block;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::foreign_hash::Foreign;
use super::password::Error;
use super::password_hash::Parameters;
use crate::clock::{self, Clock};
use crate::metrics::{Counter, DURATIONS, Histogram};
use crate::model::Secret;

/// What waits may be this much work at most.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A thread without work for so long gives its memory back.
const IDLE: Duration = Duration::from_secs(60);
/// How far hashing stands back: far enough that requests go first, not so far that another program on the machine keeps
/// everybody from signing in.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;
/// The first guess at a speed, replaced by measurements: 25 ms for 19 MiB and two passes.
const FIRST_NANOS_PER_UNIT: u64 = 25_000_000 / (2 * 19 * 1024);

/// One hash to compute.
pub(super) struct Work {
    pub(super) password: Secret,
    pub(super) recipe: Recipe,
}

/// How it is computed.
pub(super) enum Recipe {
    /// As ours are.
    Own {
        parameters: Parameters,
        salt: Vec<u8>,
        output_bytes: usize,
    },
    /// As another system did.
    Foreign(Arc<Foreign>),
}

impl Recipe {
    /// The work of one hash: KiB times passes, or as much of another kind.
    fn cost(&self) -> u64 {
        match self {
            Self::Own { parameters, .. } => parameters.cost(),
            Self::Foreign(foreign) => foreign.cost(),
        }
    }

    fn compute(&self, password: &[u8], memory: &mut Vec<Block>) -> Output {
        match self {
            Self::Own {
                parameters,
                salt,
                output_bytes,
            } => parameters.compute(password, salt, *output_bytes, memory),
            Self::Foreign(foreign) => foreign.compute(password),
        }
    }
}

type Output = Result<Zeroizing<Vec<u8>>, Error>;

struct Job {
    work: Work,
    answer: oneshot::Sender<Output>,
    since: Instant,
}

pub(super) struct HashQueue {
    shared: Arc<Shared>,
}

struct Shared {
    usual: Parameters,
    workers: usize,
    places: usize,
    state: Mutex<State>,
    wake: Condvar,
    waits: Histogram,
    computations: Histogram,
    refused: Counter,
}

/// The queue as it stands, and what it did since the start.
#[derive(Debug)]
pub struct Load<'q> {
    /// Hashes that wait.
    pub waiting: usize,
    /// Hashes that are being computed.
    pub busy: usize,
    /// How many may be computed at once.
    pub workers: usize,
    /// How long hashes waited.
    pub waits: &'q Histogram,
    /// How long computing them took.
    pub computations: &'q Histogram,
    /// Hashes that were refused, because too much waited.
    pub refused: &'q Counter,
    /// How long the hash has taken that has been computed for the longest time; none while none is.
    pub longest: Option<Duration>,
}

struct State {
    open: bool,
    waiting: VecDeque<Job>,
    busy: usize,
    /// When each of those that are being computed began, by its number.
    running: BTreeMap<u64, Instant>,
    begun: u64,
    computed: u64,
    /// How long a KiB takes in one pass, averaged over the latest hashes.
    nanos_per_unit: u64,
}

enum Next {
    /// One to compute, with its number.
    Job(Job, u64),
    Idle,
    End,
}

impl HashQueue {
    pub(super) fn start(usual: Parameters, workers: usize, places: usize) -> Result<Arc<Self>, Error> {
        let queue = Arc::new(Self {
            shared: Arc::new(Shared {
                usual,
                workers,
                places,
                state: Mutex::new(State {
                    open: true,
                    waiting: VecDeque::new(),
                    busy: 0,
                    running: BTreeMap::new(),
                    begun: 0,
                    computed: 0,
                    nanos_per_unit: FIRST_NANOS_PER_UNIT,
                }),
                wake: Condvar::new(),
                waits: Histogram::new(DURATIONS),
                computations: Histogram::new(DURATIONS),
                refused: Counter::default(),
            }),
        });
        for number in 0..workers {
            let shared = Arc::clone(&queue.shared);
            std::thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || {
                    stand_back();
                    shared.work(&Clock::default());
                })
                .map_err(|_| Error::Stopped)?;
        }
        Ok(queue)
    }

    /// Whether one more would be admitted now.
    pub(super) fn has_room(&self) -> bool {
        self.shared.room(&self.shared.lock()).is_ok()
    }

    /// The same for somebody who is turned away otherwise, and counted.
    pub(super) fn admits(&self) -> Result<(), Error> {
        let room = self.shared.room(&self.shared.lock());
        room.inspect_err(|_| self.shared.refused.count())
    }

    /// Puts a hash into the queue; the answer arrives through the receiver. Dropping the receiver gives the place back.
    pub(super) fn admit(&self, work: Work) -> Result<oneshot::Receiver<Output>, Error> {
        let mut state = self.shared.lock();
        if let Err(refused) = self.shared.room(&state) {
            // those whose caller went away don't count
            let before = state.waiting.len();
            state.waiting.retain(|job| !job.answer.is_closed());
            if state.waiting.len() == before {
                self.shared.refused.count();
                return Err(refused);
            }
            self.shared.room(&state).inspect_err(|_| self.shared.refused.count())?;
        }
        let (answer, receiver) = oneshot::channel();
        let since = clock::monotonic();
        state.waiting.push_back(Job { work, answer, since });
        drop(state);
        self.shared.wake.notify_one();
        Ok(receiver)
    }

    pub(super) fn load(&self) -> Load<'_> {
        let state = self.shared.lock();
        Load {
            waiting: state.waiting.len(),
            busy: state.busy,
            workers: self.shared.workers,
            waits: &self.shared.waits,
            computations: &self.shared.computations,
            refused: &self.shared.refused,
            longest: state.running.values().map(Instant::elapsed).max(),
        }
    }

    pub(super) fn computed(&self) -> u64 {
        self.shared.lock().computed
    }
}

impl Drop for HashQueue {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.open = false;
        state.waiting.clear();
        drop(state);
        self.shared.wake.notify_all();
    }
}

/// Lowers the priority of this thread, which on Linux is one thread's own: who has more to do than the machine can gives a
/// thread of this niceness a third of what others get, and all of it as soon as they wait.
#[cfg(target_os = "linux")]
fn stand_back() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "hashes are computed at the priority of requests");
    }
}

/// Elsewhere it would be that of the whole process.
#[cfg(not(target_os = "linux"))]
const fn stand_back() {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more may wait.
    fn room(&self, state: &State) -> Result<(), Error> {
        let free = self.workers.saturating_sub(state.busy);
        if state.waiting.len() < free {
            return Ok(());
        }
        let wait = self.expected_wait(state);
        if state.waiting.len() - free < self.places && wait <= LONGEST_WAIT {
            return Ok(());
        }
        let seconds = wait.as_secs().saturating_add(1);
        Err(Error::Busy {
            retry_after: Duration::from_secs(seconds),
        })
    }

    fn expected_wait(&self, state: &State) -> Duration {
        let units: u64 = state.waiting.iter().map(|job| job.work.recipe.cost()).sum();
        let workers = u64::try_from(self.workers).unwrap_or(1).max(1);
        Duration::from_nanos(units.saturating_mul(state.nanos_per_unit) / workers)
    }

    fn work(&self, clock: &Clock) {
        // kept between hashes: fresh memory would cost a tenth to a quarter of each
        let mut memory: Vec<Block> = Vec::new();
        loop {
            let (Job { work, answer, since }, number) = match self.next() {
                Next::Job(job, number) => (job, number),
                Next::Idle => {
                    memory = Vec::new();
                    continue;
                }
                Next::End => return,
            };
            self.waits.took(since.elapsed());
            let started = clock.micros();
            let output = catch_unwind(AssertUnwindSafe(|| {
                work.recipe.compute(work.password.expose().as_bytes(), &mut memory)
            }))
            .unwrap_or(Err(Error::Stopped));
            self.done(work.recipe.cost(), number, clock.micros().saturating_sub(started));
            // the caller may have gone away meanwhile
            drop(answer.send(output));
            let usual_blocks = usize::try_from(self.usual.memory_kib).unwrap_or(usize::MAX);
            if memory.len() > usual_blocks {
                memory = Vec::new();
            }
        }
    }

    fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            if !state.open {
                return Next::End;
            }
            while let Some(job) = state.waiting.pop_front() {
                if !job.answer.is_closed() {
                    state.busy += 1;
                    state.begun = state.begun.wrapping_add(1);
                    let number = state.begun;
                    state.running.insert(number, clock::monotonic());
                    return Next::Job(job, number);
                }
            }
            let (woken, waited) = self
                .wake
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() && woken.waiting.is_empty() {
                return Next::Idle;
            }
            state = woken;
        }
    }

    fn done(&self, cost: u64, number: u64, micros: i64) {
        let micros = u64::try_from(micros).unwrap_or(0);
        self.computations.observe(micros);
        let nanos = micros.saturating_mul(1000);
        let mut state = self.lock();
        state.busy = state.busy.saturating_sub(1);
        state.running.remove(&number);
        state.computed = state.computed.saturating_add(1);
        let before = state.nanos_per_unit;
        // one measurement, taken while the machine or its clock jumped, must not shut the door
        let measured = (nanos / cost.max(1)).clamp(before / 4, before.saturating_mul(4));
        state.nanos_per_unit = ((before.saturating_mul(7).saturating_add(measured)) / 8).max(8);
    }
}
