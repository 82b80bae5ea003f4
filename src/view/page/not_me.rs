//! Somebody was told by mail of a sign-in with a new device: was it them?

use serde::{Deserialize, Serialize};

use super::SetupProblem;
use crate::view::{Account, Device, OwnPath};

/// While it is open, a form that posts `intent` = `not_me`; then one that posts `old_password`, `password` and `password_again`;
/// each with `csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotMe {
    /// Where the forms post to.
    pub action: OwnPath,
    /// Whose account it is.
    pub account: Account,
    /// The browser and device.
    pub device: Device,
    /// Where it was used last.
    pub place: Option<String>,
    /// When the mail was written, in microseconds since 1970.
    pub at: i64,
    /// What is left to do.
    pub stage: NotMeStage,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<NotMeError>,
    /// When it is worth trying again, after too many attempts, in seconds.
    pub wait: Option<u64>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// Where to sign in.
    pub sign_in: OwnPath,
    /// Where a link to a new password is asked for, if people may help themselves.
    pub forgot: Option<OwnPath>,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotMeStage {
    /// To say that it was somebody else.
    Open,
    /// To set a new password.
    Replace,
    /// Nothing.
    Done,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMeError {
    /// Where it stands: the field's name in the form.
    pub field: NotMeField,
    /// What is wrong.
    pub problem: NotMeProblem,
}

/// A field of the form; its name in the form is its `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotMeField {
    /// `old_password`
    OldPassword,
    /// `password`
    Password,
    /// `password_again`
    PasswordAgain,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotMeProblem {
    /// Not the password of this account.
    Wrong,
    /// The same as before.
    Same,
    /// As at the setup.
    #[serde(untagged)]
    Password(SetupProblem),
}

impl NotMe {
    /// With every field filled.
    pub fn sample() -> Self {
        let error = |field, problem| NotMeError { field, problem };
        Self {
            action: OwnPath::or_home("/login/not-me?token=Zm9v"),
            account: Account::sample(),
            device: Device::read("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            place: Some("Paris, France (192.0.2.7)".to_owned()),
            at: 1_800_000_000_000_000,
            stage: NotMeStage::Replace,
            least: 10,
            errors: vec![
                error(NotMeField::OldPassword, NotMeProblem::Wrong),
                error(NotMeField::Password, NotMeProblem::Password(SetupProblem::TooShort)),
                error(
                    NotMeField::PasswordAgain,
                    NotMeProblem::Password(SetupProblem::Different),
                ),
            ],
            wait: None,
            expired: false,
            sign_in: OwnPath::or_home("/login"),
            forgot: Some(OwnPath::or_home("/login/forgot")),
        }
    }
}
