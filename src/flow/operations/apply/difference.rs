//! What a file would change: printed before it is done, and the whole of a dry run.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// Everything a file changes, in the order it is done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// One thing after the other.
    pub changes: Vec<Change>,
}

/// One thing that is made, changed or removed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Of which kind.
    pub section: &'static str,
    /// Which.
    pub name: String,
    /// What becomes of it.
    pub action: Action,
    /// Its fields that change. Secrets show as `***`.
    pub fields: Vec<FieldChange>,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is removed.
    Remove,
}

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Which.
    pub field: String,
    /// What stands there.
    pub before: Option<Value>,
    /// What will.
    pub after: Option<Value>,
}

impl FieldChange {
    /// A secret that changes; neither value is told.
    pub(super) fn secret(field: &str) -> Self {
        Self {
            field: field.to_owned(),
            before: None,
            after: Some("***".into()),
        }
    }

    /// The members in which two objects differ.
    pub(super) fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Self> {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| Self {
                field: name.clone(),
                before: before.get(name).cloned(),
                after: after.get(name).cloned(),
            })
            .collect()
    }
}

impl Difference {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(formatter, "nothing to change");
        }
        for change in &self.changes {
            let sign = match change.action {
                Action::Create => '+',
                Action::Change => '~',
                Action::Remove => '-',
            };
            writeln!(formatter, "{sign} {} {}", change.section, change.name)?;
            for FieldChange { field, before, after } in &change.fields {
                match (before, after) {
                    (None, Some(after)) => writeln!(formatter, "    {field}: {after}")?,
                    (Some(before), None) => writeln!(formatter, "    {field}: {before} -> nothing")?,
                    (before, after) => {
                        let before = before.clone().unwrap_or_default();
                        let after = after.clone().unwrap_or_default();
                        writeln!(formatter, "    {field}: {before} -> {after}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
