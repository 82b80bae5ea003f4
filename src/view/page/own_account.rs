//! A person's own account: where they are signed in, and what they have allowed which application.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Asked, Client, Device, OwnPath};

/// Forms that post `end` = the value of a session or `others`, or `take_back` = the value of an application, with `csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnAccount {
    /// Whose it is.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// What there is to say first.
    pub notice: Option<AccountNotice>,
    /// After how many seconds without use the person is signed out.
    pub idle_seconds: u64,
    /// After how many seconds in any case.
    pub lifetime_seconds: u64,
    /// The sessions, the one in this browser first.
    pub sessions: Vec<OwnSession>,
    /// What was allowed.
    pub applications: Vec<AllowedApplication>,
    /// Where to sign out in this browser.
    pub sign_out: OwnPath,
}

/// What an account's page has to say first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountNotice {
    /// What was asked for is done: somewhere else is signed out.
    Ended,
    /// What was allowed is taken back.
    TakenBack,
    /// The person has just proved who they are and may go on.
    Proved,
    /// The form had been open for too long.
    Expired,
}

impl AccountNotice {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Ended, Self::TakenBack, Self::Proved, Self::Expired];
}

/// A session of the person's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnSession {
    /// What is posted to end it.
    pub value: String,
    /// Whether it is the one in this browser.
    pub here: bool,
    /// The browser and device.
    pub device: Device,
    /// Where it began.
    pub place: Option<String>,
    /// When it began, in microseconds since 1970.
    pub started: i64,
    /// When it was last used, likewise.
    pub seen: i64,
    /// The names of the applications it serves.
    pub applications: Vec<String>,
}

/// What the person has allowed an application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowedApplication {
    /// What is posted to take it back.
    pub value: String,
    /// The application.
    pub client: Client,
    /// What it may have.
    pub allowed: Vec<Asked>,
    /// When it was last allowed, in microseconds since 1970.
    pub since: i64,
}

impl OwnAccount {
    /// With two sessions and an application.
    pub fn sample() -> Self {
        const STARTED: i64 = 1_800_000_000_000_000;
        let session = OwnSession {
            value: "0190".to_owned(),
            here: true,
            device: Device::read("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            place: Some("192.0.2.7".to_owned()),
            started: STARTED,
            seen: STARTED + 3_600_000_000,
            applications: vec!["Shop".to_owned(), "Forum".to_owned()],
        };
        Self {
            account: Account::sample(),
            action: OwnPath::or_home("/account"),
            notice: Some(AccountNotice::Ended),
            idle_seconds: 8 * 3600,
            lifetime_seconds: 86_400,
            sessions: vec![
                session.clone(),
                OwnSession {
                    value: "0191".to_owned(),
                    here: false,
                    device: Device::default(),
                    place: None,
                    applications: Vec::new(),
                    ..session
                },
            ],
            applications: vec![AllowedApplication {
                value: "0192".to_owned(),
                client: Client::sample(),
                allowed: ["openid", "profile", "offline_access", "orders.read"]
                    .into_iter()
                    .map(Asked::scope)
                    .collect(),
                since: STARTED,
            }],
            sign_out: OwnPath::or_home("/logout"),
        }
    }
}
