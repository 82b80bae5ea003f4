//! The vault: the master keys of this node. One is current and seals; the others only open what they sealed before.
//!
//! Which key is current stands in the store, the same for every node; the keys themselves lie in the keys folder. What is
//! *derived* comes from a root that no change of the key changes: the first key of the installation, which afterwards is
//! kept in the store, sealed under each key.

mod error;
mod folder;

use std::path::Path;
use std::sync::{Arc, RwLock};

use zeroize::Zeroizing;

pub use error::Error;
pub use folder::Missing;

use crate::crypto::{DoesNotOpen, KeyId, MasterKey};
use crate::model::{MasterKeyRecord, MasterKeyState};
use folder::Folder;

/// What the root is sealed for.
const ROOT_SEALED_FOR: &str = "root of derived keys";

/// The master keys of this node. Clones share them.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    folder: Option<Folder>,
    ring: RwLock<Arc<Ring>>,
}

#[derive(Clone)]
struct Ring {
    current: MasterKey,
    others: Vec<MasterKey>,
    /// What keys are derived from.
    root: MasterKey,
    /// The current key of the store, where this node does not have it.
    missing: Option<KeyId>,
}

impl Ring {
    fn find(&self, id: KeyId) -> Option<&MasterKey> {
        self.keys().find(|key| key.id() == id)
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

impl From<MasterKey> for Vault {
    /// One key, that lies in no folder.
    fn from(key: MasterKey) -> Self {
        Self::with(None, key, Vec::new())
    }
}

impl Vault {
    /// The keys in `folder`. `records` are the store's; without any the current key is the one that `opens`, and if nothing
    /// is sealed yet, whichever lies there, or one that is made now.
    ///
    /// # Errors
    /// [`Error`] if there is no such key, or it can't be read.
    pub fn at(
        folder: &Path,
        records: &[MasterKeyRecord],
        missing: Missing,
        opens: impl Fn(&MasterKey) -> bool,
    ) -> Result<Self, Error> {
        let folder = Folder::at(folder);
        let mut keys = folder.read(missing)?;
        let wanted = records.iter().find(|record| record.state == MasterKeyState::Current);
        let place = match wanted {
            Some(record) => keys.iter().position(|key| key.id() == record.id),
            None => keys.iter().position(opens),
        };
        let Some(place) = place else {
            return Err(match wanted {
                Some(record) => folder.lacks(record.id),
                None => Error::Wrong(folder.current()),
            });
        };
        let current = keys.swap_remove(place);
        let vault = Self::with(Some(folder), current, keys);
        vault.follow(records)?;
        Ok(vault)
    }

    fn with(folder: Option<Folder>, current: MasterKey, others: Vec<MasterKey>) -> Self {
        let ring = Ring {
            root: current.clone(),
            current,
            others,
            missing: None,
        };
        Self(Arc::new(Inner {
            folder,
            ring: RwLock::new(Arc::new(ring)),
        }))
    }

    /// Seals `plain` for one purpose under the current key.
    pub fn seal(&self, purpose: &'static str, plain: &[u8]) -> Vec<u8> {
        self.ring().current.seal(purpose, plain)
    }

    /// Opens what was sealed for this purpose under any key that is known here.
    ///
    /// # Errors
    /// [`DoesNotOpen`], whatever the cause.
    pub fn open(&self, purpose: &'static str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let ring = self.ring();
        match KeyId::of(sealed) {
            Some(id) => match ring.find(id) {
                Some(key) => key.open(purpose, sealed),
                // another node was faster to use a key that came into the folder
                None => {
                    self.look_again().map_err(|_| DoesNotOpen)?;
                    self.ring().find(id).ok_or(DoesNotOpen)?.open(purpose, sealed)
                }
            },
            // of the version that names no key
            None => ring
                .keys()
                .find_map(|key| key.open(purpose, sealed).ok())
                .ok_or(DoesNotOpen),
        }
    }

    /// A key for one purpose, the same whatever the current master key is.
    pub fn derive(&self, purpose: &'static str) -> [u8; 32] {
        self.ring().root.derive(purpose)
    }

    /// The current key.
    pub fn current(&self) -> KeyId {
        self.ring().current.id()
    }

    /// Whether this key lies here.
    pub fn holds(&self, id: KeyId) -> bool {
        self.ring().find(id).is_some()
    }

    /// The current key of the store, if this node does not have it: then it must serve nobody.
    pub fn missing(&self) -> Option<KeyId> {
        self.ring().missing
    }

    /// Where a key lies, or would.
    pub fn path(&self, id: KeyId) -> Option<std::path::PathBuf> {
        self.0.folder.as_ref().map(|folder| folder.place(id))
    }

    /// Makes a key beside the current one: its file, and what the store keeps of it.
    ///
    /// # Errors
    /// [`Error::File`] if it can't be written.
    pub fn add(&self) -> Result<(KeyId, Vec<u8>), Error> {
        let key = MasterKey::generate();
        if let Some(folder) = &self.0.folder {
            folder.add(&key)?;
        }
        let sealed = key.seal(ROOT_SEALED_FOR, self.ring().root.expose());
        let id = key.id();
        self.change(|ring| Ring {
            others: ring.others.iter().cloned().chain([key]).collect(),
            ..ring.clone()
        });
        Ok((id, sealed))
    }

    /// The root as the store keeps it beside the current key.
    pub fn sealed_root(&self) -> Vec<u8> {
        let ring = self.ring();
        ring.current.seal(ROOT_SEALED_FOR, ring.root.expose())
    }

    /// Takes over what the store says of the keys. Reads the folder again if a key is named that is not known here, and names
    /// the files by what they are now.
    ///
    /// # Errors
    /// [`Error::Lacking`] if the current key is not here; what is known stays as it was.
    pub fn adopt(&self, records: &[MasterKeyRecord]) -> Result<(), Error> {
        self.follow(records)?;
        if let Some(folder) = self.0.folder.as_ref().filter(|_| !records.is_empty()) {
            folder.arrange(&self.ring().current);
        }
        Ok(())
    }

    fn follow(&self, records: &[MasterKeyRecord]) -> Result<(), Error> {
        let Some(wanted) = records.iter().find(|record| record.state == MasterKeyState::Current) else {
            return Ok(());
        };
        if records.iter().any(|record| !self.holds(record.id)) {
            self.look_again()?;
        }
        for prepared in records.iter().filter(|record| record.state == MasterKeyState::Prepared) {
            if !self.holds(prepared.id) {
                tracing::warn!(key = %prepared.id, "a master key is prepared that is not in the keys folder of this node; it will refuse to serve once that key is used");
            }
        }
        let ring = self.ring();
        let Some(current) = ring.find(wanted.id) else {
            self.change(|ring| Ring {
                missing: Some(wanted.id),
                ..ring.clone()
            });
            return Err(match &self.0.folder {
                Some(folder) => folder.lacks(wanted.id),
                None => Error::NoFolder,
            });
        };
        let root = current
            .open(ROOT_SEALED_FOR, &wanted.root)
            .map_err(|_| Error::Root(wanted.id))?;
        let root = <[u8; 32]>::try_from(root.as_slice()).map_err(|_| Error::Root(wanted.id))?;
        if ring.current.id() != wanted.id {
            tracing::info!(key = %wanted.id, "another master key seals from now on");
        }
        let current = current.clone();
        self.change(|ring| Ring {
            others: ring.keys().filter(|key| key.id() != wanted.id).cloned().collect(),
            root: MasterKey::new(root),
            current,
            missing: None,
        });
        Ok(())
    }

    /// Takes in keys that came into the folder since.
    fn look_again(&self) -> Result<(), Error> {
        let Some(folder) = &self.0.folder else {
            return Ok(());
        };
        let found = folder.read(Missing::Refused)?;
        self.change(|ring| Ring {
            others: ring
                .others
                .iter()
                .chain(found.iter().filter(|key| ring.find(key.id()).is_none()))
                .cloned()
                .collect(),
            ..ring.clone()
        });
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        match self.0.ring.read() {
            Ok(ring) => ring.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    fn change(&self, change: impl FnOnce(&Ring) -> Ring) {
        let mut ring = match self.0.ring.write() {
            Ok(ring) => ring,
            Err(poisoned) => poisoned.into_inner(),
        };
        *ring = Arc::new(change(&ring));
    }
}
