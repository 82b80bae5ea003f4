//! What operators do and what runs by itself: keys, settings, files of `apply`, setup, cleaning.

pub mod keyring;
pub mod metadata;
pub mod readiness;
