//! Roles that count over a group or an API alone. Whoever gives or takes one must hold what is in it, there or everywhere.

use super::{ChangeSource, permissions};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Event, EventKind, Fact, Id, LimitedRole, Role, RoleHolder, RolePlace};
use crate::store::{MOST_LIMITED_ROLES, Write};

/// Gives a role over something alone to a group or a user. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a permission that can't be limited so, [`Error::Forbidden`] for what is in the role, or
/// what the group carries, [`Error::Conflict`] (`too_many_roles`).
pub async fn give_limited_role(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    holder: RoleHolder,
    (role, place): (Id<Role>, RolePlace),
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = give_in(&mut tx, call, source, holder, (role, place)).await;
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
    (id, place): (Id<Role>, RolePlace),
) -> Result<(), Error> {
    let role = may_give(tx, source, holder, (id, place)).await?;
    let odd = role
        .permissions
        .iter()
        .find(|permission| !permissions::may_be_limited(permission, place));
    if let Some(odd) = odd {
        let over = match place {
            RolePlace::Group(_) => "a group",
            RolePlace::Resource(_) => "a resource",
        };
        let detail = format!("{odd} does not count over {over} alone: take a role without it");
        return Err(Error::field("/role", "unsupported", detail));
    }
    if !tx.give_limited_role(holder, id, place, call.now).await? {
        return Ok(());
    }
    if tx.list_limited_roles_of(holder).await?.len() >= usize::try_from(MOST_LIMITED_ROLES).unwrap_or(usize::MAX) {
        return Err(Error::Conflict("too_many_roles"));
    }
    Ok(tx
        .add_event(&event(call, source, &role, (holder, place), "given"))
        .await?)
}

/// Takes a role over something alone from a group or a user.
///
/// # Errors
/// [`Error::NotFound`] also if they do not have it, [`Error::Forbidden`].
pub async fn take_limited_role(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    holder: RoleHolder,
    (role, place): (Id<Role>, RolePlace),
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = take_in(&mut tx, call, source, holder, (role, place)).await;
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
    (id, place): (Id<Role>, RolePlace),
) -> Result<(), Error> {
    let role = may_give(tx, source, holder, (id, place)).await?;
    if !tx.take_limited_role(holder, id, place).await? {
        return Err(Error::NotFound);
    }
    Ok(tx
        .add_event(&event(call, source, &role, (holder, place), "taken"))
        .await?)
}

/// The roles that a group or a user has over something alone themselves, by name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_limited_roles_of(provider: &Provider, holder: RoleHolder) -> Result<Vec<LimitedRole>, Error> {
    let mut store = provider.store.read().await?;
    match holder {
        RoleHolder::Group(group) => drop(store.find_group(group).await?.ok_or(Error::NotFound)?),
        RoleHolder::User(user) => drop(store.find_user(user).await?.ok_or(Error::NotFound)?),
    }
    Ok(store.list_limited_roles_of(holder).await?)
}

async fn may_give(
    tx: &mut Write,
    source: &ChangeSource,
    holder: RoleHolder,
    (id, place): (Id<Role>, RolePlace),
) -> Result<Role, Error> {
    let role = tx.find_role(id).await?.ok_or(Error::NotFound)?;
    let above = match place {
        RolePlace::Group(group) => tx.list_groups_around_group(group).await?,
        RolePlace::Resource(resource) => {
            let resources = tx.list_resources().await?;
            if !resources.iter().any(|known| known.id == resource) {
                return Err(Error::NotFound);
            }
            Vec::new()
        }
    };
    if matches!(place, RolePlace::Group(_)) && above.is_empty() {
        return Err(Error::NotFound);
    }
    for permission in &role.permissions {
        source.must_cover([place.spell(permission, &above).as_str()])?;
    }
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

fn event(
    call: &Call,
    source: &ChangeSource,
    role: &Role,
    (holder, place): (RoleHolder, RolePlace),
    what: &'static str,
) -> Event {
    let event = call
        .event(EventKind::RoleChanged)
        .fact("role", Fact::Id(role.id.uuid()))
        .fact("action", Fact::Word(what))
        .fact("source", source.fact());
    let event = match place {
        RolePlace::Group(group) => event.fact("over_group", Fact::Id(group.uuid())),
        RolePlace::Resource(resource) => event.fact("over_resource", Fact::Id(resource.uuid())),
    };
    match holder {
        RoleHolder::Group(group) => event.fact("group", Fact::Id(group.uuid())),
        RoleHolder::User(user) => event.user(user),
    }
}
