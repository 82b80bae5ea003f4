//! Signing out: the question, and what stands there afterwards. OpenID Connect RP-Initiated Logout 1.0 section 2.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Hidden, Link, OwnPath};

/// A form that posts `decision` = `sign_out` or `stay`, `csrf` and the hidden fields to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignOut {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Everybody who is signed in here, and would not be any more; at least one.
    pub accounts: Vec<Account>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// What has to come back with the answer.
    pub hidden: Vec<Hidden>,
    /// Whether the form that was sent had been open for too long.
    pub expired: bool,
}

impl SignOut {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            accounts: vec![
                Account::sample(),
                Account {
                    name: None,
                    identifier: "grace@example.com".to_owned(),
                },
            ],
            action: OwnPath::or_home("/oauth2/end_session"),
            hidden: vec![Hidden::new("request", "Zm9v")],
            expired: true,
        }
    }
}

/// Nobody is signed in any more; the browser loads what tells applications so (Front-Channel Logout 1.0 section 3), and goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SigningOut {
    /// What it loads.
    pub frames: Vec<Link>,
    /// Where it goes then.
    pub next: OwnPath,
}

impl SigningOut {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            frames: vec![Link::sample()],
            next: OwnPath::or_home("/logout/done"),
        }
    }
}

/// Nobody is signed in any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedOut {
    /// The application that asked, if one did.
    pub client: Option<Client>,
    /// A registered post-logout address of that application.
    pub back: Option<Link>,
    /// Where to sign in again, where that makes sense without an application.
    pub sign_in: Option<OwnPath>,
}

impl SignedOut {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            back: Some(Link::sample()),
            sign_in: OwnPath::parse("/login"),
        }
    }
}
