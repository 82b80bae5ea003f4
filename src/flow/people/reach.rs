//! What is within somebody's reach: whom and what they may see, or act on, whose rights count over groups or APIs alone. What is out of it
//! is not there.

use super::rights::Reach;
use super::{ChangeSource, Rights};
use crate::flow::{Error, Provider};
use crate::model::{Group, Id, Resource, Timestamp, User};
use crate::store::Write;

/// Refuses whoever does not hold a permission over a person: somebody who is in one of their groups.
///
/// # Errors
/// [`Error::NotFound`] for whoever is out of reach, there or not; [`Error::Forbidden`] for whoever holds it nowhere.
pub async fn must_reach_user(
    provider: &Provider,
    (rights, now): (&Rights, Timestamp),
    permission: &str,
    user: Id<User>,
) -> Result<(), Error> {
    match rights.reach(permission) {
        Reach::Everywhere => Ok(()),
        _ => rights.must_reach(
            permission,
            &provider.store.read().await?.list_groups_around(user, now).await?,
        ),
    }
}

/// Refuses whoever does not hold a permission over a group: one of theirs, or one that stands in it.
///
/// # Errors
/// As [`must_reach_user`].
pub async fn must_reach_group(
    provider: &Provider,
    rights: &Rights,
    permission: &str,
    group: Id<Group>,
) -> Result<(), Error> {
    match rights.reach(permission) {
        Reach::Everywhere => Ok(()),
        _ => {
            let around = provider.store.read().await?.list_groups_around_group(group).await?;
            rights.must_reach(permission, &around)
        }
    }
}

/// Whether somebody holds a permission over a group.
///
/// # Errors
/// The store's.
pub async fn reaches_group(
    provider: &Provider,
    rights: &Rights,
    permission: &str,
    group: Id<Group>,
) -> Result<bool, Error> {
    match must_reach_group(provider, rights, permission, group).await {
        Ok(()) => Ok(true),
        Err(Error::NotFound | Error::Forbidden(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Refuses whoever does not hold a permission over an API.
///
/// # Errors
/// As [`must_reach_user`].
pub fn must_reach_resource(rights: &Rights, permission: &str, resource: Option<Id<Resource>>) -> Result<(), Error> {
    match rights.reach(permission) {
        Reach::Everywhere => Ok(()),
        Reach::Within(places) if resource.is_some_and(|id| places.resources.contains(&id)) => Ok(()),
        Reach::Within(_) => Err(Error::NotFound),
        Reach::Nowhere => Err(Error::Forbidden(permission.to_owned())),
    }
}

/// Refuses whoever would draw somebody into their reach by putting them into a group: who is put into one has to be in sight, and within
/// the reach of every right over people that the caller holds over that group.
///
/// # Errors
/// [`Error::NotFound`] for whoever is out of sight, [`Error::Forbidden`] with the right that would be gained.
pub(super) async fn must_gain_nothing(
    tx: &mut Write,
    (source, now): (&ChangeSource, Timestamp),
    group: Id<Group>,
    user: Id<User>,
) -> Result<(), Error> {
    let ChangeSource::Api(rights) = source else {
        return Ok(());
    };
    let limited = rights.over_groups();
    if limited.is_empty() {
        return Ok(());
    }
    let (around_group, around_user) = (
        tx.list_groups_around_group(group).await?,
        tx.list_groups_around(user, now).await?,
    );
    must_be_seen(rights, &around_user)?;
    let gained = limited.into_iter().find(|(permission, over)| {
        around_group.contains(over)
            && !super::rights::implies("admin:groups", permission)
            && !rights.reach(permission).includes(&around_user)
    });
    match gained {
        None => Ok(()),
        Some((permission, _)) => Err(Error::Forbidden(permission.to_owned())),
    }
}

/// Refuses whoever makes a user outside of what they reach: their users are in groups, each of which is theirs.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) async fn must_be_made_within(tx: &mut Write, source: &ChangeSource, groups: &[String]) -> Result<(), Error> {
    let ChangeSource::Api(rights) = source else {
        return Ok(());
    };
    let reach = rights.reach("admin:users");
    if reach == Reach::Everywhere {
        return Ok(());
    }
    if groups.is_empty() {
        let detail = "expected a group of those whose users are the caller's to make";
        return Err(Error::field("/group", "required", detail));
    }
    for name in groups {
        let around = match tx.find_group_by_name(name).await? {
            Some(group) => tx.list_groups_around_group(group.id).await?,
            None => Vec::new(),
        };
        if !reach.includes(&around) {
            return Err(Error::field("/group", "unknown", "there is no group of this id"));
        }
    }
    Ok(())
}

/// Refuses whoever does not have somebody in sight.
///
/// # Errors
/// [`Error::NotFound`].
pub(super) async fn must_see(
    tx: &mut Write,
    (source, now): (&ChangeSource, Timestamp),
    user: Id<User>,
) -> Result<(), Error> {
    match source {
        ChangeSource::Api(rights) if !rights.over_groups().is_empty() => {
            must_be_seen(rights, &tx.list_groups_around(user, now).await?)
        }
        _ => Ok(()),
    }
}

fn must_be_seen(rights: &Rights, around: &[Id<Group>]) -> Result<(), Error> {
    let seen = ["admin:users.read", "admin:groups.read"]
        .iter()
        .any(|permission| rights.reach(permission).includes(around));
    if seen { Ok(()) } else { Err(Error::NotFound) }
}
