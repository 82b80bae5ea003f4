//! What administrators do with users beside what this server can.

use super::{Id, Timestamp};

/// A named action of one's own: a signed call to an address, with the users who were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAction {
    /// The row.
    pub id: Id<UserAction>,
    /// What it is called by programs: lower case, unique.
    pub name: String,
    /// What it is called by people.
    pub label: String,
    /// Where the call goes.
    pub url: String,
    /// Whether it may not be used for now.
    pub disabled: bool,
    /// Raised with every change: the ETag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
