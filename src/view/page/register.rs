//! An account of one's own: first the mail address, then, behind the mailed link, the rest.

use serde::{Deserialize, Serialize};

use super::SetupProblem;
use crate::view::{Client, OwnPath};

/// A form that posts `email` and `csrf` to `action`; afterwards the same page says that a mail was sent, whoever has the address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Register {
    /// The application that asks for a sign-in, if one does.
    pub client: Option<Client>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whether it was sent.
    pub sent: bool,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// What was typed before.
    pub email: String,
    /// Why it was not sent.
    pub error: Option<RegisterError>,
    /// Where to sign in.
    pub sign_in: OwnPath,
    /// Where to ask once more.
    pub again: OwnPath,
}

/// Why no mail was sent; none of it hangs on whose the address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RegisterError {
    /// No address.
    Empty,
    /// Not an address.
    NotAnEmail,
    /// Too many from here.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form had been open for too long.
    Expired,
}

impl Register {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            action: OwnPath::or_home("/register"),
            sent: false,
            seconds: 86_400,
            email: "ada@example".to_owned(),
            error: Some(RegisterError::NotAnEmail),
            sign_in: OwnPath::or_home("/login"),
            again: OwnPath::or_home("/register"),
        }
    }
}

/// A form that posts `given_name`, `family_name`, `username`, `password`, `password_again` and `csrf` to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewAccount {
    /// Where the form posts to.
    pub action: OwnPath,
    /// The address that the link was mailed to.
    pub email: String,
    /// What was typed before.
    pub given_name: String,
    /// What was typed before.
    pub family_name: String,
    /// What was typed before.
    pub username: String,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<NewAccountError>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// When it is worth trying again, where the server is too busy, in seconds.
    pub wait: Option<u64>,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccountError {
    /// Where it stands.
    pub field: NewAccountField,
    /// What is wrong.
    pub problem: SetupProblem,
}

/// A field of the form; its name in the form is its `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewAccountField {
    /// `given_name`
    GivenName,
    /// `family_name`
    FamilyName,
    /// `username`
    Username,
    /// `password`
    Password,
    /// `password_again`
    PasswordAgain,
}

impl NewAccount {
    /// With one error in each field.
    pub fn sample() -> Self {
        let error = |field, problem| NewAccountError { field, problem };
        Self {
            action: OwnPath::or_home("/register/new?token=Zm9v"),
            email: "ada@example.com".to_owned(),
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
            username: "ada".to_owned(),
            least: 12,
            errors: vec![
                error(NewAccountField::GivenName, SetupProblem::NotAName),
                error(NewAccountField::FamilyName, SetupProblem::NotAName),
                error(NewAccountField::Username, SetupProblem::Taken),
                error(NewAccountField::Password, SetupProblem::TooShort),
                error(NewAccountField::PasswordAgain, SetupProblem::Different),
            ],
            expired: false,
            wait: None,
        }
    }
}
