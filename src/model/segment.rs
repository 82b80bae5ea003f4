//! Segments: what was asked about people, under a name.

use super::search::Search;
use super::{Id, Timestamp};

/// What was asked about people, under a name. Who is in it is who is found at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The row.
    pub id: Id<Segment>,
    /// What it is called; unique without regard to case, among everybody's and among somebody's own.
    pub name: String,
    /// Whose it is alone, as kind and id of who saved it; none: everybody's who may see segments.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What is asked.
    pub search: Search,
    /// Raised with every change: the ETag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
