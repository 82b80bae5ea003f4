//! A passkey to be: its browser makes it.

use serde::{Deserialize, Serialize};

use crate::view::{Account, OwnPath};

/// A form that a script posts `passkey` with, and `csrf`; a link leads back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewPasskey {
    /// Whose it is to be.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Where to go without adding it.
    pub back: OwnPath,
    /// What the person calls it.
    pub name: String,
    /// The authenticators that are taken, where not all are.
    pub taken: Vec<String>,
    /// What the authenticator is asked, as JSON.
    pub options: String,
    /// Whether the form was open for too long.
    pub expired: bool,
}

impl NewPasskey {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            account: Account::sample(),
            action: OwnPath::or_home("/account/factors/passkey?factor=0190"),
            back: OwnPath::or_home("/account/factors"),
            name: "Laptop".to_owned(),
            taken: vec!["Key of a maker".to_owned()],
            options: "{\"challenge\":\"Zm9v\"}".to_owned(),
            expired: true,
        }
    }
}
