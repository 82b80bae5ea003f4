//! Settings: what is changed at run time. One declared list; schema, docs, checks and forms all come from it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

/// What a setting may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A length of time, written `30s`, `10m`, `12h`, `30d`.
    Duration {
        /// The shortest allowed.
        least: Duration,
        /// The longest allowed.
        most: Duration,
    },
    /// A whole number.
    Count {
        /// The smallest allowed.
        least: u64,
        /// The largest allowed.
        most: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// Where somebody is reached, `mailto:` or `https:`; empty for nowhere.
    Contact,
    /// Networks, as addresses with the length of a prefix, with commas between; empty for none.
    Networks,
}

/// How the values of several layers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// The smallest counts.
    Least,
    /// The largest counts.
    Greatest,
    /// The smallest counts, but zero, which stands for never, only where nobody says more.
    Soonest,
    /// Yes as soon as one says yes.
    Any,
    /// The nearest to the person counts: user, primary group, other groups by name, client, everyone.
    Nearest,
    /// The nearest to the person counts, but of several groups the largest: user, primary group, the largest of the other
    /// groups, everyone. A client's counts for itself alone, and only where it is smaller.
    Allowance,
}

/// A declared setting.
#[derive(Debug)]
pub struct Declaration {
    /// Its key: section and name.
    pub key: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What counts where nobody says otherwise, in its written form.
    pub default: &'static str,
    /// How layers combine.
    pub law: Law,
    /// What it does, in a sentence.
    pub sentence: &'static str,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// No more networks are taken in one setting.
const MOST_NETWORKS: usize = 200;

const fn duration(least: u64, most: u64) -> Kind {
    Kind::Duration {
        least: Duration::from_secs(least),
        most: Duration::from_secs(most),
    }
}

macro_rules! declare {
    ($($constant:ident: $key:literal, $kind:expr, $default:literal, $law:ident, $sentence:literal;)+) => {
        $(#[doc = $sentence] pub const $constant: &str = $key;)+

        /// Every setting there is.
        pub const DECLARED: &[Declaration] = &[
            $(Declaration { key: $key, kind: $kind, default: $default, law: Law::$law, sentence: $sentence }),+
        ];
    };
}

declare! {
    SESSION_IDLE_TIMEOUT: "session.idle_timeout", duration(MINUTE, 30 * DAY), "8h", Least,
        "How long a session lives without being used.";
    SESSION_REMEMBER_IDLE_TIMEOUT: "session.remember_idle_timeout", duration(MINUTE, 365 * DAY), "14d", Least,
        "How long a session lives without being used when the person asked to stay signed in.";
    SESSION_ADMIN_IDLE_TIMEOUT: "session.admin_idle_timeout", duration(MINUTE, 30 * DAY), "1h", Least,
        "How long the session of somebody with a right of administration lives without being used, at most.";
    SESSION_LIFETIME: "session.lifetime", duration(5 * MINUTE, 365 * DAY), "24h", Least,
        "How long a session lives at most when the person did not ask to stay signed in.";
    SESSION_REMEMBER_LIFETIME: "session.remember_lifetime", duration(HOUR, 365 * DAY), "30d", Least,
        "How long a session lives at most when the person asked to stay signed in.";
    SESSION_ADMIN_LIFETIME: "session.admin_lifetime", duration(5 * MINUTE, 365 * DAY), "12h", Least,
        "How long the session of somebody with a right of administration lives at most, whatever they asked for.";
    SESSION_MAX_CONCURRENT: "session.max_concurrent", Kind::Count { least: 1, most: 200 }, "200", Allowance,
        "How many logins a person may have at once: browsers and devices, and applications that stay connected (`offline_access`).";
    SESSION_AT_LIMIT: "session.at_limit", Kind::Word(&["refuse", "end_oldest", "end_least_recent", "ask"]), "end_oldest", Nearest,
        "What happens to a login above the limit: it is refused, the oldest or the least recently used one ends for it, or the person is asked which.";
    SESSION_KNOWN_DEVICES_ONLY: "session.known_devices_only", Kind::Flag, "false", Any,
        "Whether people may sign in only with devices that they signed in with before, or that somebody has let in; the first one of a person is let in.";
    SESSION_NEW_DEVICE_MAIL: "session.new_device_mail", Kind::Flag, "true", Any,
        "Whether people with a confirmed mail address are told of a sign-in with a device that they did not sign in with before.";
    SESSION_EXPIRY_WARNING: "session.expiry_warning", duration(0, 10 * MINUTE), "60s", Least,
        "How long before the end of a session a page that is left open says so and offers to stay; 0s never does.";
    SESSION_DURABLE: "session.durable", Kind::Flag, "false", Any,
        "Whether sessions are kept in the database too, so that a loss of Redis, or of the embedded file of sessions, signs nobody out.";
    CODE_LIFETIME: "token.code_lifetime", duration(10, 10 * MINUTE), "60s", Least,
        "How long an authorization code may be redeemed.";
    ACCESS_TOKEN_LIFETIME: "token.access_lifetime", duration(30, DAY), "10m", Least,
        "How long an access token is valid.";
    ID_TOKEN_LIFETIME: "token.id_lifetime", duration(30, DAY), "10m", Least,
        "How long an ID token is valid.";
    REFRESH_IDLE_LIFETIME: "token.refresh_idle_lifetime", duration(MINUTE, 365 * DAY), "30d", Least,
        "How long a refresh token lives without being used.";
    REFRESH_LIFETIME: "token.refresh_lifetime", duration(MINUTE, 1825 * DAY), "180d", Least,
        "How long a family of refresh tokens lives at most; rotation does not extend it.";
    REFRESH_RETRY_WINDOW: "token.refresh_retry_window", duration(0, 5 * MINUTE), "30s", Least,
        "How long a client that lost the answer to a refresh may ask again and gets the same successor.";
    CLIENT_REGISTRATION_MODE: "client_registration.mode", Kind::Word(&["closed", "token", "open"]), "closed", Nearest,
        "Who may register clients: nobody, holders of an initial access token, or anyone.";
    CLIENT_REGISTRATION_MOST_OPEN: "client_registration.most_open", Kind::Count { least: 1, most: 100_000 }, "1000", Least,
        "How many clients there may be that registered themselves where anyone may, and that nobody vouches for.";
    CLIENT_REGISTRATION_UNUSED_LIFETIME: "client_registration.unused_lifetime", duration(10 * MINUTE, 365 * DAY), "1d", Least,
        "How long a client that registered itself where anyone may is kept without anybody having signed in to it.";
    CONFIRM_ERROR_REDIRECTS: "client_registration.confirm_error_redirects", Kind::Flag, "true", Any,
        "Whether people are asked before an error takes them to a client that nobody vouches for.";
    CLIENT_SECRET_OVERLAP: "client.secret_overlap", duration(0, 90 * DAY), "7d", Least,
        "How long the old secret stays valid beside the new one after a rotation.";
    KEY_ROTATION_INTERVAL: "key.rotation_interval", duration(HOUR, 730 * DAY), "90d", Least,
        "How long a signing key signs before the next one takes over.";
    KEY_PUBLISH_AHEAD: "key.publish_ahead", duration(MINUTE, 30 * DAY), "1d", Greatest,
        "How long a signing key is published before it signs, so that every verifier knows it.";
    PASSWORD_MINIMUM_LENGTH: "password.minimum_length", Kind::Count { least: 8, most: 128 }, "10", Greatest,
        "How many characters a password needs.";
    PASSWORD_ADMIN_MINIMUM_LENGTH: "password.admin_minimum_length", Kind::Count { least: 8, most: 128 }, "15", Greatest,
        "How many characters the password of somebody with a right of administration needs at least.";
    PASSWORD_MAXIMUM_LENGTH: "password.maximum_length", Kind::Count { least: 64, most: 1024 }, "256", Least,
        "How many characters a password may have; never less than it needs.";
    PASSWORD_HISTORY: "password.history", Kind::Count { least: 0, most: 12 }, "0", Greatest,
        "How many of somebody's former passwords can't be taken again; 0 remembers none.";
    PASSWORD_EXPIRES_AFTER: "password.expires_after", duration(0, 3650 * DAY), "0s", Soonest,
        "How long after it was set a password has to be replaced at the next sign-in; 0s never.";
    PASSWORD_INITIAL_EXPIRES_AFTER: "password.initial_expires_after", duration(0, 365 * DAY), "0s", Soonest,
        "The same for a password that somebody else set for the person: an administrator, a file or a command; 0s never.";
    SIGN_IN_ALLOWED_ADDRESSES: "sign_in.allowed_addresses", Kind::Networks, "", Nearest,
        "The networks that people sign in from, and from no other; nothing stands for everywhere.";
    SIGN_IN_DENIED_ADDRESSES: "sign_in.denied_addresses", Kind::Networks, "", Nearest,
        "Networks that nobody signs in from, whatever is allowed otherwise.";
    SIGN_IN_MAIL_CODES: "sign_in.mail_codes", Kind::Flag, "false", Nearest,
        "Whether people may sign in with a code that is sent to their confirmed mail address, in the place of a password.";
    SIGN_IN_MAIL_LINKS: "sign_in.mail_links", Kind::Flag, "false", Nearest,
        "The same with a link in the mail, for the browser that asked for it.";
    SIGN_IN_TEXT_CODES: "sign_in.text_codes", Kind::Flag, "false", Nearest,
        "The same with a code that is sent to their confirmed telephone number.";
    MFA_REQUIRED: "mfa.required", Kind::Flag, "false", Any,
        "Whether people have to prove a second factor when they sign in; who has none sets one up on the way in.";
    MFA_REMEMBER_FOR: "mfa.remember_for", duration(0, 365 * DAY), "0s", Least,
        "How long the second factor is not asked for again on a device where the person wished so; 0s always asks.";
    MFA_MAIL_CODES: "mfa.mail_codes", Kind::Flag, "false", Nearest,
        "Whether people may confirm their sign-ins with codes that are sent to their confirmed mail address.";
    MFA_TEXT_CODES: "mfa.text_codes", Kind::Flag, "false", Nearest,
        "The same with codes that are sent to their confirmed telephone number.";
    MFA_LOST_BY_TEXT: "mfa.lost_by_text", Kind::Flag, "false", Nearest,
        "Whether people who don't have their second factor at hand may go on with a code that is sent to their confirmed telephone number.";
    RECOVERY_ENABLED: "recovery.enabled", Kind::Flag, "true", Nearest,
        "Whether people who forgot their password are mailed a link to a new one.";
    RECOVERY_LINK_LIFETIME: "recovery.link_lifetime", duration(5 * MINUTE, 30 * MINUTE), "20m", Least,
        "How long the link to a new password may be followed.";
    RECOVERY_MOST_MAILS: "recovery.most_mails", Kind::Count { least: 1, most: 100 }, "5", Least,
        "How many links to a new password are mailed to one person within the guess period.";
    REGISTRATION_MODE: "registration.mode", Kind::Word(&["off", "open", "invitation"]), "off", Nearest,
        "Who may make themselves an account: nobody, anyone who can read a mail, or whoever was invited.";
    REGISTRATION_LINK_LIFETIME: "registration.link_lifetime", duration(10 * MINUTE, 30 * DAY), "24h", Least,
        "How long the mailed link to a new account may be followed.";
    REGISTRATION_MOST_LINKS: "registration.most_links", Kind::Count { least: 10, most: 1_000_000 }, "10000", Least,
        "How many links to new accounts may be open at once; more are not mailed until some were followed or have ended.";
    REGISTRATION_MOST_MAILS: "registration.most_mails", Kind::Count { least: 1, most: 100 }, "3", Least,
        "How many mails about a new account are sent to one address within the guess period.";
    CODE_MOST_SENDS: "code.most_sends", Kind::Count { least: 1, most: 100 }, "5", Least,
        "How many codes are sent to one mail address or telephone number within the guess period.";
    SMS_MOST_AN_HOUR: "sms.most_an_hour", Kind::Count { least: 1, most: 1_000_000 }, "1000", Least,
        "How many text messages leave altogether within an hour; more are not sent.";
    PASSKEY_USER_VERIFICATION: "passkey.user_verification", Kind::Word(&["preferred", "required"]), "preferred", Nearest,
        "Whether a passkey has to verify its owner (fingerprint, face, PIN) to be added, and after a password: where it can, or in any case. One that signs in alone always has to.";
    GUESS_ACCOUNT_BUDGET: "guess.account_budget", Kind::Count { least: 3, most: 1000 }, "10", Least,
        "How many wrong guesses an account bears within the guess period before it has to wait; a device that the person knows bears as many of its own.";
    GUESS_SOURCE_BUDGET: "guess.source_budget", Kind::Count { least: 5, most: 100_000 }, "100", Least,
        "How many wrong guesses may come from one network address within the guess period.";
    GUESS_PERIOD: "guess.period", duration(MINUTE, DAY), "15m", Greatest,
        "The period in which wrong guesses are counted.";
    SECURITY_CONTACT: "security.contact", Kind::Contact, "", Nearest,
        "Where weaknesses of this installation are reported: published in /.well-known/security.txt.";
    EVENT_KEPT_FOR: "event.kept_for", duration(DAY, 3650 * DAY), "400d", Least,
        "How long the audit log goes back.";
    MAIL_KEPT_FOR: "mail.kept_for", duration(DAY, 365 * DAY), "30d", Least,
        "How long a mail is kept after it was written, sent or not.";
    TRACE_KEPT_FOR: "trace.kept_for", duration(HOUR, 365 * DAY), "7d", Least,
        "How long it is kept why something was refused, and how people signed in.";
    TRACE_MOST: "trace.most", Kind::Count { least: 100, most: 10_000_000 }, "50000", Least,
        "How many traces are kept at most; the oldest go first.";
    TRACE_PER_MINUTE: "trace.per_minute", Kind::Count { least: 0, most: 100_000 }, "600", Least,
        "How many traces of refusals a node keeps a minute, and as many of sign-ins; 0 keeps none.";
    LOCALE: "locale", Kind::Word(&["en", "de", "fr"]), "en", Nearest,
        "The language of pages and mails where neither the request nor the person says another.";
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// A length of time.
    Duration(Duration),
    /// A whole number.
    Count(u64),
    /// A word of the declared list.
    Word(&'static str),
    /// Yes or no.
    Flag(bool),
    /// Where somebody is reached.
    Contact(String),
    /// Networks.
    Networks(Vec<IpNet>),
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The declaration.
    BuiltIn,
    /// The store, for everyone.
    Everyone,
    /// The operator's file: locked, on top of all.
    OperatorFile,
}

impl Source {
    /// A name to show.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::Everyone => "everyone",
            Self::OperatorFile => "operator file",
        }
    }
}

/// Why a value can't be had for a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting {key}{}", nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        key: String,
        /// The nearest known one.
        nearest: Option<&'static str>,
    },
    /// The value is not of its kind or out of bounds.
    #[error("{key}: {expected}")]
    Invalid {
        /// The setting.
        key: &'static str,
        /// What it takes.
        expected: String,
    },
}

