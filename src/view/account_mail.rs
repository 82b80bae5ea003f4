//! The mails that say what has become of an account, and that it comes to its end.

use serde::{Deserialize, Serialize};

use super::Link;

/// Says that something became of somebody's account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountMail {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What to sign in with.
    pub username: String,
    /// What.
    pub change: AccountChange,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// When the account is deleted, likewise, if it will be.
    pub until: Option<i64>,
    /// The page where the person goes on from here, if there is one.
    pub link: Option<Link>,
    /// The page that locks the account at once, where that is worth saying.
    pub lock: Option<Link>,
}

/// What became of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountChange {
    /// The person signs in with another username.
    Renamed,
    /// Its owner has locked it.
    Locked,
    /// It is unlocked.
    Unlocked,
    /// Its owner has deleted it, and can take that back.
    Leaving,
    /// Its owner has taken that back.
    Stayed,
    /// It is gone.
    Deleted,
}

impl AccountChange {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Renamed,
        Self::Locked,
        Self::Unlocked,
        Self::Leaving,
        Self::Stayed,
        Self::Deleted,
    ];

    /// What the mail is called in the outbox.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Renamed => "username_changed",
            Self::Locked => "account_locked",
            Self::Unlocked => "account_unlocked",
            Self::Leaving => "account_leaving",
            Self::Stayed => "account_stayed",
            Self::Deleted => "account_deleted",
        }
    }
}

/// Says that an account comes to its end soon.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountExpiry {
    /// The person's name, where known.
    pub name: Option<String>,
    /// Whose.
    pub username: String,
    /// When it ends, in microseconds since 1970.
    pub at: i64,
    /// Whether it ends because nobody signs in.
    #[serde(default)]
    pub unused: bool,
    /// The person's own account.
    pub account: Link,
}

impl AccountExpiry {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            at: 1_800_000_000_000_000,
            unused: false,
            account: Link::sample(),
        }
    }
}

impl AccountMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            change: AccountChange::Renamed,
            at: 1_800_000_000_000_000,
            until: Some(1_802_592_000_000_000),
            link: Some(Link::sample()),
            lock: Some(Link::sample()),
        }
    }
}
