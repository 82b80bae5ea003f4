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

impl Session {
    /// When it ends if nothing more is seen of the browser: the earlier of the absolute and the idle end.
    pub fn ends(&self) -> Timestamp {
        self.expires.min(self.seen.after(self.idle_timeout))
    }

    /// Whether it is still going on at `now`. At the very moment of its end it is not.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends()
    }
}
