//! Asking a person what an application may have.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Hidden, OwnPath};

/// A form that posts `decision` = `allow` or `deny`, `csrf` and the hidden fields to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// Who asks.
    pub client: Client,
    /// Whose data it is.
    pub account: Account,
    /// What is asked for, in the order it is shown.
    pub asked: Vec<Asked>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// The interaction's id and the like.
    pub hidden: Vec<Hidden>,
    /// Whether the form that was sent had been open for too long.
    pub expired: bool,
}

/// One thing that is asked for: a scope with words of our own, or one of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Asked {
    /// `openid`
    Openid,
    /// `profile`
    Profile,
    /// `email`
    Email,
    /// `phone`
    Phone,
    /// `address`
    Address,
    /// `groups`
    Groups,
    /// `offline_access`: shown as how long, not as what.
    OfflineAccess,
    /// A scope of an API.
    Custom {
        /// Its name.
        name: String,
        /// What its owner says it allows.
        description: Option<String>,
        /// The API it belongs to.
        resource: Option<String>,
    },
}

impl Asked {
    /// The standard scope of this name (OpenID Connect Core sections 5.4 and 11, and `groups`), or `name` as it is.
    pub fn scope(name: &str) -> Self {
        match name {
            "openid" => Self::Openid,
            "profile" => Self::Profile,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "address" => Self::Address,
            "groups" => Self::Groups,
            "offline_access" => Self::OfflineAccess,
            other => Self::Custom {
                name: other.to_owned(),
                description: None,
                resource: None,
            },
        }
    }
}

impl Consent {
    /// With every scope there are words for.
    pub fn sample() -> Self {
        let mut asked: Vec<_> = ["openid", "profile", "email", "phone", "address", "groups"]
            .into_iter()
            .map(Asked::scope)
            .collect();
        asked.push(Asked::Custom {
            name: "orders.read".to_owned(),
            description: Some("See your orders".to_owned()),
            resource: Some("https://api.shop.example".to_owned()),
        });
        asked.push(Asked::scope("orders.write"));
        asked.push(Asked::OfflineAccess);
        Self {
            client: Client {
                verified: false,
                ..Client::sample()
            },
            account: Account::sample(),
            asked,
            action: OwnPath::or_home("/consent"),
            hidden: vec![Hidden::new("interaction", "Zm9v")],
            expired: true,
        }
    }
}
