//! Why a master key can't be used, in sentences for the operator.

use std::path::PathBuf;

use crate::crypto::KeyId;
use crate::machine::Unusable;

/// Why a master key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder can't be used.
    #[error(transparent)]
    File(#[from] Unusable),
    /// The key file is not one.
    #[error("{} is not a master key: 32 bytes in base64url are expected", .0.display())]
    NotAKey(PathBuf),
    /// The store holds sealed values and the key they are sealed with is not there.
    #[error(
        "the store is not empty, but {} is missing: bring back the key file that belongs to this store (OSTIARY_KEYS_DIR); a new key would open nothing that is in it",
        .0.display()
    )]
    Missing(PathBuf),
    /// The store's sealed values don't open with any key there is.
    #[error("the master key {} is not the one of this store: its signing keys do not open with it", .0.display())]
    Wrong(PathBuf),
    /// The store is sealed under a key that this node does not have.
    #[error(
        "the store is sealed under the master key {id}, which is not in {}: copy master-{id}.key (or master.key) there from a node that has it",
        folder.display()
    )]
    Lacking {
        /// The key.
        id: KeyId,
        /// Where it would lie.
        folder: PathBuf,
    },
    /// There is no folder to look into.
    #[error("there is no folder of master keys")]
    NoFolder,
    /// What the store keeps beside the key does not open with it.
    #[error("what the store keeps beside the master key {0} does not open with it")]
    Root(KeyId),
}
