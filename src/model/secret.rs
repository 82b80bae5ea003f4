//! Secrets: values that print as `***`, compare in constant time, and reach a database only as digest or sealed.

use std::fmt;

use zeroize::Zeroizing;

use crate::crypto;

/// The SHA-256 digest of a secret: what is stored and looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(secret: &[u8]) -> Self {
        Self(crypto::sha256(secret))
    }

    /// A digest that was made elsewhere.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// From storage.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `other` is the same digest, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        crypto::equal(&self.0, &other.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Digest(***)")
    }
}

/// A secret in clear: a password, code, token or client secret on its way in or out.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// 256 random bits in base64url.
    pub fn generate() -> Self {
        Self::new(crate::random::token())
    }

    /// The one door out.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Whether both are the same, in a time that depends on their lengths only.
    pub fn matches(&self, other: &Self) -> bool {
        crypto::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
