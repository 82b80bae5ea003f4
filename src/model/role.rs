//! Roles: named sets of permissions. And permissions that are declared: what they are for.

use super::{Id, Resource, Timestamp};

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
