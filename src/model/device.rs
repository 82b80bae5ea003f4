//! Devices: the browsers that people signed in with, each told by a cookie that stays in it.

use super::named::named;
use super::{Id, Timestamp, User};

/// A browser on a device that one person signed in with, or tried to. Another person's sign-in in the same browser makes
/// another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The row. It is derived from what the browser holds, and from whose it is; it opens nothing.
    pub id: Id<Device>,
    /// Whose it is.
    pub user: Id<User>,
    /// When the person signed in with it for the first time, or tried to.
    pub first_at: Timestamp,
    /// When for the last time.
    pub last_at: Timestamp,
    /// What the browser said about itself then.
    pub user_agent: Option<String>,
    /// From which network address.
    pub address: Option<String>,
    /// Where that was, roughly, if it is known.
    pub place: Option<String>,
    /// Whether it may be signed in with.
    pub state: DeviceState,
    /// Since when the second factor is not asked for there, because the person wished so.
    pub remembered_at: Option<Timestamp>,
}

named! {
    /// Whether a device may be signed in with.
    DeviceState {
        /// The person signed in with it, or it was let in: it may.
        Known = "known",
        /// The person tried to, where known devices alone may: somebody has to let it in.
        Waiting = "waiting",
        /// It may not.
        Blocked = "blocked",
    }
}
