//! Roles: named sets of permissions, who has them, and over what they count. And permissions that are declared: what they are for.

use super::{Group, Id, Resource, Timestamp, User};

/// A permission that somebody has described.
#[derive(Clone, Debug)]
pub struct DeclaredPermission {
    /// The row.
    pub id: Id<DeclaredPermission>,
    /// Its name, which tokens carry. Unique, and it never changes.
    pub name: String,
    /// What it allows.
    pub description: Option<String>,
    /// The API that it is for, if for one alone.
    pub resource: Option<Id<Resource>>,
    /// Raised with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A named set of permissions, for groups and users.
#[derive(Clone, Debug)]
pub struct Role {
    /// The row.
    pub id: Id<Role>,
    /// Its name, unique without regard to case.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The API whose permissions it is made of, if of one alone.
    pub resource: Option<Id<Resource>>,
    /// What whoever has it may do.
    pub permissions: Vec<String>,
    /// Raised with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Who has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleHolder {
    /// Everybody in a group, and in those that stand in it.
    Group(Id<Group>),
    /// One person.
    User(Id<User>),
}

/// Over what a role counts that does not count everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RolePlace {
    /// Over a group, those that stand in it, and who is in any of them.
    Group(Id<Group>),
    /// Over an API, its permissions and its roles.
    Resource(Id<Resource>),
}

/// What stands between a permission and the group that it counts over.
pub const OVER_GROUP: &str = "@group:";
/// What stands between a permission and the API that it counts over.
pub const OVER_RESOURCE: &str = "@resource:";

impl RolePlace {
    /// A permission as it is written where it counts over this alone; behind a group those that it stands in, for whoever holds it over
    /// one of them holds it here.
    pub fn spell(self, permission: &str, above: &[Id<Group>]) -> String {
        match self {
            Self::Group(group) => {
                let all = std::iter::once(&group).chain(above).map(Id::to_string);
                format!("{permission}{OVER_GROUP}{}", all.collect::<Vec<_>>().join(","))
            }
            Self::Resource(resource) => format!("{permission}{OVER_RESOURCE}{resource}"),
        }
    }
}

/// A role that somebody has over something alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitedRole {
    /// Which.
    pub role: Id<Role>,
    /// Its name.
    pub name: String,
    /// Over what.
    pub place: RolePlace,
    /// The group's name, or the API's identifier.
    pub place_name: String,
    /// Since when.
    pub since: Timestamp,
}
