//! The first administrator's account, made through the one-time setup link.

use serde::{Deserialize, Serialize};

use crate::view::{Hidden, OwnPath};

/// A form that posts `email`, `username`, `password`, `password_again`, `csrf` and the hidden fields to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Where the form posts to.
    pub action: OwnPath,
    /// What has to come back with it.
    pub hidden: Vec<Hidden>,
    /// What was typed before.
    pub email: String,
    /// What was typed before.
    pub username: String,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<SetupError>,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupError {
    /// Where it stands.
    pub field: SetupField,
    /// What is wrong.
    pub problem: SetupProblem,
}

/// A field of the form; its name in the form is its `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupField {
    /// `email`
    Email,
    /// `username`
    Username,
    /// `password`
    Password,
    /// `password_again`
    PasswordAgain,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupProblem {
    /// Nothing in it.
    Empty,
    /// Not an email address.
    NotAnEmail,
    /// Too many characters for a username, or invisible ones.
    NotAUsername,
    /// Too long for a name, or with invisible characters.
    NotAName,
    /// No phone number with its country.
    NotAPhoneNumber,
    /// No date.
    NotADate,
    /// No address of a page.
    NotAUrl,
    /// No time zone.
    NotAZone,
    /// No language.
    NotALanguage,
    /// Somebody else's.
    Taken,
    /// Shorter than `least`.
    TooShort,
    /// Longer than can be kept.
    TooLong,
    /// Among the passwords that are tried first.
    TooCommon,
    /// Contains the email address or the username.
    TooSimilar,
    /// Had before, a while ago.
    UsedBefore,
    /// In a list of passwords that were stolen elsewhere.
    Breached,
    /// Too few guesses would find it.
    Guessable,
    /// Made around a date.
    GuessableDate,
    /// Made around a name.
    GuessableName,
    /// Made around a word.
    GuessableWord,
    /// Made of what stands side by side.
    GuessableRow,
    /// Not the same as the first one.
    Different,
}

impl SetupProblem {
    /// Every one.
    pub const ALL: [Self; 22] = [
        Self::Empty,
        Self::NotAnEmail,
        Self::NotAUsername,
        Self::NotAName,
        Self::NotAPhoneNumber,
        Self::NotADate,
        Self::NotAUrl,
        Self::NotAZone,
        Self::NotALanguage,
        Self::Taken,
        Self::TooShort,
        Self::TooLong,
        Self::TooCommon,
        Self::TooSimilar,
        Self::UsedBefore,
        Self::Breached,
        Self::Guessable,
        Self::GuessableDate,
        Self::GuessableName,
        Self::GuessableWord,
        Self::GuessableRow,
        Self::Different,
    ];
}

impl Setup {
    /// With one error in each field.
    pub fn sample() -> Self {
        let error = |field, problem| SetupError { field, problem };
        Self {
            action: OwnPath::or_home("/setup?token=Zm9v"),
            hidden: vec![Hidden::new("step", "1")],
            email: "ada@example".to_owned(),
            username: "ada lovelace".to_owned(),
            least: 12,
            errors: vec![
                error(SetupField::Email, SetupProblem::NotAnEmail),
                error(SetupField::Username, SetupProblem::NotAUsername),
                error(SetupField::Password, SetupProblem::TooShort),
                error(SetupField::PasswordAgain, SetupProblem::Different),
            ],
        }
    }
}

/// The account exists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetupDone {
    /// What to sign in with.
    pub username: String,
    /// Where.
    pub sign_in: OwnPath,
}

impl SetupDone {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            username: "ada".to_owned(),
            sign_in: OwnPath::or_home("/login"),
        }
    }
}
