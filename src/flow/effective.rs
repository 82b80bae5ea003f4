//! What counts for one person: everyone's settings under those of their groups, their record, and the client.

use std::time::Duration;

use super::memory::Person;
use super::people::permissions;
use crate::model::setting::{
    SESSION_AT_LIMIT, SESSION_IDLE_TIMEOUT, SESSION_LIFETIME, SESSION_MAX_CONCURRENT, SESSION_REMEMBER_IDLE_TIMEOUT,
    SESSION_REMEMBER_LIFETIME, Settings,
};
use crate::model::{Client, Layers};
use crate::sessions::AtLimit;

impl Person {
    /// Everything that is said about this person; with what a client says for itself, if one is signed in to.
    pub fn layers<'a>(&'a self, everyone: &'a Settings, client: Option<&'a Client>) -> Layers<'a> {
        Layers {
            everyone,
            user: &self.settings,
            groups: &self.group_settings,
            client: client.map(|client| (client.client_id.as_str(), &client.settings)),
            administrator: self
                .permissions
                .iter()
                .any(|permission| permissions::is_of_administration(permission)),
        }
    }
}

/// How long a session of somebody lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// Without being used.
    pub idle: Duration,
    /// At most.
    pub lifetime: Duration,
}

impl SessionTimes {
    /// Those that count for a session of this person. `remember`: the person asked to stay signed in.
    pub fn of(layers: &Layers<'_>, remember: bool) -> Self {
        Self {
            idle: layers.duration(idle_setting(remember)),
            lifetime: layers.duration(lifetime_setting(remember)),
        }
    }
}

/// The setting that says how long such a session lives unused.
pub const fn idle_setting(remember: bool) -> &'static str {
    if remember {
        SESSION_REMEMBER_IDLE_TIMEOUT
    } else {
        SESSION_IDLE_TIMEOUT
    }
}

/// The setting that says how long such a session lives at most.
pub const fn lifetime_setting(remember: bool) -> &'static str {
    if remember {
        SESSION_REMEMBER_LIFETIME
    } else {
        SESSION_LIFETIME
    }
}

/// How many logins somebody may have, and what happens above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginLimit {
    /// The number.
    pub max: u32,
    /// What happens to the one too many.
    pub at_limit: WhenFull,
}

/// What happens to a login above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused, or others end for it.
    Settled(AtLimit),
    /// The person is asked which one to end.
    Ask,
}

impl LoginLimit {
    /// The one that counts for this person.
    pub fn of(layers: &Layers<'_>) -> Self {
        let at_limit = match layers.word(SESSION_AT_LIMIT) {
            "refuse" => WhenFull::Settled(AtLimit::Refuse),
            "end_least_recent" => WhenFull::Settled(AtLimit::EndLeastRecent),
            "ask" => WhenFull::Ask,
            _ => WhenFull::Settled(AtLimit::EndOldest),
        };
        Self {
            max: u32::try_from(layers.count(SESSION_MAX_CONCURRENT)).unwrap_or(u32::MAX),
            at_limit,
        }
    }

    /// For the session store: where the person is asked, nothing ends by itself.
    pub const fn strict(self) -> AtLimit {
        match self.at_limit {
            WhenFull::Settled(at_limit) => at_limit,
            WhenFull::Ask => AtLimit::Refuse,
        }
    }
}
