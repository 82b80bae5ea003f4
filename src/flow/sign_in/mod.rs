//! Signing in: how people prove who they are.

mod decisions;
pub mod duty;
mod entrance;
pub mod factor;
pub mod passkey;
pub mod password;
