//! Backup and restore of the embedded store with its master keys: the folders around the file that
//! `flow::operations::backup` packs and opens.
//!
//! A backup appears under its name whole or not at all. A restore writes everything beside what is there, proves it, and
//! only then writes down which files change places (the *plan*); from that moment it is brought to its end by whoever next
//! takes the data folder, and before it nothing has happened.

mod files;
mod plan;
mod restore;
mod take;

pub(super) use plan::finish_interrupted;
pub use restore::{Place, Restored, Verified, restore, verify};
pub use take::{Taken, back_up};

/// The store's name in a backup.
const STORE: &str = "store";
/// What the names of keys in a backup begin with.
const KEY: &str = "key-";
