//! Backups of the embedded store: one file with everything that an installation is, store and master keys together, sealed
//! under a passphrase. What is done with the folders around it is the server's.

mod archive;
mod pieces;

use std::path::Path;

pub use archive::{Archive, Content, Head, Part, pack};

use crate::flow::{Call, Error, Provider};
use crate::model::EventKind;

/// The shortest passphrase: the file is attacked at leisure by whoever finds it.
pub const SHORTEST_PASSPHRASE: usize = 12;

/// Why a file is not taken as a backup, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Some other file.
    #[error("it is not a backup of Ostiary")]
    Foreign,
    /// A format that only newer programs read.
    #[error("it was made by a newer program: its format is {found}, and this program reads format {known}")]
    NewerFormat {
        /// Which one.
        found: String,
        /// Ours.
        known: u32,
    },
    /// A schema that only newer programs know.
    #[error(
        "it was made by a newer program ({program}): its store has the migration {migration}, which this program does not know"
    )]
    NewerSchema {
        /// The version that made it.
        program: String,
        /// The first unknown step.
        migration: String,
    },
    /// Cut short, or changed on the way.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// Another passphrase.
    #[error("it does not open with this passphrase")]
    Passphrase,
    /// Too easy.
    #[error("the passphrase is shorter than {SHORTEST_PASSPHRASE} characters")]
    ShortPassphrase,
    /// The system's word.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// Writes a consistent copy of the embedded store to an empty file while everything goes on.
///
/// # Errors
/// [`Error::Unavailable`], [`Error::Failed`]; the copy is then no store.
pub async fn snapshot(provider: &Provider, call: &Call, path: &Path) -> Result<(), Error> {
    // told first, so that the backup itself says that it was made
    let mut tx = provider.store.write().await?;
    tx.add_event(&call.event(EventKind::StoreBackedUp)).await?;
    tx.commit().await?;
    Ok(provider.store.snapshot(path).await?)
}
