//! Second factors: what somebody proves themselves with besides a password.

use super::named::named;
use super::{Id, Timestamp, User};

/// Something that somebody has and that makes one-time codes.
#[derive(Clone, Debug)]
pub struct Factor {
    /// The row.
    pub id: Id<Factor>,
    /// Whose it is.
    pub user: Id<User>,
    /// What it is.
    pub kind: FactorKind,
    /// What the person calls it.
    pub name: String,
    /// Its secret, sealed with the master key.
    pub sealed: Vec<u8>,
    /// How its codes are made.
    pub shape: OtpShape,
    /// The last time step whose code was accepted; 0 before the first.
    pub last_step: i64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the person has shown that they have it. Before that it does not count.
    pub confirmed_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// How one-time codes are made (RFC 6238 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtpShape {
    /// The hash function of the HMAC.
    pub algorithm: OtpAlgorithm,
    /// How many digits a code has.
    pub digits: u8,
    /// How long a time step is, in seconds.
    pub period: u32,
}

impl Default for OtpShape {
    /// What every authenticator knows.
    fn default() -> Self {
        Self {
            algorithm: OtpAlgorithm::HmacSha1,
            digits: 6,
            period: 30,
        }
    }
}

named! {
    /// What a factor is.
    FactorKind {
        /// An authenticator with time-based one-time codes (RFC 6238).
        Totp = "totp",
    }
}

named! {
    /// The hash function of one-time codes, as `otpauth` addresses spell it.
    OtpAlgorithm {
        /// The one that every authenticator knows.
        HmacSha1 = "SHA1",
        /// HMAC-SHA-256.
        HmacSha256 = "SHA256",
        /// HMAC-SHA-512.
        HmacSha512 = "SHA512",
    }
}
