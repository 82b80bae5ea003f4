//! Groups: made, changed, deleted, found. Whoever changes what a group carries must hold it.

use serde_json::{Map, Value, json};

use super::departure::HadAdministrator;
use super::users::position;
use super::{ChangeSource, Page, fields, permissions};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Group, Id, members_of};
use crate::store::{self, Write};

/// A group to make.
#[derive(Clone, Debug, Default)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// Its id in another system.
    pub external_id: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The permissions its members hold.
    pub permissions: Vec<String>,
}

impl NewGroup {
    fn into_group(self, call: &Call) -> Group {
        Group {
            id: Id::new(call.now),
            name: self.name,
            external_id: self.external_id,
            description: self.description,
            permissions: in_order(self.permissions),
            version: 1,
            created_at: call.now,
            updated_at: call.now,
        }
    }
}

/// A change of a group. A field that is absent stays, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<String>,
    /// Its id in another system.
    pub external_id: Option<Option<String>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// The permissions its members hold, as a whole.
    pub permissions: Option<Vec<String>>,
}

/// Makes a group.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`] for a permission that is not the caller's to confer.
pub async fn create_group(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    new: NewGroup,
) -> Result<Group, Error> {
    judge_group(call, &new)?;
    source.must_cover(new.permissions.iter().map(String::as_str))?;
    let mut tx = provider.store.write().await?;
    let done = create_in(&mut tx, call, source, new).await;
    settle(tx, done).await
}

/// Stores a group that was judged, as a part of a transaction.
pub(in crate::flow) async fn create_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    new: NewGroup,
) -> Result<Group, Error> {
    let group = new.into_group(call);
    tx.add_group(&group).await.map_err(taken)?;
    let event = call
        .event(EventKind::GroupCreated)
        .fact("group", Fact::Id(group.id.uuid()))
        .fact("source", source.fact())
        .fact("permissions", count(&group))
        .changing(&Map::new(), &values_of(&group));
    tx.add_event(&event).await?;
    Ok(group)
}

/// What of a group the history tells, by field.
fn values_of(group: &Group) -> Map<String, Value> {
    let values = json!({
        "name": group.name,
        "external_id": group.external_id,
        "description": group.description,
        "permissions": group.permissions,
    });
    members_of(&values)
}

/// Refuses what can be seen to be wrong with a group to be before anything is changed.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken.
pub fn judge_group(call: &Call, new: &NewGroup) -> Result<(), Error> {
    check(&new.clone().into_group(call))
}

/// Changes a group, if its version still is the expected one. A change that changes nothing leaves no trace.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`], [`Error::Forbidden`] for a permission that is not the caller's
/// to confer or take, [`Error::Conflict`] if nobody would be left to administer the installation.
pub async fn change_group(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<Group>,
    expected: Option<i64>,
    change: GroupChange,
) -> Result<Group, Error> {
    let mut tx = provider.store.write().await?;
    let done = change_in(&mut tx, call, source, id, expected, change).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<Group>,
    expected: Option<i64>,
    change: GroupChange,
) -> Result<Group, Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let before = tx.find_group(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != before.version) {
        return Err(Error::Stale);
    }
    let mut group = before.clone();
    if let Some(name) = change.name {
        group.name = name;
    }
    if let Some(external_id) = change.external_id {
        group.external_id = external_id;
    }
    if let Some(description) = change.description {
        group.description = description;
    }
    if let Some(permissions) = change.permissions {
        group.permissions = in_order(permissions);
    }
    let same = group.name == before.name
        && group.external_id == before.external_id
        && group.description == before.description
        && group.permissions == before.permissions;
    if same {
        return Ok(before);
    }
    check(&group)?;
    // applications may decide by a group's name too, so whoever renames one must hold what it carries
    source.must_cover(before.permissions.iter().chain(&group.permissions).map(String::as_str))?;
    group.updated_at = call.now;
    if !tx.change_group(&group).await.map_err(taken)? {
        return Err(Error::Stale);
    }
    group.version = group.version.saturating_add(1);
    administrator.must_stay_so(tx, call.now).await?;
    let event = call
        .event(EventKind::GroupChanged)
        .fact("group", Fact::Id(id.uuid()))
        .fact("source", source.fact())
        .fact("renamed", Fact::Bool(group.name != before.name))
        .fact("permissions_before", count(&before))
        .fact("permissions", count(&group))
        .changing(&values_of(&before), &values_of(&group));
    tx.add_event(&event).await?;
    Ok(group)
}

/// Deletes a group with its memberships.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`], [`Error::Conflict`] if nobody would be left to administer the
/// installation.
pub async fn delete_group(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<Group>,
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
    id: Id<Group>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let group = tx.find_group(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != group.version) {
        return Err(Error::Stale);
    }
    source.must_cover(group.permissions.iter().map(String::as_str))?;
    if !tx.delete_group(id).await? {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    let event = call
        .event(EventKind::GroupDeleted)
        .fact("group", Fact::Id(id.uuid()))
        .fact("source", source.fact())
        .fact("permissions", count(&group))
        .changing(&values_of(&group), &Map::new());
    tx.add_event(&event).await?;
    Ok(())
}

/// The group of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_group(provider: &Provider, id: Id<Group>) -> Result<Group, Error> {
    let mut store = provider.store.read().await?;
    store.find_group(id).await?.ok_or(Error::NotFound)
}

/// The group of this name, without regard to case.
///
/// # Errors
/// The store's.
pub async fn find_group_by_name(provider: &Provider, name: &str) -> Result<Option<Group>, Error> {
    Ok(provider.store.read().await?.find_group_by_name(name).await?)
}

/// A page of groups, the first made first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list_groups(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<Group>, Error> {
    let mut store = provider.store.read().await?;
    let groups = store.list_groups(position(after)?, limit.saturating_add(1)).await?;
    Ok(Page::cut(groups, limit, |group| group.id.to_string()))
}

fn check(group: &Group) -> Result<(), Error> {
    let mut errors = fields::check_group(&group.name, group.external_id.as_deref(), group.description.as_deref());
    permissions::check(&group.permissions, &mut errors);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

/// As they come back from the store.
fn in_order(mut permissions: Vec<String>) -> Vec<String> {
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}

fn count(group: &Group) -> Fact {
    Fact::Number(i64::try_from(group.permissions.len()).unwrap_or(i64::MAX))
}

fn taken(error: store::Error) -> Error {
    let pointer = match &error {
        store::Error::Taken(constraint) if constraint == "groups_name_key" => "/name",
        store::Error::Taken(constraint) if constraint == "groups_external_id" => "/external_id",
        store::Error::Taken(_) => return Error::Conflict("taken"),
        _ => return error.into(),
    };
    Error::field(pointer, "taken", "another group has it")
}
