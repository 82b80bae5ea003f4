//! Somebody who is signed in, and how they proved who they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SessionToken;
use super::state::BrowserMark;
use crate::model::{Session, Timestamp, User};

/// The authentication context class of a sign-in with a password (OpenID Connect Core section 2, `acr`).
pub const PASSWORD: &str = "urn:ostiary:password";

/// Somebody who is signed in in a browser.
#[derive(Clone, Debug)]
pub struct Account {
    /// What the browser holds.
    pub token: SessionToken,
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
    /// How they proved who they are.
    pub facts: SessionFacts,
    /// When they are signed out.
    pub ending: Ending,
}

/// When somebody is signed out if nothing more is seen of their browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// Whether it is later if the browser is seen before.
    pub can_stay: bool,
}

impl Ending {
    /// Of a session that is seen now.
    pub(super) fn of(session: &Session) -> Self {
        Self::between(session.expires, session.seen.after(session.idle_timeout))
    }

    /// With this end in any case, and this one if it is not used.
    pub(super) fn between(absolute: Timestamp, idle: Timestamp) -> Self {
        Self {
            at: absolute.min(idle),
            can_stay: idle < absolute,
        }
    }
}

/// What is kept with a session, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// When the person last proved who they are: the claim `auth_time`.
    pub auth_time: Timestamp,
    /// How: authentication method references (RFC 8176).
    pub amr: Vec<String>,
    /// With which assurance: the claim `acr`.
    pub acr: String,
    /// Whether the person asked to stay signed in.
    pub remember: bool,
    /// The longest time in which the browser was not seen, since the person last proved who they are.
    #[serde(default)]
    pub rested: Duration,
    /// Which browser began it, or proved it last.
    #[serde(default)]
    pub browser: Option<BrowserMark>,
}

/// How a person has just proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Authentication method references (RFC 8176).
    pub amr: Vec<String>,
    /// The authentication context class.
    pub acr: String,
    /// Whether the person asks to stay signed in.
    pub remember: bool,
}

impl Proof {
    /// By password.
    pub fn password(remember: bool) -> Self {
        Self {
            amr: vec!["pwd".to_owned()],
            acr: PASSWORD.to_owned(),
            remember,
        }
    }
}

impl SessionFacts {
    /// What is kept of a proof that was given at `auth_time` in this browser.
    pub(super) fn of(proof: Proof, auth_time: Timestamp, browser: BrowserMark) -> Self {
        Self {
            auth_time,
            amr: proof.amr,
            acr: proof.acr,
            remember: proof.remember,
            rested: Duration::ZERO,
            browser: Some(browser),
        }
    }

    /// The methods in a word (RFC 8176), for the audit log.
    pub(super) fn method(&self) -> &'static str {
        match self.amr.as_slice() {
            [one] if one == "pwd" => "pwd",
            _ => "other",
        }
    }

    pub(super) fn read(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