impl Declaration {
    /// The declaration of a key.
    pub fn find(key: &str) -> Option<&'static Self> {
        DECLARED.iter().find(|declared| declared.key == key)
    }

    /// Reads a JSON value as one of this setting.
    pub fn read(&self, value: &serde_json::Value) -> Result<SettingValue, SettingError> {
        let read = match (self.kind, value) {
            (Kind::Duration { least, most }, serde_json::Value::String(text)) => parse_duration(text)
                .filter(|length| (least..=most).contains(length))
                .map(SettingValue::Duration),
            (Kind::Count { least, most }, serde_json::Value::Number(number)) => number
                .as_u64()
                .filter(|count| (least..=most).contains(count))
                .map(SettingValue::Count),
            (Kind::Word(words), serde_json::Value::String(text)) => words
                .iter()
                .find(|word| *word == text)
                .map(|word| SettingValue::Word(word)),
            (Kind::Flag, serde_json::Value::Bool(flag)) => Some(SettingValue::Flag(*flag)),
            (Kind::Contact, serde_json::Value::String(text)) => {
                is_contact(text).then(|| SettingValue::Contact(text.clone()))
            }
            (Kind::Networks, serde_json::Value::String(text)) => read_networks(text).map(SettingValue::Networks),
            _ => None,
        };
        read.ok_or_else(|| SettingError::Invalid {
            key: self.key,
            expected: self.expected(),
        })
    }

    /// What the setting takes, in words.
    pub fn expected(&self) -> String {
        match self.kind {
            Kind::Duration { least, most } => {
                format!(
                    "expected a duration from {} to {}",
                    write_duration(least),
                    write_duration(most)
                )
            }
            Kind::Count { least, most } => format!("expected a whole number from {least} to {most}"),
            Kind::Word(words) => format!("expected one of: {}", words.join(", ")),
            Kind::Flag => "expected true or false".to_owned(),
            Kind::Networks => "expected networks like 10.0.0.0/8, with commas between, or nothing".to_owned(),
            Kind::Contact => "expected an address that begins with mailto: or https:, or nothing".to_owned(),
        }
    }

    /// The value that counts where nobody says otherwise.
    fn built_in(&self) -> SettingValue {
        let written = match self.kind {
            Kind::Count { .. } => self.default.parse::<u64>().map(serde_json::Value::from).ok(),
            Kind::Flag => self.default.parse::<bool>().map(serde_json::Value::from).ok(),
            Kind::Duration { .. } | Kind::Word(_) | Kind::Contact | Kind::Networks => {
                Some(serde_json::Value::from(self.default))
            }
        };
        written
            .and_then(|value| self.read(&value).ok())
            .unwrap_or(SettingValue::Flag(false))
    }
}

