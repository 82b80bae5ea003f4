//! Owners of groups: people who look after the members, as far as `groups.owners_manage_members` lets them.

use super::{ChangeSource, members, reach};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Group, Id, User};
pub use crate::store::GroupOwner;
use crate::store::{MOST_OWNERS, Write};

/// Makes somebody an owner of a group. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for what the group carries, [`Error::Conflict`] (`too_many_owners`).
pub async fn add_owner(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (group, user): (Id<Group>, Id<User>),
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = add_in(&mut tx, call, source, (group, user)).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn add_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (group, user): (Id<Group>, Id<User>),
) -> Result<(), Error> {
    let group = members::load(tx, source, group, user).await?;
    reach::must_see(tx, (source, call.now), user).await?;
    if !tx.add_group_owner(group.id, user, call.now).await? {
        return Ok(());
    }
    let most = usize::try_from(MOST_OWNERS).unwrap_or(usize::MAX);
    if tx.list_group_owners(group.id).await?.len() >= most || tx.list_owned_groups(user).await?.len() >= most {
        return Err(Error::Conflict("too_many_owners"));
    }
    members::record(tx, call, source, &group, user, "owner_added").await
}

/// Somebody is an owner of a group no more.
///
/// # Errors
/// [`Error::NotFound`] also if they were none, [`Error::Forbidden`] for what the group carries.
pub async fn remove_owner(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (group, user): (Id<Group>, Id<User>),
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = remove_in(&mut tx, call, source, (group, user)).await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn remove_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (group, user): (Id<Group>, Id<User>),
) -> Result<(), Error> {
    let group = members::load(tx, source, group, user).await?;
    if !tx.remove_group_owner(group.id, user).await? {
        return Err(Error::NotFound);
    }
    members::record(tx, call, source, &group, user, "owner_removed").await
}

/// The owners of a group.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_owners(provider: &Provider, group: Id<Group>) -> Result<Vec<GroupOwner>, Error> {
    let mut store = provider.store.read().await?;
    store.find_group(group).await?.ok_or(Error::NotFound)?;
    Ok(store.list_group_owners(group).await?)
}

/// The names of the groups that somebody is an owner of.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_owned_groups(provider: &Provider, user: Id<User>) -> Result<Vec<String>, Error> {
    let mut store = provider.store.read().await?;
    store.find_user(user).await?.ok_or(Error::NotFound)?;
    Ok(store.list_owned_groups(user).await?)
}
