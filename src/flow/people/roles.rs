//! Roles: named sets of permissions that groups and users have. Whoever makes, changes, gives or takes one must hold what is in it.

use super::departure::HadAdministrator;
use super::users::position;
use super::{ChangeSource, Page, fields, permissions};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
pub use crate::model::RoleHolder;
use crate::model::{Event, EventKind, Fact, Id, Resource, Role};
use crate::store::{self, MOST_ROLES, Write};

/// So many permissions are in a role at most.
const MOST_PERMISSIONS: usize = 500;

/// A role to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRole {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The API whose permissions it is made of, by identifier.
    pub resource: Option<String>,
    /// What whoever has it may do.
    pub permissions: Vec<String>,
}

/// A change of a role. What is absent stays, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// What whoever has it may do, as a whole.
    pub permissions: Option<Vec<String>>,
}

/// Makes a role.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`] for a permission that is not the caller's to confer.
pub async fn create_role(provider: &Provider, call: &Call, source: &ChangeSource, new: NewRole) -> Result<Role, Error> {
    let mut tx = provider.store.write().await?;
    let done = create_in(&mut tx, call, source, new).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn create_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    new: NewRole,
) -> Result<Role, Error> {
    let resource = permissions::resource_named(tx, new.resource.as_deref()).await?;
    let role = Role {
        id: Id::new(call.now),
        name: new.name,
        description: new.description,
        resource,
        permissions: in_order(new.permissions),
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    check(tx, &role).await?;
    source.must_cover(role.permissions.iter().map(String::as_str))?;
    tx.add_role(&role).await.map_err(taken)?;
    let event = event(call, source, &role, "created").fact("permissions", count(&role));
    tx.add_event(&event).await?;
    Ok(role)
}

/// Changes a role, if its version still is the expected one: for everybody who has it, at once.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`], [`Error::Forbidden`] for a permission that is not the caller's to confer or
/// take, [`Error::Conflict`] if nobody would be left to administer the installation.
pub async fn change_role(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<Role>, Option<i64>),
    change: RoleChange,
) -> Result<Role, Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = change_in(&mut tx, call, source, (id, expected), change.clone()).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<Role>, Option<i64>),
    change: RoleChange,
) -> Result<Role, Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let before = load(tx, id, expected).await?;
    let mut role = before.clone();
    if let Some(name) = change.name {
        role.name = name;
    }
    if let Some(description) = change.description {
        role.description = description;
    }
    if let Some(permissions) = change.permissions {
        role.permissions = in_order(permissions);
    }
    let is_same =
        role.name == before.name && role.description == before.description && role.permissions == before.permissions;
    if is_same {
        return Ok(before);
    }
    check(tx, &role).await?;
    let both = before.permissions.iter().chain(&role.permissions);
    source.must_cover(both.map(String::as_str))?;
    role.updated_at = call.now;
    if !tx.change_role(&role).await.map_err(taken)? {
        return Err(Error::Stale);
    }
    role.version = role.version.saturating_add(1);
    administrator.must_stay_so(tx, call.now).await?;
    let event = event(call, source, &role, "changed")
        .fact("permissions_before", count(&before))
        .fact("permissions", count(&role));
    tx.add_event(&event).await?;
    Ok(role)
}

/// Deletes a role: nobody has it any more.
///
/// # Errors
/// As [`change_role`].
pub async fn delete_role(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<Role>,
    expected: Option<i64>,
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = delete_in(&mut tx, call, source, id, expected).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn delete_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<Role>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let role = load(tx, id, expected).await?;
    source.must_cover(role.permissions.iter().map(String::as_str))?;
    if !tx.delete_role(id).await? {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    Ok(tx.add_event(&event(call, source, &role, "deleted")).await?)
}

/// Gives a role to a group or a user. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for what is in the role, or what the group carries, [`Error::Conflict`] (`too_many_roles`).
pub async fn give_role(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    holder: RoleHolder,
    role: Id<Role>,
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = give_in(&mut tx, call, source, holder, role).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn give_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    holder: RoleHolder,
    id: Id<Role>,
) -> Result<(), Error> {
    let role = may_give(tx, source, holder, id).await?;
    let given = match holder {
        RoleHolder::Group(group) => tx.give_group_role(group, id, call.now).await?,
        RoleHolder::User(user) => tx.give_user_role(user, id, call.now).await?,
    };
    if !given {
        return Ok(());
    }
    let held = match holder {
        RoleHolder::Group(group) => tx.list_roles_of_group(group).await?,
        RoleHolder::User(user) => tx.list_roles_of_user(user).await?,
    };
    if held.len() >= usize::try_from(MOST_ROLES).unwrap_or(usize::MAX) {
        return Err(Error::Conflict("too_many_roles"));
    }
    Ok(tx.add_event(&told(event(call, source, &role, "given"), holder)).await?)
}

/// Takes a role from a group or a user.
///
/// # Errors
/// [`Error::NotFound`] also if they do not have it, [`Error::Forbidden`], [`Error::Conflict`] if nobody would be left to administer the
/// installation.
pub async fn take_role(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    holder: RoleHolder,
    role: Id<Role>,
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = take_in(&mut tx, call, source, holder, role).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn take_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    holder: RoleHolder,
    id: Id<Role>,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let role = may_give(tx, source, holder, id).await?;
    let taken = match holder {
        RoleHolder::Group(group) => tx.take_group_role(group, id).await?,
        RoleHolder::User(user) => tx.take_user_role(user, id).await?,
    };
    if !taken {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    Ok(tx.add_event(&told(event(call, source, &role, "taken"), holder)).await?)
}

/// The roles that a group or a user has themselves, by name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_roles_of(provider: &Provider, holder: RoleHolder) -> Result<Vec<Role>, Error> {
    let mut store = provider.store.read().await?;
    match holder {
        RoleHolder::Group(group) => {
            store.find_group(group).await?.ok_or(Error::NotFound)?;
            Ok(store.list_roles_of_group(group).await?)
        }
        RoleHolder::User(user) => {
            store.find_user(user).await?.ok_or(Error::NotFound)?;
            Ok(store.list_roles_of_user(user).await?)
        }
    }
}

/// The role of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_role(provider: &Provider, id: Id<Role>) -> Result<Role, Error> {
    provider.store.read().await?.find_role(id).await?.ok_or(Error::NotFound)
}