impl SettingValue {
    /// The written form.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Duration(length) => write_duration(*length).into(),
            Self::Count(count) => (*count).into(),
            Self::Word(word) => (*word).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Contact(contact) => contact.as_str().into(),
            Self::Networks(networks) => {
                let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
                networks.join(", ").into()
            }
        }
    }
}

/// The value of a setting and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// What counts.
    pub value: SettingValue,
    /// Who said so.
    pub source: Source,
    /// What else was said.
    pub contenders: Vec<(Source, SettingValue)>,
}

/// The settings in force for everyone: built in, the store's, the operator's file on top.
#[derive(Clone, Debug)]
pub struct Settings {
    effective: BTreeMap<&'static str, Effective>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::resolve(&BTreeMap::new(), &BTreeMap::new())
    }
}

impl Settings {
    /// Settles every declared setting. The operator's file is locked: it wins over the store whatever the law says.
    pub fn resolve(store: &BTreeMap<&'static str, SettingValue>, file: &BTreeMap<&'static str, SettingValue>) -> Self {
        let effective = DECLARED
            .iter()
            .map(|declared| {
                let said = [
                    Some((Source::BuiltIn, declared.built_in())),
                    store.get(declared.key).map(|value| (Source::Everyone, value.clone())),
                    file.get(declared.key)
                        .map(|value| (Source::OperatorFile, value.clone())),
                ];
                let mut contenders: Vec<_> = said.into_iter().flatten().collect();
                let (source, value) = contenders.pop().unwrap_or((Source::BuiltIn, declared.built_in()));
                (
                    declared.key,
                    Effective {
                        value,
                        source,
                        contenders,
                    },
                )
            })
            .collect();
        Self { effective }
    }

