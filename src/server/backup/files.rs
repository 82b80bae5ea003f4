//! Files and folders as backups need them: private, durable, named.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::Error;
use crate::config::Config;
use crate::store;

/// No key file is larger.
const MOST_KEY_BYTES: u64 = 64 * 1024;

/// The contents of the keys folder, by name.
pub(super) type Keys = Vec<(String, Zeroizing<Vec<u8>>)>;

/// The store's file.
pub(super) fn store_file(config: &Config) -> Result<PathBuf, Error> {
    store::file(config.database_url.expose()).ok_or(Error::NotEmbedded)
}

/// The folder a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Every file of the keys folder, sorted by name: whatever is in it may be needed to open the store, except what says of
/// itself that it is not (hidden files, texts for people).
pub(super) fn keys(folder: &Path) -> Result<Keys, Error> {
    let failed = |error| Error::file(folder, "the keys can't be read")(error);
    let mut keys = Keys::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(keys),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_for_people = path.extension().is_some_and(|extension| extension == "md");
        if name.starts_with('.') || is_for_people || !path.is_file() {
            continue;
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let file = fs::File::open(&path).map_err(failed)?;
        file.take(MOST_KEY_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        keys.push((name, bytes));
    }
    keys.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(keys)
}

/// A new file that its owner alone may read.
pub(super) fn create(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// A folder that its owner alone may enter.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes what a folder names last.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Whether a file is there with something in it.
pub(super) fn is_filled(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

/// Removes what an attempt that was cut off left in `folder`: names that begin like this.
pub(super) fn sweep(folder: &Path, beginning: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(beginning) {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "what an interrupted backup or restore left can't be removed");
        }
    }
}

/// The files of a SQLite database: the file and its companions.
pub(super) fn of_database(file: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm"]
        .iter()
        .map(|ending| {
            let mut path = file.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        })
        .collect()
}
