//! Signing in: how people prove who they are.

mod at_once;
pub mod code;
mod decisions;
pub mod duty;
mod entrance;
pub mod factor;
pub mod link;
pub mod named;
pub mod passkey;
pub mod password;
