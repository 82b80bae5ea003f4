//! Signing keys and their life: next, active, retiring, retired.

use super::named::named;
use super::{Id, SigningAlgorithm, Timestamp};

/// A signing key as it is stored.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The row.
    pub id: Id<SigningKey>,
    /// The thumbprint of its public half (RFC 7638): the `kid`.
    pub kid: String,
    /// What it signs with. A key made for RS256 serves PS256 too.
    pub algorithm: SigningAlgorithm,
    /// Where in its life it stands.
    pub state: SigningKeyState,
    /// The private JWK under the master key.
    pub sealed: Vec<u8>,
    /// When it was made (published).
    pub created_at: Timestamp,
    /// When it began to sign.
    pub activated_at: Option<Timestamp>,
    /// When it stopped signing.
    pub retiring_at: Option<Timestamp>,
    /// When it left the published set.
    pub retired_at: Option<Timestamp>,
}

named! {
    /// Where in its life a signing key stands.
    SigningKeyState {
        /// Published, so that verifiers know it before it signs.
        Next = "next",
        /// Signs.
        Active = "active",
        /// Signs no more; published until the last token it signed has ended.
        Retiring = "retiring",
        /// Gone from the published set.
        Retired = "retired",
    }
}
