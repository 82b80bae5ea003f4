//! Layers of settings: what groups, clients and users say beside what counts for everyone, and how one value comes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::setting::{
    ACCOUNT_CONFIRMED_EMAIL, ACCOUNT_DELETION, ACCOUNT_DELETION_GRACE, ACCOUNT_EDITABLE, ACCOUNT_EXPIRY_REMINDERS,
    ACCOUNT_REQUIRED, ACCOUNT_UNUSED_AFTER, ACCOUNT_UNUSED_REMINDERS, Declaration, Law, MFA_ENROLMENT_ASKS_PHONE,
    MFA_LOST_BY_TEXT, MFA_MAIL_CODES, MFA_ON_IMPOSSIBLE_TRAVEL, MFA_ON_NEW_ADDRESS, MFA_ON_NEW_DEVICE,
    MFA_REMEMBER_FOR, MFA_REQUIRED, MFA_TEXT_CODES, PASSKEY_ATTESTATION, PASSKEY_HINTS, PASSKEY_USER_VERIFICATION,
    PASSWORD_ADMIN_MINIMUM_LENGTH, PASSWORD_EXPIRES_AFTER, PASSWORD_EXPIRY_WARNING, PASSWORD_GENERATED_ONLY,
    PASSWORD_HISTORY, PASSWORD_INITIAL_EXPIRES_AFTER, PASSWORD_MAXIMUM_LENGTH, PASSWORD_MINIMUM_LENGTH,
    PASSWORD_MINIMUM_STRENGTH, PASSWORD_REPLACE_INITIAL, SESSION_ADMIN_IDLE_TIMEOUT, SESSION_ADMIN_LIFETIME,
    SESSION_AT_LIMIT, SESSION_IDLE_TIMEOUT, SESSION_KNOWN_DEVICES_ONLY, SESSION_LIFETIME, SESSION_MAX_CONCURRENT,
    SESSION_REMEMBER_IDLE_TIMEOUT, SESSION_REMEMBER_LIFETIME, SIGN_IN_IDENTIFIER_FIRST, SIGN_IN_MAIL_CODES,
    SIGN_IN_MAIL_LINKS, SIGN_IN_TEXT_CODES, SettingValue, Settings, Source,
};
use super::{Client, Group, Id, User};

/// What a group, a client or a user says, by key.
pub type Layer = BTreeMap<&'static str, SettingValue>;

/// Whose layer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerOwner {
    /// A user's own.
    User(Id<User>),
    /// A group's, for its members.
    Group(Id<Group>),
    /// A client's, for itself.
    Client(Id<Client>),
}

impl LayerOwner {
    /// `user`, `group` or `client`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
            Self::Client(_) => "client",
        }
    }

    /// The row.
    pub const fn uuid(self) -> uuid::Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Group(id) => id.uuid(),
            Self::Client(id) => id.uuid(),
        }
    }

    /// Whether this one may say something about a setting.
    pub fn may_say(self, key: &str) -> bool {
        match key {
            SESSION_IDLE_TIMEOUT
            | SESSION_LIFETIME
            | SESSION_REMEMBER_IDLE_TIMEOUT
            | SESSION_REMEMBER_LIFETIME
            | SESSION_MAX_CONCURRENT
            | SESSION_AT_LIMIT
            | MFA_REQUIRED => true,
            // people are known by their devices, whatever they sign in to
            SESSION_KNOWN_DEVICES_ONLY
            | MFA_REMEMBER_FOR
            | ACCOUNT_EDITABLE
            | ACCOUNT_REQUIRED
            | ACCOUNT_CONFIRMED_EMAIL
            | ACCOUNT_DELETION
            | ACCOUNT_DELETION_GRACE
            | ACCOUNT_EXPIRY_REMINDERS
            | ACCOUNT_UNUSED_AFTER
            | ACCOUNT_UNUSED_REMINDERS
            | MFA_ON_NEW_DEVICE
            | MFA_ON_NEW_ADDRESS
            | MFA_ON_IMPOSSIBLE_TRAVEL
            | MFA_MAIL_CODES
            | MFA_TEXT_CODES
            | MFA_LOST_BY_TEXT
            | MFA_ENROLMENT_ASKS_PHONE
            | PASSKEY_ATTESTATION
            | PASSKEY_HINTS
            | PASSKEY_USER_VERIFICATION
            | SIGN_IN_MAIL_CODES
            | SIGN_IN_MAIL_LINKS
            | SIGN_IN_TEXT_CODES => !matches!(self, Self::Client(_)),
            // and have one password for all of it
            PASSWORD_MINIMUM_LENGTH
            | PASSWORD_MAXIMUM_LENGTH
            | PASSWORD_MINIMUM_STRENGTH
            | PASSWORD_HISTORY
            | PASSWORD_EXPIRES_AFTER
            | PASSWORD_INITIAL_EXPIRES_AFTER
            | PASSWORD_EXPIRY_WARNING
            | PASSWORD_GENERATED_ONLY
            | PASSWORD_REPLACE_INITIAL => !matches!(self, Self::Client(_)),
            // nobody knows who looks at a page to sign in on, but for which application it is drawn
            SIGN_IN_IDENTIFIER_FIRST => matches!(self, Self::Client(_)),
            _ => false,
        }
    }
}

