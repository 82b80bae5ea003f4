//! Clients, found and listed.

use crate::flow::Page;
use crate::flow::{Error, Provider};
use crate::model::{Client, Id};

/// Which clients are listed, and in what order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All, the first made first.
    Oldest,
    /// All, the last made first.
    Newest,
    /// The one that calls itself this.
    ClientId(String),
}

/// The client of this row, with its secrets as they are stored.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Client>) -> Result<Client, Error> {
    super::load(provider, id).await
}

/// A page of clients, without their secrets.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(
    provider: &Provider,
    selection: &Selection,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Client>, Error> {
    let after = after
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    let fetched = limit.saturating_add(1);
    let mut store = provider.store.read().await?;
    let clients = match selection {
        Selection::Oldest => store.list_clients(after, fetched).await?,
        Selection::Newest => store.list_newest_clients(after, fetched).await?,
        Selection::ClientId(client_id) => store.find_client_by_client_id(client_id).await?.into_iter().collect(),
    };
    Ok(Page::cut(clients, limit, |client| client.id.to_string()))
}
