//! A person's own telephone number.

use serde::{Deserialize, Serialize};

use crate::view::{Account, OwnPath};

/// Forms that post to `action`, with `csrf`: `phone` asks for a number, `code` confirms it, `intent` = `again` sends another code,
/// `intent` = `remove` takes the number away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnPhone {
    /// Where the forms post to.
    pub action: OwnPath,
    /// Whose.
    pub account: Account,
    /// The number until now.
    pub current: Option<String>,
    /// Whether it was shown to be theirs.
    pub confirmed: bool,
    /// The number that a code was sent to, which is asked for.
    pub asked: Option<String>,
    /// What stands in the form.
    pub phone: String,
    /// What there is to say first.
    pub notice: Option<OwnPhoneNotice>,
    /// Why nothing was done.
    pub error: Option<OwnPhoneError>,
    /// Back to the account.
    pub back: OwnPath,
}

/// What was done a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnPhoneNotice {
    /// A code was sent.
    Sent,
    /// The number is the person's.
    Confirmed,
    /// The number was taken away.
    Removed,
    /// One is wanted, beside a second factor.
    Wanted,
}

impl OwnPhoneNotice {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Confirmed, Self::Removed, Self::Wanted];

    /// Its word in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Removed => "removed",
            Self::Wanted => "wanted",
        }
    }
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OwnPhoneError {
    /// No number.
    Empty,
    /// Not a number of some country.
    NotANumber,
    /// The one that is theirs already.
    Same,
    /// The person confirms sign-ins by it.
    IsFactor,
    /// It is not the code.
    Wrong,
    /// Too many.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form had been open for too long.
    Expired,
}

impl OwnPhone {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/account/phone"),
            account: Account::sample(),
            current: Some("+33123456789".to_owned()),
            confirmed: true,
            asked: Some("+33123456780".to_owned()),
            phone: "0123".to_owned(),
            notice: Some(OwnPhoneNotice::Sent),
            error: Some(OwnPhoneError::Wrong),
            back: OwnPath::or_home("/account"),
        }
    }
}
