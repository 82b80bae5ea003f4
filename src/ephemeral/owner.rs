//! Whose entries are counted together, so that nobody fills the store.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whose entries are counted together: a digest that the caller keys, because stores learn no names and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner([u8; 32]);

impl Owner {
    /// The owner that this digest stands for.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The letter of base64url that every key of this owner begins with. On a Cluster it puts what belongs together on one
    /// slot; one of 64, it says next to nothing about whose key it is.
    pub fn mark(&self) -> char {
        mark_of(&URL_SAFE_NO_PAD.encode(self.0))
    }

    /// A key of this owner.
    pub fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.mark())
    }
}

/// The mark that a key begins with; whatever else it begins with counts as one and the same.
pub(super) fn mark_of(key: &str) -> char {
    key.chars()
        .next()
        .filter(|mark| mark.is_ascii_alphanumeric() || *mark == '_')
        .unwrap_or('-')
}
