//! Counters of this node alone, for the time in which the shared ones do not answer: an outage is no invitation to guess.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::allowance::{Allowance, Spent, Tally};
use super::place::Place;
use crate::model::Timestamp;

/// So many counters are kept. Where there is no place for one more, it counts as used up.
const MOST: usize = 50_000;
/// When to ask again where there is no place.
const FULL: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Local(Mutex<HashMap<([u8; 32], &'static str), Standing>>);

#[derive(Default)]
struct Standing {
    tally: Tally,
    whole_at: i64,
}

impl Local {
    pub fn spend(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Spent {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.get(&(place.key, place.kind));
        counter.map_or_else(
            || allowance.foretold(&Tally::default(), now),
            |counter| allowance.foretold(&counter.tally, now),
        )
    }
}
