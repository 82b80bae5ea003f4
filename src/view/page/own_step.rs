//! What a person does with the whole of their account: downloads what is kept about them, locks it, deletes it. And the pages for
//! whoever is not in any more: a mailed link that locks or unlocks, and what has come of it.

use serde::{Deserialize, Serialize};

use super::NotMeError;
use super::own_profile::words;
use crate::view::{Account, Client, OwnPath};

/// A form that posts `csrf`, and `sure` (`1` or absent) where the account is deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnStep {
    /// What.
    pub what: OwnStepKind,
    /// Whose account it is.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// How long a deletion can be taken back, in seconds.
    pub grace: u64,
    /// Whether a mail is sent about it.
    pub mailed: bool,
    /// Why it was not done.
    pub problem: Option<OwnStepProblem>,
    /// Where to go back.
    pub back: OwnPath,
}

words! {
    /// What is done.
    OwnStepKind {
        /// Everything that is kept about the person is downloaded.
        Export = "export",
        /// The account is locked.
        Lock = "lock",
        /// It is deleted.
        Delete = "delete",
    }
}

words! {
    /// Why it was not done.
    OwnStepProblem {
        /// The person did not say that they are sure.
        Sure = "sure",
        /// Nobody else administers the installation.
        LastAdministrator = "last_administrator",
        /// The form had been open for too long.
        Expired = "expired",
    }
}

/// At [`AccountDoorStage::Lock`] a form that posts `csrf`; at [`AccountDoorStage::Unlock`] one that posts `password` and
/// `password_again` besides, where there is a password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountDoor {
    /// Where things stand.
    pub stage: AccountDoorStage,
    /// Whose account it is.
    pub account: Option<Account>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whether a new password is chosen.
    pub password: bool,
    /// The shortest password the policy takes, in characters.
    pub least: u32,
    /// What has to be changed, in the order of the fields.
    pub errors: Vec<NotMeError>,
    /// When it is worth trying again, in seconds.
    pub wait: Option<u64>,
    /// Whether the form had been open for too long.
    pub expired: bool,
    /// When the account is deleted, in microseconds since 1970.
    pub until: Option<i64>,
    /// Where to sign in.
    pub sign_in: OwnPath,
}

words! {
    /// Where things stand.
    AccountDoorStage {
        /// To lock the account.
        Lock = "lock",
        /// It is locked.
        Locked = "locked",
        /// To unlock it.
        Unlock = "unlock",
        /// It is unlocked.
        Unlocked = "unlocked",
        /// It is to be deleted.
        Left = "left",
        /// It is deleted.
        Gone = "gone",
    }
}

/// Somebody has proved that an account is theirs that is about to be deleted: a form that posts `csrf`, or `intent` = `cancel`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stay {
    /// The application that is signed in to, if one is.
    pub client: Option<Client>,
    /// Whose account it is.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// When it is deleted, in microseconds since 1970.
    pub until: i64,
    /// Whether the form had been open for too long.
    pub expired: bool,
}

impl OwnStep {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            what: OwnStepKind::Delete,
            account: Account::sample(),
            action: OwnPath::or_home("/account/delete"),
            grace: 30 * 86_400,
            mailed: true,
            problem: Some(OwnStepProblem::Sure),
            back: OwnPath::or_home("/account"),
        }
    }
}

impl AccountDoor {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            stage: AccountDoorStage::Unlock,
            account: Some(Account::sample()),
            action: OwnPath::or_home("/login/unlock"),
            password: true,
            least: 10,
            errors: Vec::new(),
            wait: None,
            expired: false,
            until: Some(1_800_000_000_000_000),
            sign_in: OwnPath::or_home("/login"),
        }
    }
}

impl Stay {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action"),
            until: 1_800_000_000_000_000,
            expired: false,
        }
    }
}
