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

/// From when until when a membership counts; nothing said: from the beginning, for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MembershipTerm {
    /// From when on.
    pub starts_at: Option<Timestamp>,
    /// Until when: at that moment it does not count any more.
    pub ends_at: Option<Timestamp>,
}

impl MembershipTerm {
    /// Whether it counts.
    pub fn counts(self, now: Timestamp) -> bool {
        self.starts_at.is_none_or(|at| at <= now) && self.ends_at.is_none_or(|at| at > now)
    }

    /// When something is to be done about it next: when it begins, then when it ends.
    pub fn due_at(self, now: Timestamp) -> Option<Timestamp> {
        self.starts_at.filter(|at| *at > now).or(self.ends_at)
    }
}
