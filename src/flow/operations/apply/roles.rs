//! The sections `permissions` and `roles`, and the member `roles` of groups and users.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::document::Document;
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, groups, users};
use crate::flow::operations::inventory;
use crate::flow::people::{
    self, ChangeSource, NewPermission, NewRole, RoleChange, RoleHolder, UserKey, declared_permissions,
};
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{DeclaredPermission, Id, Resource, Role};
use crate::store::Write;

pub(super) const PERMISSIONS: &str = "permissions";
pub(super) const ROLES: &str = "roles";

/// An entry of either section: a permission has no permissions.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) name: String,
    description: Option<Option<String>>,
    resource: Option<String>,
    permissions: Option<Vec<String>>,
}

impl Entry {
    pub(super) fn read_permission(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let entry = Self::begin(&mut reader, mistakes);
        reader.finish(mistakes);
        entry
    }

    pub(super) fn read_role(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let entry = Self::begin(&mut reader, mistakes);
        let permissions = reader.texts("permissions", mistakes).map(in_order);
        reader.finish(mistakes);
        Some(Self { permissions, ..entry? })
    }

    fn begin(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let name = reader.required("name", mistakes);
        let description = reader.has("description").then(|| reader.text("description", mistakes));
        let resource = reader.text("resource", mistakes);
        Some(Self {
            pointer: reader.pointer.clone(),
            name: name?,
            description,
            resource,
            permissions: None,
        })
    }

    /// What names of roles are compared by.
    pub(super) fn key(&self) -> String {
        comparison_key(&self.name)
    }
}

fn in_order(mut permissions: Vec<String>) -> Vec<String> {
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}

/// What is done with a permission, a role, or who has one.
pub(super) enum RoleAct {
    Declare(NewPermission),
    Describe(Id<DeclaredPermission>, i64, Option<String>),
    Undeclare(Id<DeclaredPermission>),
    Create(NewRole),
    Change(Id<Role>, i64, RoleChange),
    Remove(Id<Role>),
    /// Gives these roles to a group or a user, and takes those.
    Hold {
        holder: Named,
        give: Vec<String>,
        take: Vec<String>,
    },
}

/// Who has roles, by name.
#[derive(Clone)]
pub(super) enum Named {
    Group(String),
    User(String),
}

fn shown(
    name: &str,
    description: Option<&str>,
    resource: Option<&str>,
    permissions: Option<&[String]>,
) -> Map<String, Value> {
    let mut entry = Map::from_iter([("name".to_owned(), json!(name))]);
    for (member, value) in [("description", description), ("resource", resource)] {
        if let Some(value) = value {
            entry.insert(member.to_owned(), value.into());
        }
    }
    if let Some(permissions) = permissions {
        entry.insert("permissions".to_owned(), json!(permissions));
    }
    entry
}

fn identifier(resources: &[Resource], id: Option<Id<Resource>>) -> Option<&str> {
    let found = resources.iter().find(|resource| Some(resource.id) == id);
    found.map(|resource| resource.identifier.as_str())
}

/// A declared permission as the file has it.
pub(in crate::flow::operations) fn permission_to_json(
    permission: &DeclaredPermission,
    resources: &[Resource],
) -> Map<String, Value> {
    let resource = identifier(resources, permission.resource);
    shown(&permission.name, permission.description.as_deref(), resource, None)
}

/// A role as the file has it.
pub(in crate::flow::operations) fn role_to_json(role: &Role, resources: &[Resource]) -> Map<String, Value> {
    let resource = identifier(resources, role.resource);
    shown(
        &role.name,
        role.description.as_deref(),
        resource,
        Some(&role.permissions),
    )
}

/// The difference of both sections.
pub(super) async fn plan(provider: &Provider, document: &Document) -> Result<Vec<Planned>, Error> {
    let resources = inventory::resources(provider).await?;
    let mut planned = Vec::new();
    for entry in &document.permissions {
        planned.extend(plan_permission(provider, entry, &resources).await?);
    }
    for entry in &document.roles {
        planned.extend(plan_role(provider, entry, &resources).await?);
    }
    Ok(planned)
}

