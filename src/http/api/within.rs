//! How far a route goes for callers whose permission counts over groups or APIs alone. A route that says nothing is closed to them; one
//! whose path names what it is about is open where that is within their reach; a list shows what is. What is out of reach is not there.

use super::Problem;
use super::bearer::Caller;
use super::route::{Permission, Route};
use crate::flow::people::reach::{must_reach_group, must_reach_resource, must_reach_user};
use crate::flow::people::{self, Reach};
use crate::flow::{Error, Provider};
use crate::model::Id;

/// How far a route goes for whoever holds its permission over something alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// Nowhere: it is about the whole installation.
    Nothing,
    /// As far as this parameter of its path is within their reach.
    Path(&'static str, Kind),
    /// Its handler sees to it.
    Handler,
    /// Its handler sees to it, and whoever holds a part of its permission may do that part.
    Parts,
}

/// What a parameter of a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A session, by whose it is.
    Session,
    /// An API.
    Resource,
    /// A role, by the API that it belongs to.
    Role,
    /// A declared permission, by the API that it belongs to.
    Permission,
}

/// Refuses whoever does not hold a route's permission at all, or over nothing that the route goes by.
///
/// # Errors
/// 403 with the permission.
pub(super) fn must_hold(route: Route, caller: &Caller) -> Result<(), Problem> {
    let Permission::Held(permission) = route.permission else {
        return Ok(());
    };
    if caller.rights.allow(permission) {
        return Ok(());
    }
    let is_open = match route.within {
        Within::Nothing => false,
        Within::Path(..) | Within::Handler => caller.rights.reach(permission) != Reach::Nowhere,
        Within::Parts => {
            let mut parts = people::permissions::parts_of(permission);
            parts.any(|part| caller.rights.reach(part) != Reach::Nowhere)
        }
    };
    if is_open {
        return Ok(());
    }
    Err(Problem::forbidden(permission)
        .permission(permission)
        .to(caller.call.actor))
}

/// Refuses what a path names and the caller does not reach: before anything else is looked at, so that nobody learns by a version, a
/// body or a kept answer that it is there.
///
/// # Errors
/// 404.
pub(super) async fn must_reach(
    provider: &Provider,
    route: Route,
    caller: &Caller,
    path: &[(String, String)],
) -> Result<(), Problem> {
    let (Permission::Held(permission), Within::Path(name, kind)) = (route.permission, route.within) else {
        return Ok(());
    };
    if caller.rights.allow(permission) {
        return Ok(());
    }
    let named = path.iter().find(|(known, _)| known == name);
    let named = named.map_or("", |(_, value)| value.as_str());
    judge(provider, caller, permission, (kind, named)).await?;
    Ok(())
}

async fn judge(
    provider: &Provider,
    caller: &Caller,
    permission: &str,
    (kind, named): (Kind, &str),
) -> Result<(), Error> {
    fn id<T>(named: &str) -> Result<Id<T>, Error> {
        named.parse().map_err(|_| Error::NotFound)
    }
    let (rights, now) = (&caller.rights, caller.call.now);
    match kind {
        Kind::User => must_reach_user(provider, (rights, now), permission, id(named)?).await,
        Kind::Group => must_reach_group(provider, rights, permission, id(named)?).await,
        Kind::Session => {
            let session = provider.store.read().await?.find_session(id(named)?).await?;
            let session = session.ok_or(Error::NotFound)?;
            must_reach_user(provider, (rights, now), permission, session.user).await
        }
        Kind::Resource => must_reach_resource(rights, permission, Some(id(named)?)),
        Kind::Role => {
            let role = people::get_role(provider, id(named)?).await?;
            must_reach_resource(rights, permission, role.resource)
        }
        Kind::Permission => {
            let declared = people::get_permission(provider, id(named)?).await?;
            must_reach_resource(rights, permission, declared.resource)
        }
    }
}
