//! A client's public keys: its `jwks`, or the document behind its `jwks_uri`.

use serde_json::{Map, Value};

use super::compact::Compact;
use super::{Error, PublicKey, json};
use crate::model::SigningAlgorithm;

/// The largest key set that is read.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// The most keys a set may have.
pub const MAX_KEYS: usize = 100;
/// The most keys tried for one signature.
pub const MAX_CANDIDATES: usize = 5;

/// The keys of somebody else that can verify signatures, parsed once. Keys for encryption and kinds that are not
/// served here are left out, so a set may well be empty.
#[derive(Clone, Debug, Default)]
pub struct RemoteKeys {
    keys: Vec<RemoteKey>,
}

#[derive(Clone, Debug)]
struct RemoteKey {
    kid: Option<String>,
    key: PublicKey,
}

impl RemoteKeys {
    /// A set given at registration (`jwks`, RFC 7591 section 2): private members and weak or malformed keys refuse the
    /// whole set, for here somebody can be told.
    pub fn registered(document: &[u8]) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for jwk in members_of(document)? {
            match RemoteKey::parse(&jwk) {
                Ok(key) => keys.push(key),
                Err(Error::UnsupportedKey(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(Self { keys })
    }

    /// A fetched set: keys that registration would refuse are left out, the others still serve. A key published with
    /// its private half is nobody's proof any more.
    pub fn fetched(document: &[u8]) -> Result<Self, Error> {
        let keys = members_of(document)?
            .iter()
            .filter_map(|jwk| RemoteKey::parse(jwk).ok())
            .collect();
        Ok(Self { keys })
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// With a `kid`, the keys so named; without, those that serve the algorithm, if they are few.
    pub(super) fn verify(&self, token: &Compact<'_>, algorithm: SigningAlgorithm) -> Result<(), Error> {
        let named: Vec<&RemoteKey> = match &token.header.kid {
            Some(kid) => self.keys.iter().filter(|key| key.kid.as_ref() == Some(kid)).collect(),
            None => self.keys.iter().collect(),
        };
        let candidates: Vec<&PublicKey> = named
            .iter()
            .map(|named| &named.key)
            .filter(|key| key.serves(algorithm))
            .collect();
        if candidates.is_empty() {
            return match token.header.kid {
                Some(_) if !named.is_empty() => Err(Error::AlgorithmNotTheKeys),
                _ => Err(Error::UnknownKey),
            };
        }
        if candidates.len() > MAX_CANDIDATES {
            return Err(Error::KeyIdRequired);
        }
        if candidates
            .iter()
            .any(|key| key.verify(algorithm, token.signing_input, &token.signature).is_ok())
        {
            return Ok(());
        }
        match token.header.kid {
            Some(_) => Err(Error::Signature),
            // without a name, a key newer than this set can't be told from a forgery
            None => Err(Error::UnknownKey),
        }
    }
}

impl RemoteKey {
    fn parse(jwk: &Map<String, Value>) -> Result<Self, Error> {
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(Error::RefusedKey("kid is not a string")),
        };
        let key = PublicKey::from_members(jwk)?;
        Ok(Self { kid, key })
    }
}

/// RFC 7517 section 5: an object whose `keys` is a list of keys.
fn members_of(document: &[u8]) -> Result<Vec<Map<String, Value>>, Error> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::TooLarge);
    }
    let mut set = json::object(document)?;
    let Some(Value::Array(keys)) = set.remove("keys") else {
        return Err(Error::KeySet);
    };
    if keys.len() > MAX_KEYS {
        return Err(Error::KeySet);
    }
    keys.into_iter()
        .map(|key| match key {
            Value::Object(members) => Ok(members),
            _ => Err(Error::KeySet),
        })
        .collect()
}
