//! The file of a SQLite database, as it was when it was opened. One that is moved, removed or replaced under a running server
//! takes every later write with it: nothing is read or written until the old one is back or the server is started again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;

/// A file and who it was.
pub(super) struct OpenedFile {
    path: PathBuf,
    identity: Option<Identity>,
    /// Whether the log has been told that it is another one.
    told: AtomicBool,
}

/// Device and number of a file.
type Identity = (u64, u64);

impl OpenedFile {
    /// The file at this path, which is there.
    pub(super) fn of(path: PathBuf) -> Result<Self, Error> {
        let identity = identity(&path).map_err(sqlx::Error::from)?;
        Ok(Self {
            path,
            identity,
            told: AtomicBool::new(false),
        })
    }

    /// [`Error::Unavailable`] if another file, or none, stands at the path now.
    pub(super) fn require_same(&self) -> Result<(), Error> {
        let same = identity(&self.path).is_ok_and(|identity| identity == self.identity);
        if same {
            if self.told.swap(false, Ordering::Relaxed) {
                tracing::info!(path = %self.path.display(), "the database's file is back");
            }
            return Ok(());
        }
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                path = %self.path.display(),
                "the database's file was moved, removed or replaced while it was open: nothing is served from it; bring it \
                 back, or start the server again"
            );
        }
        Err(Error::unavailable(
            "its file was moved, removed or replaced while it was open",
        ))
    }
}

#[cfg(unix)]
fn identity(path: &std::path::Path) -> std::io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok(Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn identity(path: &std::path::Path) -> std::io::Result<Option<Identity>> {
    std::fs::metadata(path).map(|_| None)
}
