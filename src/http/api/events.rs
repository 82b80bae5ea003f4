//! `/events`: the audit log, the newest first.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::operations::events::{self, EventRow};

const LIST: ListRule = ListRule::plain();

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
            "admin:events.read",
            "Lists events, the newest first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<EventBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = events::list(asked.provider(), listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, EventBody::of)
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
