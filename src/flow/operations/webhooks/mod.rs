//! Webhooks: addresses that are told of events.
//!
//! Whatever adds an event puts down, in the same transaction, which webhooks are to be told of it (`store/webhook_deliveries.rs`);
//! here they are made and changed, and `deliver.rs` tells them.

mod deliver;
mod deliveries;
mod room;

pub use deliver::{Tested, deliver_to, due, test};
pub use deliveries::{DeliveryRow, deliveries, redeliver};
pub use room::watch_room;

use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::forget;
use crate::flow::settle::{refuse, settle};
use crate::flow::{Call, Error, FieldError, Provider, signed};
use crate::model::{Event, EventKind, EventPatterns, Fact, Id, Secret, Timestamp, Webhook, members_of};
use crate::store::{self, Generations, Read, WebhookSecret, Write};

impl Provider {
    /// Takes note of the webhooks there are, where they are others than were known.
    pub(in crate::flow) async fn know_webhooks(&self, store: &mut Read, now: Generations) -> Result<(), Error> {
        if !self.store.knows_webhooks(now.epoch, now.webhook) {
            let webhooks = store.list_webhooks().await?;
            self.store.know_webhooks(now.epoch, now.webhook, webhooks);
        }
        Ok(())
    }
}

/// What the secrets are sealed for.
pub(in crate::flow) const SEALED_FOR: &str = "webhook secret";
/// So many webhooks there are at most: every event is held against all of them.
pub const MOST: usize = 100;
const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 500;
const LONGEST_URL: usize = 2_000;
const MOST_PATTERNS: usize = 100;
/// How long the secret before counts besides a new one, unless told.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it does at most.
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A webhook to make.
#[derive(Clone, Debug, Default)]
pub struct NewWebhook {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where.
    pub url: String,
    /// Kinds of events and beginnings of them; none: whatever administrators do.
    pub events: Vec<String>,
    /// Whether it waits to be enabled.
    pub disabled: bool,
}

/// A change of a webhook. What is absent stays, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// What it is called.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Where.
    pub url: Option<String>,
    /// Kinds of events, as a whole.
    pub events: Option<Vec<String>>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

impl WebhookChange {
    /// Whether events go elsewhere by it, or others go: what a stolen session would want.
    pub const fn is_of_the_target(&self) -> bool {
        self.url.is_some() || self.events.is_some()
    }
}

/// Every webhook, by name.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn list(provider: &Provider) -> Result<Vec<Webhook>, Error> {
    Ok(provider.store.read().await?.list_webhooks().await?)
}

/// A webhook.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Webhook>) -> Result<Webhook, Error> {
    let found = provider.store.read().await?.find_webhook(id).await?;
    found.ok_or(Error::NotFound)
}

/// Makes a webhook. Its secret is shown this once only.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken; [`Error::Conflict`] if there are as many as there may be.
pub async fn create(provider: &Provider, call: &Call, new: NewWebhook) -> Result<(Webhook, Secret), Error> {
    let webhook = judge(provider, &new, call.now)?;
    let secret = signed::new_secret();
    let mut tx = provider.store.write().await?;
    let done = add_in(&mut tx, provider, call, &webhook, &secret).await;
    settle(tx, done).await?;
    forget(provider).await;
    Ok((webhook, secret))
}

/// Adds a webhook that was judged, as a part of a transaction.
pub(super) async fn add_in(
    tx: &mut Write,
    provider: &Provider,
    call: &Call,
    webhook: &Webhook,
    secret: &Secret,
) -> Result<(), Error> {
    if tx.list_webhooks().await?.len() >= MOST {
        return Err(Error::Conflict("there are as many webhooks as there may be"));
    }
    taken(tx.add_webhook(webhook).await)?;
    tx.rotate_webhook_secret(webhook.id, &sealed(provider, secret, call.now), call.now);
    let event = event(call, EventKind::WebhookCreated, webhook.id).changing(&Map::new(), &values_of(webhook));
    tx.add_event(&event).await?;
    Ok(tx.raise_webhook_generation().await?)
}

