//! The section `resources`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned};
use crate::flow::operations::inventory;
use crate::flow::operations::resources::{check_lifetime, judge, values_of};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{parse_duration, write_duration};
use crate::model::{AccessTokenFormat, EventKind, Fact, Id, Resource, Scopes};
use crate::store::{self, Write};

pub(super) const SECTION: &str = "resources";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) identifier: String,
    name: Option<Option<String>>,
    scopes: Option<Vec<String>>,
    access_token_format: Option<Option<AccessTokenFormat>>,
    access_token_lifetime: Option<Option<Duration>>,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let identifier = reader.required("identifier", mistakes);
        let name = reader.has("name").then(|| reader.text("name", mistakes));
        let scopes = reader.texts("scopes", mistakes);
        let format = reader.has("access_token_format").then(|| {
            let text = reader.text("access_token_format", mistakes)?;
            let read = text.parse().ok();
            if read.is_none() {
                mistakes.add(&reader.at("access_token_format"), "invalid", "expected jwt or opaque");
            }
            read
        });
        let lifetime = reader.has("access_token_lifetime").then(|| {
            let text = reader.text("access_token_lifetime", mistakes)?;
            let read = parse_duration(&text);
            if read.is_none() {
                let detail = "expected a duration like 90s or 10m";
                mistakes.add(&reader.at("access_token_lifetime"), "malformed", detail);
            }
            read
        });
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            identifier: identifier?,
            name,
            scopes,
            access_token_format: format,
            access_token_lifetime: lifetime,
        })
    }
}

/// A resource as the file has it.
pub(in crate::flow::operations) fn to_json(resource: &Resource) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("identifier".to_owned(), resource.identifier.clone().into());
    if let Some(name) = &resource.name {
        entry.insert("name".to_owned(), name.clone().into());
    }
    entry.insert("scopes".to_owned(), json!(resource.scopes.iter().collect::<Vec<_>>()));
    if let Some(format) = resource.access_token_format {
        entry.insert("access_token_format".to_owned(), format.as_str().into());
    }
    if let Some(lifetime) = resource.access_token_lifetime {
        entry.insert("access_token_lifetime".to_owned(), write_duration(lifetime).into());
    }
    entry
}

pub(super) async fn plan(provider: &Provider, call: &Call, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    let there = inventory::resources(provider).await?;
    let mut planned = Vec::new();
    let mut errors = Vec::new();
    for entry in entries {
        let before = there.iter().find(|resource| resource.identifier == entry.identifier);
        let mut after = before.cloned().unwrap_or_else(|| Resource {
            id: Id::new(call.now),
            identifier: entry.identifier.clone(),
            name: None,
            scopes: Scopes::default(),
            access_token_format: None,
            access_token_lifetime: None,
            version: 1,
            created_at: call.now,
            updated_at: call.now,
        });
        if let Some(name) = &entry.name {
            after.name.clone_from(name);
        }
        let tokens = match &entry.scopes {
            Some(tokens) => tokens.clone(),
            None => after.scopes.iter().map(str::to_owned).collect(),
        };
        if let Some(lifetime) = entry.access_token_lifetime {
            after.access_token_lifetime = lifetime;
        }
        let judged = judge(provider, &entry.identifier, after.name.as_deref(), &tokens);
        match judged.and_then(|scopes| check_lifetime(after.access_token_lifetime).map(|()| scopes)) {
            Ok(scopes) => after.scopes = scopes,
            Err(refusal) => match super::below(refusal, &entry.pointer) {
                Error::Invalid(wrong) => {
                    errors.extend(wrong);
                    continue;
                }
                other => return Err(other),
            },
        }
        if let Some(format) = entry.access_token_format {
            after.access_token_format = format;
        }
        after.updated_at = call.now;
        let fields = FieldChange::between(&before.map(to_json).unwrap_or_default(), &to_json(&after));
        if fields.is_empty() {
            continue;
        }
        let action = if before.is_some() {
            Action::Change
        } else {
            Action::Create
        };
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: SECTION,
                name: entry.identifier.clone(),
                action,
                fields,
            },
            act: Act::Resource(after, action),
        });
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

pub(super) async fn write(tx: &mut Write, call: &Call, resource: &Resource, action: Action) -> Result<(), Error> {
    tx.raise_resource_generation().await?;
    let there = tx.list_resources().await?;
    let before = there
        .iter()
        .find(|known| known.id == resource.id)
        .map(values_of)
        .unwrap_or_default();
    let after = match action {
        Action::Remove => Map::new(),
        Action::Create | Action::Change => values_of(resource),
    };
    let word = match action {
        Action::Create => {
            match tx.add_resource(resource).await {
                Err(store::Error::Taken(_)) => {
                    return Err(Error::field("/identifier", "taken", "another resource has it"));
                }
                added => added?,
            }
            tx.mark_resource_applied(resource.id).await?;
            "created"
        }
        Action::Change => {
            if !tx.change_resource(resource).await? {
                return Err(Error::Stale);
            }
            "changed"
        }
        Action::Remove => {
            if tx.has_permissions(resource.id).await? {
                return Err(Error::Conflict("in_use"));
            }
            tx.delete_resource(resource.id).await?;
            "deleted"
        }
    };
    let event = call
        .event(EventKind::ResourceChanged)
        .fact("resource", Fact::Id(resource.id.uuid()))
        .fact("action", Fact::Word(word))
        .changing(&before, &after);
    Ok(tx.add_event(&event).await?)
}
