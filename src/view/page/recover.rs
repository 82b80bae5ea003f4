//! A new password in place of a forgotten one, through the mailed link.

use serde::{Deserialize, Serialize};

use super::{NotMeError, NotMeField, NotMeProblem, SetupProblem};
use crate::view::{Account, OwnPath};

/// A form that posts `password`, `password_again` and `csrf` to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recover {
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whose password it is.
    pub account: Account,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<NotMeError>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// When it is worth trying again, where the server is too busy, in seconds.
    pub wait: Option<u64>,
}

impl Recover {
    /// With every field filled.
    pub fn sample() -> Self {
        let error = |field, problem| NotMeError {
            field,
            problem: NotMeProblem::Password(problem),
        };
        Self {
            action: OwnPath::or_home("/login/recover?token=Zm9v"),
            account: Account::sample(),
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
