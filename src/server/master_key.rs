//! The master key's file: 32 random bytes in base64url, readable by the server's account alone, made once.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::Error;
use crate::crypto::MasterKey;
use crate::random;

const NAME: &str = "master.key";

/// Where the key of `keys_dir` is.
pub(super) fn path(keys_dir: &Path) -> PathBuf {
    keys_dir.join(NAME)
}

/// What there is in the store before the key is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Nothing: a key may be made.
    Nothing,
    /// Something, which a new key would not open.
    Something,
}

/// The key of `keys_dir`; made, if nothing is sealed yet.
pub(super) fn open(keys_dir: &Path, sealed: Sealed) -> Result<MasterKey, Error> {
    let path = path(keys_dir);
    match fs::read_to_string(&path) {
        Ok(text) => read(&path, Zeroizing::new(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && sealed == Sealed::Something => {
            Err(Error::KeyMissing(path))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => create(keys_dir, &path),
        Err(error) => Err(Error::file(path, "the master key can't be read")(error)),
    }
}

fn read(path: &Path, text: Zeroizing<String>) -> Result<MasterKey, Error> {
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

/// Makes the key. The file appears whole or not at all, and of two who make one the second takes the first one's.
fn create(keys_dir: &Path, path: &Path) -> Result<MasterKey, Error> {
    let whole = Error::file(path, "the master key can't be written");
    let key = MasterKey::generate();
    let draft = keys_dir.join(format!(".{NAME}.{}", random::hex_id()));
    let written = (|| {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(keys_dir)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(Zeroizing::new(URL_SAFE_NO_PAD.encode(key.expose())).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        linked?;
        fs::File::open(keys_dir)?.sync_all()
    })();
    match written {
        Ok(()) => {
            tracing::info!(path = %path.display(), "a master key was made; keep a copy of it away from the store's");
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open(keys_dir, Sealed::Something),
        Err(error) => Err(whole(error)),
    }
}
