//! The only place that asks what time it is, and the only one that sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of the process: the system's, moved by an offset (zero outside `ostiary demo` and the tests).
///
/// Clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn micros(&self) -> i64 {
        self.system_micros()
            .saturating_add(self.offset_micros.load(Ordering::SeqCst))
    }

    /// The same without the offset: to compare with other clocks.
    #[allow(clippy::disallowed_methods)]
    pub fn system_micros(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map(|since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            .unwrap_or(0)
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
