//! What is required of somebody on the way in: another password, a second factor, a telephone number.

use serde::{Deserialize, Serialize};

use super::{NotMeError, NotMeField, NotMeProblem, OwnPhoneError, SetupProblem};
use crate::view::{Account, Client, OwnPath, Qr};

/// Who requires it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredBy {
    /// Somebody who administers the account.
    Administrator,
    /// The rules of this installation.
    Policy,
}

/// A form that posts `password`, `password_again` and `csrf` to `action`; a quiet one posts `intent` = `cancel` there instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequiredPassword {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Whose password it is.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// Who requires it.
    pub because: RequiredBy,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<NotMeError>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// When it is worth trying again, where the server is too busy, in seconds.
    pub wait: Option<u64>,
}

/// A form that posts `code` and `csrf` to `action`, or by a script `question` and `passkey`; a quiet one posts `intent` = `cancel` there
/// instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrolFactor {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Whose it is to be.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// Who requires it.
    pub because: RequiredBy,
    /// The picture for a camera.
    pub picture: Qr,
    /// The secret in groups of four letters.
    pub secret: String,
    /// How many digits a code has.
    pub digits: u8,
    /// Where a script asks what a new passkey is asked for, if they are offered.
    pub ask: Option<OwnPath>,
    /// What was wrong with the answer before.
    pub error: Option<EnrolError>,
}

/// What can be wrong with a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolError {
    /// It is not the authenticator's code.
    Wrong,
    /// What the authenticator answered is no passkey that can be taken.
    Passkey,
    /// Somebody has the passkey already.
    Known,
    /// The form had been open for too long.
    Expired,
}

/// Forms that post to `action`, with `csrf`: `phone` asks for a code, `code` confirms the number, `intent` = `again` has another code sent,
/// `intent` = `cancel` gives up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequiredPhone {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Whose number it is to be.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// What stands in the field.
    pub phone: String,
    /// The number that a code was sent to, which is asked for.
    pub asked: Option<String>,
    /// Whether it was sent a moment ago.
    pub sent: bool,
    /// What was wrong.
    pub error: Option<OwnPhoneError>,
}

/// A form that posts `email` and `intent` = `mail`; one that posts `intent` = `confirmed` once a mail was sent; a quiet one with
/// `cancel`; each with `csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequiredEmail {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Whose address it is.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// Who requires it.
    pub because: RequiredBy,
    /// What stands in the field.
    pub email: String,
    /// Whether a mail was sent.
    pub sent: bool,
    /// What was wrong.
    pub problem: Option<RequiredEmailProblem>,
    /// When it is worth trying again, in seconds.
    pub wait: Option<u64>,
}

/// What can be wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredEmailProblem {
    /// Nothing stands there.
    Empty,
    /// It is no mail address.
    NotAnEmail,
    /// No mail was answered yet.
    NotYet,
    /// The form had been open for too long.
    Expired,
}

impl RequiredEmail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action?proof=Zm9v"),
            because: RequiredBy::Administrator,
            email: "ada@example.com".to_owned(),
            sent: true,
            problem: Some(RequiredEmailProblem::NotYet),
            wait: None,
        }
    }
}

impl RequiredPhone {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action?proof=Zm9v"),
            phone: "0123".to_owned(),
            asked: Some("+33123456780".to_owned()),
            sent: true,
            error: Some(OwnPhoneError::Wrong),
        }
    }
}

impl RequiredPassword {
    /// With every field filled.
    pub fn sample() -> Self {
        let error = |field, problem| NotMeError {
            field,
            problem: NotMeProblem::Password(problem),
        };
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action?proof=Zm9v"),
            because: RequiredBy::Administrator,
            least: 10,
            errors: vec![
                error(NotMeField::Password, SetupProblem::TooShort),
                error(NotMeField::PasswordAgain, SetupProblem::Different),
            ],
            expired: false,
            wait: None,
        }
    }
}

impl EnrolFactor {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action?proof=Zm9v"),
            because: RequiredBy::Policy,
            picture: Qr {
                size: 9,
                path: "M4 4h1v1h-1z".to_owned(),
            },
            secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
            digits: 6,
            ask: Some(OwnPath::or_home("/login/action/passkey?proof=Zm9v")),
            error: Some(EnrolError::Wrong),
        }
    }
}
