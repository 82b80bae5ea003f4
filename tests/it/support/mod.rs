//! What several test files use.

pub mod smtp_sink;
