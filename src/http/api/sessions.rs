//! `/sessions` and `/users/{id}/sessions`: where people are signed in.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::people::{self, LiveSession, Page};

const READ: &str = "admin:sessions.read";
const WRITE: &str = "admin:sessions";

const LIST: ListRule = ListRule::plain();

/// A session that goes on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct SessionBody {
    /// Its id: the claim `sid`.
    id: String,
    /// Who is signed in.
    user: String,
    /// When it began.
    started_at: String,
    /// When it was last used.
    seen_at: String,
    /// When it ends if it is not used any more.
    ends_at: String,
    /// From where it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// With which browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/users/{id}/sessions",
            READ,
            "Lists the sessions of a user.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<SessionBody>>(),
        route(
            Method::Delete,
            "/users/{id}/sessions",
            WRITE,
            "Ends all sessions and grants of a user.",
            handler!(end_all),
        ),
        route(
            Method::Delete,
            "/sessions/{id}",
            WRITE,
            "Ends a session and the grants that were begun in it.",
            handler!(end),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_sessions(asked.provider(), asked.call(), asked.id("id")?).await?;
    listed.answer(&asked, Page { items, next: None }, None, SessionBody::of)
}

async fn end_all(asked: Asked) -> Result<Answer, Problem> {
    people::end_sessions(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn end(asked: Asked) -> Result<Answer, Problem> {
    people::end_session(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

impl SessionBody {
    fn of(session: LiveSession) -> Self {
        Self {
            id: session.id.to_string(),
            user: session.user.to_string(),
            started_at: session.started_at.rfc3339(),
            seen_at: session.seen_at.rfc3339(),
            ends_at: session.ends_at.rfc3339(),
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}
