//! Somebody who forgot their password says who they are.

use serde::{Deserialize, Serialize};

use crate::view::{Client, Identifiers, OwnPath};

/// A form that posts `username` and `csrf` to `action`; afterwards the same page says that it was sent, whoever was named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forgot {
    /// The application that asks for a sign-in, if one does.
    pub client: Option<Client>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whether it was sent.
    pub sent: bool,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// By what people say who they are.
    pub identifiers: Identifiers,
    /// What was typed before.
    pub identifier: String,
    /// Why it was not sent.
    pub error: Option<ForgotError>,
    /// Where to sign in.
    pub sign_in: OwnPath,
    /// Where to ask once more.
    pub again: OwnPath,
}

/// Why a wish was not taken; none of it hangs on who was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ForgotError {
    /// Nobody was named.
    Empty,
    /// Too many from here.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form had been open for too long.
    Expired,
}

impl Forgot {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            action: OwnPath::or_home("/login/forgot"),
            sent: false,
            seconds: 1_200,
            identifiers: Identifiers::UsernameOrEmail,
            identifier: "ada@example.com".to_owned(),
            error: Some(ForgotError::Empty),
            sign_in: OwnPath::or_home("/login"),
            again: OwnPath::or_home("/login/forgot"),
        }
    }
}
