//! Signing in with a code that was sent.

use serde::{Deserialize, Serialize};

use crate::model::Channel;
use crate::view::{Client, LoginError, OwnPath};

/// A form that posts `code` and `csrf` to `action`; a quiet one posts `intent` = `again` there instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginCode {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Where both forms post to.
    pub action: OwnPath,
    /// By which way the code comes.
    pub by: Channel,
    /// What was typed to say who signs in.
    pub identifier: String,
    /// Whether another one was sent a moment ago.
    pub again: bool,
    /// Why the last attempt did not succeed.
    pub error: Option<LoginError>,
    /// Where to sign in otherwise.
    pub back: OwnPath,
}

impl LoginCode {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            action: OwnPath::or_home("/login/code?attempt=Zm9v"),
            by: Channel::Mail,
            identifier: "ada@example.com".to_owned(),
            again: true,
            error: Some(LoginError::Credentials),
            back: OwnPath::or_home("/login"),
        }
    }
}
