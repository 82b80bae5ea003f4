//! Groups: made, changed, deleted, found. Whoever changes what a group carries must hold it.

use super::default_group::GroupRules;
use serde_json::{Map, Value, json};

use super::departure::HadAdministrator;
use super::users::position;
use super::{ChangeSource, Page, fields, nesting, permissions};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{EventKind, Fact, Group, Id, members_of};
use crate::store::{self, Write};

/// A group of so many members is deleted in one transaction; a bigger one is emptied first.
const AT_ONCE: u32 = 1_000;
/// So many members leave it in one transaction then.
const BATCH: u32 = 500;
/// So many times for one request; whatever is left then takes another one.
const MOST_BATCHES: u32 = 200;

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
    if change.name.is_some() {
        let rules = GroupRules::of(&*provider.settings().await?);
        let group = get_group(provider, id).await?;
        let renamed = change
            .name
            .as_deref()
            .is_some_and(|name| comparison_key(name) != comparison_key(&group.name));
        if renamed && rules.is_default(&group) {
            return Err(Error::Conflict("default_group"));
        }
    }
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
    let carried = tx.list_permissions_by(id).await?;
    source.must_cover(carried.iter().chain(&group.permissions).map(String::as_str))?;
    if group.name != before.name || group.external_id != before.external_id {
        source.must_cover(["admin:groups"])?;
    }
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

/// Deletes a group with its memberships. `successor` becomes the primary group of those whose primary one it was: they are put into
/// it. A big group is emptied first, a bounded number of members in each transaction; whatever stops that on its way, what is left
/// is the same group with fewer members, and may be deleted again.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`] for what it or the successor carries, [`Error::Invalid`] for a
/// successor that is none, [`Error::Conflict`] if nobody would be left to administer the installation (`last_administrator`), if it
/// is somebody's primary group and no successor is named (`primary_group`), if it is the default group (`default_group`), and if it
/// is too big (`still_members`: call again; `too_many_administrators`).
pub async fn delete_group(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<Group>,
    expected: Option<i64>,
    successor: Option<Id<Group>>,
) -> Result<(), Error> {
    let rules = GroupRules::of(&*provider.settings().await?);
    let mut store = provider.store.read().await?;
    let group = store.find_group(id).await?.ok_or(Error::NotFound)?;
    if rules.is_default(&group) {
        return Err(Error::Conflict("default_group"));
    }
    let is_big = store.count_members(id, AT_ONCE.saturating_add(1)).await? > u64::from(AT_ONCE);
    drop(store);
    if is_big {
        empty(provider, call, source, (id, expected), successor).await?;
    }
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = delete_in(&mut tx, call, source, (id, expected), successor).await;
        settle(tx, done).await
    })
    .await
}

/// Takes the members out of a big group, so many at a time.
async fn empty(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<Group>, Option<i64>),
    successor: Option<Id<Group>>,
) -> Result<(), Error> {
    for _ in 0..MOST_BATCHES {
        let left = again(|| async {
            let mut tx = provider.store.write().await?;
            let done = async {
                may_delete(&mut tx, source, (id, expected), successor).await?;
                let carried = tx.list_permissions_by(id).await?;
                if carried
                    .iter()
                    .any(|permission| permissions::is_of_administration(permission))
                {
                    return Err(Error::Conflict("too_many_administrators"));
                }
                let left = tx.move_members(id, successor, call.now, BATCH).await?;
                let event = call
                    .event(EventKind::GroupChanged)
                    .because("members_left")
                    .fact("group", Fact::Id(id.uuid()))
                    .fact("source", source.fact())
                    .fact("members", Fact::Number(i64::try_from(left).unwrap_or(i64::MAX)));
                tx.add_event(&event).await?;
                Ok(left)
            }
            .await;
            settle(tx, done).await
        })
        .await?;
        if left < u64::from(BATCH) {
            return Ok(());
        }
    }
    Err(Error::Conflict("still_members"))
}

/// Judges whether a group may be deleted, as a part of a transaction.
async fn may_delete(
    tx: &mut Write,
    source: &ChangeSource,
    (id, expected): (Id<Group>, Option<i64>),
    successor: Option<Id<Group>>,
) -> Result<Group, Error> {
    let group = tx.find_group(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != group.version) {
        return Err(Error::Stale);
    }
    let carried = tx.list_permissions_by(id).await?;
    source.must_cover(carried.iter().map(String::as_str))?;
    match successor {
        None if tx.is_primary_group(id).await? => return Err(Error::Conflict("primary_group")),
        None => {}
        Some(next) => {
            if next == id || tx.find_group(next).await?.is_none() {
                let detail = "the next primary group is another group that is there";
                return Err(Error::field("primary_group", "unknown", detail));
            }
            let conferred = tx.list_permissions_by(next).await?;
            source.must_cover(conferred.iter().map(String::as_str))?;
        }
    }
    Ok(group)
}

/// The same as a part of a transaction. A group with many members is not deleted so.
pub(in crate::flow) async fn delete_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<Group>, Option<i64>),
    successor: Option<Id<Group>>,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let group = may_delete(tx, source, (id, expected), successor).await?;
    let left = tx
        .move_members(id, successor, call.now, AT_ONCE.saturating_add(BATCH))
        .await?;
    if tx.count_members(id, 1).await? > 0 {
        return Err(Error::Conflict("still_members"));
    }
    nesting::empty_out(tx, id).await?;
    if !tx.delete_group(id).await? {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    let event = call
        .event(EventKind::GroupDeleted)
        .fact("group", Fact::Id(id.uuid()))
        .fact("source", source.fact())
        .fact("members", Fact::Number(i64::try_from(left).unwrap_or(i64::MAX)))
        .fact("permissions", count(&group))
        .changing(&values_of(&group), &Map::new());
    let event = match successor {
        Some(next) => event.fact("primary_group", Fact::Id(next.uuid())),
        None => event,
    };
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
