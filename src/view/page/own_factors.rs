//! A person's own second factors: the list, adding an authenticator, the recovery codes.

use serde::{Deserialize, Serialize};

use crate::model::Channel;
use crate::view::{Account, OwnPath, Qr};

/// Forms that post `begin` (`passkey`, `totp`, `mail` or `sms`) with `name`, `rename` = the value of a factor with `name`, `remove` = the value
/// of a factor, or `codes`, or `ask_everywhere`, with `csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnFactors {
    /// Whose they are.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// The person's own account.
    pub back: OwnPath,
    /// What there is to say first.
    pub notice: Option<FactorNotice>,
    /// The passkeys that count.
    pub passkeys: Vec<OwnFactor>,
    /// Whether more may be added: browsers have passkeys for installations with a domain.
    pub offers_passkeys: bool,
    /// The authenticators that count.
    pub authenticators: Vec<OwnFactor>,
    /// The ways of sending codes that count.
    pub sent: Vec<OwnFactor>,
    /// Those that may be added.
    pub sendable: Vec<Sendable>,
    /// Where a number is confirmed, if that goes with a second factor here and is missing.
    pub phone_wanted: Option<OwnPath>,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
    /// On how many devices the second factor is not asked for, where devices may be remembered at all.
    pub remembered: Option<usize>,
}

/// A second factor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnFactor {
    /// What is posted to change it.
    pub value: String,
    /// What the person calls it.
    pub name: String,
    /// When it was added, in microseconds since 1970.
    pub added: i64,
    /// When it was last used, likewise.
    pub used: Option<i64>,
}

/// A way of sending codes that may be added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sendable {
    /// By which way.
    pub by: Channel,
    /// The confirmed address or number; none where that comes first.
    pub recipient: Option<String>,
    /// Where it is confirmed.
    pub page: OwnPath,
}

/// What the page of second factors has to say first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorNotice {
    /// One was added.
    Added,
    /// One has another name.
    Renamed,
    /// One was removed.
    Removed,
    /// The person has said that the recovery codes are kept.
    Kept,
    /// The second factor is asked for on every device again.
    Everywhere,
    /// The person has just proved who they are and may go on.
    Proved,
    /// What was begun is too old, or was confirmed or begun anew meanwhile.
    Over,
    /// There are as many as there may be.
    TooMany,
    /// A passkey was added.
    PasskeyAdded,
    /// Codes are sent by another way.
    SentAdded,
    /// What the authenticator answered is no passkey that can be taken.
    PasskeyRefused,
    /// Somebody has this passkey already.
    PasskeyKnown,
    /// Listed authenticators alone are taken, and none are listed.
    NoMakers,
    /// A name is missing or too long.
    Name,
    /// The form had been open for too long.
    Expired,
}

impl FactorNotice {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::Added,
        Self::Renamed,
        Self::Removed,
        Self::Kept,
        Self::Everywhere,
        Self::Proved,
        Self::Over,
        Self::TooMany,
        Self::PasskeyAdded,
        Self::SentAdded,
        Self::PasskeyRefused,
        Self::PasskeyKnown,
        Self::NoMakers,
        Self::Name,
        Self::Expired,
    ];

    /// As the address of the page says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Renamed => "renamed",
            Self::Removed => "removed",
            Self::Kept => "kept",
            Self::Everywhere => "everywhere",
            Self::Proved => "proved",
            Self::Over => "over",
            Self::TooMany => "too_many",
            Self::PasskeyAdded => "passkey_added",
            Self::SentAdded => "sent_added",
            Self::PasskeyRefused => "passkey_refused",
            Self::PasskeyKnown => "passkey_known",
            Self::NoMakers => "no_makers",
            Self::Name => "name",
            Self::Expired => "expired",
        }
    }
}

/// A form that posts `code` with `csrf`; a quiet one leads back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewAuthenticator {
    /// Whose it is to be.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Where to go without adding it.
    pub back: OwnPath,
    /// What the person calls it.
    pub name: String,
    /// The picture for a camera.
    pub picture: Qr,
    /// The secret in groups of four letters.
    pub secret: String,
    /// The hash function, how many digits, and how many seconds, where they are not what every authenticator knows.
    pub shape: Option<(String, u8, u32)>,
    /// How many digits a code has.
    pub digits: u8,
    /// What was wrong with the answer before.
    pub error: Option<NewAuthenticatorError>,
}

/// What was wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewAuthenticatorError {
    /// It is not the code that the authenticator shows now.
    Wrong,
    /// The form was open for too long.
    Expired,
}

/// The recovery codes, to be kept outside of this browser. A form posts that they are, with `csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecoveryCodes {
    /// Whose they are.
    pub account: Account,
    /// Where they let in, for the printed page.
    pub site: String,
    /// When they were made, in microseconds since 1970.
    pub made: i64,
    /// The codes.
    pub codes: Vec<String>,
    /// Where the form posts to.
    pub action: OwnPath,
}

impl OwnFactors {
    /// With three factors.
    pub fn sample() -> Self {
        const ADDED: i64 = 1_800_000_000_000_000;
        let factor = OwnFactor {
            value: "0190".to_owned(),
            name: "Telephone".to_owned(),
            added: ADDED,
            used: Some(ADDED + 3_600_000_000),
        };
        Self {
            account: Account::sample(),
            action: OwnPath::or_home("/account/factors"),
            back: OwnPath::or_home("/account"),
            notice: Some(FactorNotice::Added),
            passkeys: vec![OwnFactor {
                value: "0192".to_owned(),
                name: "Laptop".to_owned(),
                ..factor.clone()
            }],
            offers_passkeys: true,
            authenticators: vec![
                factor.clone(),
                OwnFactor {
                    value: "0191".to_owned(),
                    name: "Tablet".to_owned(),
                    used: None,
                    ..factor
                },
            ],
            sent: vec![OwnFactor {
                value: "0193".to_owned(),
                name: "Mail".to_owned(),
                added: ADDED,
                used: None,
            }],
            sendable: vec![
                Sendable {
                    by: Channel::Sms,
                    recipient: Some("+33123456789".to_owned()),
                    page: OwnPath::or_home("/account/phone"),
                },
                Sendable {
                    by: Channel::Mail,
                    recipient: None,
                    page: OwnPath::or_home("/account/email"),
                },
            ],
            phone_wanted: Some(OwnPath::or_home("/account/phone")),
            recovery_codes: 9,
            remembered: Some(2),
        }
    }
}

impl NewAuthenticator {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            account: Account::sample(),
            action: OwnPath::or_home("/account/factors/new?factor=0190"),
            back: OwnPath::or_home("/account/factors"),
            name: "Telephone".to_owned(),
            picture: Qr {
                size: 9,
                path: "M4 4h1v1h-1z".to_owned(),
            },
            secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
            shape: Some(("SHA256".to_owned(), 8, 60)),
            digits: 8,
            error: Some(NewAuthenticatorError::Wrong),
        }
    }
}

impl RecoveryCodes {
    /// With two codes.
    pub fn sample() -> Self {
        Self {
            account: Account::sample(),
            site: "login.example.com".to_owned(),
            made: 1_800_000_000_000_000,
            codes: vec!["0123-4567-89ab-cdef".to_owned(), "ghjk-mnpq-rstv-wxyz".to_owned()],
            action: OwnPath::or_home("/account/factors/codes"),
        }
    }
}
