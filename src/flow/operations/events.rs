//! Events, as they are read back.

use crate::flow::people::Page;
use crate::flow::{Error, Provider};
pub use crate::store::EventRow;

/// A page of events, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<EventRow>, Error> {
    let before = after
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    let mut store = provider.store.read().await?;
    let events = store.list_events(before, limit.saturating_add(1)).await?;
    Ok(Page::cut(events, limit, |event| event.id.to_string()))
}
