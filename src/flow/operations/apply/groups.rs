//! The section `groups`.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, layers, limited_roles};
use crate::flow::operations::inventory;
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
    outer: Option<Vec<String>>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) limited: limited_roles::Limited,
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
        let outer = reader.texts("groups", mistakes);
        let roles = reader.texts("roles", mistakes);
        let limited = limited_roles::read(&mut reader, mistakes);
        let settings = layers::read(&mut reader, mistakes);
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            name: name?,
            external_id,
            description,
            permissions,
            outer,
            roles,
            limited,
            settings,
        })
    }

    /// The groups it is to stand in, with pointers.
    pub(super) fn named_groups(&self) -> impl Iterator<Item = (String, &String)> {
        let groups = self.outer.iter().flatten().enumerate();
        groups.map(|(index, name)| (format!("{}/groups/{index}", self.pointer), name))
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
    /// Puts it into these groups and takes it out of those.
    Nest {
        name: String,
        into: Vec<String>,
        out_of: Vec<String>,
    },
    /// With the group that becomes the primary one in its place.
    Remove(Id<Group>, Option<String>),
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

/// How groups stand in each other, once all of them are there.
pub(super) async fn plan_nesting(provider: &Provider, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in entries {
        let Some(wanted) = &entry.outer else {
            continue;
        };
        let before = match people::find_group_by_name(provider, &entry.name).await? {
            Some(group) => inventory::outer_groups(provider, group.id).await?,
            None => Vec::new(),
        };
        let missing = |from: &[String], of: &[String]| -> Vec<String> {
            let known: Vec<String> = from.iter().map(|name| comparison_key(name)).collect();
            let is_missing = |name: &&String| !known.contains(&comparison_key(name));
            of.iter().filter(is_missing).cloned().collect()
        };
        let (into, out_of) = (missing(&before, wanted), missing(wanted, &before));
        if into.is_empty() && out_of.is_empty() {
            continue;
        }
        let shown = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort_by_key(|name| comparison_key(name));
            Map::from_iter([("groups".to_owned(), json!(names))])
        };
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: SECTION,
                name: entry.name.clone(),
                action: Action::Change,
                fields: FieldChange::between(&shown(&before), &shown(wanted)),
            },
            act: Act::Group(GroupAct::Nest {
                name: entry.name.clone(),
                into,
                out_of,
            }),
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
        GroupAct::Nest { .. } | GroupAct::Remove(..) => return Ok(()),
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
        GroupAct::Nest { name, into, out_of } => {
            let inner = find(tx, name).await?;
            for outer in out_of {
                let outer = find(tx, outer).await?;
                people::nesting::unnest_in(tx, call, source, outer, inner).await?;
            }
            for outer in into {
                let outer = find(tx, outer).await?;
                people::nesting::nest_in(tx, call, source, outer, inner).await?;
            }
            Ok(())
        }
        GroupAct::Remove(id, successor) => {
            let successor = match successor {
                Some(name) => tx.find_group_by_name(name).await?.map(|group| group.id),
                None => None,
            };
            let successor = successor.filter(|next| next != id);
            people::groups::delete_in(tx, call, source, (*id, None), successor).await
        }
    }
}

async fn find(tx: &mut Write, name: &str) -> Result<Id<Group>, Error> {
    let found = tx.find_group_by_name(name).await?;
    found
        .map(|group| group.id)
        .ok_or_else(|| Error::field("/groups", "unknown", format!("there is no group {name}")))
}
