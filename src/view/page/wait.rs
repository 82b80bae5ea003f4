//! The mailed way out of the wait for an account at which others guess.

use serde::{Deserialize, Serialize};

use crate::view::{Account, OwnPath};

/// A form that posts `csrf` to `action`, or what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wait {
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whose account.
    pub account: Account,
    /// Whether it is done.
    pub done: bool,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// Where to sign in.
    pub sign_in: OwnPath,
    /// Where a link to a new password is asked for, if people may help themselves.
    pub forgot: Option<OwnPath>,
}

impl Wait {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/login/wait?token=Zm9v"),
            account: Account::sample(),
            done: false,
            expired: true,
            sign_in: OwnPath::or_home("/login"),
            forgot: Some(OwnPath::or_home("/login/forgot")),
        }
    }
}
