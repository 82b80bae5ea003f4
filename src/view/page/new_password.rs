//! A password that was right has to be replaced, and the way to a new one is mailed.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Hidden, OwnPath};

/// While there is an address, a form that posts `csrf` and the hidden fields to `action`: mail it (again).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewPassword {
    /// The application that asks for a sign-in, if one does.
    pub client: Option<Client>,
    /// Whose password it is.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whom it is about.
    pub hidden: Vec<Hidden>,
    /// What has been done about it.
    pub stage: NewPasswordStage,
    /// When another mail can be asked for, in seconds; 0 where that does not matter.
    pub wait: u64,
    /// Where to sign in afterwards.
    pub sign_in: OwnPath,
}

/// What has been done about a password that has to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewPasswordStage {
    /// Nothing since the first mail.
    Needed,
    /// Another mail is on its way.
    Mailed,
    /// There was one a moment ago.
    Later,
    /// There is no address to mail to.
    NoAddress,
}

impl NewPasswordStage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Needed, Self::Mailed, Self::Later, Self::NoAddress];
}

impl NewPassword {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/new-password"),
            hidden: vec![Hidden::new("person", "Zm9v")],
            stage: NewPasswordStage::Needed,
            wait: 300,
            sign_in: OwnPath::or_home("/login"),
        }
    }
}
