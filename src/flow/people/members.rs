//! Membership: who is in a group, and which group is a user's primary one. Joining confers what the group carries.

use super::departure::HadAdministrator;
use super::users::position;
use super::{ChangeSource, Page};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::user::comparison_key;
use crate::model::{EventKind, Fact, Group, Id, User};
use crate::store::Write;

/// Puts a user into a group; the first group becomes the primary one. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for a permission of the group that is not the caller's to confer.
pub async fn add_member(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = add_in(&mut tx, call, source, group, user).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn add_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let group = load(tx, source, group, user).await?;
    if !tx.add_member(group.id, user, call.now).await? {
        return Ok(());
    }
    if tx.find_primary_group_of(user).await?.is_none() {
        tx.make_primary(group.id, user).await?;
    }
    record(tx, call, source, &group, user, "member_added").await?;
    Ok(())
}

/// Takes a user out of a group; if it was the primary one, the first of the others by name takes its place.
///
/// # Errors
/// [`Error::NotFound`] also if the user is not in it, [`Error::Forbidden`] for a permission of the group that the caller does
/// not hold, [`Error::Conflict`] for the last administrator.
pub async fn remove_member(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = remove_in(&mut tx, call, source, group, user).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn remove_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let group = load(tx, source, group, user).await?;
    if !tx.remove_member(group.id, user).await? {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    if tx.find_primary_group_of(user).await?.is_none()
        && let Some(name) = tx.list_group_names_of(user).await?.first()
        && let Some(next) = tx.find_group_by_name(name).await?
    {
        tx.make_primary(next.id, user).await?;
    }
    record(tx, call, source, &group, user, "member_removed").await?;
    Ok(())
}

/// Makes one of a user's groups the primary one.
///
/// # Errors
/// [`Error::NotFound`] also if the user is not in it, [`Error::Forbidden`].
pub async fn make_primary(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = make_primary_in(&mut tx, call, source, group, user).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn make_primary_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let group = load(tx, source, group, user).await?;
    let primary = tx.find_primary_group_of(user).await?;
    if primary.is_some_and(|name| comparison_key(&name) == comparison_key(&group.name)) {
        return Ok(());
    }
    if !tx.make_primary(group.id, user).await? {
        return Err(Error::NotFound);
    }
    record(tx, call, source, &group, user, "primary_group").await?;
    Ok(())
}

/// A page of a group's members.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a position of another list.
pub async fn list_members(
    provider: &Provider,
    group: Id<Group>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<User>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_group(group).await?.is_none() {
        return Err(Error::NotFound);
    }
    let ids = store
        .list_members(group, position(after)?, limit.saturating_add(1))
        .await?;
    let page = Page::cut(ids, limit, Id::to_string);
    let mut items = Vec::with_capacity(page.items.len());
    for id in page.items {
        items.extend(store.find_user(id).await?);
    }
    Ok(Page { items, next: page.next })
}

/// A group that a user is in.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group.
    pub group: Group,
    /// Whether it is the user's primary one.
    pub primary: bool,
}

/// The groups a user is in, by name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_groups_of(provider: &Provider, user: Id<User>) -> Result<Vec<Membership>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    let primary = store.find_primary_group_of(user).await?;
    let mut memberships = Vec::new();
    for name in store.list_group_names_of(user).await? {
        if let Some(group) = store.find_group_by_name(&name).await? {
            let primary = primary.as_ref() == Some(&group.name);
            memberships.push(Membership { group, primary });
        }
    }
    Ok(memberships)
}

/// Puts a new user into groups, by name.
pub(super) async fn join(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    user: &User,
    names: &[String],
    primary: Option<&str>,
) -> Result<(), Error> {
    let primary = primary.or(names.first().map(String::as_str)).map(comparison_key);
    for (place, name) in names.iter().enumerate() {
        let Some(group) = tx.find_group_by_name(name).await? else {
            return Err(Error::Invalid(vec![FieldError {
                pointer: format!("/groups/{place}"),
                code: "unknown",
                detail: "there is no group of this name".to_owned(),
            }]));
        };
        source.must_cover(group.permissions.iter().map(String::as_str))?;
        tx.add_member(group.id, user.id, call.now).await?;
        if primary.as_deref() == Some(comparison_key(name).as_str()) {
            tx.make_primary(group.id, user.id).await?;
        }
    }
    Ok(())
}

async fn load(tx: &mut Write, source: &ChangeSource, group: Id<Group>, user: Id<User>) -> Result<Group, Error> {
    let group = tx.find_group(group).await?.ok_or(Error::NotFound)?;
    if tx.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    source.must_cover(group.permissions.iter().map(String::as_str))?;
    Ok(group)
}

async fn record(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    group: &Group,
    user: Id<User>,
    what: &'static str,
) -> Result<(), Error> {
    let event = call
        .event(EventKind::GroupChanged)
        .user(user)
        .because(what)
        .fact("group", Fact::Id(group.id.uuid()))
        .fact("source", source.fact());
    Ok(tx.add_event(&event).await?)
}
