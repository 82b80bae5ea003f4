//! What the store knows of master keys, which themselves never come near it.

use super::Timestamp;
use super::named::named;
use crate::crypto::KeyId;

/// A master key as the store knows it.
#[derive(Clone, Debug)]
pub struct MasterKeyRecord {
    /// Which one.
    pub id: KeyId,
    /// Where in its life it stands.
    pub state: MasterKeyState,
    /// What keys are derived from, sealed under this key.
    pub root: Vec<u8>,
    /// When it was made known.
    pub created_at: Timestamp,
    /// When it became the current one.
    pub current_at: Option<Timestamp>,
    /// When everything was found to be sealed under it.
    pub resealed_at: Option<Timestamp>,
}

named! {
    /// Where in its life a master key stands.
    MasterKeyState {
        /// Known to be the next one; nothing is sealed under it yet.
        Prepared = "prepared",
        /// What is sealed is sealed under it.
        Current = "current",
        /// Opens what it sealed before.
        Older = "older",
    }
}