    /// The value of a setting with its source.
    pub fn effective(&self, key: &str) -> Option<&Effective> {
        self.effective.get(key)
    }

    /// Every setting with its source, by key.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Effective)> {
        self.effective.iter().map(|(key, effective)| (*key, effective))
    }

    /// A length of time; zero for a key of another kind.
    pub fn duration(&self, key: &str) -> Duration {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Duration(length)) => *length,
            _ => Duration::ZERO,
        }
    }

    /// A count; zero for a key of another kind.
    pub fn count(&self, key: &str) -> u64 {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Count(count)) => *count,
            _ => 0,
        }
    }

    /// Yes or no; no for a key of another kind.
    pub fn flag(&self, key: &str) -> bool {
        let value = self.effective.get(key).map(|effective| &effective.value);
        matches!(value, Some(SettingValue::Flag(true)))
    }

    /// A word; empty for a key of another kind.
    pub fn word(&self, key: &str) -> &'static str {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Word(word)) => word,
            _ => "",
        }
    }
}

impl Settings {
    /// Where somebody is reached; none for a key of another kind, and where nobody is.
    pub fn contact(&self, key: &str) -> Option<&str> {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Contact(contact)) if !contact.is_empty() => Some(contact),
            _ => None,
        }
    }
}

impl Settings {
    /// Networks; none for a key of another kind.
    pub fn networks(&self, key: &str) -> &[IpNet] {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Networks(networks)) => networks,
            _ => &[],
        }
    }
}

