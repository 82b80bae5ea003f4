//! A mailed link to sign in with was followed.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Device, OwnPath};

/// A form that posts `csrf` to `action`, until it is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoginLink {
    /// Where the form posts to.
    pub action: OwnPath,
    /// Whom it lets in.
    pub account: Account,
    /// What there is to do or to say.
    pub stage: LoginLinkStage,
    /// The browser and device that it was asked for with.
    pub device: Device,
    /// From where.
    pub place: Option<String>,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Whether the form had been open for too long.
    pub expired: bool,
}

/// What there is to do or to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginLinkStage {
    /// To sign in, in the browser that asked.
    Here,
    /// To say, in another one, that the sign-in which waits is one's own.
    Elsewhere,
    /// It was said.
    Confirmed,
}

impl LoginLinkStage {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Here, Self::Elsewhere, Self::Confirmed];
}

impl LoginLink {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/login/link?token=Zm9v"),
            account: Account::sample(),
            stage: LoginLinkStage::Elsewhere,
            device: Device::read("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            place: Some("192.0.2.7".to_owned()),
            at: 1_800_000_000_000_000,
            expired: true,
        }
    }
}
