//! The section `terms`: versions of terms of use. What is published does not change, so an entry that is there already has to say the
//! same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, groups};
use crate::flow::operations::inventory;
use crate::flow::terms::{self, NewTerms};
use crate::flow::{Error, FieldError, Provider};
use crate::model::user::comparison_key;
use crate::model::{Group, Terms, TermsText, Timestamp};

pub(super) const SECTION: &str = "terms";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    new: NewTerms,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let name = reader.required("name", mistakes);
        let version = reader.required("version", mistakes);
        let effective_at = reader.text("effective_at", mistakes).and_then(|text| {
            let read = Timestamp::parse(&text);
            if read.is_none() {
                mistakes.add(
                    &reader.at("effective_at"),
                    "invalid",
                    "expected a time like 2026-11-01T00:00:00Z",
                );
            }
            read
        });
        let groups = reader.texts("groups", mistakes).unwrap_or_default();
        let texts: Option<BTreeMap<String, TermsText>> = match reader.value("texts") {
            Some(value) => serde_json::from_value(value.clone()).ok(),
            None => None,
        };
        if texts.is_none() {
            mistakes.add(
                &reader.at("texts"),
                "type",
                "expected languages, each with a title and a text or a url",
            );
        }
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            new: NewTerms {
                name: name?,
                version: version?,
                effective_at,
                groups,
                texts: texts?,
            },
        })
    }

    /// What tells it from every other.
    pub(super) fn key(&self) -> String {
        named(&comparison_key(&self.new.name), &self.new.version)
    }
}

fn named(name: &str, version: &str) -> String {
    format!("{name} {version}")
}

/// A version as the file has it; none where it is required of nobody any more.
pub(in crate::flow::operations) fn to_json(terms: &Terms, groups: &[Group]) -> Option<Map<String, Value>> {
    let named: Vec<&str> = groups
        .iter()
        .filter(|group| terms.required_of.contains(&group.id))
        .map(|group| group.name.as_str())
        .collect();
    if named.is_empty() && !terms.required_of.is_empty() {
        return None;
    }
    let mut entry = Map::new();
    entry.insert("name".to_owned(), terms.name.clone().into());
    entry.insert("version".to_owned(), terms.version.clone().into());
    entry.insert("effective_at".to_owned(), terms.effective_at.rfc3339().into());
    if !named.is_empty() {
        entry.insert("groups".to_owned(), json!(named));
    }
    entry.insert("texts".to_owned(), json!(terms.texts));
    Some(entry)
}

pub(super) async fn plan(
    provider: &Provider,
    entries: &[Entry],
    in_file: &[groups::Entry],
) -> Result<Vec<Planned>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let there = terms::list(provider).await?;
    let known = inventory::groups(provider).await?;
    let mut names: BTreeSet<String> = known.iter().map(|group| comparison_key(&group.name)).collect();
    names.extend(in_file.iter().map(groups::Entry::key));
    let (mut planned, mut errors) = (Vec::new(), Vec::new());
    for Entry { pointer, new } in entries {
        let key = comparison_key(&new.name);
        if let Some(published) = there
            .iter()
            .find(|terms| terms.name == key && terms.version == new.version)
        {
            if !is_same(published, new, &known) {
                errors.push(wrong(pointer, "published", "a published version does not change"));
            }
            continue;
        }
        let mut refused = terms::check(new);
        for (index, name) in new.groups.iter().enumerate() {
            if !names.contains(&comparison_key(name)) {
                let detail = "there is no group of this name, neither here nor in the file";
                refused.push(wrong(&format!("/groups/{index}"), "unknown", detail));
            }
        }
        if !refused.is_empty() {
            errors.extend(refused.into_iter().map(|refused| FieldError {
                pointer: format!("{pointer}{}", refused.pointer),
                ..refused
            }));
            continue;
        }
        let mut fields = Map::new();
        fields.insert("texts".to_owned(), json!(new.texts.keys().collect::<Vec<_>>()));
        fields.insert("groups".to_owned(), json!(new.groups));
        planned.push(Planned {
            pointer: pointer.clone(),
            change: Change {
                section: SECTION,
                name: named(&new.name, &new.version),
                action: Action::Create,
                fields: FieldChange::between(&Map::new(), &fields),
            },
            act: Act::Terms(new.clone()),
        });
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

/// Whether a published version says what the file says.
fn is_same(published: &Terms, new: &NewTerms, groups: &[Group]) -> bool {
    let asked: BTreeSet<String> = new.groups.iter().map(|name| comparison_key(name)).collect();
    let required: BTreeSet<String> = groups
        .iter()
        .filter(|group| published.required_of.contains(&group.id))
        .map(|group| comparison_key(&group.name))
        .collect();
    published.texts == new.texts
        && new
            .effective_at
            .is_none_or(|at| at.rfc3339() == published.effective_at.rfc3339())
        && asked == required
}

fn wrong(pointer: &str, code: &'static str, detail: &str) -> FieldError {
    FieldError {
        pointer: pointer.to_owned(),
        code,
        detail: detail.to_owned(),
    }
}
