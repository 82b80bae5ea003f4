//! Making a backup.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, Keys};
use super::{KEY, STORE};
use crate::clock::Clock;
use crate::config::Config;
use crate::flow::operations::backup::{Archive, Content, Head, Refused, pack};
use crate::model::{Secret, Timestamp};
use crate::random;
use crate::server::control::{Request, ask};
use crate::server::{Error, Lock, is_embedded, wiring};
use crate::store::{self, Store};
use crate::vault;

const DRAFT: &str = ".snapshot-";

/// A backup that was made.
#[derive(Debug)]
pub struct Taken {
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When, RFC 3339.
    pub made_at: String,
    /// How many master key files are in it.
    pub keys: usize,
    /// Whether a running server copied its store.
    pub beside_server: bool,
}

/// Backs the embedded store up into `file`, with all keys of the keys folder, sealed under `passphrase`. A running server
/// copies its store itself; an earlier backup of that name is replaced when the new one is whole.
///
/// # Errors
/// [`Error`], in words for the operator; the file is then as it was.
pub async fn back_up(config: &Config, clock: &Clock, file: &Path, passphrase: Secret) -> Result<Taken, Error> {
    if !is_embedded(config) {
        return Err(Error::NotEmbedded);
    }
    let store = files::store_file(config)?;
    if !files::is_filled(&store) {
        return Err(Error::NoStore(store));
    }
    must_be_free(file)?;
    let folder = fs::canonicalize(files::folder_of(&store)).map_err(Error::file(&store, "its folder can't be used"))?;
    let _alone = Lock::take_for_backup(&config.data_dir)?;
    files::sweep(&folder, DRAFT);
    let draft = Draft(folder.join(format!("{DRAFT}{}", random::hex_id())));
    files::create(&draft.0).map_err(Error::file(&draft.0, "the copy can't be made"))?;
    // a key may be added or removed meanwhile: what the copy needs was there before, or is there after
    let before = files::keys(&config.keys_dir)?;
    let beside_server = copy(config, &draft.0).await?;
    let keys = both(before, files::keys(&config.keys_dir)?);
    if keys.is_empty() {
        return Err(vault::Error::Missing(config.keys_dir.clone()).into());
    }
    let schema = prove(config, &draft.0).await?;
    let head = Head {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: Timestamp::from_micros(clock.micros()).rfc3339(),
        issuer: config.issuer(),
        schema,
        sealing: serde_json::Value::Null,
    };
    let made_at = head.made_at.clone();
    let target = file.to_path_buf();
    let count = keys.len();
    let sealing = tokio::task::spawn_blocking(move || write(&target, head, &passphrase, keys, &draft));
    let bytes = sealing.await.map_err(|error| Error::Snapshot(error.to_string()))??;
    Ok(Taken {
        file: file.to_path_buf(),
        bytes,
        made_at,
        keys: count,
        beside_server,
    })
}

/// The copy of the store while it is needed. It is in clear, as the store is.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        for path in files::of_database(&self.0) {
            drop(fs::remove_file(path));
        }
    }
}

/// Whether a server copied it.
async fn copy(config: &Config, draft: &Path) -> Result<bool, Error> {
    let path = draft.to_str().ok_or_else(|| Error::NoStore(draft.to_path_buf()))?;
    let request = Request {
        arguments: vec!["snapshot".to_owned(), path.to_owned()],
        input: None,
    };
    match ask(config, &request).await? {
        Some(answer) if answer.code == 0 => Ok(true),
        Some(answer) => Err(Error::Snapshot(answer.complaint)),
        None => {
            let (store, lock) = wiring::open(config).await?;
            let copied = store.snapshot(draft).await;
            store.close().await;
            drop(lock);
            copied?;
            Ok(false)
        }
    }
}

/// Proves the copy before it is trusted with anything: it holds together, and the keys
/// open it. The steps of its schema.
async fn prove(config: &Config, draft: &Path) -> Result<Vec<String>, Error> {
    let address = store::address_of(draft).ok_or_else(|| Error::NoStore(draft.to_path_buf()))?;
    let copy = Store::open(&address).await?;
    let proven = async {
        if !copy.is_consistent().await? {
            return Err(Error::Broken);
        }
        // an older schema is read by the program that made it
        if copy.pending_migrations().await?.is_empty() {
            wiring::open_vault(config, &copy).await?;
        }
        Ok(copy.applied_migrations().await?)
    };
    let proven = proven.await;
    copy.close().await;
    proven
}

fn both(mut before: Keys, after: Keys) -> Keys {
    for (name, bytes) in after {
        match before.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = bytes,
            None => before.push((name, bytes)),
        }
    }
    before
}

/// Something else that stands under this name was not made here, and stays.
fn must_be_free(file: &Path) -> Result<(), Error> {
    if !file.exists() {
        return Ok(());
    }
    let opened = fs::File::open(file).map_err(Error::file(file, "it can't be read"))?;
    match Archive::look(opened, &store::schema()) {
        Ok(_) | Err(Refused::Damaged(_) | Refused::NewerSchema { .. } | Refused::NewerFormat { .. }) => Ok(()),
        Err(_) => Err(Error::Occupied(file.to_path_buf())),
    }
}

fn write(target: &Path, head: Head, passphrase: &Secret, keys: Keys, draft: &Draft) -> Result<u64, Error> {
    let refused = |source: Refused| Error::Backup {
        path: target.to_path_buf(),
        source,
    };
    let folder = files::folder_of(target);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beginning = format!(".{name}.draft-");
    files::sweep(folder, &beginning);
    let packed = folder.join(format!("{beginning}{}", random::hex_id()));
    let made = (|| {
        let mut contents: Vec<(String, Content)> = keys
            .into_iter()
            .map(|(name, bytes)| (format!("{KEY}{name}"), Content::Bytes(bytes)))
            .collect();
        let copy = fs::File::open(&draft.0)?;
        let length = copy.metadata()?.len();
        contents.push((STORE.to_owned(), Content::File(copy, length)));
        let mut out = std::io::BufWriter::new(files::create(&packed)?);
        pack(&mut out, head, passphrase, contents)?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&packed, target)?;
        files::sync_folder(folder)?;
        Ok(file.metadata()?.len())
    })();
    if made.is_err() {
        drop(fs::remove_file(&packed));
    }
    made.map_err(refused)
}