/// Changes a webhook, if its version still is the expected one. What the server has found out about it is forgotten: it is tried
/// anew.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`].
pub async fn change(
    provider: &Provider,
    call: &Call,
    id: Id<Webhook>,
    expected: Option<i64>,
    change: WebhookChange,
) -> Result<Webhook, Error> {
    let mut tx = provider.store.write().await?;
    let webhook = match load(&mut tx, id, expected).await {
        Err(refusal) => return refuse(tx, refusal).await,
        Ok(webhook) => webhook,
    };
    let changed = match changed(provider, &webhook, change, call.now) {
        Err(refusal) => return refuse(tx, refusal).await,
        Ok(changed) => changed,
    };
    let done = change_in(&mut tx, call, changed).await;
    let webhook = settle(tx, done).await?;
    forget(provider).await;
    Ok(webhook)
}

/// Writes a change that was judged, as a part of a transaction.
pub(super) async fn change_in(tx: &mut Write, call: &Call, mut webhook: Webhook) -> Result<Webhook, Error> {
    let before = tx.find_webhook(webhook.id).await?.ok_or(Error::NotFound)?;
    if !taken(tx.change_webhook(&webhook).await)? {
        return Err(Error::Stale);
    }
    webhook.version = webhook.version.saturating_add(1);
    let event = event(call, EventKind::WebhookChanged, webhook.id);
    tx.add_event(&event.changing(&values_of(&before), &values_of(&webhook)))
        .await?;
    tx.raise_webhook_generation().await?;
    Ok(webhook)
}

/// What of a webhook the history tells, by field.
fn values_of(webhook: &Webhook) -> Map<String, Value> {
    members_of(&json!({
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": webhook.events.as_slice(),
        "enabled": webhook.enabled,
    }))
}

/// A webhook as a change leaves it.
pub(super) fn changed(
    provider: &Provider,
    before: &Webhook,
    change: WebhookChange,
    now: Timestamp,
) -> Result<Webhook, Error> {
    let new = NewWebhook {
        name: change.name.unwrap_or_else(|| before.name.clone()),
        description: change.description.unwrap_or_else(|| before.description.clone()),
        url: change.url.unwrap_or_else(|| before.url.clone()),
        events: change.events.unwrap_or_else(|| before.events.as_slice().to_vec()),
        disabled: !change.enabled.unwrap_or(before.enabled),
    };
    Ok(Webhook {
        id: before.id,
        full_since: before.full_since,
        version: before.version,
        created_at: before.created_at,
        ..judge(provider, &new, now)?
    })
}

/// Deletes a webhook. What waits for it is not told any more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`].
pub async fn delete(provider: &Provider, call: &Call, id: Id<Webhook>, expected: Option<i64>) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    if let Err(refusal) = load(&mut tx, id, expected).await {
        return refuse(tx, refusal).await;
    }
    let done = delete_in(&mut tx, call, id).await;
    settle(tx, done).await?;
    forget(provider).await;
    Ok(())
}

/// The same as a part of a transaction.
pub(super) async fn delete_in(tx: &mut Write, call: &Call, id: Id<Webhook>) -> Result<(), Error> {
    if !tx.delete_webhook(id).await? {
        return Err(Error::NotFound);
    }
    tx.add_event(&event(call, EventKind::WebhookDeleted, id)).await?;
    Ok(tx.raise_webhook_generation().await?)
}

/// Gives a webhook another secret, shown this once only. For a while deliveries are signed with both.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`]; [`Error::Invalid`] for an overlap that is too long.
pub async fn rotate_secret(
    provider: &Provider,
    call: &Call,
    id: Id<Webhook>,
    expected: Option<i64>,
    overlap: Duration,
) -> Result<(Webhook, Secret), Error> {
    if overlap > LONGEST_OVERLAP {
        return Err(Error::field("/overlap", "invalid", "overlap is thirty days at most"));
    }
    let secret = signed::new_secret();
    let mut tx = provider.store.write().await?;
    let webhook = match load(&mut tx, id, expected).await {
        Err(refusal) => return refuse(tx, refusal).await,
        Ok(webhook) => webhook,
    };
    let done = rotate_in(&mut tx, provider, call, &webhook, (&secret, overlap)).await;
    settle(tx, done).await?;
    Ok((get(provider, id).await?, secret))
}

