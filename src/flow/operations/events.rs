//! Events, as they are read back.

use std::time::Duration;

use crate::flow::people::Page;
use crate::flow::{Call, Error, Provider};
use crate::model::{Event, Id};
pub use crate::store::EventRow;

/// How long it takes at most until an event is where it is listed.
const UNSETTLED: Duration = Duration::from_secs(30);

/// A page of events, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<EventRow>, Error> {
    let before = position(after)?;
    let mut store = provider.store.read().await?;
    let events = store.list_events(before, limit.saturating_add(1)).await?;
    Ok(Page::cut(events, limit, |event| event.id.to_string()))
}

/// A page of the events after this one, the oldest first: what another system asks again and again that keeps the log too. The
/// last half minute is left out, in which an event may still come that happened before one that is there already.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list_after(
    provider: &Provider,
    call: &Call,
    event: Id<Event>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<EventRow>, Error> {
    let after = position(after)?.unwrap_or(event);
    let last = Id::earliest(call.now.before(UNSETTLED));
    let mut store = provider.store.read().await?;
    let events = store
        .list_events_between(Some(after), last, limit.saturating_add(1))
        .await?;
    Ok(Page::cut(events, limit, |event| event.id.to_string()))
}

fn position(after: Option<&str>) -> Result<Option<Id<Event>>, Error> {
    let position = after.map(str::parse).transpose();
    position.map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))
}
