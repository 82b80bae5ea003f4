//! What stood there before a change and what after: the fields, secrets masked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Digest, Event};
use crate::crypto;
use crate::random;

/// A field that was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldValues {
    /// Which.
    pub field: String,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The fields that an event changed, as they are kept: with random bytes, so that nothing can be guessed from their digest once they
/// are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventValues {
    salt: Vec<u8>,
    text: String,
}

/// What is longer is cut.
const LONGEST: usize = 2_000;
/// More fields are not kept.
const MOST: usize = 200;
/// Fields whose values nobody reads again.
const SECRET: &[&str] = &[
    "password",
    "password_hash",
    "client_secret",
    "secret",
    "token",
    "registration_token",
];

impl EventValues {
    /// The members in which two objects differ; none where they do not.
    pub fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Option<Self> {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let fields: Vec<FieldValues> = names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .take(MOST)
            .map(|name| FieldValues {
                field: name.clone(),
                before: before.get(name).map(|value| told(name, value)),
                after: after.get(name).map(|value| told(name, value)),
            })
            .collect();
        if fields.is_empty() {
            return None;
        }
        Some(Self {
            salt: random::bytes::<16>().to_vec(),
            text: serde_json::to_string(&fields).ok()?,
        })
    }

    /// From storage.
    pub const fn stored(salt: Vec<u8>, text: String) -> Self {
        Self { salt, text }
    }

    /// The random bytes.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// For storage.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the event says of them, in hex digits.
    pub fn digest(&self) -> String {
        let digest = Digest::of(&[self.salt.as_slice(), self.text.as_bytes()].concat());
        crypto::hex(digest.as_bytes())
    }

    /// The fields; none of what can't be read.
    pub fn fields(&self) -> Vec<FieldValues> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

fn told(name: &str, value: &Value) -> Value {
    let last = name.rsplit('.').next().unwrap_or(name);
    if SECRET.contains(&last) && !value.is_null() {
        return "***".into();
    }
    let text = value.to_string();
    if text.len() <= LONGEST {
        return value.clone();
    }
    let beginning: String = text.chars().take(LONGEST).collect();
    format!("{beginning}...").into()
}

impl Event {
    /// With what it changed of an object: what stood there before and what does now.
    #[must_use]
    pub fn changing(mut self, before: &Map<String, Value>, after: &Map<String, Value>) -> Self {
        self.values = EventValues::between(before, after);
        self
    }
}

/// The members of whatever is an object as JSON.
pub fn members_of(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
