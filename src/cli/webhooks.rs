//! `webhooks`: addresses that are told of events, from a terminal.

use clap::Subcommand;
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::flow::operations::webhooks::{self, DeliveryRow, NewWebhook, WebhookChange};
use crate::flow::{Call, Provider};
use crate::model::{Webhook, setting};

/// So many deliveries are shown.
const MOST_DELIVERIES: u32 = 200;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Webhooks {
    /// List webhooks.
    List(Json),
    /// Make a webhook. Its secret is shown this once.
    Create {
        /// What it is called.
        name: String,
        /// Where: https, or an address within `egress.networks`.
        url: String,
        /// A kind of event or a beginning of some, again for each: `user.created`, `user.*`, `*`. Without one, whatever
        /// administrators do.
        #[arg(long = "event", value_name = "KIND")]
        events: Vec<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Change a webhook.
    Change {
        /// What it is called.
        name: String,
        /// Where it is from now on.
        #[arg(long)]
        url: Option<String>,
        /// The kinds of events it is told of from now on.
        #[arg(long = "event", value_name = "KIND")]
        events: Vec<String>,
        /// What it is for.
        #[arg(long)]
        description: Option<String>,
    },
    /// Tell it of events again.
    Enable {
        /// What it is called.
        name: String,
    },
    /// Tell it of nothing more.
    Disable {
        /// What it is called.
        name: String,
    },
    /// Give a webhook another secret, shown this once.
    RotateSecret {
        /// What it is called.
        name: String,
        /// How long deliveries are signed with the one before too.
        #[arg(long, default_value = "24h")]
        overlap: String,
        #[command(flatten)]
        json: Json,
    },
    /// Send it a message of no event, and tell what came back.
    Test {
        /// What it is called.
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// What it was told, the newest events first.
    Deliveries {
        /// What it is called.
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Tell it of an event once more.
    Redeliver {
        /// What it is called.
        name: String,
        /// The event.
        event: String,
    },
    /// Delete a webhook.
    Delete {
        /// What it is called.
        name: String,
    },
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Webhooks) -> Result<Output, Failure> {
    match command {
        Webhooks::List(json) => {
            let rows: Vec<Value> = webhooks::list(provider).await?.iter().map(row).collect();
            let columns = ["name", "url", "events", "status", "failing_since"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Webhooks::Create {
            name,
            url,
            events,
            description,
            json,
        } => {
            let new = NewWebhook {
                name,
                description,
                url,
                events,
                disabled: false,
            };
            let (webhook, secret) = webhooks::create(provider, call, new).await?;
            let value = json!({ "id": webhook.id.to_string(), "name": webhook.name, "secret": secret.expose() });
            Ok(Output::either(json.shape(), &value, || {
                format!("secret  {}   (shown this once)\n", secret.expose())
            }))
        }
        Webhooks::Change {
            name,
            url,
            events,
            description,
        } => {
            let change = WebhookChange {
                url,
                events: (!events.is_empty()).then_some(events),
                description: description.map(Some),
                ..WebhookChange::default()
            };
            changed(provider, call, &name, change, "changed").await
        }
        Webhooks::Enable { name } => switch(provider, call, &name, true).await,
        Webhooks::Disable { name } => switch(provider, call, &name, false).await,
        Webhooks::RotateSecret { name, overlap, json } => rotate(provider, call, &name, &overlap, json).await,
        Webhooks::Test { name, json } => test(provider, call, &name, json).await,
        Webhooks::Deliveries { name, json } => {
            let webhook = find(provider, &name).await?;
            let page = webhooks::deliveries(provider, webhook.id, None, MOST_DELIVERIES).await?;
            let rows: Vec<Value> = page.items.iter().map(delivery).collect();
            let columns = ["event", "kind", "outcome", "attempts", "status", "next_at", "error"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Webhooks::Redeliver { name, event } => {
            let webhook = find(provider, &name).await?;
            let told = event.parse().map_err(|_| Failure::usage("that is not an id"))?;
            webhooks::redeliver(provider, call, webhook.id, told).await?;
            Ok(Output::line(format!("{name} is told once more")))
        }
        Webhooks::Delete { name } => {
            let webhook = find(provider, &name).await?;
            webhooks::delete(provider, call, webhook.id, None).await?;
            Ok(Output::line(format!("{name} is deleted")))
        }
    }
}

async fn find(provider: &Provider, name: &str) -> Result<Webhook, Failure> {
    let all = webhooks::list(provider).await?;
    let found = all.into_iter().find(|webhook| webhook.name == name);
    found.ok_or_else(|| Failure::refused(format!("there is no webhook {name}")))
}

async fn switch(provider: &Provider, call: &Call, name: &str, enabled: bool) -> Result<Output, Failure> {
    let change = WebhookChange {
        enabled: Some(enabled),
        ..WebhookChange::default()
    };
    changed(
        provider,
        call,
        name,
        change,
        if enabled { "enabled" } else { "disabled" },
    )
    .await
}

async fn changed(
    provider: &Provider,
    call: &Call,
    name: &str,
    change: WebhookChange,
    how: &str,
) -> Result<Output, Failure> {
    let webhook = find(provider, name).await?;
    webhooks::change(provider, call, webhook.id, None, change).await?;
    Ok(Output::line(format!("{name} is {how}")))
}

async fn rotate(provider: &Provider, call: &Call, name: &str, overlap: &str, json: Json) -> Result<Output, Failure> {
    let webhook = find(provider, name).await?;
    let length = setting::parse_duration(overlap).ok_or_else(|| Failure::usage("--overlap: a time, as in 1h or 7d"))?;
    let (_, secret) = webhooks::rotate_secret(provider, call, webhook.id, None, length).await?;
    let value = json!({ "name": name, "secret": secret.expose() });
    Ok(Output::either(json.shape(), &value, || {
        format!(
            "secret  {}   (shown this once)\nDeliveries are signed with the old one too for {overlap} more.\n",
            secret.expose()
        )
    }))
}

async fn test(provider: &Provider, call: &Call, name: &str, json: Json) -> Result<Output, Failure> {
    let webhook = find(provider, name).await?;
    let tested = webhooks::test(provider, call, webhook.id).await?;
    let value = json!({
        "id": tested.id.to_string(),
        "delivered": tested.delivered,
        "status": tested.status,
        "answer": tested.answer,
        "error": tested.error,
        "milliseconds": u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
    });
    let output = Output::thing(json.shape(), &value);
    if tested.delivered {
        return Ok(output);
    }
    Err(Failure::refused(tested.error.unwrap_or("it was not taken")).printing(output.text))
}

fn row(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.to_string(),
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": webhook.events.as_slice(),
        "status": match (webhook.enabled, webhook.disabled_because) {
            (true, _) if webhook.full_since.is_some() => "full",
            (true, _) => "enabled",
            (false, Some(fault)) => fault.as_str(),
            (false, None) => "disabled",
        },
        "failing_since": webhook.failing_since.map(|at| at.rfc3339()),
    })
}

fn delivery(row: &DeliveryRow) -> Value {
    json!({
        "event": row.event.to_string(),
        "kind": row.kind,
        "outcome": row.outcome.as_str(),
        "attempts": row.attempts,
        "status": row.status,
        "queued_at": row.queued_at.rfc3339(),
        "next_at": row.next_at.map(|at| at.rfc3339()),
        "finished_at": row.finished_at.map(|at| at.rfc3339()),
        "error": row.error,
    })
}
