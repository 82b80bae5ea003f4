//! `/webhooks`: addresses that are told of events, and what they were told.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::operations::webhooks::{self, DeliveryRow, NewWebhook, OVERLAP, Tested, WebhookChange};
use crate::flow::people::Page;
use crate::model::setting::parse_duration;
use crate::model::{Secret, Timestamp, Webhook};

const READ: &str = "admin:webhooks.read";
const WRITE: &str = "admin:webhooks";
/// Whoever has events sent somewhere has to be one who may read them.
const EVENTS: &str = "admin:events.read";

const LIST: ListRule = ListRule::plain();

/// A webhook to make.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewWebhookBody {
    /// What it is called; no two are called the same.
    #[schemars(required)]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where: https, on port 443 at a public address, or within `egress.networks`.
    #[schemars(required)]
    url: String,
    /// Kinds of events, or beginnings of them: `user.created`, `user.*`, `*`. None: whatever administrators do.
    events: Vec<String>,
    /// Whether it is told at once: yes if absent.
    enabled: Option<bool>,
}

/// A change of a webhook: what is absent stays, `null` clears.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WebhookPatchBody {
    /// What it is called.
    name: Option<String>,
    /// What it is for.
    #[serde(deserialize_with = "present")]
    description: Option<Option<String>>,
    /// Where.
    url: Option<String>,
    /// Kinds of events, as a whole.
    #[serde(deserialize_with = "present")]
    events: Option<Option<Vec<String>>>,
    /// Whether it is told anything. One that the server has disabled is tried anew.
    enabled: Option<bool>,
}

/// Another secret.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RotateBody {
    /// How long deliveries are signed with the one before too: `24h` unless told, thirty days at most.
    overlap: Option<String>,
}

/// A webhook.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
struct WebhookBody {
    /// The id of this API.
    id: String,
    /// What it is called.
    name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Where.
    url: String,
    /// Kinds of events, or beginnings of them; none: whatever administrators do.
    events: Vec<String>,
    /// Whether it is told anything.
    enabled: bool,
    /// Why the server itself has disabled it: `unreached` for three days, or `gone` (410).
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<String>,
    /// Since when nothing has come through.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    /// Since when so much waits that it is told of nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_since: Option<String>,
    /// What deliveries are signed with: told when it is made, this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    updated_at: String,
}

