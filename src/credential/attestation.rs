//! Whose authenticators are taken, where somebody has to say so: models by their AAGUID, each with the certificate that its maker vouches
//! with (Web Authentication Level 3, section 6.5). The operator lists them in a file; without one nobody is asked who made theirs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;
use webauthn_rs::prelude::{AttestationCaList, AttestationCaListBuilder};

/// A file is no longer: some hundred models with their certificates.
const LONGEST_FILE: usize = 1024 * 1024;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unvouched {
    /// It can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{}: expected a JSON list of objects with name, aaguid and root, a certificate in PEM", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What the reader says.
        #[source]
        source: serde_json::Error,
    },
    /// An entry's certificate is none.
    #[error("{}: root of {name} is no certificate in PEM", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Which entry.
        name: String,
    },
    /// It lists nothing, or too much.
    #[error("{}: expected at least one authenticator, and no more than 1 MiB", .0.display())]
    Size(PathBuf),
}

/// The authenticators that are taken where it matters. Clones share them; the default lists none.
#[derive(Clone, Default)]
pub struct TrustedAuthenticators(Option<Arc<Listed>>);

struct Listed {
    roots: AttestationCaList,
    names: Vec<String>,
}

/// An entry of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    aaguid: Uuid,
    root: String,
}

impl TrustedAuthenticators {
    /// Those of this file.
    ///
    /// # Errors
    /// [`Unvouched`]
    pub fn open(path: &Path) -> Result<Self, Unvouched> {
        let read = std::fs::read(path).map_err(|source| Unvouched::Unreadable {
            path: path.to_path_buf(),
            source,
        })?;
        if read.len() > LONGEST_FILE {
            return Err(Unvouched::Size(path.to_path_buf()));
        }
        let entries: Vec<Entry> = serde_json::from_slice(&read).map_err(|source| Unvouched::Foreign {
            path: path.to_path_buf(),
            source,
        })?;
        let mut roots = AttestationCaListBuilder::new();
        let mut names: Vec<String> = Vec::new();
        for Entry { name, aaguid, root } in entries {
            let added = roots.insert_device_pem(root.as_bytes(), aaguid, name.clone(), BTreeMap::new());
            if added.is_err() {
                return Err(Unvouched::Certificate {
                    path: path.to_path_buf(),
                    name,
                });
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Err(Unvouched::Size(path.to_path_buf()));
        }
        let roots = roots.build();
        Ok(Self(Some(Arc::new(Listed { roots, names }))))
    }

    /// What they are called.
    pub fn names(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |listed| &listed.names)
    }

    /// Their makers; none if there are none.
    pub(super) fn roots(&self) -> Option<AttestationCaList> {
        self.0.as_ref().map(|listed| listed.roots.clone())
    }
}
