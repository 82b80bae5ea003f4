//! Reads an object of the file: each member by its kind, and what nobody asked for is an unknown key.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::flow::FieldError;
use crate::model::Secret;

/// What is wrong with the file.
#[derive(Default)]
pub(super) struct Mistakes(pub Vec<FieldError>);

impl Mistakes {
    pub(super) fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.0.push(FieldError {
            pointer: pointer.to_owned(),
            code,
            detail: detail.into(),
        });
    }
}

/// An object of the file, while it is read.
pub(super) struct Reader<'a> {
    members: &'a Map<String, Value>,
    pub(super) pointer: String,
    known: BTreeSet<&'a str>,
}

impl<'a> Reader<'a> {
    /// An object that stands at `pointer`.
    pub(super) fn open(value: &'a Value, pointer: String, mistakes: &mut Mistakes) -> Option<Self> {
        let Value::Object(members) = value else {
            mistakes.add(&pointer, "type", "expected an object");
            return None;
        };
        Some(Self {
            members,
            pointer,
            known: BTreeSet::new(),
        })
    }

    /// The pointer of a member.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    /// Whether a member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A member as it is.
    pub(super) fn value(&mut self, name: &'a str) -> Option<&'a Value> {
        self.known.insert(name);
        self.members.get(name)
    }

    /// Those of these members that are there, by name: a patch.
    pub(super) fn patch(&mut self, names: &[&'static str]) -> Map<String, Value> {
        let mut patch = Map::new();
        for &name in names {
            if let Some(value) = self.value(name) {
                patch.insert(name.to_owned(), value.clone());
            }
        }
        patch
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'a str, mistakes: &mut Mistakes) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            _ => {
                mistakes.add(&self.at(name), "type", "expected a text");
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, name: &'a str, mistakes: &mut Mistakes) -> Option<String> {
        if !self.has(name) {
            self.known.insert(name);
            mistakes.add(&self.at(name), "required", format!("{name} is missing"));
            return None;
        }
        self.text(name, mistakes)
    }

    /// A secret in clear: references to environment and files were followed where the file was read.
    pub(super) fn secret(&mut self, name: &'a str, mistakes: &mut Mistakes) -> Option<Secret> {
        match self.value(name)? {
            Value::String(text) => Some(Secret::new(text.clone())),
            Value::Null => None,
            _ => {
                mistakes.add(
                    &self.at(name),
                    "type",
                    "expected a text, {\"env\": NAME} or {\"file\": PATH}",
                );
                None
            }
        }
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, name: &'a str, mistakes: &mut Mistakes) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                mistakes.add(&self.at(name), "type", "expected true or false");
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &'a str, mistakes: &mut Mistakes) -> Option<Vec<String>> {
        let texts = match self.value(name)? {
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        if texts.is_none() {
            mistakes.add(&self.at(name), "type", "expected a list of texts");
        }
        texts
    }

    /// The entries of a list of objects.
    pub(super) fn entries(&mut self, name: &'a str, mistakes: &mut Mistakes) -> Vec<Reader<'a>> {
        let at = self.at(name);
        match self.value(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| Reader::open(item, format!("{at}/{index}"), mistakes))
                .collect(),
            Some(_) => {
                mistakes.add(&at, "type", "expected a list");
                Vec::new()
            }
        }
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self, mistakes: &mut Mistakes) {
        for name in self.members.keys().filter(|name| !self.known.contains(name.as_str())) {
            mistakes.add(&self.at(name), "unknown", format!("there is no {name} here"));
        }
    }
}