/// An event that a webhook was told of, or is to be told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
struct DeliveryBody {
    /// The event: the `webhook-id` of the message.
    id: String,
    /// The event's kind.
    kind: String,
    /// `waiting`, `delivered` or `given_up`.
    outcome: String,
    /// How often it was tried.
    attempts: i64,
    /// When it was put down, or asked for again.
    queued_at: String,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// When it was taken or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i64>,
    /// Why the last attempt did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What came back when a webhook was tried.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookTest")]
struct TestedBody {
    /// The `webhook-id` of the message.
    id: String,
    /// Whether it was taken: a status from 200 to 299.
    delivered: bool,
    /// The status that came back; none if nobody was reached.
    status: Option<u16>,
    /// The beginning of what came back, a thousand bytes at most.
    answer: String,
    /// Why it was not taken.
    error: Option<String>,
    /// How long it took, in milliseconds.
    milliseconds: u64,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/webhooks", READ, "Lists webhooks, by name.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<WebhookBody>>(),
        route(
            Method::Post,
            "/webhooks",
            WRITE,
            "Makes a webhook: an address that is told of events. Its secret is shown this once. Needs `admin:events.read` too.",
            handler!(create),
        )
        .takes::<NewWebhookBody>()
        .creates::<WebhookBody>(),
        route(
            Method::Get,
            "/webhooks/{id}",
            READ,
            "Tells of a webhook.",
            handler!(get),
        )
        .gives::<WebhookBody>(),
        route(
            Method::Patch,
            "/webhooks/{id}",
            WRITE,
            "Changes a webhook. Another address or other events need `admin:events.read` too, and of a person a proof of the last minutes.",
            handler!(change),
        )
        .takes::<WebhookPatchBody>()
        .gives::<WebhookBody>(),
        route(
            Method::Delete,
            "/webhooks/{id}",
            WRITE,
            "Deletes a webhook. What waits for it is not told any more.",
            handler!(delete),
        ),
        route(
            Method::Post,
            "/webhooks/{id}/rotate-secret",
            WRITE,
            "Gives a webhook another secret, shown this once. For a while deliveries are signed with both.",
            handler!(rotate),
        )
        .takes::<RotateBody>()
        .gives::<WebhookBody>(),
        route(
            Method::Post,
            "/webhooks/{id}/test",
            WRITE,
            "Sends a webhook a message of no event, and tells what came back.",
            handler!(test),
        )
        .gives::<TestedBody>(),
        route(
            Method::Get,
            "/webhooks/{id}/deliveries",
            READ,
            "Lists what a webhook was told or is to be told within the last two weeks, the newest events first.",
            handler!(list_deliveries),
        )
        .listed(&LIST)
        .gives::<PageBody<DeliveryBody>>(),
        route(
            Method::Post,
            "/webhooks/{id}/deliveries/{event}/redeliver",
            WRITE,
            "Tells a webhook of an event once more, under the same id.",
            handler!(redeliver),
        )
        .gives::<DeliveryBody>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    // there are few of them: every node holds all in memory
    let from = listed.after.clone().unwrap_or_default();
    let items = webhooks::list(asked.provider()).await?;
    let items = items.into_iter().filter(|webhook| webhook.name > from).collect();
    let page = Page::cut(items, listed.limit, |webhook: &Webhook| webhook.name.clone());
    listed.answer(&asked, page, None, |webhook| WebhookBody::of(webhook, None))
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewWebhookBody = asked.read()?;
    asked.rights().must_cover([EVENTS])?;
    asked.must_be_fresh().await?;
    let new = NewWebhook {
        name: body.name,
        description: body.description,
        url: body.url,
        events: body.events,
        disabled: body.enabled == Some(false),
    };
    let (webhook, secret) = webhooks::create(asked.provider(), asked.call(), new).await?;
    let (location, version) = (format!("{BASE}/webhooks/{}", webhook.id), webhook.version);
    Ok(Answer::created(location, &WebhookBody::of(webhook, Some(&secret)))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(webhooks::get(asked.provider(), asked.id("id")?).await?, None)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let body: WebhookPatchBody = asked.read()?;
    let change = WebhookChange {
        name: body.name,
        description: body.description,
        url: body.url,
        events: body.events.map(Option::unwrap_or_default),
        enabled: body.enabled,
    };
    if change.is_of_the_target() {
        asked.rights().must_cover([EVENTS])?;
        asked.must_be_fresh().await?;
    }
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        webhooks::change(asked.provider(), asked.call(), id, expected, change).await?,
        None,
    )
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    webhooks::delete(asked.provider(), asked.call(), id, expected).await?;
    Ok(Answer::done())
}

async fn rotate(asked: Asked) -> Result<Answer, Problem> {
    let body: RotateBody = asked.read()?;
    let overlap = match body.overlap.as_deref() {
        None => OVERLAP,
        Some("0") => Duration::ZERO,
        Some(text) => parse_duration(text).ok_or_else(|| {
            Error::field(
                "/overlap",
                "malformed",
                "expected a duration like 30m, 24h or 30d, or 0",
            )
        })?,
    };
    asked.must_be_fresh().await?;
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    let (webhook, secret) = webhooks::rotate_secret(asked.provider(), asked.call(), id, expected, overlap).await?;
    one(webhook, Some(&secret))
}

async fn test(asked: Asked) -> Result<Answer, Problem> {
    let tested = webhooks::test(asked.provider(), asked.call(), asked.id("id")?).await?;
    Answer::of(&TestedBody::of(tested))
}

async fn list_deliveries(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let after = listed.after.as_deref();
    let page = webhooks::deliveries(asked.provider(), asked.id("id")?, after, listed.limit).await?;
    listed.answer(&asked, page, None, DeliveryBody::of)
}

async fn redeliver(asked: Asked) -> Result<Answer, Problem> {
    let (id, event) = (asked.id("id")?, asked.id("event")?);
    let row = webhooks::redeliver(asked.provider(), asked.call(), id, event).await?;
    Answer::of(&DeliveryBody::of(row))
}

fn one(webhook: Webhook, secret: Option<&Secret>) -> Result<Answer, Problem> {
    let version = webhook.version;
    Ok(Answer::of(&WebhookBody::of(webhook, secret))?.version(version))
}

impl WebhookBody {
    fn of(webhook: Webhook, secret: Option<&Secret>) -> Self {
        Self {
            id: webhook.id.to_string(),
            name: webhook.name,
            description: webhook.description,
            url: webhook.url,
            events: webhook.events.as_slice().to_vec(),
            enabled: webhook.enabled,
            disabled_because: webhook.disabled_because.map(|fault| fault.to_string()),
            failing_since: webhook.failing_since.map(Timestamp::rfc3339),
            full_since: webhook.full_since.map(Timestamp::rfc3339),
            secret: secret.map(|secret| secret.expose().to_owned()),
            created_at: webhook.created_at.rfc3339(),
            updated_at: webhook.updated_at.rfc3339(),
        }
    }
}

impl DeliveryBody {
    fn of(row: DeliveryRow) -> Self {
        Self {
            id: row.event.to_string(),
            kind: row.kind,
            outcome: row.outcome.to_string(),
            attempts: row.attempts,
            queued_at: row.queued_at.rfc3339(),
            next_at: row.next_at.map(Timestamp::rfc3339),
            finished_at: row.finished_at.map(Timestamp::rfc3339),
            status: row.status,
            error: row.error,
        }
    }
}

impl TestedBody {
    fn of(tested: Tested) -> Self {
        Self {
            id: tested.id.to_string(),
            delivered: tested.delivered,
            status: tested.status,
            answer: tested.answer,
            error: tested.error.map(str::to_owned),
            milliseconds: u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
