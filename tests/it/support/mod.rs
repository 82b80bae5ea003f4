//! What several test files use.

pub mod documents;
pub mod rooms;
pub mod smtp_sink;
