//! Counters of this node alone, for the time in which the shared ones do not answer: an outage is no invitation to guess. And how
//! many of the shared ones this node has added for strangers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::allowance::{Allowance, Spent, Tally};
use super::place::Place;
use crate::model::Timestamp;

/// So many counters are kept. Where there is no place for one more, it counts as used up.
const MOST: usize = 50_000;
/// So many counters of one thing a node adds for strangers in the time that they are kept.
const MOST_NEWCOMERS: u32 = 50_000;
/// How much longer than its period a counter is kept, at most: the part that its last unit was spent in, and a minute.
const KEPT_LONGER: Duration = Duration::from_secs(60);
/// When to ask again where there is no place.
pub(super) const FULL: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Local {
    counters: Mutex<HashMap<([u8; 32], &'static str), Standing>>,
    newcomers: Mutex<HashMap<&'static str, Tally>>,
}

/// The counters of one thing that this node has added for strangers.
pub(super) struct Newcomers<'l> {
    local: &'l Local,
    counted: &'static str,
    allowance: Allowance,
}

impl Newcomers<'_> {
    pub fn are_too_many(&self, now: Timestamp) -> bool {
        let newcomers = self.local.newcomers.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = newcomers.get(self.counted);
        tally.is_some_and(|tally| matches!(self.allowance.foretold(tally, now), Spent::Refused { .. }))
    }

    pub fn count(&self, now: Timestamp) {
        let mut newcomers = self.local.newcomers.lock().unwrap_or_else(PoisonError::into_inner);
        self.allowance.spend(newcomers.entry(self.counted).or_default(), now);
    }
}

#[derive(Default)]
struct Standing {
    tally: Tally,
    whole_at: i64,
}

impl Local {
    /// Those of one thing, whose counters have this period.
    pub fn newcomers(&self, counted: &'static str, period: Duration) -> Newcomers<'_> {
        let kept = period.saturating_add(period / 16).saturating_add(KEPT_LONGER);
        Newcomers {
            local: self,
            counted,
            allowance: Allowance::new(MOST_NEWCOMERS, kept),
        }
    }

    pub fn spend(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Spent {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (place.key, place.kind);
        if counters.len() >= MOST && !counters.contains_key(&key) {
            counters.retain(|_, counter| counter.whole_at > now.micros());
            if counters.len() >= MOST {
                return Spent::Refused { retry_after: FULL };
            }
        }
        let counter = counters.entry(key).or_default();
        let spent = allowance.spend(&mut counter.tally, now);
        counter.whole_at = allowance.whole_at(&counter.tally);
        spent
    }

    pub fn spent(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Spent {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.get(&(place.key, place.kind));
        counter.map_or_else(
            || allowance.foretold(&Tally::default(), now),
            |counter| allowance.foretold(&counter.tally, now),
        )
    }
}
