//! The section `groups`.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, layers};
use crate::flow::people::{self, ChangeSource, GroupChange, NewGroup};
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{Group, Id};
use crate::store::Write;

pub(super) const SECTION: &str = "groups";

/// An entry.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) name: String,
    external_id: Option<Option<String>>,
    description: Option<Option<String>>,
    permissions: Option<Vec<String>>,
    pub(super) settings: Map<String, Value>,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let name = reader.required("name", mistakes);
        let external_id = reader.has("external_id").then(|| reader.text("external_id", mistakes));
        let description = reader.has("description").then(|| reader.text("description", mistakes));
        let permissions = reader.texts("permissions", mistakes).map(|mut permissions| {
            permissions.sort_unstable();
            permissions.dedup();
            permissions
        });
        let settings = layers::read(&mut reader, mistakes);
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            name: name?,
            external_id,
            description,
            permissions,
            settings,
        })
    }

    /// What names are compared by.
    pub(super) fn key(&self) -> String {
        comparison_key(&self.name)
    }
}

/// A group as the file has it.
pub(in crate::flow::operations) fn to_json(group: &Group) -> Map<String, Value> {
    let mut permissions = group.permissions.clone();
    permissions.sort_unstable();
    shown(
        &group.name,
        group.external_id.as_deref(),
        group.description.as_deref(),
        &permissions,
    )
}

fn shown(
    name: &str,
    external_id: Option<&str>,
    description: Option<&str>,
    permissions: &[String],
) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), name.into());
    if let Some(external_id) = external_id {
        entry.insert("external_id".to_owned(), external_id.into());
    }
    if let Some(description) = description {
        entry.insert("description".to_owned(), description.into());
    }
    entry.insert("permissions".to_owned(), json!(permissions));
    entry
}

/// What is done with a group.
pub(super) enum GroupAct {
    Create(NewGroup),
    Change(Id<Group>, i64, GroupChange),
    Remove(Id<Group>),
}

pub(super) async fn plan(provider: &Provider, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in entries {
        let before = people::find_group_by_name(provider, &entry.name).await?;
        let old = before.as_ref();
        let external_id = entry
            .external_id
            .clone()
            .unwrap_or_else(|| old.and_then(|group| group.external_id.clone()));
        let description = entry
            .description
            .clone()
            .unwrap_or_else(|| old.and_then(|group| group.description.clone()));
        let mut permissions = entry
            .permissions
            .clone()
            .unwrap_or_else(|| old.map(|group| group.permissions.clone()).unwrap_or_default());
        permissions.sort_unstable();
        let after = shown(
            &entry.name,
            external_id.as_deref(),
            description.as_deref(),
            &permissions,
        );
        let fields = FieldChange::between(&old.map(to_json).unwrap_or_default(), &after);
        if fields.is_empty() {
            continue;
        }
        let (action, act) = match old {
            None => (
                Action::Create,
                GroupAct::Create(NewGroup {
                    name: entry.name.clone(),
                    external_id,
                    description,
                    permissions,
                }),
            ),
            Some(group) => (
                Action::Change,
                GroupAct::Change(
                    group.id,
                    group.version,
                    GroupChange {
                        name: Some(entry.name.clone()),
                        external_id: Some(external_id),
                        description: Some(description),
                        permissions: Some(permissions),
                    },
                ),
            ),
        };
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: SECTION,
                name: entry.name.clone(),
                action,
                fields,
            },
            act: Act::Group(act),
        });
    }
    Ok(planned)
}

/// What can be seen to be wrong before anything is changed.
pub(super) fn judge(call: &Call, act: &GroupAct) -> Result<(), Error> {
    let whole = match act {
        GroupAct::Create(new) => new.clone(),
        // a change of the file says everything that the group will be
        GroupAct::Change(_, _, change) => NewGroup {
            name: change.name.clone().unwrap_or_default(),
            external_id: change.external_id.clone().flatten(),
            description: change.description.clone().flatten(),
            permissions: change.permissions.clone().unwrap_or_default(),
        },
        GroupAct::Remove(_) => return Ok(()),
    };
    people::judge_group(call, &whole)
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &GroupAct) -> Result<(), Error> {
    let source = &ChangeSource::Apply;
    match act {
        GroupAct::Create(new) => {
            let group = people::groups::create_in(tx, call, source, new.clone()).await?;
            Ok(tx.mark_group_applied(group.id).await?)
        }
        GroupAct::Change(id, version, change) => {
            drop(people::groups::change_in(tx, call, source, *id, Some(*version), change.clone()).await?);
            Ok(())
        }
        GroupAct::Remove(id) => people::groups::delete_in(tx, call, source, *id, None).await,
    }
}
