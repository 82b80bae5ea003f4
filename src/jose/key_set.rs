//! Our published keys: the JWK Set (RFC 7517 section 5), and the verification of tokens we signed.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::compact::Compact;
use super::{Error, PublicKey};
use crate::model::SigningAlgorithm;

/// The keys we publish and accept our own tokens under. Clones share it.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Arc<[PublicKey]>,
    document: Arc<[u8]>,
}

impl KeySet {
    /// A set of these keys, published in this order. One key twice is refused.
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, Error> {
        let mut names: Vec<&str> = keys.iter().map(PublicKey::kid).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != keys.len() {
            return Err(Error::DuplicateKey);
        }
        let published: Vec<Value> = keys.iter().map(|key| Value::Object(key.jwk())).collect();
        let document = serde_json::to_vec(&serde_json::json!({ "keys": published })).map_err(|_| Error::Json)?;
        Ok(Self {
            keys: keys.into(),
            document: document.into(),
        })
    }

    /// The JWK Set as JSON: public parameters only.
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// The keys of the set.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The claims of a token that one of these keys signed.
    ///
    /// `expected_typ` are the kinds wanted, spelled as we sign them; `allowed` the algorithms of this context. The key
    /// is the one the header names, exactly, and the algorithm must be the key's own (RFC 8725 sections 3.1, 3.10,
    /// 3.11). Times, issuer and audience are the caller's to judge.
    pub fn verify(
        &self,
        compact: &str,
        expected_typ: &[&str],
        allowed: &[SigningAlgorithm],
    ) -> Result<Map<String, Value>, Error> {
        let token = Compact::parse(compact)?;
        let algorithm: SigningAlgorithm = token.header.algorithm.parse().map_err(|_| Error::AlgorithmNotAllowed)?;
        if !allowed.contains(&algorithm) {
            return Err(Error::AlgorithmNotAllowed);
        }
        if !token
            .header
            .typ
            .as_deref()
            .is_some_and(|typ| expected_typ.contains(&typ))
        {
            return Err(Error::TypeNotExpected);
        }
        let kid = token.header.kid.as_deref().ok_or(Error::KeyIdRequired)?;
        let key = self.keys.iter().find(|key| key.kid() == kid).ok_or(Error::UnknownKey)?;
        key.verify(algorithm, token.signing_input, &token.signature)?;
        token.claims()
    }
}
