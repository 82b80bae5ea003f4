//! Facts: what a decision rested on. No run-time string fits in here, so no secret can.

use std::time::Duration;

use super::Timestamp;

/// The inputs of a decision, by name.
pub type Facts = Vec<(&'static str, Fact)>;

/// One input of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An id of a row.
    Id(uuid::Uuid),
    /// Yes or no.
    Bool(bool),
    /// A count or size.
    Number(i64),
    /// A moment.
    Time(Timestamp),
    /// A length of time.
    Duration(Duration),
    /// The key of a setting.
    Setting(&'static str),
    /// A word of our own.
    Word(&'static str),
}

impl Fact {
    /// How many, or how long.
    pub fn count(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The id, if it is one.
    pub const fn id(&self) -> Option<uuid::Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// As JSON, for events.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Id(id) => id.to_string().into(),
            Self::Bool(yes) => (*yes).into(),
            Self::Number(number) => (*number).into(),
            Self::Time(moment) => moment.rfc3339().into(),
            Self::Duration(length) => format!("{}s", length.as_secs()).into(),
            Self::Setting(word) | Self::Word(word) => (*word).into(),
        }
    }
}
