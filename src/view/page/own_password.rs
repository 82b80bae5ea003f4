//! A new password of one's own, for whoever knows the one until now.

use serde::{Deserialize, Serialize};

use super::{NotMeError, NotMeField, NotMeProblem, SetupProblem};
use crate::view::{Account, OwnPath};

/// A form that posts `old_password`, `password`, `password_again`, `end_others` (`1` or absent) and `csrf` to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnPassword {
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whose password it is.
    pub account: Account,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// Whether "sign out everywhere else" is ticked.
    pub end_others: bool,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<NotMeError>,
    /// When it is worth trying again, after too many attempts, in seconds.
    pub wait: Option<u64>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// Back to the account.
    pub back: OwnPath,
    /// Where a link to a new password is asked for, if people may help themselves.
    pub forgot: Option<OwnPath>,
}

impl OwnPassword {
    /// With every field filled.
    pub fn sample() -> Self {
        let error = |field, problem| NotMeError { field, problem };
        Self {
            action: OwnPath::or_home("/account/password"),
            account: Account::sample(),
            least: 10,
            end_others: true,
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
            back: OwnPath::or_home("/account"),
            forgot: Some(OwnPath::or_home("/login/forgot")),
        }
    }
}
