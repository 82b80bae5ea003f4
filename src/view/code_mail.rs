//! Mails that bring a code or a link to sign in with, and about the number that codes are sent to.

use serde::{Deserialize, Serialize};

use super::Link;

/// Brings a code to type in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodeMail {
    /// The person's name, where known.
    pub name: Option<String>,
    /// The digits.
    pub code: String,
    /// How long it counts, in seconds.
    pub seconds: u64,
    /// From which network address it was asked for.
    pub address: Option<String>,
}

impl CodeMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            code: "413207".to_owned(),
            seconds: 600,
            address: Some("192.0.2.7".to_owned()),
        }
    }
}

/// Brings a link to sign in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignInLinkMail {
    /// The person's name, where known.
    pub name: Option<String>,
    /// How long it works, in seconds.
    pub seconds: u64,
    /// From which network address it was asked for.
    pub address: Option<String>,
    /// The page where it is followed.
    pub link: Link,
}

impl SignInLinkMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            seconds: 600,
            address: Some("192.0.2.7".to_owned()),
            link: Link::sample(),
        }
    }
}

/// Says that something became of somebody's telephone number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhoneNews {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What.
    pub change: PhoneChange,
    /// The last digits of the number.
    pub digits: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// The person's own number.
    pub account: Link,
    /// The page that locks the account at once.
    pub lock: Link,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneChange {
    /// It is the person's from now on.
    Set,
    /// The person has none any more.
    Removed,
}

impl PhoneChange {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Set, Self::Removed];
}

impl PhoneNews {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            change: PhoneChange::Set,
            digits: "0000".to_owned(),
            at: 1_800_000_000_000_000,
            account: Link::sample(),
            lock: Link::sample(),
        }
    }
}
