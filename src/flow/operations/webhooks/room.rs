//! How much may wait for a webhook. One that does not take what comes is told of nothing more until half of it is gone; what it
//! misses stands in the audit log.

use super::event;
use crate::flow::operations::forget;
use crate::flow::{Call, Error, Provider};
use crate::model::EventKind;

/// So much waits for one.
const MOST_WAITING: u32 = 50_000;

/// Looks how much waits for each, and says so where there is too much, or no longer. A job calls this.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn watch_room(provider: &Provider, call: &Call) -> Result<(), Error> {
    let Some(webhooks) = provider.store.known_webhooks() else {
        return Ok(());
    };
    for webhook in webhooks.iter() {
        let waiting = {
            let mut store = provider.store.read().await?;
            store.count_waiting_deliveries(webhook.id, MOST_WAITING).await?
        };
        let is_full = waiting >= i64::from(MOST_WAITING);
        let is_drained = waiting <= i64::from(MOST_WAITING / 2);
        let kind = match webhook.full_since {
            None if is_full => EventKind::WebhookFull,
            Some(_) if is_drained => EventKind::WebhookDrained,
            _ => continue,
        };
        let mut tx = provider.store.write().await?;
        let is_news = match kind {
            EventKind::WebhookFull => tx.fill_webhook(webhook.id, call.now).await?,
            _ => tx.drain_webhook(webhook.id).await?,
        };
        if is_news {
            tx.add_event(&event(call, kind, webhook.id)).await?;
            tx.raise_webhook_generation().await?;
        }
        tx.commit().await?;
        forget(provider).await;
    }
    Ok(())
}