/// Networks, or single addresses, with commas between: no more than a person could overlook.
fn read_networks(text: &str) -> Option<Vec<IpNet>> {
    let named: Vec<&str> = text.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    if named.len() > MOST_NETWORKS {
        return None;
    }
    let read = named.into_iter().map(|one| match one.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => one.parse::<IpAddr>().ok().map(IpNet::from),
    });
    read.collect()
}

/// A URL of one line that says who reads it: RFC 9116 section 2.5.3 wants https where it is on the web.
fn is_contact(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return text.is_empty();
    };
    let reaches = match url.scheme() {
        "https" => url.host().is_some() && url.username().is_empty() && url.password().is_none(),
        "mailto" => url
            .path()
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
        _ => false,
    };
    reaches && text.len() <= 500 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads `30s`, `10m`, `12h`, `30d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number = text.get(..text.len() - unit.len_utf8())?.parse::<u64>().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// Writes the largest unit that divides evenly.
pub fn write_duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (number, unit) = match seconds {
        0 => (0, "s"),
        _ if seconds.is_multiple_of(DAY) => (seconds / DAY, "d"),
        _ if seconds.is_multiple_of(HOUR) => (seconds / HOUR, "h"),
        _ if seconds.is_multiple_of(MINUTE) => (seconds / MINUTE, "m"),
        _ => (seconds, "s"),
    };
    format!("{number}{unit}")
}

/// Reads a table of settings, nested (`{"session": {"idle_timeout": "30m"}}`) or flat (`{"session.idle_timeout": "30m"}`).
///
/// # Errors
/// Every unknown key (with the nearest known one) and every value out of bounds.
pub fn read_table(
    table: &serde_json::Map<String, serde_json::Value>,
) -> Result<BTreeMap<&'static str, SettingValue>, Vec<SettingError>> {
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    read_level(table, "", &mut values, &mut errors);
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

fn read_level(
    table: &serde_json::Map<String, serde_json::Value>,
    prefix: &str,
    values: &mut BTreeMap<&'static str, SettingValue>,
    errors: &mut Vec<SettingError>,
) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match (Declaration::find(&key), value) {
            (Some(declared), value) => match declared.read(value) {
                Ok(read) => drop(values.insert(declared.key, read)),
                Err(error) => errors.push(error),
            },
            (None, serde_json::Value::Object(inner)) if prefix.is_empty() => read_level(inner, &key, values, errors),
            (None, _) => errors.push(SettingError::Unknown {
                nearest: nearest(&key),
                key,
            }),
        }
    }
}

fn nearest(key: &str) -> Option<&'static str> {
    DECLARED
        .iter()
        .map(|declared| (distance(key, declared.key), declared.key))
        .min()
        .filter(|(distance, near)| *distance <= near.len() / 2)
        .map(|(_, near)| near)
}

/// The number of single-character edits between two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (to, above) in right.iter().zip(row.iter().skip(1)) {
            let cost = usize::from(from != *to);
            before = (diagonal + cost).min(above + 1).min(before + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
