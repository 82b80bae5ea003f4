//! Signing in: how people prove who they are.

mod decisions;
pub mod factor;
pub mod password;
