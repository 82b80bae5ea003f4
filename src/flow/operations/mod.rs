//! What operators do and what runs by itself: keys, settings, files of `apply`, setup, mail, cleaning.

pub mod apply;
pub mod backup;
pub mod breached;
pub mod cleaning;
pub mod doctor;
pub mod event_chain;
pub mod events;
pub mod export;
pub mod exports;
pub mod idempotency;
pub mod imports;
pub mod inventory;
pub mod jobs;
pub mod key_plan;
pub mod keyring;
pub mod keys;
pub mod layers;
pub mod logouts;
pub mod measures;
pub mod message_templates;
pub mod messages;
pub mod metadata;
pub mod outbox;
pub mod published;
pub mod readiness;
pub mod reseal;
pub mod resources;
pub mod settings;
pub mod setup;
pub mod user_actions;
pub mod webhooks;

use super::Provider;

/// Forgets what was remembered before a change that is committed. If that fails the change stands all the same, and memory is
/// not trusted for long anyway.
async fn forget(provider: &Provider) {
    if let Err(error) = provider.refresh_memory().await {
        tracing::warn!(%error, "the memory was not refreshed at once");
    }
}
