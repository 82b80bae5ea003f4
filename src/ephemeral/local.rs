//! Counters of this node alone, for the time in which the shared ones do not answer: an outage is no invitation to guess.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::allowance::{Allowance, Spent};
use super::place::Place;
use crate::model::Timestamp;

/// So many counters are kept. Where there is no place for one more, it counts as used up.
const MOST: usize = 50_000;
/// When to ask again where there is no place.
const FULL: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Local(Mutex<HashMap<([u8; 32], &'static str), i64>>);

impl Local {
    pub fn spend(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Spent {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (place.key, place.kind);
        if counters.len() >= MOST && !counters.contains_key(&key) {
            counters.retain(|_, restored| *restored > now.micros());
            if counters.len() >= MOST {
                return Spent::Refused { retry_after: FULL };
            }
        }
        let restored = counters.get(&key).copied().unwrap_or(0).max(now.micros());
        let ahead = restored.saturating_add(allowance.step());
        if ahead.saturating_sub(now.micros()) > allowance.whole() {
            return allowance.refused(restored, now);
        }
        counters.insert(key, ahead);
        allowance.allowed(ahead, now)
    }

    pub fn spent(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Spent {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        allowance.foretold(counters.get(&(place.key, place.kind)).copied(), now)
    }
}
