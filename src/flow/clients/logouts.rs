//! Whether a client was told of the ends of sessions (OpenID Connect Back-Channel Logout 1.0).

use crate::flow::Page;
use crate::flow::{Error, Provider};
use crate::model::{Client, Id, Session, Timestamp};

pub use crate::store::LogoutRow;

/// A page of what a client was told or is to be told, newest first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a position of another list.
pub async fn list(
    provider: &Provider,
    client: Id<Client>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<LogoutRow>, Error> {
    super::load(provider, client).await?;
    let before = after
        .map(|position| {
            read(position).ok_or_else(|| Error::field("after", "malformed", "the cursor belongs to another list"))
        })
        .transpose()?;
    let fetched = limit.saturating_add(1);
    let rows = provider
        .store
        .read()
        .await?
        .list_logouts_of_client(client, before, fetched)
        .await?;
    let position = |row: &LogoutRow| format!("{}.{}", row.created_at.micros(), row.session);
    Ok(Page::cut(rows, limit, position))
}

fn read(position: &str) -> Option<(Timestamp, Id<Session>)> {
    let (micros, session) = position.split_once('.')?;
    Some((Timestamp::from_micros(micros.parse().ok()?), session.parse().ok()?))
}
