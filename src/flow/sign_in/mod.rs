//! Signing in: how people prove who they are.

mod decisions;
pub mod password;
