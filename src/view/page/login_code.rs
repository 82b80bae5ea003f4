//! Signing in with a code that was sent.

use serde::{Deserialize, Serialize};

use crate::view::{Client, LoginError, OwnPath};

/// What is sent to sign in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentToSignIn {
    /// A code by mail.
    MailCode,
    /// A link by mail.
    MailLink,
    /// A code as a text message.
    TextCode,
}

impl SentToSignIn {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::MailCode, Self::MailLink, Self::TextCode];
}

/// A form that posts `code` and `csrf` to `action`; a quiet one posts `intent` = `again` there instead. Of a link,
/// the first posts `intent` = `go_on`, once it was answered for elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginCode {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Where both forms post to.
    pub action: OwnPath,
    /// What comes.
    pub by: SentToSignIn,
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
            by: SentToSignIn::MailCode,
            identifier: "ada@example.com".to_owned(),
            again: true,
            error: Some(LoginError::Credentials),
            back: OwnPath::or_home("/login"),
        }
    }
}
