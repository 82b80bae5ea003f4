//! The only place that asks what time it is, and the only one that sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of the process: the system's, moved by an offset (zero outside `ostiary demo` and the tests).
///
/// Clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
    stands: Option<Standing>,
}

/// A time that does not pass by itself.
#[derive(Clone, Debug)]
struct Standing {
    micros: i64,
    moment: Instant,
    /// How often it was asked for a moment: no two are the same, so that of two things one was the first.
    asked: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that stands until it is moved: for simulations, which are the same in every run.
    pub fn standing() -> Self {
        Self {
            offset_micros: Arc::default(),
            stands: Some(Standing {
                micros: Self::default().micros(),
                moment: monotonic(),
                asked: Arc::default(),
            }),
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn micros(&self) -> i64 {
        self.system_micros()
            .saturating_add(self.offset_micros.load(Ordering::SeqCst))
    }

    /// The same without the offset: to compare with other clocks.
    #[allow(clippy::disallowed_methods)]
    pub fn system_micros(&self) -> i64 {
        match &self.stands {
            Some(standing) => standing.micros,
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map(|since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
                .unwrap_or(0),
        }
    }

    /// A moment to measure durations from: the system's, not moved by any offset; of a clock that stands, its own.
    pub fn moment(&self) -> Instant {
        match &self.stands {
            Some(standing) => {
                let asked = Duration::from_nanos(standing.asked.fetch_add(1, Ordering::SeqCst));
                let moment = standing.moment.checked_add(self.offset().saturating_add(asked));
                moment.unwrap_or(standing.moment)
            }
            None => monotonic(),
        }
    }

    /// Moves this clock (and all its clones) forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.offset_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// How far the clock stands ahead of the system's.
    pub fn offset(&self) -> Duration {
        Duration::from_micros(self.offset_micros.load(Ordering::SeqCst).unsigned_abs())
    }
}

/// Waits for the next of the moments that stand `every` apart, which whoever else waits like this waits for too: what many do at once
/// costs the processor less than the same one by one, and interrupts less often what else it does.
#[allow(clippy::disallowed_methods)]
pub async fn together(every: Duration) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let every = every.as_micros().max(1);
    let rest = every - since.as_micros() % every;
    sleep(Duration::from_micros(u64::try_from(rest).unwrap_or_default())).await;
}

/// A moment to measure durations from; not moved by any offset.
#[allow(clippy::disallowed_methods)]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Waits in real time, whatever the clock's offset: for timers, never for what a test wants to see happen.
#[allow(clippy::disallowed_methods)]
pub async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}
