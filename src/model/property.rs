//! Properties: what an administrator has defined that is told about people, beside the standard claims.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::named::named;
use super::search::SearchValue;
use super::user::comparison_key;
use super::{Id, Timestamp};

named! {
    /// What kind of value it is.
    PropertyType {
        /// A text.
        Text = "text",
        /// A number.
        Number = "number",
        /// Yes or no.
        Boolean = "boolean",
        /// A day: `2026-11-23`.
        Date = "date",
        /// One of several words.
        Choice = "choice",
        /// Several texts, or several of several words.
        List = "list",
        /// A mail address.
        Email = "email",
        /// A telephone number.
        Phone = "phone",
        /// An address of the web.
        Url = "url",
        /// Anything that JSON can say.
        Json = "json",
    }
}

named! {
    /// What somebody may do with a value.
    PropertyAccess {
        /// Nothing.
        None = "none",
        /// See it.
        Read = "read",
        /// See and change it.
        Write = "write",
    }
}

named! {
    /// What is being done with the values of every person, one batch after the other.
    PropertyState {
        /// Nothing.
        Ready = "ready",
        /// They are made findable.
        Indexing = "indexing",
        /// They are taken away, and then the definition.
        Clearing = "clearing",
    }
}

named! {
    /// A law that this program knows, for texts.
    PropertyFormat {
        /// A mail address.
        Email = "email",
        /// A telephone number, E.164.
        Phone = "phone",
        /// An address of the web.
        Url = "url",
        /// Digits whose last one checks the others (Luhn), as cards have them.
        CardNumber = "card_number",
    }
}

/// A property.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// The row.
    pub id: Id<Property>,
    /// What it is called; that does not change.
    pub name: String,
    /// What it is like.
    pub definition: PropertyDefinition,
    /// What is being done with its values.
    pub state: PropertyState,
    /// How many values were found that another has, where there may be one of each.
    pub doubles: i64,
    /// Raised with every change: the ETag.
    pub version: i64,
    /// When it was defined.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a property is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PropertyDefinition {
    /// What kind of value it is.
    #[serde(rename = "type")]
    pub kind: PropertyType,
    /// What people read, by language.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether whoever enters it has to.
    pub required: bool,
    /// What a new account has where nothing is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether no two people may have the same.
    pub unique: bool,
    /// Whether people are found by it.
    pub indexed: bool,
    /// The words to choose from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<PropertyChoice>,
    /// How many characters a text has at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// How many it has at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// The smallest number, or the first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Value>,
    /// The greatest number, or the last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Value>,
    /// A regular expression that the whole text has to match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A law that this program knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<PropertyFormat>,
    /// What the person may do with their own.
    pub users: PropertyAccess,
    /// What administrators may do by API.
    pub administrators: PropertyAccess,
    /// Whether it is asked of somebody who makes themselves an account.
    pub registration: bool,
    /// The claim that carries it; it goes to no application without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The scope that asks for the claim.
    pub scope: String,
    /// Which clients may be told; every client if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Vec<String>>,
}

/// A word to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PropertyChoice {
    /// The value.
    pub value: String,
    /// What people read, by language.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Default for PropertyDefinition {
    fn default() -> Self {
        Self {
            kind: PropertyType::Text,
            labels: BTreeMap::new(),
            required: false,
            default: None,
            unique: false,
            indexed: false,
            choices: Vec::new(),
            min_length: None,
            max_length: None,
            minimum: None,
            maximum: None,
            pattern: None,
            format: None,
            users: PropertyAccess::Read,
            administrators: PropertyAccess::Write,
            registration: false,
            claim: None,
            scope: "profile".to_owned(),
            clients: None,
        }
    }
}

/// The standard fields: they are what they are, and take further validators and labels.
pub const BUILT_IN: &[&str] = &[
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "email",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "company",
];

/// What a definition may say.
pub const MEMBERS: &[&str] = &[
    "type",
    "labels",
    "required",
    "default",
    "unique",
    "indexed",
    "choices",
    "min_length",
    "max_length",
    "minimum",
    "maximum",
    "pattern",
    "format",
    "users",
    "administrators",
    "registration",
    "claim",
    "scope",
    "clients",
];

/// What a definition of a standard field may say beside.
pub const MEMBERS_OF_BUILT_IN: &[&str] = &["labels", "min_length", "max_length", "pattern", "format"];

impl Property {
    /// Whether it extends a standard field.
    pub fn is_built_in(&self) -> bool {
        BUILT_IN.contains(&self.name.as_str())
    }

    /// Whether values of it count: it is not being taken away, and is no extension.
    pub fn has_values(&self) -> bool {
        self.state != PropertyState::Clearing && !self.is_built_in()
    }

    /// What it is called in a language.
    pub fn label(&self, locale: &str) -> &str {
        in_language(&self.definition.labels, locale).unwrap_or(&self.name)
    }
}

impl PropertyDefinition {
    /// Whether something is kept beside the value, to find it.
    pub const fn is_keyed(&self) -> bool {
        self.indexed || self.unique
    }

    /// As the members of an object.
    pub fn members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    /// What a value is found by: nothing, one, or as many as a list has.
    pub fn keys(&self, value: &Value) -> Vec<String> {
        match value {
            Value::Array(items) => {
                let mut keys: Vec<String> = items.iter().filter_map(|item| self.key(item)).collect();
                keys.sort_unstable();
                keys.dedup();
                keys
            }
            one => self.key(one).into_iter().collect(),
        }
    }

    /// What one value is found by: texts in the order of values.
    pub fn key(&self, value: &Value) -> Option<String> {
        match (self.kind, value) {
            (PropertyType::Number, Value::Number(number)) => number.as_f64().map(ordered),
            (PropertyType::Boolean, Value::Bool(flag)) => Some(flag.to_string()),
            (PropertyType::Json | PropertyType::Number | PropertyType::Boolean, _) => None,
            (_, Value::String(text)) => Some(bounded(comparison_key(text))),
            _ => None,
        }
    }
}

/// What a value that is searched for is found by.
pub fn searched_key(wanted: &SearchValue) -> Option<String> {
    match wanted {
        SearchValue::Text(text) => Some(bounded(text.clone())),
        SearchValue::Number(number) => Some(ordered(*number)),
        SearchValue::Flag(flag) => Some(flag.to_string()),
        SearchValue::Time(_) => None,
    }
}

/// What an index takes: some letters are compared as many.
fn bounded(mut key: String) -> String {
    const LONGEST: usize = 1_000;
    let end = (0..=LONGEST).rev().find(|end| key.is_char_boundary(*end));
    key.truncate(end.unwrap_or_default());
    key
}

/// The text in a language, or in one that is like it, or in English, or in any.
pub fn in_language<'a>(labels: &'a BTreeMap<String, String>, locale: &str) -> Option<&'a str> {
    let language = locale.split('-').next().unwrap_or_default();
    [locale, language, "en"]
        .iter()
        .find_map(|locale| labels.get(*locale))
        .or_else(|| labels.values().next())
        .map(String::as_str)
}

/// A number as a text that sorts as it does.
fn ordered(number: f64) -> String {
    // there is one zero
    let bits = (number + 0.0).to_bits();
    let sign = 1_u64 << 63;
    let sorted = if bits & sign == 0 { bits | sign } else { !bits };
    format!("{sorted:016x}")
}
