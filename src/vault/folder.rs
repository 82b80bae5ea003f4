//! The keys folder: files of 32 random bytes in base64url, readable by the server's account alone. `master.key` is the
//! current one, `master-ID.key` any other; a key is known by what is in its file, and the names are for people.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::Error;
use crate::crypto::{KeyId, MasterKey};
use crate::machine::Unusable;
use crate::random;

const NAME: &str = "master.key";

/// What a folder without a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is sealed yet: one is made.
    Made,
    /// Something is, which a new key would not open.
    Refused,
}

/// The folder of this node's master keys.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, there or not.
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// The file of the current key.
    pub(super) fn current(&self) -> PathBuf {
        self.0.join(NAME)
    }

    /// The file of a key that is not the current one.
    fn other(&self, id: KeyId) -> PathBuf {
        self.0.join(format!("master-{id}.key"))
    }

    /// Where a key lies: in its own file, or as the current one.
    pub(super) fn place(&self, id: KeyId) -> PathBuf {
        let own = self.other(id);
        if own.exists() { own } else { self.current() }
    }

    /// A key that should be here and is not.
    pub(super) fn lacks(&self, id: KeyId) -> Error {
        Error::Lacking {
            id,
            folder: self.0.clone(),
        }
    }

    /// Every key that lies here, `master.key` first.
    pub(super) fn read(&self, missing: Missing) -> Result<Vec<MasterKey>, Error> {
        let mut paths = self.files()?;
        if paths.is_empty() && missing == Missing::Made {
            self.make()?;
            paths = self.files()?;
        }
        if paths.is_empty() {
            return Err(Error::Missing(self.current()));
        }
        paths.iter().map(|path| read(path)).collect()
    }

    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(file(&self.0, "the keys folder can't be read"))?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(file(&self.0, "the keys folder can't be read"))?;
            let name = entry.file_name();
            let is_other = name.to_str().is_some_and(|name| {
                name.strip_prefix("master-")
                    .and_then(|rest| rest.strip_suffix(".key"))
                    .is_some_and(|id| id.parse::<KeyId>().is_ok())
            });
            if is_other || name == NAME {
                paths.push(entry.path());
            }
        }
        let current = self.current();
        paths.sort_by_key(|path| (*path != current, path.clone()));
        Ok(paths)
    }

    /// Makes the first key. Of two who make one the second takes the first one's.
    fn make(&self) -> Result<(), Error> {
        let path = self.current();
        match self.write(&MasterKey::generate(), &path) {
            Ok(()) => {
                tracing::info!(path = %path.display(), "a master key was made; keep a copy of it away from the store's");
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(file(path, "the master key can't be written")(error)),
        }
    }

    /// Writes another key beside the current one.
    pub(super) fn add(&self, key: &MasterKey) -> Result<(), Error> {
        let path = self.other(key.id());
        self.write(key, &path)
            .map_err(file(path, "the master key can't be written"))
    }

    /// The file appears whole or not at all, and never in place of another.
    fn write(&self, key: &MasterKey, path: &Path) -> std::io::Result<()> {
        let draft = self.draft(key)?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        linked?;
        fs::File::open(&self.0)?.sync_all()
    }

    fn draft(&self, key: &MasterKey) -> std::io::Result<PathBuf> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let draft = self.0.join(format!(".{NAME}.{}", random::hex_id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(Zeroizing::new(URL_SAFE_NO_PAD.encode(key.expose())).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Gives the current key the name `master.key` and the one before its own. Where the folder can't be written, the files
    /// keep their names: they are known by what is in them.
    pub(super) fn arrange(&self, current: &MasterKey) {
        if let Err(error) = self.try_arrange(current) {
            tracing::debug!(%error, "the files of the master keys keep their names");
        }
    }

    fn try_arrange(&self, current: &MasterKey) -> std::io::Result<()> {
        let path = self.current();
        if let Ok(before) = read(&path) {
            if before.id() == current.id() {
                return Ok(());
            }
            match fs::hard_link(&path, self.other(before.id())) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => (),
            }
        }
        let draft = self.draft(current)?;
        fs::rename(&draft, &path)?;
        match fs::remove_file(self.other(current.id())) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        fs::File::open(&self.0)?.sync_all()
    }
}

fn read(path: &Path) -> Result<MasterKey, Error> {
    let text = fs::read_to_string(path).map_err(file(path, "the master key can't be read"))?;
    let text = Zeroizing::new(text);
    let readable_by_others = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
    if readable_by_others {
        tracing::warn!(path = %path.display(), "the master key can be read by other accounts; chmod 600 it");
    }
    let bytes = Zeroizing::new(
        URL_SAFE_NO_PAD
            .decode(text.trim().trim_end_matches('='))
            .map_err(|_| Error::NotAKey(path.to_path_buf()))?,
    );
    let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| Error::NotAKey(path.to_path_buf()))?;
    Ok(MasterKey::new(bytes))
}

fn file(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    Unusable::because(path, what)
}
