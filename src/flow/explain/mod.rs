//! Explain: why something was refused, how somebody signed in, where a token's claims come from. Read back from what
//! `flow::trace` has kept, and told in words.

pub mod chain;
mod sources;
pub mod token;
mod words;
