//! A person's own mail address.

use serde::{Deserialize, Serialize};

use crate::view::{Account, OwnPath};

/// A form that posts `email` and `csrf` to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnEmail {
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whose.
    pub account: Account,
    /// The address until now.
    pub current: Option<String>,
    /// Whether it is confirmed.
    pub confirmed: bool,
    /// What stands in the form.
    pub email: String,
    /// Whether mails were sent a moment ago.
    pub sent: bool,
    /// Why nothing was sent.
    pub error: Option<OwnEmailError>,
    /// Back to the account.
    pub back: OwnPath,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OwnEmailError {
    /// No address.
    Empty,
    /// Not an address.
    NotAnEmail,
    /// An address of a domain that may not.
    Domain,
    /// The one that is confirmed.
    Same,
    /// Too many.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form had been open for too long.
    Expired,
}

impl OwnEmail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/account/email"),
            account: Account::sample(),
            current: Some("ada@example.com".to_owned()),
            confirmed: false,
            email: "ada@example".to_owned(),
            sent: true,
            error: Some(OwnEmailError::NotAnEmail),
            back: OwnPath::or_home("/account"),
        }
    }
}

/// What a mailed link leads to: a form that posts `csrf` to `action`, or what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfirmEmail {
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whose address.
    pub account: Account,
    /// The new one.
    pub email: String,
    /// What there is to do or to say.
    pub step: ConfirmStep,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// The person's own account.
    pub back: OwnPath,
}

/// What there is to do or to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmStep {
    /// To confirm the new address.
    New,
    /// To allow another address in place of this one.
    Old,
    /// It is the person's.
    Done,
    /// The mail at the other address is to be answered.
    OneLeft,
    /// Somebody else has it by now.
    Taken,
}

impl ConfirmStep {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::New, Self::Old, Self::Done, Self::OneLeft, Self::Taken];
}

impl ConfirmEmail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/account/email/confirm?token=Zm9v"),
            account: Account::sample(),
            email: "ada@example.com".to_owned(),
            step: ConfirmStep::New,
            expired: true,
            back: OwnPath::or_home("/account"),
        }
    }
}