/// Gives a webhook that was read this secret, as a part of a transaction.
pub(super) async fn rotate_in(
    tx: &mut Write,
    provider: &Provider,
    call: &Call,
    webhook: &Webhook,
    (secret, overlap): (&Secret, Duration),
) -> Result<(), Error> {
    if !tx.touch_webhook(webhook, call.now).await? {
        return Err(Error::Stale);
    }
    let secret = sealed(provider, secret, call.now);
    tx.rotate_webhook_secret(webhook.id, &secret, call.now.after(overlap));
    Ok(tx
        .add_event(&event(call, EventKind::WebhookSecretRotated, webhook.id))
        .await?)
}

/// The secrets of a webhook that count now, the newest first.
pub(super) async fn secrets(provider: &Provider, id: Id<Webhook>, now: Timestamp) -> Result<Vec<Secret>, Error> {
    let kept = provider.store.read().await?.list_webhook_secrets(id, now).await?;
    kept.iter()
        .map(|kept| {
            let clear = provider.master.open(SEALED_FOR, &kept.sealed);
            let clear = clear.map_err(|error| Error::Failed(Box::new(error)))?;
            let text = std::str::from_utf8(&clear).map_err(|error| Error::Failed(Box::new(error)))?;
            Ok(Secret::new(text))
        })
        .collect()
}

fn sealed(provider: &Provider, secret: &Secret, now: Timestamp) -> WebhookSecret {
    WebhookSecret {
        id: Id::new(now),
        sealed: provider.master.seal(SEALED_FOR, secret.expose().as_bytes()),
        created_at: now,
        expires_at: None,
    }
}

async fn load(tx: &mut Write, id: Id<Webhook>, expected: Option<i64>) -> Result<Webhook, Error> {
    let webhook = tx.find_webhook(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != webhook.version) {
        return Err(Error::Stale);
    }
    Ok(webhook)
}

fn event(call: &Call, kind: EventKind, id: Id<Webhook>) -> Event {
    call.event(kind).fact("webhook", Fact::Id(id.uuid()))
}

fn taken<T>(written: Result<T, store::Error>) -> Result<T, Error> {
    match written {
        Err(store::Error::Taken(_)) => Err(Error::field("/name", "taken", "another webhook is called so")),
        written => Ok(written?),
    }
}

/// What a webhook may be, whoever describes it.
///
/// # Errors
/// [`Error::Invalid`] with everything that can't be taken.
pub(super) fn judge(provider: &Provider, new: &NewWebhook, now: Timestamp) -> Result<Webhook, Error> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, code, detail: &str| {
        errors.push(FieldError {
            pointer: pointer.to_owned(),
            code,
            detail: detail.to_owned(),
        });
    };
    let is_line = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
    let name = new.name.trim();
    if name.is_empty() || !is_line(name, LONGEST_NAME) {
        wrong("/name", "malformed", "expected one line of at most 100 characters");
    }
    let description = new
        .description
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    if description.is_some_and(|text| !is_line(text, LONGEST_DESCRIPTION)) {
        wrong(
            "/description",
            "malformed",
            "expected one line of at most 500 characters",
        );
    }
    let url = Url::parse(&new.url).ok().filter(|_| new.url.len() <= LONGEST_URL);
    match &url {
        None => wrong(
            "/url",
            "malformed",
            "expected an absolute https address of at most 2000 characters",
        ),
        // where its name leads is looked at each time that it is asked
        Some(url) if url.fragment().is_some() || !provider.egress.admits(url) => {
            wrong(
                "/url",
                "forbidden",
                "expected an https address on port 443, without credentials and fragment, or one within egress.networks",
            );
        }
        Some(_) => {}
    }
    let events = match EventPatterns::parse(&new.events) {
        _ if new.events.len() > MOST_PATTERNS => {
            wrong("/events", "too_many", "a webhook names at most 100 kinds");
            None
        }
        Ok(events) => Some(events),
        Err(place) => {
            wrong(
                &format!("/events/{place}"),
                "unknown",
                "there is no event of this kind: expected a name of docs/events.md, a beginning like user.*, or *",
            );
            None
        }
    };
    match (url, events) {
        (Some(url), Some(events)) if errors.is_empty() => Ok(Webhook {
            id: Id::new(now),
            name: name.to_owned(),
            description: description.map(str::to_owned),
            url: url.to_string(),
            events,
            enabled: !new.disabled,
            disabled_because: None,
            failing_since: None,
            failures: 0,
            paused_until: None,
            full_since: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }),
        _ => Err(Error::Invalid(errors)),
    }
}
