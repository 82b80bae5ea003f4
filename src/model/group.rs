//! Groups: sets of users that carry permissions.

use super::{Id, Timestamp};

/// A set of users.
#[derive(Clone, Debug)]
pub struct Group {
    /// The row.
    pub id: Id<Group>,
    /// Its name. Unique without regard to case; told to clients in the claim `groups`.
    pub name: String,
    /// Its id in another system.
    pub external_id: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The permissions its members hold.
    pub permissions: Vec<String>,
    /// Raised with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The group that the first administrator is put into.
pub const ADMINISTRATORS: &str = "administrators";

/// The permission to do everything.
pub const ADMIN: &str = "admin";
