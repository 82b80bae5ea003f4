//! How a budget is spent: the generic cell rate algorithm. A full budget may go at once; it comes back evenly over the
//! period, one unit after the other, so nobody waits for a window to turn.

use std::time::Duration;

use crate::model::Timestamp;

/// What an attempt to spend comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// There was something left.
    Allowed {
        /// How many more are left at this moment.
        remaining: u32,
    },
    /// The budget is used up.
    Refused {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// A budget as the algorithm wants it, in microseconds.
///
/// A counter holds one number: the moment at which its budget will be whole again. Spending moves it one step ahead,
/// and it may never be further ahead of the present than the whole budget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    budget: u32,
    step: i64,
}

/// A century: longer periods say "never again", and sums with a present stay exact in a double (Lua has no other number).
const LONGEST_PERIOD_MICROS: i64 = 1 << 51;

impl Allowance {
    /// `budget` units in every `period`.
    pub fn new(budget: u32, period: Duration) -> Self {
        let period = i64::try_from(period.as_micros())
            .unwrap_or(LONGEST_PERIOD_MICROS)
            .min(LONGEST_PERIOD_MICROS);
        let step = period.checked_div(i64::from(budget)).unwrap_or(period).max(1);
        Self { budget, step }
    }

    /// Microseconds after which one unit is back.
    pub fn step(self) -> i64 {
        self.step
    }

    /// Microseconds after which the whole budget is back.
    pub fn whole(self) -> i64 {
        self.step.saturating_mul(i64::from(self.budget))
    }

    /// The answer to a spending that was counted, the counter standing at `restored` after it.
    pub fn allowed(self, restored: i64, now: Timestamp) -> Spent {
        let free = self
            .whole()
            .saturating_sub(restored.saturating_sub(now.micros()).max(0));
        let remaining = free.checked_div(self.step).unwrap_or(0).max(0);
        Spent::Allowed {
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        }
    }

    /// The answer to a spending that was not counted, the counter standing at `restored`.
    pub fn refused(self, restored: i64, now: Timestamp) -> Spent {
        let ahead = restored.max(now.micros()).saturating_sub(now.micros());
        let wait = ahead.saturating_add(self.step).saturating_sub(self.whole());
        Spent::Refused {
            retry_after: Duration::from_micros(u64::try_from(wait).unwrap_or(0).max(1)),
        }
    }

    /// What spending would come to, the counter standing at `restored`; `remaining` counts the unit asked about.
    pub fn foretold(self, restored: Option<i64>, now: Timestamp) -> Spent {
        let restored = restored.unwrap_or(0).max(now.micros());
        match self.allowed(restored, now) {
            Spent::Allowed { remaining: 0 } => self.refused(restored, now),
            answer => answer,
        }
    }
}
