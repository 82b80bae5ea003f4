//! How often something was how large.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds for what a person waits for, in microseconds: half a millisecond to ten seconds.
pub const DURATIONS: &[u64] = &[
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// Bounds for a call to a store, in microseconds: 50 microseconds to five seconds.
pub const CALLS: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 1_000_000, 5_000_000,
];

/// Bounds for the number of members of a group.
pub const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64];

/// How often something was how large, in steps. Values are whole numbers; of durations, microseconds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound and one for what lies above all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// With these upper bounds, ascending.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// One more of this size.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.iter().take_while(|bound| value > **bound).count();
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// One more that took this long.
    pub fn took(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Each bound with the number of those at most so large; then all of them, and their sum.
    pub(super) fn read(&self) -> (Vec<(u64, u64)>, u64, u64) {
        let mut all = 0;
        let mut steps = Vec::with_capacity(self.bounds.len());
        for (place, count) in self.counts.iter().enumerate() {
            all += count.load(Ordering::Relaxed);
            if let Some(bound) = self.bounds.get(place) {
                steps.push((*bound, all));
            }
        }
        (steps, all, self.sum.load(Ordering::Relaxed))
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}
