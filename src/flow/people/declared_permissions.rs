//! Permissions that are declared: what an application's names of rights mean, and to which API they belong. Declaring one gives nobody
//! anything; those of this server are known without.

use super::permissions::{self, resource_named};
use super::users::position;
use super::{ChangeSource, Page, fields};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{DeclaredPermission, Event, EventKind, Fact, Id};
use crate::store::{self, Write};

/// A permission to declare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPermission {
    /// Its name, which tokens carry.
    pub name: String,
    /// What it allows.
    pub description: Option<String>,
    /// The API that it is for, by identifier; none: for several, or none of those that are known.
    pub resource: Option<String>,
}

/// Declares a permission.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn declare_permission(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    new: NewPermission,
) -> Result<DeclaredPermission, Error> {
    let mut tx = provider.store.write().await?;
    let done = declare_in(&mut tx, call, source, new).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn declare_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    new: NewPermission,
) -> Result<DeclaredPermission, Error> {
    let mut errors = fields::check_group("role", None, new.description.as_deref());
    permissions::check(std::slice::from_ref(&new.name), &mut errors);
    for error in &mut errors {
        if error.pointer == "/permissions/0" {
            "/name".clone_into(&mut error.pointer);
        }
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    if permissions::is_of_administration(&new.name) {
        return Err(Error::field(
            "/name",
            "reserved",
            "this permission is one of this server's own",
        ));
    }
    let permission = DeclaredPermission {
        id: Id::new(call.now),
        name: new.name,
        description: new.description,
        resource: resource_named(tx, new.resource.as_deref()).await?,
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    match tx.add_permission(&permission).await {
        Err(store::Error::Taken(_)) => return Err(Error::field("/name", "taken", "it is declared already")),
        added => added?,
    }
    tx.add_event(&event(call, source, &permission, "created")).await?;
    Ok(permission)
}

/// Says something else about a permission, if its version still is the expected one. Its name and its API stay what they are.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`].
pub async fn change_permission(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<DeclaredPermission>, Option<i64>),
    description: Option<Option<String>>,
) -> Result<DeclaredPermission, Error> {
    let mut tx = provider.store.write().await?;
    let done = change_in(&mut tx, call, source, (id, expected), description).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<DeclaredPermission>, Option<i64>),
    description: Option<Option<String>>,
) -> Result<DeclaredPermission, Error> {
    let before = load(tx, id, expected).await?;
    let description = description.unwrap_or_else(|| before.description.clone());
    if description == before.description {
        return Ok(before);
    }
    let errors = fields::check_group("role", None, description.as_deref());
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let mut permission = DeclaredPermission {
        description,
        updated_at: call.now,
        ..before
    };
    if !tx.change_permission(&permission).await? {
        return Err(Error::Stale);
    }
    permission.version = permission.version.saturating_add(1);
    tx.add_event(&event(call, source, &permission, "changed")).await?;
    Ok(permission)
}

/// Takes a declaration back. It is refused while a role or a group carries the permission.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Conflict`] (`in_use`).
pub async fn delete_permission(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<DeclaredPermission>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = delete_in(&mut tx, call, source, id, expected).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn delete_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<DeclaredPermission>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let permission = load(tx, id, expected).await?;
    if tx.is_permission_used(&permission.name).await? {
        return Err(Error::Conflict("in_use"));
    }
    if !tx.delete_permission(id).await? {
        return Err(Error::NotFound);
    }
    Ok(tx.add_event(&event(call, source, &permission, "deleted")).await?)
}

/// The declared permission of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_permission(provider: &Provider, id: Id<DeclaredPermission>) -> Result<DeclaredPermission, Error> {
    provider
        .store
        .read()
        .await?
        .find_permission(id)
        .await?
        .ok_or(Error::NotFound)
}

/// The declared permission of this name.
///
/// # Errors
/// The store's.
pub async fn find_permission(provider: &Provider, name: &str) -> Result<Option<DeclaredPermission>, Error> {
    Ok(provider.store.read().await?.find_permission_by_name(name).await?)
}

/// A page of declared permissions, the first made first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list_permissions(
    provider: &Provider,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<DeclaredPermission>, Error> {
    let mut store = provider.store.read().await?;
    let declared = store
        .list_permissions(position(after)?, limit.saturating_add(1))
        .await?;
    Ok(Page::cut(declared, limit, |permission| permission.id.to_string()))
}

async fn load(tx: &mut Write, id: Id<DeclaredPermission>, expected: Option<i64>) -> Result<DeclaredPermission, Error> {
    let permission = tx.find_permission(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != permission.version) {
        return Err(Error::Stale);
    }
    Ok(permission)
}

fn event(call: &Call, source: &ChangeSource, permission: &DeclaredPermission, what: &'static str) -> Event {
    call.event(EventKind::PermissionChanged)
        .fact("permission", Fact::Id(permission.id.uuid()))
        .fact("action", Fact::Word(what))
        .fact("source", source.fact())
}
