//! The mails about a request for an account.

use serde::{Deserialize, Serialize};

use super::Link;

/// Is about the request for an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessMail {
    /// What it is about.
    pub step: AccessStep,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// From which network address it was asked for.
    pub address: Option<String>,
    /// The page where it goes on, if it does.
    pub link: Option<Link>,
}

/// What a mail about a request for an account says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessStep {
    /// The address is to be confirmed.
    Confirm,
    /// It was approved.
    Approved,
    /// It was refused.
    Refused,
}

impl AccessStep {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Confirm, Self::Approved, Self::Refused];
}

impl AccessMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            step: AccessStep::Confirm,
            seconds: 86_400,
            address: Some("192.0.2.7".to_owned()),
            link: Some(Link::sample()),
        }
    }
}
