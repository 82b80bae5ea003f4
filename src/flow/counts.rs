//! What flows have done since the process started, in numbers.

use std::time::Instant;

use crate::clock;
use crate::metrics::{Counter, Labelled};

/// What flows have done since the process started. Labels are words of this program.
#[derive(Debug)]
pub struct Counts {
    /// Attempts to sign in, by outcome.
    pub sign_ins: Labelled<Counter>,
    /// Answers of the token endpoint that gave tokens, by grant.
    pub tokens: Labelled<Counter>,
    /// Requests that were refused, by rule.
    pub refusals: Labelled<Counter>,
    /// Signatures that were verified, by whose they are: `own` tokens, `client` assertions. What is remembered is not verified again.
    pub signatures: Labelled<Counter>,
    /// When counting began.
    pub since: Instant,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            sign_ins: Labelled::default(),
            tokens: Labelled::default(),
            refusals: Labelled::default(),
            signatures: Labelled::default(),
            since: clock::monotonic(),
        }
    }
}
