//! Requests for an account, where an administrator decides who has one.

use super::named::named;
use super::{Id, Timestamp};

/// Somebody's request for an account. Their mail address is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequest {
    /// The row.
    pub id: Id<AccessRequest>,
    /// The address, as it was typed.
    pub email: String,
    /// What they call themselves, if they said so.
    pub name: Option<String>,
    /// What they want it for, if they said so.
    pub reason: Option<String>,
    /// The language of the page that it was asked on.
    pub locale: String,
    /// What became of it.
    pub status: AccessRequestStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody decided.
    pub decided_at: Option<Timestamp>,
}

named! {
    /// What became of a request for an account.
    AccessRequestStatus {
        /// Nobody has decided yet.
        Waiting = "waiting",
        /// The person was mailed a link to an account.
        Approved = "approved",
        /// The person was told that there is none.
        Refused = "refused",
    }
}
