//! What was decided, kept under the trace id for a while.
//!
//! Reasons are return values: whoever decides gives a rule with the facts it rests on. Where a flow or a request ends they are
//! kept here. A fact holds no run-time text, so nothing that is kept can be a secret. What they mean stands in [`rules`];
//! `flow::explain` tells it.

mod keep;
pub mod rules;

pub use keep::{Kept, Traces};
