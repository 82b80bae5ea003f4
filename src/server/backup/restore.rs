//! Bringing a backup back.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, Keys};
use super::plan::{DRAFT, Plan, finish_interrupted};
use super::{KEY, STORE};
use crate::clock::Clock;
use crate::config::Config;
use crate::flow::Call;
use crate::flow::operations::backup::{Archive, Head, Part, Refused};
use crate::model::{EventKind, Fact, Secret, Timestamp};
use crate::random;
use crate::server::{Error, Lock, is_embedded, wiring};
use crate::store::{self, Store, Voided};

/// What may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing: neither a store nor other keys.
    Empty,
    /// Anything: it is kept aside.
    Replaced,
}

/// A backup that was looked at and opened, and nothing else.
#[derive(Debug)]
pub struct Verified {
    /// What it is of.
    pub head: Head,
    /// How many master key files are in it.
    pub keys: usize,
    /// The length of its store.
    pub store_bytes: u64,
}

/// What became of a restore.
#[derive(Debug)]
pub struct Restored {
    /// What was brought back.
    pub head: Head,
    /// How many master key files were in it.
    pub keys: usize,
    /// What was open in it and is ended.
    pub voided: Voided,
    /// The folders that what stood there before was moved to.
    pub aside: Vec<PathBuf>,
}

/// Opens a backup and compares everything in it, without writing anything.
///
/// # Errors
/// [`Error::Backup`]
pub async fn verify(file: &Path, passphrase: Secret) -> Result<Verified, Error> {
    let path = file.to_path_buf();
    blocking(move || {
        let archive = look(&path)?;
        let head = archive.head().clone();
        let parts = archive
            .open(&passphrase, |_| Ok(std::io::sink()))
            .map_err(refused(&path))?;
        Ok(Verified {
            head,
            keys: parts.iter().filter(|part| part.name.starts_with(KEY)).count(),
            store_bytes: store_part(&path, &parts)?.bytes,
        })
    })
    .await
}

/// Puts the store and keys of a backup into the folders of this configuration. No server may run there. Everything that was
/// open in the store, and might have been ended since, is ended.
///
/// # Errors
/// [`Error`], in words for the operator; what was there is there still, unless it is [`Error::File`] about moving, which the
/// next start brings to its end.
pub async fn restore(
    config: &Config,
    clock: &Clock,
    file: &Path,
    passphrase: Secret,
    place: Place,
) -> Result<Restored, Error> {
    if !is_embedded(config) {
        return Err(Error::NotEmbedded);
    }
    let store = files::store_file(config)?;
    let path = file.to_path_buf();
    let archive = blocking(move || look(&path)).await?;
    let _lock = Lock::take(&config.data_dir)?;
    finish_interrupted(config)?;
    if place == Place::Empty && store.exists() {
        return Err(Error::NotEmpty(store));
    }
    let head = archive.head().clone();
    let drafts = Drafts::make(config, &store)?;
    let unpacked = {
        let (drafts, path) = (drafts.clone(), file.to_path_buf());
        blocking(move || unpack(archive, &path, &passphrase, &drafts)).await
    };
    let prepared = async {
        let parts = unpacked?;
        let voided = prepare(config, clock, &drafts).await?;
        let count = parts.iter().filter(|part| part.name.starts_with(KEY)).count();
        let (plan, aside) = plan(config, clock, &store, &drafts, place)?;
        Ok((plan, aside, voided, count))
    };
    match prepared.await {
        Ok((plan, aside, voided, keys)) => {
            plan.carry_out(&drafts.data)?;
            drafts.remove();
            Ok(Restored {
                head,
                keys,
                voided,
                aside,
            })
        }
        Err(error) => {
            drafts.remove();
            Err(error)
        }
    }
}

/// Where a restore writes before it is decided, each beside its final place.
#[derive(Clone)]
struct Drafts {
    data: PathBuf,
    store: PathBuf,
    keys: PathBuf,
}

impl Drafts {
    fn make(config: &Config, store: &Path) -> Result<Self, Error> {
        let name = format!("{DRAFT}{}", random::hex_id());
        let whole = |folder: &Path| {
            files::make_folder(folder)?;
            fs::canonicalize(folder)
        };
        let of_store = files::folder_of(store);
        let data = whole(&config.data_dir).map_err(Error::file(&config.data_dir, "the folder can't be used"))?;
        let of_store = whole(of_store).map_err(Error::file(of_store, "the folder can't be used"))?;
        let keys = whole(&config.keys_dir)
            .map(|folder| folder.join(&name))
            .map_err(Error::file(&config.keys_dir, "the folder can't be used"))?;
        Ok(Self {
            data,
            store: of_store.join(&name),
            keys,
        })
    }

    fn remove(&self) {
        for path in files::of_database(&self.store) {
            drop(fs::remove_file(path));
        }
        drop(fs::remove_dir_all(&self.keys));
    }
}

fn look(file: &Path) -> Result<Archive, Error> {
    let opened = fs::File::open(file).map_err(Error::file(file, "the backup can't be read"))?;
    Archive::look(opened, &store::schema()).map_err(refused(file))
}