/// The layer of a group that somebody is in, or that one of their groups stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLayer {
    /// The group's name.
    pub name: String,
    /// Whether it is the person's primary one.
    pub primary: bool,
    /// How many groups lie between: 0 for one that the person is in directly.
    pub distance: u32,
    /// What it says.
    pub layer: Layer,
}

/// Who says what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// What counts for everyone.
    Everyone(Source),
    /// What counts for administrators.
    Administrators(Source),
    /// A group of the person.
    Group {
        /// Its name.
        name: String,
        /// Whether it is the primary one.
        primary: bool,
    },
    /// The client that is signed in to, by its `client_id`.
    Client(String),
    /// The person's own record.
    User,
}

impl Speaker {
    /// Its kind in a word, for the traces.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Everyone(_) => "everyone",
            Self::Administrators(_) => "administrators",
            Self::Group { primary: true, .. } => "primary_group",
            Self::Group { .. } => "group",
            Self::Client(_) => "client",
            Self::User => "user",
        }
    }
}

impl std::fmt::Display for Speaker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everyone(source) => formatter.write_str(source.as_str()),
            Self::Administrators(source) => write!(formatter, "administrators ({})", source.as_str()),
            Self::Group { name, primary: true } => write!(formatter, "primary group {name}"),
            Self::Group { name, .. } => write!(formatter, "group {name}"),
            Self::Client(client_id) => write!(formatter, "client {client_id}"),
            Self::User => formatter.write_str("user"),
        }
    }
}

/// The value of a setting for one person, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What counts.
    pub value: SettingValue,
    /// Who says so.
    pub speaker: Speaker,
    /// What else was said, by whom.
    pub contenders: Vec<(Speaker, SettingValue)>,
}

/// Everything that is said about one person.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// What counts for everyone.
    pub everyone: &'a Settings,
    /// The person's own.
    pub user: &'a Layer,
    /// Those of their groups and of what these stand in, by name.
    pub groups: &'a [GroupLayer],
    /// That of the client that is signed in to, with its `client_id`.
    pub client: Option<(&'a str, &'a Layer)>,
    /// Whether the person holds a right of administration.
    pub administrator: bool,
}