async fn plan_permission(provider: &Provider, entry: &Entry, resources: &[Resource]) -> Result<Option<Planned>, Error> {
    let before = people::find_permission(provider, &entry.name).await?;
    let old = before.as_ref();
    let described = entry.description.clone();
    let description = described.unwrap_or_else(|| old.and_then(|known| known.description.clone()));
    let before = old
        .map(|known| permission_to_json(known, resources))
        .unwrap_or_default();
    let resource = fixed(entry, old.map(|known| identifier(resources, known.resource)))?;
    let after = shown(&entry.name, description.as_deref(), resource.as_deref(), None);
    let act = match old {
        None => RoleAct::Declare(NewPermission {
            name: entry.name.clone(),
            description,
            resource,
        }),
        Some(known) => RoleAct::Describe(known.id, known.version, description),
    };
    Ok(planned(PERMISSIONS, entry, (&before, &after), act))
}

async fn plan_role(provider: &Provider, entry: &Entry, resources: &[Resource]) -> Result<Option<Planned>, Error> {
    let before = people::find_role_by_name(provider, &entry.name).await?;
    let old = before.as_ref();
    let described = entry.description.clone();
    let description = described.unwrap_or_else(|| old.and_then(|role| role.description.clone()));
    let named = entry.permissions.clone();
    let permissions = named.unwrap_or_else(|| old.map(|role| role.permissions.clone()).unwrap_or_default());
    let before = old.map(|role| role_to_json(role, resources)).unwrap_or_default();
    let resource = fixed(entry, old.map(|role| identifier(resources, role.resource)))?;
    let after = shown(
        &entry.name,
        description.as_deref(),
        resource.as_deref(),
        Some(&permissions),
    );
    let act = match old {
        None => RoleAct::Create(NewRole {
            name: entry.name.clone(),
            description,
            resource,
            permissions,
        }),
        Some(role) => RoleAct::Change(
            role.id,
            role.version,
            RoleChange {
                name: Some(entry.name.clone()),
                description: Some(description),
                permissions: Some(permissions),
            },
        ),
    };
    Ok(planned(ROLES, entry, (&before, &after), act))
}

/// The API of an entry: of one that is there it never changes.
fn fixed(entry: &Entry, before: Option<Option<&str>>) -> Result<Option<String>, Error> {
    match (before, &entry.resource) {
        (None, named) => Ok(named.clone()),
        (Some(known), Some(named)) if known != Some(named.as_str()) => {
            let detail = "the resource of what is there never changes";
            Err(Error::field(format!("{}/resource", entry.pointer), "immutable", detail))
        }
        (Some(known), _) => Ok(known.map(str::to_owned)),
    }
}

fn planned(
    section: &'static str,
    entry: &Entry,
    (before, after): (&Map<String, Value>, &Map<String, Value>),
    act: RoleAct,
) -> Option<Planned> {
    let fields = FieldChange::between(before, after);
    let action = if before.is_empty() {
        Action::Create
    } else {
        Action::Change
    };
    (!fields.is_empty()).then(|| Planned {
        pointer: entry.pointer.clone(),
        change: Change {
            section,
            name: entry.name.clone(),
            action,
            fields,
        },
        act: Act::Role(act),
    })
}

/// Who is to have which roles, once all of them are there.
pub(super) async fn plan_holders(provider: &Provider, document: &Document) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in &document.groups {
        if let Some(wanted) = &entry.roles {
            let holder = people::find_group_by_name(provider, &entry.name).await?;
            let holder = holder.map(|group| RoleHolder::Group(group.id));
            let named = (groups::SECTION, Named::Group(entry.name.clone()), entry.name.as_str());
            planned.extend(held(provider, &entry.pointer, named, holder, wanted).await?);
        }
    }
    for entry in &document.users {
        if let Some(wanted) = &entry.roles {
            let key = UserKey::Username(entry.username.clone());
            let holder = people::find_user(provider, &key).await?;
            let holder = holder.map(|user| RoleHolder::User(user.id));
            let named = (
                users::SECTION,
                Named::User(entry.username.clone()),
                entry.username.as_str(),
            );
            planned.extend(held(provider, &entry.pointer, named, holder, wanted).await?);
        }
    }
    Ok(planned)
}

