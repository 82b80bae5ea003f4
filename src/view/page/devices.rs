//! A person has as many logins as they may have: which one ends for this one?

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Device, Hidden, OwnPath};

/// A form that posts `end` = the value of a login, once for each that is chosen, or `intent` = `cancel`, with `csrf` and the
/// hidden fields. Where nobody is asked it has no choices: the person is told that there is no room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Devices {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Who wants to sign in.
    pub account: Account,
    /// Where there is no room.
    pub place: DevicesPlace,
    /// How many logins there are.
    pub live: u32,
    /// How many there may be.
    pub most: u32,
    /// How many have to be chosen; none: nobody is asked.
    pub needed: u32,
    /// The logins.
    pub logins: Vec<KnownDevice>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// What has to come back with the answer.
    pub hidden: Vec<Hidden>,
    /// What was wrong with the answer before.
    pub problem: Option<DevicesProblem>,
    /// Where to try again, if nobody is asked.
    pub again: Option<OwnPath>,
}

/// Where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DevicesPlace {
    /// For one more login of this account.
    Account,
    /// For one more login at this application.
    Application,
    /// For the application to stay connected, which counts as a login.
    Connection,
}

impl DevicesPlace {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Account, Self::Application, Self::Connection];
}

/// What was wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DevicesProblem {
    /// The form had been open for too long.
    Expired,
    /// Fewer were chosen than have to end.
    TooFew,
    /// Another login came in between.
    Meanwhile,
}

impl DevicesProblem {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Expired, Self::TooFew, Self::Meanwhile];
}

/// A login: a browser on a device, or an application that stays connected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownDevice {
    /// What is posted when it is chosen.
    pub value: String,
    /// Whether it is an application that stays connected.
    pub connected: bool,
    /// The browser and device it began with.
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

impl Devices {
    /// With a browser and an application.
    pub fn sample() -> Self {
        const STARTED: i64 = 1_800_000_000_000_000;
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            place: DevicesPlace::Account,
            live: 2,
            most: 2,
            needed: 1,
            logins: vec![
                KnownDevice {
                    value: "s.0190".to_owned(),
                    connected: false,
                    device: Device::read("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
                    place: Some("192.0.2.7".to_owned()),
                    started: STARTED,
                    seen: STARTED + 3_600_000_000,
                    applications: vec!["Shop".to_owned(), "Forum".to_owned()],
                },
                KnownDevice {
                    value: "f.Zm9v".to_owned(),
                    connected: true,
                    device: Device::default(),
                    place: None,
                    started: STARTED,
                    seen: STARTED,
                    applications: vec!["Player".to_owned()],
                },
            ],
            action: OwnPath::or_home("/login/devices?proof=Zm9v"),
            hidden: vec![Hidden::new("proof", "Zm9v")],
            problem: Some(DevicesProblem::TooFew),
            again: OwnPath::parse("/login?flow=Zm9v"),
        }
    }
}
