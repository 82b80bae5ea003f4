//! Mails about a password that is to be set, ends soon, or is guessed at.

use serde::{Deserialize, Serialize};

use super::Link;

/// Leads to a password of one's own, because somebody who administers wishes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordLinkMail {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What to sign in with.
    pub username: String,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// Whether there was no password before.
    pub is_first: bool,
    /// The page where it is set.
    pub link: Link,
}

impl PasswordLinkMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            seconds: 259_200,
            is_first: true,
            link: Link::sample(),
        }
    }
}

/// Says that a password has to be replaced soon, for its age.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordExpiry {
    /// The person's name, where known.
    pub name: Option<String>,
    /// Whose.
    pub username: String,
    /// When it has to be replaced, in microseconds since 1970.
    pub at: i64,
    /// The page of the account where it is.
    pub account: Link,
}

impl PasswordExpiry {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            at: 1_800_000_000_000_000,
            account: Link::sample(),
        }
    }
}

/// Says that so much was guessed at an account that new devices have to wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lockout {
    /// The person's name, where known.
    pub name: Option<String>,
    /// Whose.
    pub username: String,
    /// When it came to that, in microseconds since 1970.
    pub at: i64,
    /// From which network address the last guess came.
    pub address: Option<String>,
    /// How long new devices wait at most, in seconds.
    pub seconds: u64,
    /// The page that ends the wait.
    pub unlock: Link,
}

impl Lockout {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            at: 1_800_000_000_000_000,
            address: Some("192.0.2.7".to_owned()),
            seconds: 86_400,
            unlock: Link::sample(),
        }
    }
}
