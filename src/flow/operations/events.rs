//! Events, as they are read back.

use std::time::Duration;

use crate::flow::people::Page;
use crate::flow::{Call, Error, Provider};
use crate::model::{Event, FieldValues, Id, Timestamp};
pub use crate::store::{EventRow, EventsOf};

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

/// Which events are asked for.
#[derive(Clone, Debug)]
pub struct EventSelection {
    /// Of whom or what.
    pub of: EventsOf,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// A page of some events, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list_of(
    provider: &Provider,
    selection: &EventSelection,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<EventRow>, Error> {
    let until = selection.until.map_or(Id::from_uuid(uuid::Uuid::max()), Id::earliest);
    let before = position(after)?.unwrap_or(until);
    let from = selection.from.map_or(Id::from_uuid(uuid::Uuid::nil()), Id::earliest);
    let mut store = provider.store.read().await?;
    let events = store
        .list_events_of(&selection.of, before, from, limit.saturating_add(1))
        .await?;
    Ok(Page::cut(events, limit, |event| event.id.to_string()))
}

/// What these events changed, of those that changed anything: values that are not those that the log names are left out.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn values(provider: &Provider, events: &[EventRow]) -> Result<Vec<(Id<Event>, Vec<FieldValues>)>, Error> {
    let named = |event: &EventRow| Some(event.facts.get("changes_digest")?.as_str()?.to_owned());
    let with_values: Vec<Id<Event>> = events
        .iter()
        .filter(|event| named(event).is_some())
        .map(|event| event.id)
        .collect();
    let found = provider.store.read().await?.list_event_values(&with_values).await?;
    let mut values = Vec::new();
    for row in found {
        let event = events.iter().find(|event| event.id == row.event);
        if event
            .and_then(named)
            .is_some_and(|digest| digest == row.values.digest())
        {
            values.push((row.event, row.values.fields()));
        } else {
            tracing::error!(event = %row.event, "the values of an event are not those that were written with it");
        }
    }
    Ok(values)
}

fn position(after: Option<&str>) -> Result<Option<Id<Event>>, Error> {
    let position = after.map(str::parse).transpose();
    position.map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))
}
