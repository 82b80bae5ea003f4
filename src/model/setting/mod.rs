//! Settings: what is changed at run time. One declared list; schema, docs, checks and forms all come from it.

mod declared;
mod written;

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use super::{FormField, MailDomain};
pub use declared::*;
pub use written::{parse_duration, write_duration};

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
    /// A web address that something may be added to; empty for none.
    Url,
    /// Words in one line, so many characters at most.
    Line(usize),
    /// Names of one's own for these words, as `name=word` with commas between; empty for none.
    Names(&'static [&'static str]),
    /// Networks, as addresses with the length of a prefix, with commas between; empty for none.
    Networks,
    /// Mail domains, with commas between; empty for none.
    Domains,
    /// The fields of a form ([`FormField`]), with commas between; empty for none.
    Fields,
    /// Some of these words, with commas between; empty for none.
    Words(&'static [&'static str]),
    /// Lengths of time, each once, with commas between, the longest first; empty for none.
    Durations {
        /// The shortest allowed.
        least: Duration,
        /// The longest allowed.
        most: Duration,
    },
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
    /// A web address.
    Url(String),
    /// Words in one line.
    Line(String),
    /// Names, each with the word that it stands for.
    Names(Vec<(String, &'static str)>),
    /// Networks.
    Networks(Vec<IpNet>),
    /// Mail domains.
    Domains(Vec<MailDomain>),
    /// The fields of a form.
    Fields(Vec<FormField>),
    /// Words of the declared list, in its order.
    Words(Vec<&'static str>),
    /// Lengths of time, the longest first.
    Durations(Vec<Duration>),
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
            (Kind::Url, serde_json::Value::String(text)) => {
                written::is_base(text).then(|| SettingValue::Url(text.clone()))
            }
            (Kind::Line(most), serde_json::Value::String(text)) => {
                let fits = text.chars().count() <= most && !text.chars().any(char::is_control);
                fits.then(|| SettingValue::Line(text.clone()))
            }
            (Kind::Contact, serde_json::Value::String(text)) => {
                written::is_contact(text).then(|| SettingValue::Contact(text.clone()))
            }
            (Kind::Names(words), serde_json::Value::String(text)) => {
                written::names(text, words).map(SettingValue::Names)
            }
            (Kind::Networks, serde_json::Value::String(text)) => written::networks(text).map(SettingValue::Networks),
            (Kind::Domains, serde_json::Value::String(text)) => written::domains(text).map(SettingValue::Domains),
            (Kind::Fields, serde_json::Value::String(text)) => written::fields(text).map(SettingValue::Fields),
            (Kind::Words(words), serde_json::Value::String(text)) => {
                written::words(words, text).map(SettingValue::Words)
            }
            (Kind::Durations { least, most }, serde_json::Value::String(text)) => {
                written::durations(text, &(least..=most)).map(SettingValue::Durations)
            }
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
            Kind::Names(words) => format!(
                "expected names like silver={} with commas between, or nothing; what can be named: {}",
                words.first().copied().unwrap_or_default(),
                words.join(", ")
            ),
            Kind::Networks => "expected networks like 10.0.0.0/8, with commas between, or nothing".to_owned(),
            Kind::Domains => {
                "expected mail domains like example.com or *.example.com, with commas between, or nothing".to_owned()
            }
            Kind::Words(words) => {
                format!(
                    "expected some of these, with commas between, or nothing: {}",
                    words.join(", ")
                )
            }
            Kind::Durations { least, most } => format!(
                "expected up to {} durations from {} to {}, with commas between, or nothing",
                written::MOST_DURATIONS,
                write_duration(least),
                write_duration(most)
            ),
            Kind::Fields => {
                "expected names of fields like given_name, each followed by required or = and a default if you like, \
                 with commas between, or nothing"
                    .to_owned()
            }
            Kind::Url => "expected an https address that ends with a slash, or nothing".to_owned(),
            Kind::Line(most) => format!("expected one line of up to {most} characters"),
            Kind::Contact => "expected an address that begins with mailto: or https:, or nothing".to_owned(),
        }
    }

    /// The value that counts where nobody says otherwise.
    fn built_in(&self) -> SettingValue {
        let written = match self.kind {
            Kind::Count { .. } => self.default.parse::<u64>().map(serde_json::Value::from).ok(),
            Kind::Flag => self.default.parse::<bool>().map(serde_json::Value::from).ok(),
            Kind::Duration { .. }
            | Kind::Word(_)
            | Kind::Contact
            | Kind::Url
            | Kind::Line(_)
            | Kind::Names(_)
            | Kind::Networks
            | Kind::Domains
            | Kind::Fields
            | Kind::Words(_)
            | Kind::Durations { .. } => Some(serde_json::Value::from(self.default)),
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
            Self::Contact(text) | Self::Url(text) | Self::Line(text) => text.as_str().into(),
            Self::Names(names) => {
                let names: Vec<String> = names.iter().map(|(name, word)| format!("{name}={word}")).collect();
                names.join(", ").into()
            }
            Self::Networks(networks) => {
                let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
                networks.join(", ").into()
            }
            Self::Domains(domains) => {
                let domains: Vec<String> = domains.iter().map(ToString::to_string).collect();
                domains.join(", ").into()
            }
            Self::Words(words) => words.join(", ").into(),
            Self::Durations(lengths) => {
                let lengths: Vec<String> = lengths.iter().copied().map(write_duration).collect();
                lengths.join(", ").into()
            }
            Self::Fields(fields) => {
                let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
                fields.join(", ").into()
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

    /// Words; none for a key of another kind.
    pub fn line(&self, key: &str) -> &str {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Line(line)) => line,
            _ => "",
        }
    }

    /// A web address; none for a key of another kind, and where there is none.
    pub fn url(&self, key: &str) -> Option<&str> {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Url(url)) if !url.is_empty() => Some(url),
            _ => None,
        }
    }
}

impl Settings {
    /// Names of one's own, each with the word that it stands for; none for a key of another kind.
    pub fn names(&self, key: &str) -> &[(String, &'static str)] {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Names(names)) => names,
            _ => &[],
        }
    }

    /// Networks; none for a key of another kind.
    pub fn networks(&self, key: &str) -> &[IpNet] {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Networks(networks)) => networks,
            _ => &[],
        }
    }

    /// Mail domains; none for a key of another kind.
    pub fn domains(&self, key: &str) -> &[MailDomain] {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Domains(domains)) => domains,
            _ => &[],
        }
    }

    /// The fields of a form; none for a key of another kind.
    pub fn fields(&self, key: &str) -> &[FormField] {
        match self.effective.get(key).map(|effective| &effective.value) {
            Some(SettingValue::Fields(fields)) => fields,
            _ => &[],
        }
    }
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