async fn held(
    provider: &Provider,
    pointer: &str,
    (section, named, name): (&'static str, Named, &str),
    holder: Option<RoleHolder>,
    wanted: &[String],
) -> Result<Option<Planned>, Error> {
    let before: Vec<String> = match holder {
        None => Vec::new(),
        Some(holder) => {
            let held = people::list_roles_of(provider, holder).await?;
            held.into_iter().map(|role| role.name).collect()
        }
    };
    let missing = |from: &[String], of: &[String]| -> Vec<String> {
        let known: Vec<String> = from.iter().map(|name| comparison_key(name)).collect();
        of.iter()
            .filter(|name| !known.contains(&comparison_key(name)))
            .cloned()
            .collect()
    };
    let (give, take) = (missing(&before, wanted), missing(wanted, &before));
    if give.is_empty() && take.is_empty() {
        return Ok(None);
    }
    let shown = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_by_key(|name| comparison_key(name));
        Map::from_iter([("roles".to_owned(), json!(names))])
    };
    Ok(Some(Planned {
        pointer: pointer.to_owned(),
        change: Change {
            section,
            name: name.to_owned(),
            action: Action::Change,
            fields: FieldChange::between(&shown(&before), &shown(wanted)),
        },
        act: Act::Role(RoleAct::Hold {
            holder: named,
            give,
            take,
        }),
    }))
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &RoleAct) -> Result<(), Error> {
    let source = &ChangeSource::Apply;
    match act {
        RoleAct::Declare(new) => {
            let made = declared_permissions::declare_in(tx, call, source, new.clone()).await?;
            Ok(tx.mark_permission_applied(made.id).await?)
        }
        RoleAct::Describe(id, version, description) => {
            let which = (*id, Some(*version));
            let said = Some(description.clone());
            declared_permissions::change_in(tx, call, source, which, said)
                .await
                .map(drop)
        }
        RoleAct::Undeclare(id) => declared_permissions::delete_in(tx, call, source, *id, None).await,
        RoleAct::Create(new) => {
            let made = people::roles::create_in(tx, call, source, new.clone()).await?;
            Ok(tx.mark_role_applied(made.id).await?)
        }
        RoleAct::Change(id, version, change) => {
            let which = (*id, Some(*version));
            people::roles::change_in(tx, call, source, which, change.clone())
                .await
                .map(drop)
        }
        RoleAct::Remove(id) => people::roles::delete_in(tx, call, source, *id, None).await,
        RoleAct::Hold { holder, give, take } => {
            let holder = find_holder(tx, holder).await?;
            for name in give {
                let role = find_role(tx, name).await?;
                people::roles::give_in(tx, call, source, holder, role).await?;
            }
            for name in take {
                let role = find_role(tx, name).await?;
                people::roles::take_in(tx, call, source, holder, role).await?;
            }
            Ok(())
        }
    }
}

async fn find_holder(tx: &mut Write, holder: &Named) -> Result<RoleHolder, Error> {
    match holder {
        Named::Group(name) => {
            let group = tx.find_group_by_name(name).await?.ok_or(Error::NotFound)?;
            Ok(RoleHolder::Group(group.id))
        }
        Named::User(name) => {
            let user = tx.find_user_by_username(name).await?.ok_or(Error::NotFound)?;
            Ok(RoleHolder::User(user.id))
        }
    }
}

async fn find_role(tx: &mut Write, name: &str) -> Result<Id<Role>, Error> {
    let found = tx.find_role_by_name(name).await?;
    found
        .map(|role| role.id)
        .ok_or_else(|| Error::field("/roles", "unknown", format!("there is no role {name}")))
}
