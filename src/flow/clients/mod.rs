//! Clients: made, changed, disabled, deleted, given new secrets; by the operator, the API, files and themselves, all through
//! the same rules.

pub mod access;
pub mod authority;
pub mod change;
pub mod create;
pub mod end;
pub mod find;
pub mod initial_access_token;
pub mod keys;
pub mod logouts;
pub mod registration;
pub mod registration_management;
pub mod secret;
pub(in crate::flow) mod sector_document;
mod unused;
pub(in crate::flow) mod validation;

pub use access::may_use;
pub use authority::Authority;
pub use change::{Changed, ClientChange, change};
pub use create::{Created, NewClient, create};
pub use end::{delete, disable, enable};
pub use secret::{Given, Strength, remove_secret, rotate_secret};
pub use unused::delete_unused;

use super::{Error, Provider};
use crate::model::{Client, Id};
use crate::store::Write;

/// What sealed secrets are sealed for.
pub const SECRET_PURPOSE: &str = "client secret";

/// Forgets what was remembered before a change that is committed. If that fails the change stands all the same, and memory is
/// not trusted for long anyway.
pub(in crate::flow) async fn forget(provider: &Provider) {
    if let Err(error) = provider.refresh_memory().await {
        tracing::warn!(%error, "the memory of clients was not refreshed at once");
    }
}

/// The client of a row as the transaction leaves it.
async fn left(store: &mut Write, id: Id<Client>) -> Result<Client, Error> {
    store.find_client(id).await?.ok_or(Error::NotFound)
}

/// Whether a change may go on: the caller may touch this client, and it is the version that the caller has read. Every change is
/// guarded by the version that is judged here, so that what is written is what was judged.
fn require(authority: &Authority, client: &Client, expected: Option<i64>) -> Result<(), Error> {
    authority.require(&client.metadata)?;
    match expected {
        Some(version) if version != client.version => Err(Error::Stale),
        _ => Ok(()),
    }
}

/// The client of a row, as it stands in the store.
async fn load(provider: &Provider, id: Id<Client>) -> Result<Client, Error> {
    let found = provider.store.read().await?.find_client(id).await?;
    found.ok_or(Error::NotFound)
}
