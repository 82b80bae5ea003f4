//! Consents: what a person has allowed a client, until they take it back.

use super::{Client, Id, Scopes, Timestamp, User};

/// What a person has allowed a client.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Who allowed it.
    pub user: Id<User>,
    /// Whom.
    pub client: Id<Client>,
    /// The scopes.
    pub scope: Scopes,
    /// Single claims asked for by the `claims` parameter.
    pub claims: Vec<String>,
    /// When it was last given.
    pub given_at: Timestamp,
}
