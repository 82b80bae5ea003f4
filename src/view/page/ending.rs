//! A session that is about to end, goes on, or has ended.

use serde::{Deserialize, Serialize};

use crate::view::{Account, OwnPath};

/// While staying is possible, a form that posts `csrf` to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// How it stands.
    pub stage: EndingStage,
    /// Whose session it is; nothing once it has ended.
    pub account: Option<Account>,
    /// In how many seconds it ends.
    pub seconds: u64,
    /// Whether staying is possible.
    pub can_stay: bool,
    /// Where the form posts to.
    pub action: OwnPath,
    /// The page that was left open.
    pub back: OwnPath,
    /// Where to sign in again.
    pub sign_in: OwnPath,
}

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingStage {
    /// It ends soon.
    Soon,
    /// It goes on.
    GoesOn,
    /// It has ended.
    Over,
}

impl EndingStage {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Soon, Self::GoesOn, Self::Over];
}

impl Ending {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            stage: EndingStage::Soon,
            account: Some(Account::sample()),
            seconds: 60,
            can_stay: true,
            action: OwnPath::or_home("/login/ending?return_to=%2Faccount"),
            back: OwnPath::or_home("/account"),
            sign_in: OwnPath::or_home("/login?return_to=%2Faccount"),
        }
    }
}
