//! What became of telling an application that a session has ended (OpenID Connect Back-Channel Logout 1.0).

use super::named::named;

named! {
    /// What became of it.
    LogoutOutcome {
        /// It is on its way, or will be tried again.
        Waiting = "waiting",
        /// The application has taken it.
        Delivered = "delivered",
        /// The application says that it can't do that: it is not asked again (section 2.8).
        Refused = "refused",
        /// It was tried for as long as it is tried.
        GivenUp = "given_up",
    }
}
