//! Signing in: how people prove who they are.

mod decisions;
pub mod duty;
pub mod factor;
pub mod password;
