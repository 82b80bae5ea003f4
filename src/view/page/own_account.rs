//! A person's own account: where they are signed in, and what they have allowed which application.

use serde::{Deserialize, Serialize};

use crate::model::DeviceState;
use crate::view::{Account, Asked, Client, Device, OwnPath};

/// Forms that post `end` = the value of a session or `others`, `take_back` = the value of an application, `narrow` = that of one of its
/// things, or `block`, `unblock` or
/// `admit` = the value of a device, with `csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnAccount {
    /// Whose it is.
    pub account: Account,
    /// Who else is signed in in this browser, and where their page is.
    pub others: Vec<OtherAccount>,
    /// Where the forms post to.
    pub action: OwnPath,
    /// What there is to say first.
    pub notice: Option<AccountNotice>,
    /// When the account comes to its end, in microseconds since 1970, if it does.
    pub ends: Option<i64>,
    /// After how many seconds without use the person is signed out.
    pub idle_seconds: u64,
    /// After how many seconds in any case.
    pub lifetime_seconds: u64,
    /// The sessions, the one in this browser first.
    pub sessions: Vec<OwnSession>,
    /// The devices, the last used first.
    pub devices: Vec<OwnDevice>,
    /// What was allowed.
    pub applications: Vec<AllowedApplication>,
    /// The person's picture, if it is one that is kept here.
    pub picture: Option<OwnPath>,
    /// Where the person's own data are changed.
    pub profile: OwnPath,
    /// What happened to the account.
    pub events: OwnPath,
    /// Where everything that is kept is downloaded.
    pub export: OwnPath,
    /// Where the account is locked.
    pub lock: OwnPath,
    /// Where it is deleted, if people do that themselves.
    pub delete: Option<OwnPath>,
    /// Where the mail address is confirmed or changed.
    pub email: OwnPath,
    /// The person's telephone number, where people can have one.
    pub phone: Option<OwnPath>,
    /// Where the password is changed.
    pub password: OwnPath,
    /// The page of the second factors.
    pub factors: OwnPath,
    /// The page of what was accepted.
    pub terms: OwnPath,
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
    /// A part of it is.
    Narrowed,
    /// A device is blocked.
    Blocked,
    /// A device is not blocked any more.
    Unblocked,
    /// A device was let in.
    Admitted,
    /// The person has just proved who they are and may go on.
    Proved,
    /// The password is a new one.
    Password,
    /// The form had been open for too long.
    Expired,
}

impl AccountNotice {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Ended,
        Self::TakenBack,
        Self::Narrowed,
        Self::Blocked,
        Self::Unblocked,
        Self::Admitted,
        Self::Proved,
        Self::Password,
        Self::Expired,
    ];

    /// As the address of the page says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::TakenBack => "taken_back",
            Self::Narrowed => "narrowed",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::Admitted => "admitted",
            Self::Proved => "proved",
            Self::Password => "password",
            Self::Expired => "expired",
        }
    }
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

/// Somebody else who is signed in in the same browser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OtherAccount {
    /// Who.
    pub account: Account,
    /// Where their page is.
    pub page: OwnPath,
}

/// A device that the person signed in with, or tried to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnDevice {
    /// What is posted to change it.
    pub value: String,
    /// Whether it is this one.
    pub here: bool,
    /// The browser and device.
    pub device: Device,
    /// Where it was used last.
    pub place: Option<String>,
    /// When it was first used, in microseconds since 1970.
    pub first: i64,
    /// When it was last used, likewise.
    pub last: i64,
    /// Whether it may be signed in with.
    pub state: DeviceState,
}

/// What the person has allowed an application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowedApplication {
    /// What is posted to take it back.
    pub value: String,
    /// The application.
    pub client: Client,
    /// What it may have.
    pub allowed: Vec<AllowedThing>,
    /// When it was last allowed, in microseconds since 1970.
    pub since: i64,
}

/// One of the things that an application was allowed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowedThing {
    /// What.
    pub asked: Asked,
    /// What is posted as `narrow` to take back this alone; nothing where that would be all of it.
    pub value: Option<String>,
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
            others: vec![OtherAccount {
                account: Account::sample(),
                page: OwnPath::or_home("/account?account=0193"),
            }],
            action: OwnPath::or_home("/account"),
            notice: Some(AccountNotice::Ended),
            ends: Some(STARTED + 86_400_000_000),
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
            devices: DeviceState::ALL
                .iter()
                .map(|state| OwnDevice {
                    value: format!("0194{state}"),
                    here: false,
                    device: Device::read(
                        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                    ),
                    place: Some("192.0.2.7".to_owned()),
                    first: STARTED,
                    last: STARTED + 3_600_000_000,
                    state: *state,
                })
                .collect(),
            applications: vec![AllowedApplication {
                value: "0192".to_owned(),
                client: Client::sample(),
                allowed: ["openid", "profile", "offline_access", "orders.read"]
                    .into_iter()
                    .map(|scope| AllowedThing {
                        asked: Asked::scope(scope),
                        value: (scope != "openid").then(|| format!("0192 {scope}")),
                    })
                    .collect(),
                since: STARTED,
            }],
            picture: Some(OwnPath::or_home("/picture/Zm9v")),
            profile: OwnPath::or_home("/account/profile"),
            events: OwnPath::or_home("/account/activity"),
            export: OwnPath::or_home("/account/export"),
            lock: OwnPath::or_home("/account/lock"),
            delete: Some(OwnPath::or_home("/account/delete")),
            email: OwnPath::or_home("/account/email"),
            phone: Some(OwnPath::or_home("/account/phone")),
            password: OwnPath::or_home("/account/password"),
            factors: OwnPath::or_home("/account/factors"),
            terms: OwnPath::or_home("/account/terms"),
            sign_out: OwnPath::or_home("/logout"),
        }
    }
}
