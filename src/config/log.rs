//! `log_format`: for people or for machines.

use toml::Value;

use super::entries::text;
use super::problem::Reason;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(super) fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)?.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Reason::Choice("text and json")),
        }
    }
}
