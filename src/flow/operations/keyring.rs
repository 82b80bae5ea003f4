//! The keyring: the signers of the active keys, and the set that is published.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::crypto;
use crate::flow::{Error, Provider};
use crate::jose::{self, KeySet, PrivateKey, Signer};
use crate::model::{SigningAlgorithm, SigningKey, SigningKeyState, Timestamp};
use crate::vault::Vault;

/// What the private halves of signing keys are sealed for.
pub const SEALED_FOR: &str = "signing key";

/// Tokens that name unknown keys make a node read again this often at most.
const UNKNOWN_KEYS_EVERY: Duration = Duration::from_millis(50);

impl Provider {
    /// The claims of a token of this type that we signed; none if it is not ours.
    ///
    /// Another node may have begun to sign with a key that this one has not read about yet: it reads again, before it says
    /// that there is no such key.
    pub async fn read_own(&self, token: &str, typ: &str) -> Result<Option<Map<String, Value>>, Error> {
        let read = |keyring: &Keyring| {
            self.counts.signatures.of("own").count();
            keyring.set.verify(token, &[typ], SigningAlgorithm::ALL)
        };
        let mut claims = read(&*self.keyring().await?);
        if matches!(claims, Err(jose::Error::UnknownKey)) {
            self.refresh_memory_older_than(UNKNOWN_KEYS_EVERY).await?;
            claims = read(&*self.keyring().await?);
        }
        Ok(claims.ok())
    }
}

/// Signers of the active keys, and the published set: next, active and retiring ones.
pub struct Keyring {
    signers: BTreeMap<SigningAlgorithm, Signer>,
    active_since: BTreeMap<SigningAlgorithm, Timestamp>,
    set: KeySet,
    document: Bytes,
    etag: String,
}

impl Keyring {
    /// Opens the stored keys. Each is parsed here, once, never per signature.
    pub fn open(stored: Vec<SigningKey>, master: &Vault) -> Result<Self, Error> {
        let mut signers = BTreeMap::new();
        let mut active_since = BTreeMap::new();
        let mut published = Vec::new();
        for key in stored.iter().filter(|key| key.state != SigningKeyState::Retired) {
            let jwk = master
                .open(SEALED_FOR, &key.sealed)
                .map_err(|error| Error::Failed(Box::new(error)))?;
            let private = PrivateKey::from_kept_jwk(&jwk)?;
            if key.state == SigningKeyState::Active {
                for algorithm in private.algorithms() {
                    // several active keys of a kind: the newest signs
                    signers.insert(*algorithm, private.signer(*algorithm)?);
                    active_since.insert(*algorithm, key.activated_at.unwrap_or(key.created_at));
                }
            }
            published.push(private.public().clone());
        }
        let set = KeySet::new(published)?;
        let etag = crypto::hex(crypto::sha256(set.document()).iter().take(8));
        let document = Bytes::copy_from_slice(set.document());
        Ok(Self {
            signers,
            active_since,
            set,
            document,
            etag,
        })
    }

    /// What signs with this algorithm.
    pub fn signer(&self, algorithm: SigningAlgorithm) -> Result<&Signer, Error> {
        self.signers
            .get(&algorithm)
            .ok_or_else(|| Error::defect("no active key of the algorithm"))
    }

    /// Since when the key of each algorithm signs.
    pub fn active_since(&self) -> &BTreeMap<SigningAlgorithm, Timestamp> {
        &self.active_since
    }

    /// The published set: verifies our own tokens.
    pub fn set(&self) -> &KeySet {
        &self.set
    }

    /// The published set as a JWKS document.
    pub fn document(&self) -> Bytes {
        self.document.clone()
    }

    /// A word that changes with the published document.
    pub fn etag(&self) -> &str {
        &self.etag
    }
}
