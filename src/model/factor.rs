//! Second factors: what somebody proves themselves with besides a password.

use super::named::named;
use super::{Channel, Id, Timestamp, User};

/// Something that somebody has.
#[derive(Clone, Debug)]
pub struct Factor {
    /// The row.
    pub id: Id<Factor>,
    /// Whose it is.
    pub user: Id<User>,
    /// What the person calls it.
    pub name: String,
    /// By what it is proved.
    pub means: FactorMeans,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the person has shown that they have it. Before that it does not count.
    pub confirmed_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
}

/// By what a factor is proved.
#[derive(Clone, Debug)]
pub enum FactorMeans {
    /// One-time codes.
    Totp(OtpSecret),
    /// Signatures.
    Passkey(Passkey),
    /// Codes that are sent by this way, to the confirmed address or number of the account.
    Sent(Channel),
}

/// What an authenticator's codes are made of.
#[derive(Clone, Debug)]
pub struct OtpSecret {
    /// The secret, sealed with the master key.
    pub sealed: Vec<u8>,
    /// How its codes are made.
    pub shape: OtpShape,
    /// The last time step whose code was accepted; 0 before the first.
    pub last_step: i64,
}

/// The public half of a credential (Web Authentication Level 3 section 4, credential record).
#[derive(Clone, Debug)]
pub struct Passkey {
    /// What the authenticator knows it by: random, unique.
    pub credential_id: Vec<u8>,
    /// The public key and what was said of it when it was added, as JSON.
    pub credential: String,
    /// The last signature counter that was accepted; stays 0 where the authenticator counts none.
    pub counter: u32,
}

impl Factor {
    /// What it is.
    pub const fn kind(&self) -> FactorKind {
        match self.means {
            FactorMeans::Totp(_) => FactorKind::Totp,
            FactorMeans::Passkey(_) => FactorKind::Passkey,
            FactorMeans::Sent(Channel::Mail) => FactorKind::Mail,
            FactorMeans::Sent(Channel::Sms) => FactorKind::Sms,
        }
    }

    /// What its codes are made of, if it has codes.
    pub const fn otp(&self) -> Option<&OtpSecret> {
        match &self.means {
            FactorMeans::Totp(otp) => Some(otp),
            FactorMeans::Passkey(_) | FactorMeans::Sent(_) => None,
        }
    }

    /// By which way its codes are sent, if they are.
    pub const fn sent_by(&self) -> Option<Channel> {
        match self.means {
            FactorMeans::Sent(channel) => Some(channel),
            FactorMeans::Totp(_) | FactorMeans::Passkey(_) => None,
        }
    }

    /// What its signatures are checked with, if it signs.
    pub const fn passkey(&self) -> Option<&Passkey> {
        match &self.means {
            FactorMeans::Passkey(passkey) => Some(passkey),
            FactorMeans::Totp(_) | FactorMeans::Sent(_) => None,
        }
    }
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
        /// A passkey or a security key (Web Authentication).
        Passkey = "passkey",
        /// Codes that are sent to the confirmed mail address.
        Mail = "mail",
        /// Codes that are sent to the confirmed telephone number.
        Sms = "sms",
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
