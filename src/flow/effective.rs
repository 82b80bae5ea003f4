//! What counts for one person: everyone's settings under those of their groups, their record, and the client.

use std::time::Duration;

use super::memory::Person;
use super::people::permissions;
use super::session::SessionFacts;
use crate::model::setting::{
    GROUPS_OWNERS_MANAGE_MEMBERS, SESSION_AT_LIMIT, SESSION_IDLE_TIMEOUT, SESSION_LIFETIME, SESSION_MAX_CONCURRENT,
    SESSION_REMEMBER_IDLE_TIMEOUT, SESSION_REMEMBER_LIFETIME, SettingValue, Settings,
};
use crate::model::{Client, Fact, Layers, Step, Timestamp, UserKind};
use crate::protocol::prompt::Because;
use crate::sessions::AtLimit;

impl Person {
    /// Everything that is said about this person; with what a client says for itself, if one is signed in to.
    pub fn layers<'a>(&'a self, everyone: &'a Settings, client: Option<&'a Client>) -> Layers<'a> {
        Layers {
            everyone,
            user: &self.settings,
            groups: &self.group_settings,
            client: client.map(|client| (client.client_id.as_str(), &client.settings)),
            administrator: self.user.kind == UserKind::Admin
                || self
                    .permissions
                    .iter()
                    .any(|permission| permissions::is_of_administration(permission))
                || self.limited.iter().any(|limited| limited.permission.is_some()),
        }
    }

    /// What this person may do, over something alone too: as rights are written.
    pub fn rights(&self, everyone: &Settings) -> Vec<String> {
        let owners_manage = everyone.flag(GROUPS_OWNERS_MANAGE_MEMBERS);
        let mut rights = self.permissions.clone();
        for limited in &self.limited {
            match (&limited.permission, limited.place) {
                (Some(permission), place) if permissions::may_be_limited(permission, place) => {
                    rights.push(place.spell(permission, &[]));
                }
                (None, place) if owners_manage => {
                    rights.extend(
                        permissions::OF_OWNERS
                            .iter()
                            .map(|permission| place.spell(permission, &[])),
                    );
                }
                _ => {}
            }
        }
        rights
    }
}

/// A length of time that decided about somebody's session: which setting, how long, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecidedTime {
    /// The setting.
    pub setting: &'static str,
    /// How long.
    pub length: Duration,
    /// Who says so, in a word; `beginning`: it was so when the session began.
    pub said_by: &'static str,
}

impl DecidedTime {
    /// What counts now.
    pub fn of(layers: &Layers<'_>, setting: &'static str) -> Self {
        let said_by = layers
            .settle(setting)
            .map_or("everyone", |settled| settled.speaker.word());
        Self {
            setting,
            length: layers.duration(setting),
            said_by,
        }
    }

    /// What counts now, but no more than counted when the session began.
    #[must_use]
    pub fn at_most(self, length: Duration) -> Self {
        if length < self.length {
            Self {
                length,
                said_by: "beginning",
                ..self
            }
        } else {
            self
        }
    }

    /// A step that hangs on it.
    #[must_use]
    pub fn onto(self, step: Step) -> Step {
        step.fact("most", Fact::Duration(self.length))
            .fact("said_by", Fact::Word(self.said_by))
            .setting(self.setting)
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

/// Whether a session is beyond what a client allows for itself: too long since the person proved who they are, or too long
/// without being seen since then. The session goes on for everybody else.
pub fn outlived(client: &Client, facts: &SessionFacts, now: Timestamp) -> Option<Because> {
    if end_at_client(client, facts.auth_time, facts.remember).is_some_and(|end| now >= end) {
        return Some(Because::ClientLifetime);
    }
    if said_by_client(client, idle_setting(facts.remember)).is_some_and(|idle| facts.rested >= idle) {
        return Some(Because::ClientIdle);
    }
    None
}

/// When a session is beyond the lifetime that a client allows for itself, if it allows one: so long after the proof that what the
/// client has rests on.
pub fn end_at_client(client: &Client, proved: Timestamp, remember: bool) -> Option<Timestamp> {
    said_by_client(client, lifetime_setting(remember)).map(|lifetime| proved.after(lifetime))
}

fn said_by_client(client: &Client, key: &str) -> Option<Duration> {
    match client.settings.get(key) {
        Some(SettingValue::Duration(length)) => Some(*length),
        _ => None,
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

    /// What a client asks for itself; nothing if it leaves the number alone. What happens above is the nearest to the person, and
    /// before everyone's the client's.
    pub fn of_client(layers: &Layers<'_>, client: &Client) -> Option<Self> {
        match client.settings.get(SESSION_MAX_CONCURRENT) {
            Some(SettingValue::Count(count)) => Some(Self {
                max: u32::try_from(*count).unwrap_or(u32::MAX),
                ..Self::of(layers)
            }),
            _ => None,
        }
    }

    /// Whether others end by themselves for one too many.
    pub const fn makes_room(self) -> bool {
        matches!(
            self.at_limit,
            WhenFull::Settled(AtLimit::EndOldest | AtLimit::EndLeastRecent)
        )
    }

    /// How many have to go for one more beside `live`; nothing if there is room.
    pub fn over(self, live: usize) -> Option<usize> {
        let most = usize::try_from(self.max).unwrap_or(usize::MAX);
        let over = live.saturating_add(1).saturating_sub(most);
        (over > 0).then_some(over)
    }

    /// For the session store: where the person is asked, nothing ends by itself.
    pub const fn strict(self) -> AtLimit {
        match self.at_limit {
            WhenFull::Settled(at_limit) => at_limit,
            WhenFull::Ask => AtLimit::Refuse,
        }
    }
}
