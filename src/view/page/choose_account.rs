//! Several people use one browser: which account is meant.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Hidden, OwnPath};

/// A form that posts `account` = a choice's value, or `intent` = `other_account`, with `csrf` and the hidden fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChooseAccount {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// The interaction's id and the like.
    pub hidden: Vec<Hidden>,
    /// Whether the form that was sent had been open for too long.
    pub expired: bool,
    /// The accounts signed in here.
    pub accounts: Vec<Choice>,
}

/// One account to choose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Choice {
    /// What is posted when this one is chosen.
    pub value: String,
    /// How it is shown.
    pub account: Account,
}

impl ChooseAccount {
    /// With two accounts.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            action: OwnPath::or_home("/login/account"),
            hidden: vec![Hidden::new("interaction", "Zm9v")],
            expired: true,
            accounts: vec![
                Choice {
                    value: "1".to_owned(),
                    account: Account::sample(),
                },
                Choice {
                    value: "2".to_owned(),
                    account: Account {
                        name: None,
                        identifier: "grace@example.org".to_owned(),
                    },
                },
            ],
        }
    }
}