fn refused(file: &Path) -> impl Fn(Refused) -> Error {
    let path = file.to_path_buf();
    move |source| Error::Backup {
        path: path.clone(),
        source,
    }
}

fn store_part<'p>(file: &Path, parts: &'p [Part]) -> Result<&'p Part, Error> {
    parts
        .iter()
        .find(|part| part.name == STORE)
        .ok_or_else(|| refused(file)(Refused::Damaged("there is no store in it")))
}

fn unpack(archive: Archive, file: &Path, passphrase: &Secret, drafts: &Drafts) -> Result<Vec<Part>, Error> {
    files::make_folder(&drafts.keys).map_err(Error::file(&drafts.keys, "the folder can't be made"))?;
    let mut written = Vec::new();
    let parts = archive
        .open(passphrase, |name| {
            let path = match name.strip_prefix(KEY) {
                Some(key) => drafts.keys.join(key),
                None if name == STORE => drafts.store.clone(),
                None => {
                    return Err(std::io::Error::other(
                        "a part of it has a name that this program does not know",
                    ));
                }
            };
            let file = files::create(&path)?;
            written.push(path);
            Ok(file)
        })
        .map_err(refused(file))?;
    store_part(file, &parts)?;
    for path in &written {
        let synced = fs::File::open(path).and_then(|file| file.sync_all());
        synced.map_err(Error::file(path, "it can't be written"))?;
    }
    Ok(parts)
}

/// Proves the drafts, brings the store to this program's schema, and ends what was open in it.
async fn prepare(config: &Config, clock: &Clock, drafts: &Drafts) -> Result<Voided, Error> {
    let address = store::address_of(&drafts.store).ok_or_else(|| Error::NoStore(drafts.store.clone()))?;
    let store = Store::open(&address).await?;
    let prepared = async {
        if !store.is_consistent().await? {
            return Err(Error::Broken);
        }
        store.migrate().await?;
        let opening = Config {
            keys_dir: drafts.keys.clone(),
            ..config.clone()
        };
        wiring::open_vault(&opening, &store).await?;
        let call = Call::operator(clock);
        let mut tx = store.write().await?;
        let voided = tx.void_what_was_open(call.now).await?;
        let number = |count: u64| Fact::Number(i64::try_from(count).unwrap_or(i64::MAX));
        let event = call
            .event(EventKind::StoreRestored)
            .fact("sessions", number(voided.sessions))
            .fact("grants", number(voided.grants));
        tx.add_event(&event).await?;
        tx.commit().await?;
        Ok(voided)
    };
    let prepared = prepared.await;
    store.close().await;
    let voided = prepared?;
    let synced = fs::File::open(&drafts.store).and_then(|file| file.sync_all());
    synced.map_err(Error::file(&drafts.store, "it can't be written"))?;
    Ok(voided)
}

/// Which files change places, and where those go that stand there now.
fn plan(
    config: &Config,
    clock: &Clock,
    store: &Path,
    drafts: &Drafts,
    place: Place,
) -> Result<(Plan, Vec<PathBuf>), Error> {
    let stamp: String = Timestamp::from_micros(clock.micros())
        .rfc3339()
        .chars()
        .filter(|letter| *letter != ':')
        .collect();
    let aside = format!("replaced-{stamp}");
    let mut plan = Plan::default();
    let mut kept = Vec::new();
    let mut keep = |plan: &mut Plan, folder: &Path, file: &Path| {
        let to = folder.join(&aside);
        plan.move_file(file.to_path_buf(), to.join(file.file_name().unwrap_or_default()));
        if !kept.contains(&to) {
            kept.push(to);
        }
    };
    let store_folder = files::folder_of(&drafts.store).to_path_buf();
    let store = store_folder.join(store.file_name().unwrap_or_default());
    let embedded = ["ephemeral.db", "sessions.db"].map(|name| drafts.data.join(name));
    // what was short-lived belongs to the store that is replaced
    for file in embedded.iter().flat_map(|file| files::of_database(file)) {
        if file.exists() {
            keep(&mut plan, &drafts.data, &file);
        }
    }
    for file in files::of_database(&store).into_iter().filter(|file| file.exists()) {
        keep(&mut plan, &store_folder, &file);
    }
    let (present, brought): (Keys, Keys) = (files::keys(&config.keys_dir)?, files::keys(&drafts.keys)?);
    if present != brought {
        let keys_folder = files::folder_of(&drafts.keys).to_path_buf();
        if place == Place::Empty && !present.is_empty() {
            return Err(Error::NotEmpty(keys_folder));
        }
        for (name, _) in &present {
            keep(&mut plan, &keys_folder, &keys_folder.join(name));
        }
        for (name, _) in &brought {
            plan.move_file(drafts.keys.join(name), keys_folder.join(name));
        }
    }
    plan.move_file(drafts.store.clone(), store);
    plan.empty(drafts.keys.clone());
    Ok((plan, kept))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Snapshot(error.to_string()))?
}
