//! People and applications as pages show them.

use crate::model::{self, ClientOrigin, User};
use crate::view::{Account, Client, Link, Logo};

/// A person.
pub(super) fn account(user: &User) -> Account {
    Account {
        name: user.full_name(),
        identifier: user.profile.email.clone().unwrap_or_else(|| user.username.clone()),
    }
}

/// An application. Addresses that a page must not lead to are left out.
pub(super) fn client(client: &model::Client) -> Client {
    let metadata = &client.metadata;
    let link = |address: &Option<String>| address.as_deref().and_then(Link::parse);
    Client {
        name: client.name().to_owned(),
        logo: metadata.logo_uri.as_deref().and_then(Logo::parse),
        website: link(&metadata.client_uri),
        policy: link(&metadata.policy_uri),
        terms: link(&metadata.tos_uri),
        verified: client.origin == ClientOrigin::Operator,
    }
}
