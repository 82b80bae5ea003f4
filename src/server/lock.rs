//! The data folder belongs to one process at a time: a server, or a command while no server runs.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::Error;

const NAME: &str = "ostiary.lock";
const BACKUP_NAME: &str = "backup.lock";

/// Held while a process uses the data folder; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(fs::File);

impl Lock {
    /// Takes the folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it.
    pub fn take(data_dir: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(Error::file(data_dir, "the data folder can't be made"))?;
        Self::take_file(data_dir, NAME)
    }

    /// Takes the right to make backups, of which there is one at a time. The folder must be there.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it.
    pub(super) fn take_for_backup(data_dir: &Path) -> Result<Self, Error> {
        Self::take_file(data_dir, BACKUP_NAME)
    }

    fn take_file(data_dir: &Path, name: &str) -> Result<Self, Error> {
        let path = data_dir.join(name);
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file(&path, "the lock file can't be opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Locked(data_dir.to_path_buf())),
            Err(fs::TryLockError::Error(error)) => Err(Error::file(path, "the lock file can't be locked")(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // the system frees it with the file anyway
        drop(self.0.unlock());
    }
}
