//! How `export --with-secrets` seals: AES-256-GCM under a key that Argon2id makes of a passphrase (RFC 9106), with the
//! parameters in the file, so that it opens on another installation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::reader::{Mistakes, Reader};
use crate::credential::{Parameters, derive_key};
use crate::crypto::MasterKey;
use crate::flow::Error;
use crate::model::Secret;
use crate::random;

const PURPOSE: &str = "export";
const NAME: &str = "argon2id-aes-256-gcm";
const SALT_BYTES: usize = 16;
/// A file is opened seldom and attacked at leisure: 64 MiB, three passes (RFC 9106 section 4, second recommendation).
const PARAMETERS: Parameters = Parameters {
    memory_kib: 64 * 1024,
    iterations: 3,
    parallelism: 1,
};

/// The file's member `sealing`.
pub(in crate::flow::operations) struct Sealing {
    parameters: Parameters,
    salt: Vec<u8>,
}

impl Sealing {
    /// One with a salt of its own.
    pub(in crate::flow::operations) fn new() -> Self {
        Self {
            parameters: PARAMETERS,
            salt: random::bytes::<SALT_BYTES>().to_vec(),
        }
    }

    pub(in crate::flow::operations) fn to_json(&self) -> Value {
        json!({
            "method": NAME,
            "memory_kib": self.parameters.memory_kib,
            "iterations": self.parameters.iterations,
            "parallelism": self.parameters.parallelism,
            "salt": URL_SAFE_NO_PAD.encode(&self.salt),
        })
    }

    /// Reads the member; none if this program does not know its method.
    pub(in crate::flow::operations) fn read(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
        if value.get("method")?.as_str()? != NAME {
            return None;
        }
        let salt = URL_SAFE_NO_PAD.decode(value.get("salt")?.as_str()?).ok()?;
        Some(Self {
            parameters: Parameters {
                memory_kib: number("memory_kib")?,
                iterations: number("iterations")?,
                parallelism: number("parallelism")?,
            },
            salt,
        })
    }

    /// What seals.
    ///
    /// # Errors
    /// [`Error::Failed`] if no key can be made.
    pub(in crate::flow::operations) fn sealer(&self, passphrase: &Secret) -> Result<Sealer, Error> {
        Ok(Sealer(
            self.key(passphrase)
                .ok_or_else(|| Error::defect("no key from the passphrase"))?,
        ))
    }

    /// The key that a passphrase gives; none for parameters that this program refuses. Takes a moment, by design.
    pub(in crate::flow::operations) fn key(&self, passphrase: &Secret) -> Option<MasterKey> {
        derive_key(passphrase, &self.salt, self.parameters)
            .ok()
            .map(MasterKey::new)
    }
}

/// Seals secrets of an export.
pub(in crate::flow::operations) struct Sealer(MasterKey);

impl Sealer {
    /// A secret, as it stands in the file.
    pub(in crate::flow::operations) fn seal(&self, secret: &str) -> Value {
        json!({ "sealed": URL_SAFE_NO_PAD.encode(self.0.seal(PURPOSE, secret.as_bytes())) })
    }
}

/// Opens secrets of a file, if it has the passphrase.
pub(super) struct Opener(Option<MasterKey>);

impl Opener {
    pub(super) fn without() -> Self {
        Self(None)
    }

    pub(super) fn with(sealing: &Sealing, passphrase: &Secret, mistakes: &mut Mistakes) -> Self {
        let key = sealing.key(passphrase);
        if key.is_none() {
            mistakes.add(
                "/sealing",
                "invalid",
                "this program can't make a key with these parameters",
            );
        }
        Self(key)
    }

    /// Opens a value that may be sealed; one in clear is taken as it is.
    pub(super) fn open(
        &self,
        value: &Value,
        reader: &Reader<'_>,
        name: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Secret> {
        if let Value::String(clear) = value {
            return Some(Secret::new(clear.clone()));
        }
        let sealed = value
            .get("sealed")
            .and_then(Value::as_str)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let opened = match (&self.0, sealed) {
            (Some(key), Some(sealed)) => key
                .open(PURPOSE, &sealed)
                .ok()
                .and_then(|plain| std::str::from_utf8(&plain).ok().map(Secret::new)),
            _ => None,
        };
        if opened.is_none() {
            mistakes.add(&reader.at(name), "sealed", "this does not open with the passphrase");
        }
        opened
    }
}
