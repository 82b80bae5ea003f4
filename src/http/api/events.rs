//! `/events`: the audit log, the newest first or after an event, and its checkpoints.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, Listed, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem};
use crate::crypto;
use crate::flow::operations::event_chain::{self, EventCheckpoint};
use crate::flow::operations::events::{self, EventRow, EventSelection, EventsOf};
use crate::flow::people::Page;
use crate::model::{Client, FieldValues, Group, Timestamp, User};

const AFTER: &str = "id gt";
const FROM: &str = "at gt";
const UNTIL: &str = "at lt";
const LIST: ListRule = ListRule {
    filters: &[
        AFTER, "kind", "user", "client", "actor", "object", "outcome", FROM, UNTIL,
    ],
    ..ListRule::plain()
};
/// What happened to one thing, from when until when.
const HISTORY: ListRule = ListRule {
    filters: &[FROM, UNTIL],
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
    /// What was changed, for whoever may read what it was changed of; gone with the person whose values they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeBody>>,
}

/// A field that was changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventChange")]
struct ChangeBody {
    /// Which.
    field: String,
    /// What stood there; `***` for a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<serde_json::Value>,
    /// What stands there since.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<serde_json::Value>,
}

impl ChangeBody {
    fn of(values: FieldValues) -> Self {
        Self {
            field: values.field,
            before: values.before,
            after: values.after,
        }
    }
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
            "/users/{id}/history",
            READ,
            "Lists what happened to a user, the newest first, with what was changed; also of one that is deleted.",
            handler!(of_user),
        ).within(Within::Path("id", Kind::User))
        .listed(&HISTORY)
        .gives::<PageBody<EventBody>>(),
        Route::new(
            Method::Get,
            "/clients/{id}/history",
            READ,
            "Lists what happened to a client, the newest first, with what was changed; also of one that is deleted.",
            handler!(of_client),
        )
        .listed(&HISTORY)
        .gives::<PageBody<EventBody>>(),
        Route::new(
            Method::Get,
            "/groups/{id}/history",
            READ,
            "Lists what happened to a group, the newest first, with what was changed; also of one that is deleted.",
            handler!(of_group),
        ).within(Within::Path("id", Kind::Group))
        .listed(&HISTORY)
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
        Some((AFTER, event)) => {
            if !listed.also.is_empty() {
                return Err(Problem::bad_request("filter", "id gt stands alone"));
            }
            let event = event
                .parse()
                .map_err(|_| Problem::bad_request("filter", "no event has such an id"))?;
            events::list_after(provider, asked.call(), event, after, listed.limit).await?
        }
        _ => {
            let selection = selection(&listed, EventsOf::Everything)?;
            events::list_of(provider, &selection, after, listed.limit).await?
        }
    };
    told(&asked, &listed, page).await
}

async fn of_user(asked: Asked) -> Result<Answer, Problem> {
    let id = asked.id::<User>("id")?;
    history(asked, EventsOf::User(id.uuid())).await
}

async fn of_client(asked: Asked) -> Result<Answer, Problem> {
    let id = asked.id::<Client>("id")?;
    history(asked, EventsOf::Client(id.uuid())).await
}

async fn of_group(asked: Asked) -> Result<Answer, Problem> {
    let id = asked.id::<Group>("id")?;
    history(asked, EventsOf::Object(id.uuid())).await
}

/// What happened to one thing; also to one that is gone.
async fn history(asked: Asked, of: EventsOf) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let selection = selection(&listed, of)?;
    let page = events::list_of(asked.provider(), &selection, listed.after.as_deref(), listed.limit).await?;
    told(&asked, &listed, page).await
}

/// What a filter says: one of whom or what, and from when until when.
fn selection(listed: &Listed, of: EventsOf) -> Result<EventSelection, Problem> {
    let mut selection = EventSelection {
        of,
        from: None,
        until: None,
    };
    for (member, value) in listed.filter.iter().chain(&listed.also) {
        let id = || {
            value
                .parse()
                .map_err(|_| Problem::bad_request("filter", "nothing has such an id"))
        };
        let time = || {
            Timestamp::parse(value)
                .ok_or_else(|| Problem::bad_request("filter", "expected a time like 2026-11-01T00:00:00Z"))
        };
        let of = match *member {
            FROM => {
                selection.from = Some(time()?);
                continue;
            }
            UNTIL => {
                selection.until = Some(time()?);
                continue;
            }
            "kind" => EventsOf::Kind(value.clone()),
            "user" => EventsOf::User(id()?),
            "client" => EventsOf::Client(id()?),
            "actor" => EventsOf::Actor(id()?),
            "object" => EventsOf::Object(id()?),
            "outcome" if value == "refused" => EventsOf::Refused,
            _ => {
                return Err(Problem::bad_request(
                    "filter",
                    "expected outcome eq \"refused\"; id gt stands alone",
                ));
            }
        };
        if selection.of != EventsOf::Everything {
            return Err(Problem::bad_request(
                "filter",
                "expected one of kind, user, client, actor, object and outcome",
            ));
        }
        selection.of = of;
    }
    Ok(selection)
}

/// A page with what was changed, as far as the caller may read what it was changed of.
async fn told(asked: &Asked, listed: &Listed, page: Page<EventRow>) -> Result<Answer, Problem> {
    let values = events::values(asked.provider(), &page.items).await?;
    listed.answer(asked, page, None, |event| {
        let changes = values
            .iter()
            .find(|(of, _)| *of == event.id && asked.rights().allow(reading(&event.kind)));
        let changes = changes.map(|(_, fields)| fields.iter().cloned().map(ChangeBody::of).collect());
        EventBody {
            changes,
            ..EventBody::of(event)
        }
    })
}

/// Who may read the values of what an event of this kind changed.
fn reading(kind: &str) -> &'static str {
    match kind.split('.').next().unwrap_or_default() {
        "user" => "admin:users.read",
        "group" | "role" => "admin:groups.read",
        "client" => "admin:clients.read",
        "resource" => "admin:resources.read",
        "settings" => "admin:settings.read",
        "webhook" => "admin:webhooks.read",
        _ => "admin",
    }
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
            changes: None,
        }
    }
}