impl Layers<'_> {
    /// What counts for this person. `None`: there is no such setting.
    ///
    /// What is built in steps aside for anything that was said. Of lengths of time that must not be exceeded the smallest
    /// counts, everyone's included. The number of logins is the nearest one: the user's, the primary group's, the largest of
    /// the other groups', everyone's; a client's never raises it. What the operator's file says is on top of all.
    pub fn settle(&self, key: &str) -> Option<Settled> {
        let declared = Declaration::find(key)?;
        let mut said = self.said(declared);
        if said.len() > 1 {
            said.retain(|(speaker, _)| *speaker != Speaker::Everyone(Source::BuiltIn));
        }
        let chosen = choose(declared.law, &said);
        let (speaker, value) = if chosen < said.len() {
            said.remove(chosen)
        } else {
            return None;
        };
        Some(Settled {
            value,
            speaker,
            contenders: said,
        })
    }

    /// A length of time; zero for a key of another kind.
    pub fn duration(&self, key: &str) -> std::time::Duration {
        match self.settle(key).map(|settled| settled.value) {
            Some(SettingValue::Duration(length)) => length,
            _ => std::time::Duration::ZERO,
        }
    }

    /// A count; zero for a key of another kind.
    pub fn count(&self, key: &str) -> u64 {
        match self.settle(key).map(|settled| settled.value) {
            Some(SettingValue::Count(count)) => count,
            _ => 0,
        }
    }

    /// A word; empty for a key of another kind.
    pub fn word(&self, key: &str) -> &'static str {
        match self.settle(key).map(|settled| settled.value) {
            Some(SettingValue::Word(word)) => word,
            _ => "",
        }
    }

    /// Words; none for a key of another kind.
    pub fn words(&self, key: &str) -> Vec<&'static str> {
        match self.settle(key).map(|settled| settled.value) {
            Some(SettingValue::Words(words)) => words,
            _ => Vec::new(),
        }
    }

    /// Lengths of time, the longest first; none for a key of another kind.
    pub fn durations(&self, key: &str) -> Vec<Duration> {
        match self.settle(key).map(|settled| settled.value) {
            Some(SettingValue::Durations(lengths)) => lengths,
            _ => Vec::new(),
        }
    }

    /// Yes or no; no for a key of another kind.
    pub fn flag(&self, key: &str) -> bool {
        matches!(
            self.settle(key).map(|settled| settled.value),
            Some(SettingValue::Flag(true))
        )
    }

    /// What is said about a setting, the nearest to the person first.
    fn said(&self, declared: &Declaration) -> Vec<(Speaker, SettingValue)> {
        let key = declared.key;
        let mut said = Vec::new();
        if let Some(value) = self.user.get(key) {
            said.push((Speaker::User, value.clone()));
        }
        let (primary, mut others): (Vec<_>, Vec<_>) = self.groups.iter().partition(|group| group.primary);
        // an inner group is nearer than what it stands in
        others.sort_by_key(|group| group.distance);
        for group in primary.into_iter().chain(others) {
            if let Some(value) = group.layer.get(key) {
                let speaker = Speaker::Group {
                    name: group.name.clone(),
                    primary: group.primary,
                };
                said.push((speaker, value.clone()));
            }
        }
        if let Some((client_id, layer)) = self.client
            && let Some(value) = layer.get(key)
        {
            said.push((Speaker::Client(client_id.to_owned()), value.clone()));
        }
        if let Some(effective) = self.everyone.effective(key) {
            said.push((Speaker::Everyone(effective.source), effective.value.clone()));
        }
        let stricter = match key {
            SESSION_IDLE_TIMEOUT | SESSION_REMEMBER_IDLE_TIMEOUT => Some(SESSION_ADMIN_IDLE_TIMEOUT),
            SESSION_LIFETIME | SESSION_REMEMBER_LIFETIME => Some(SESSION_ADMIN_LIFETIME),
            PASSWORD_MINIMUM_LENGTH => Some(PASSWORD_ADMIN_MINIMUM_LENGTH),
            _ => None,
        };
        if self.administrator
            && let Some(effective) = stricter.and_then(|key| self.everyone.effective(key))
        {
            said.push((Speaker::Administrators(effective.source), effective.value.clone()));
        }
        said
    }
}

/// The place of what counts, by a law.
fn choose(law: Law, said: &[(Speaker, SettingValue)]) -> usize {
    let locked = Speaker::Everyone(Source::OperatorFile);
    let places = || said.iter().enumerate();
    let first =
        |wanted: &dyn Fn(&Speaker) -> bool| places().find(|(_, (speaker, _))| wanted(speaker)).map(|(at, _)| at);
    let found = match law {
        Law::Least => places().min_by_key(|(_, (_, value))| size(value)).map(|(at, _)| at),
        Law::Greatest => places().max_by_key(|(_, (_, value))| size(value)).map(|(at, _)| at),
        Law::Soonest => places()
            .filter(|(_, (_, value))| size(value) > 0)
            .min_by_key(|(_, (_, value))| size(value))
            .map(|(at, _)| at),
        Law::Any => places()
            .find(|(_, (_, value))| *value == SettingValue::Flag(true))
            .map(|(at, _)| at),
        Law::Nearest => first(&|speaker| *speaker == locked),
        Law::Allowance => first(&|speaker| *speaker == locked)
            .or_else(|| first(&|speaker| matches!(speaker, Speaker::User | Speaker::Group { primary: true, .. })))
            .or_else(|| {
                places()
                    .filter(|(_, (speaker, _))| matches!(speaker, Speaker::Group { .. }))
                    .max_by_key(|(_, (_, value))| size(value))
                    .map(|(at, _)| at)
            })
            .or_else(|| first(&|speaker| matches!(speaker, Speaker::Everyone(_)))),
    };
    found.unwrap_or(0)
}

fn size(value: &SettingValue) -> u128 {
    match value {
        SettingValue::Duration(length) => length.as_micros(),
        SettingValue::Count(count) => u128::from(*count),
        SettingValue::Flag(flag) => u128::from(*flag),
        SettingValue::Word(_)
        | SettingValue::Contact(_)
        | SettingValue::Url(_)
        | SettingValue::Line(_)
        | SettingValue::Names(_)
        | SettingValue::Networks(_)
        | SettingValue::Domains(_)
        | SettingValue::Fields(_)
        | SettingValue::Words(_)
        | SettingValue::Durations(_) => 0,
    }
}
