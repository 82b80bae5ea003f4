//! Sessions: a browser's signed-in state.

use std::time::Duration;

use super::{Id, Timestamp, User};

/// A browser's signed-in state of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The row, and the claim `sid`.
    pub id: Id<Session>,
    /// Who is signed in.
    pub user: Id<User>,
    /// When it began.
    pub started: Timestamp,
    /// When it was last used.
    pub seen: Timestamp,
    /// Its absolute end.
    pub expires: Timestamp,
    /// How long it lives unused.
    pub idle_timeout: Duration,
    /// What the flows keep with it, as JSON.
    pub data: Vec<u8>,
}