/// The role of this name, without regard to case.
///
/// # Errors
/// The store's.
pub async fn find_role_by_name(provider: &Provider, name: &str) -> Result<Option<Role>, Error> {
    Ok(provider.store.read().await?.find_role_by_name(name).await?)
}

/// A page of roles, the first made first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list_roles(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<Role>, Error> {
    let mut store = provider.store.read().await?;
    let roles = store.list_roles(position(after)?, limit.saturating_add(1)).await?;
    Ok(Page::cut(roles, limit, |role| role.id.to_string()))
}

/// Whoever gives or takes a role must hold what is in it; to a group, also what the group carries: it is acting on its members.
async fn may_give(tx: &mut Write, source: &ChangeSource, holder: RoleHolder, id: Id<Role>) -> Result<Role, Error> {
    let role = tx.find_role(id).await?.ok_or(Error::NotFound)?;
    source.must_cover(role.permissions.iter().map(String::as_str))?;
    match holder {
        RoleHolder::Group(group) => {
            tx.find_group(group).await?.ok_or(Error::NotFound)?;
            let carried = tx.list_permissions_by(group).await?;
            source.must_cover(carried.iter().map(String::as_str))?;
        }
        RoleHolder::User(user) => drop(tx.find_user(user).await?.ok_or(Error::NotFound)?),
    }
    Ok(role)
}

async fn load(tx: &mut Write, id: Id<Role>, expected: Option<i64>) -> Result<Role, Error> {
    let role = tx.find_role(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != role.version) {
        return Err(Error::Stale);
    }
    Ok(role)
}

/// What a role may be: a name, and permissions that are declared, or this server's own.
async fn check(tx: &mut Write, role: &Role) -> Result<(), Error> {
    let mut errors = fields::check_group(&role.name, None, role.description.as_deref());
    permissions::check(&role.permissions, &mut errors);
    if role.permissions.len() > MOST_PERMISSIONS {
        errors.push(FieldError {
            pointer: "/permissions".to_owned(),
            code: "too_many",
            detail: format!("a role is made of {MOST_PERMISSIONS} permissions at most"),
        });
    }
    if errors.is_empty() {
        for (place, name) in role.permissions.iter().enumerate() {
            errors.extend(
                undeclared(tx, role.resource, name)
                    .await?
                    .map(|(code, detail)| FieldError {
                        pointer: format!("/permissions/{place}"),
                        code,
                        detail,
                    }),
            );
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

async fn undeclared(
    tx: &mut Write,
    resource: Option<Id<Resource>>,
    name: &str,
) -> Result<Option<(&'static str, String)>, Error> {
    let declared = tx.find_permission_by_name(name).await?;
    Ok(match (resource, declared) {
        (None, None) if permissions::is_known(name) => None,
        (Some(_), None) if permissions::is_known(name) => Some((
            "contradiction",
            format!("{name} is a permission of this server, and not of the resource"),
        )),
        (_, None) => Some(("unknown", format!("{name} is not declared: POST /api/v1/permissions"))),
        (Some(resource), Some(declared)) if declared.resource != Some(resource) => Some((
            "contradiction",
            format!("{name} is not a permission of the role's resource"),
        )),
        (_, Some(_)) => None,
    })
}

fn event(call: &Call, source: &ChangeSource, role: &Role, what: &'static str) -> Event {
    call.event(EventKind::RoleChanged)
        .fact("role", Fact::Id(role.id.uuid()))
        .fact("action", Fact::Word(what))
        .fact("source", source.fact())
}

fn told(event: Event, holder: RoleHolder) -> Event {
    match holder {
        RoleHolder::Group(group) => event.fact("group", Fact::Id(group.uuid())),
        RoleHolder::User(user) => event.user(user),
    }
}

fn in_order(mut permissions: Vec<String>) -> Vec<String> {
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}

fn count(role: &Role) -> Fact {
    Fact::Number(i64::try_from(role.permissions.len()).unwrap_or(i64::MAX))
}

fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Taken(_) => Error::field("/name", "taken", "another role has it"),
        other => other.into(),
    }
}
