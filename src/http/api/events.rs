//! `/events`: the audit log, the newest first or after an event, and its checkpoints.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::crypto;
use crate::flow::operations::event_chain::{self, EventCheckpoint};
use crate::flow::operations::events::{self, EventRow};
use crate::model::Timestamp;

const AFTER: &str = "id gt";
const LIST: ListRule = ListRule {
    filters: &[AFTER],
    ..ListRule::plain()
};
const CHECKPOINTS: ListRule = ListRule::plain();
const READ: &str = "admin:events.read";

/// A checkpoint of the audit log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventCheckpoint")]
struct CheckpointBody {
    /// From one on.
    number: i64,
    /// The last event of its stretch.
    last_event: String,
    /// When that happened.
    last_at: String,
    /// How many events the stretch has.
    events: i64,
    /// What they and everything before them come to, in hex digits.
    digest: String,
    /// When it was made.
    made_at: String,
    /// When its events were forgotten, because their time was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    swept_at: Option<String>,
}

/// An event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(super) struct EventBody {
    /// Its id.
    id: String,
    /// When.
    at: String,
    /// What: a name of the catalogue.
    kind: String,
    /// `success` or `refused`.
    outcome: String,
    /// Why: the rule that refused it, or what it was for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who did it: `user`, `client`, `operator`, `system` or `anonymous`.
    actor_kind: String,
    /// Who did it: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_id: Option<String>,
    /// Whom it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// For which client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The request's trace id.
    trace_id: String,
    /// What else is worth knowing.
    facts: serde_json::Map<String, serde_json::Value>,
}

pub(super) fn table() -> Vec<Route> {
    vec![
        Route::new(
            Method::Get,
            "/events",
            READ,
            "Lists events, the newest first; after one (`filter=id gt \"...\"`) those that came since, the oldest first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<EventBody>>(),
        Route::new(
            Method::Get,
            "/events/checkpoints",
            READ,
            "Lists the checkpoints of the audit log, the newest first.",
            handler!(list_checkpoints),
        )
        .listed(&CHECKPOINTS)
        .gives::<PageBody<CheckpointBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let (provider, after) = (asked.provider(), listed.after.as_deref());
    let page = match &listed.filter {
        Some((_, event)) => {
            let event = event
                .parse()
                .map_err(|_| Problem::bad_request("filter", "no event has such an id"))?;
            events::list_after(provider, asked.call(), event, after, listed.limit).await?
        }
        None => events::list(provider, after, listed.limit).await?,
    };
    listed.answer(&asked, page, None, EventBody::of)
}

async fn list_checkpoints(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = event_chain::list(asked.provider(), listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, CheckpointBody::of)
}

impl CheckpointBody {
    fn of(checkpoint: EventCheckpoint) -> Self {
        Self {
            number: checkpoint.number,
            last_event: checkpoint.last_event.to_string(),
            last_at: checkpoint.last_at.rfc3339(),
            events: checkpoint.events,
            digest: crypto::hex(checkpoint.digest.as_bytes()),
            made_at: checkpoint.made_at.rfc3339(),
            swept_at: checkpoint.swept_at.map(Timestamp::rfc3339),
        }
    }
}

impl EventBody {
    pub(super) fn of(event: EventRow) -> Self {
        Self {
            id: event.id.to_string(),
            at: event.at.rfc3339(),
            kind: event.kind,
            outcome: event.outcome,
            reason: event.reason,
            actor_kind: event.actor_kind,
            actor_id: event.actor_id.map(|id| id.to_string()),
            user: event.user.map(|id| id.to_string()),
            client: event.client.map(|id| id.to_string()),
            address: event.address,
            trace_id: event.trace,
            facts: match event.facts {
                serde_json::Value::Object(facts) => facts,
                _ => serde_json::Map::new(),
            },
        }
    }
}
