//! What operators do and what runs by itself: keys, settings, files of `apply`, setup, mail, cleaning.

pub mod apply;
pub mod cleaning;
pub mod export;
pub mod inventory;
pub mod key_plan;
pub mod keyring;
pub mod keys;
pub mod metadata;
pub mod outbox;
pub mod readiness;
pub mod settings;
pub mod setup;
