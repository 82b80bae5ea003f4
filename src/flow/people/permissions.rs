//! Permissions: named rights that groups carry. Those of this server are known by name; every other belongs to an application.

use super::rights::implies;
use crate::flow::{Error, FieldError};
use crate::model::group::ADMIN;
use crate::model::{Id, Resource, RolePlace, Scopes};
use crate::store::Write;

/// What the administration API asks for, beside [`ADMIN`], which is everything. Each has a `.read` of its own.
pub const ADMINISTRATION: &[&str] = &[
    "admin:users",
    "admin:segments",
    "admin:groups",
    "admin:roles",
    "admin:clients",
    "admin:resources",
    "admin:sessions",
    "admin:settings",
    "admin:properties",
    "admin:terms",
    "admin:keys",
    "admin:events",
    "admin:messages",
    "admin:metrics",
    "admin:traces",
    "admin:operations",
    "admin:webhooks",
    "admin:api-keys",
];

/// What can be done with people without all of `admin:users` or `admin:groups`: each is a part of the permission before its last point.
pub const ACTIONS: &[&str] = &[
    "admin:users.passwords",
    "admin:users.unlock",
    "admin:users.status",
    "admin:users.invitations",
    "admin:users.factors",
    "admin:groups.members",
];

/// The parts of a permission of administration that can be held without the whole.
pub fn parts_of(permission: &'static str) -> impl Iterator<Item = &'static str> {
    let parts = ACTIONS.iter().copied();
    std::iter::once(permission).chain(parts.filter(move |part| implies(permission, part)))
}

/// What owners of a group may do over it.
pub const OF_OWNERS: &[&str] = &["admin:groups.read", "admin:groups.members"];

/// What may count over a group alone: these and their parts.
const OVER_GROUPS: &[&str] = &["admin:users", "admin:groups", "admin:sessions", "admin:events"];

/// What may count over an API alone: these and their parts.
const OVER_RESOURCES: &[&str] = &["admin:resources", "admin:roles"];

/// Whether a permission may count over such a thing alone.
pub fn may_be_limited(permission: &str, place: RolePlace) -> bool {
    let limitable = match place {
        RolePlace::Group(_) => OVER_GROUPS,
        RolePlace::Resource(_) => OVER_RESOURCES,
    };
    is_known(permission) && limitable.iter().any(|whole| implies(whole, permission))
}

/// The reading part of each, in the same order.
const READING: &[&str] = &[
    "admin:users.read",
    "admin:segments.read",
    "admin:groups.read",
    "admin:roles.read",
    "admin:clients.read",
    "admin:resources.read",
    "admin:sessions.read",
    "admin:settings.read",
    "admin:properties.read",
    "admin:terms.read",
    "admin:keys.read",
    "admin:events.read",
    "admin:messages.read",
    "admin:metrics.read",
    "admin:traces.read",
    "admin:operations.read",
    "admin:webhooks.read",
    "admin:api-keys.read",
];

/// The permission of the administration API of this name, in our own spelling.
pub fn find(permission: &str) -> Option<&'static str> {
    let mut known = std::iter::once(&ADMIN)
        .chain(ADMINISTRATION)
        .chain(READING)
        .chain(ACTIONS);
    known.find(|known| **known == permission).copied()
}

const LONGEST: usize = 200;

/// Whether it is a right over this server.
pub fn is_of_administration(permission: &str) -> bool {
    permission == ADMIN || permission.starts_with("admin:")
}

/// Whether the administration API knows this name.
pub fn is_known(permission: &str) -> bool {
    permission == ADMIN
        || ACTIONS.contains(&permission)
        || ADMINISTRATION
            .iter()
            .any(|known| permission == *known || permission.strip_suffix(".read") == Some(*known))
}

/// Every scope of the administration API.
pub fn scopes() -> Scopes {
    let mut scopes = Scopes::from_tokens([ADMIN]);
    for whole in ADMINISTRATION {
        scopes.add(whole);
        scopes.add(&format!("{whole}.read"));
    }
    for action in ACTIONS {
        scopes.add(action);
    }
    scopes
}

/// The row of an API, if one is named by its identifier.
pub(super) async fn resource_named(tx: &mut Write, identifier: Option<&str>) -> Result<Option<Id<Resource>>, Error> {
    let Some(identifier) = identifier else {
        return Ok(None);
    };
    let resources = tx.list_resources().await?;
    let found = resources.into_iter().find(|resource| resource.identifier == identifier);
    found
        .map(|resource| Some(resource.id))
        .ok_or_else(|| Error::field("/resource", "unknown", format!("there is no resource {identifier}")))
}

/// Judges the names of permissions: each must be a scope token (RFC 6749 section 3.3), since tokens carry it as one.
pub(super) fn check(permissions: &[String], errors: &mut Vec<FieldError>) {
    for (place, permission) in permissions.iter().enumerate() {
        let is_one_token = Scopes::parse(permission).is_ok_and(|scopes| scopes.iter().eq([permission.as_str()]));
        let problem = if !is_one_token || permission.len() > LONGEST {
            Some((
                "malformed",
                format!(
                    "a permission is up to {LONGEST} printable ASCII characters without spaces, quotes and backslashes"
                ),
            ))
        } else if is_of_administration(permission) && !is_known(permission) {
            Some((
                "unknown",
                format!(
                    "{permission} is no permission of this server; known are admin, {}",
                    ADMINISTRATION.join(", ")
                ),
            ))
        } else {
            None
        };
        if let Some((code, detail)) = problem {
            errors.push(FieldError {
                pointer: format!("/permissions/{place}"),
                code,
                detail,
            });
        }
    }
}
