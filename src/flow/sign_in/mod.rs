//! Signing in: how people prove who they are.

pub mod password;
