//! A request for an account, where an administrator decides.

use serde::{Deserialize, Serialize};

use crate::view::OwnPath;

/// A form that posts `name`, `reason` and `csrf` to `action`; or that it was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestAccess {
    /// Where the form posts to.
    pub action: OwnPath,
    /// The address, which is confirmed.
    pub email: String,
    /// What was typed before.
    pub name: String,
    /// What was typed before.
    pub reason: String,
    /// Why it was not taken.
    pub error: Option<RequestAccessError>,
    /// Whether the request was made.
    pub done: bool,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RequestAccessError {
    /// The name can't be taken.
    Name,
    /// What it is for can't be taken.
    Reason,
    /// Too many wait.
    Full {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form had been open for too long.
    Expired,
}

impl RequestAccess {
    /// That the request was made.
    pub fn done() -> Self {
        Self {
            action: OwnPath::or_home("/"),
            email: String::new(),
            name: String::new(),
            reason: String::new(),
            error: None,
            done: true,
        }
    }

    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/request-access/new?token=Zm9v"),
            email: "ada@example.com".to_owned(),
            name: "Ada Lovelace".to_owned(),
            reason: "To work on the engine.".to_owned(),
            error: Some(RequestAccessError::Name),
            done: false,
        }
    }
}
