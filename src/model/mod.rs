//! What exists: nouns, states, typed ids, secrets, settings, facts. No I/O, no wire shapes.

pub mod id;
pub mod secret;
pub mod timestamp;

pub use id::Id;
pub use secret::Secret;
pub use timestamp::Timestamp;
