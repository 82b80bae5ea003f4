//! What a webhook was told or is to be told.

use super::event;
use crate::flow::people::Page;
use crate::flow::{Call, Error, Provider};
use crate::model::{Event, EventKind, Fact, Id, Webhook};
pub use crate::store::DeliveryRow;

/// A page of it, the newest events first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a position of another list.
pub async fn deliveries(
    provider: &Provider,
    id: Id<Webhook>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<DeliveryRow>, Error> {
    super::get(provider, id).await?;
    let before: Option<Id<Event>> = after
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    let mut store = provider.store.read().await?;
    let rows = store.list_deliveries_of(id, before, limit.saturating_add(1)).await?;
    Ok(Page::cut(rows, limit, |row| row.event.to_string()))
}

/// Tells of an event once more, under the same id.
///
/// # Errors
/// [`Error::NotFound`] if the webhook was never to be told of it, or that is too long ago.
pub async fn redeliver(
    provider: &Provider,
    call: &Call,
    id: Id<Webhook>,
    told: Id<Event>,
) -> Result<DeliveryRow, Error> {
    super::get(provider, id).await?;
    let mut tx = provider.store.write().await?;
    if !tx.repeat_delivery(id, told, call.now).await? {
        tx.abandon().await?;
        return Err(Error::NotFound);
    }
    let event = event(call, EventKind::WebhookRedelivered, id).fact("event", Fact::Id(told.uuid()));
    tx.add_event(&event).await?;
    tx.commit().await?;
    let found = provider.store.read().await?.find_delivery(id, told).await?;
    found.ok_or(Error::NotFound)
}
