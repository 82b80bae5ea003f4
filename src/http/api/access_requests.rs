//! `/access-requests`: who has asked for an account, where an administrator decides.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::Error;
use crate::flow::people;
use crate::model::{AccessRequest, AccessRequestStatus, Timestamp};

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";

const LIST: ListRule = ListRule {
    sorts: &[],
    filters: &["status"],
    words: Words::Refused,
    count: Count::Refused,
};

/// A request for an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AccessRequest")]
struct AccessRequestBody {
    /// The id of this API.
    id: String,
    /// The mail address, which is confirmed.
    email: String,
    /// What the person calls themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What they want an account for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The language of the page that it was asked on.
    locale: String,
    /// `waiting`, `approved` or `refused`.
    status: String,
    /// When it was made.
    created_at: String,
    /// When somebody decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/access-requests",
            READ,
            "Lists requests for an account, those that wait unless told, the first made first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<AccessRequestBody>>(),
        route(
            Method::Get,
            "/access-requests/{id}",
            READ,
            "Tells of a request for an account.",
            handler!(get),
        )
        .gives::<AccessRequestBody>(),
        route(
            Method::Post,
            "/access-requests/{id}/approve",
            WRITE,
            "Approves a request: the person is mailed a link to an account of their own.",
            handler!(approve),
        ),
        route(
            Method::Post,
            "/access-requests/{id}/refuse",
            WRITE,
            "Refuses a request: the person is told so by mail.",
            handler!(refuse),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let status = match &listed.filter {
        None => AccessRequestStatus::Waiting,
        Some((_, word)) => word
            .parse()
            .map_err(|_| Error::field("filter", "unknown", "expected waiting, approved or refused"))?,
    };
    let page = people::list_access_requests(asked.provider(), status, listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, AccessRequestBody::of)
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let request = people::get_access_request(asked.provider(), asked.id("id")?).await?;
    Answer::of(&AccessRequestBody::of(request))
}

async fn approve(asked: Asked) -> Result<Answer, Problem> {
    people::approve_access(asked.provider(), asked.call(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn refuse(asked: Asked) -> Result<Answer, Problem> {
    people::refuse_access(asked.provider(), asked.call(), asked.id("id")?).await?;
    Ok(Answer::done())
}

impl AccessRequestBody {
    fn of(request: AccessRequest) -> Self {
        Self {
            id: request.id.to_string(),
            email: request.email,
            name: request.name,
            reason: request.reason,
            locale: request.locale,
            status: request.status.to_string(),
            created_at: request.created_at.rfc3339(),
            decided_at: request.decided_at.map(Timestamp::rfc3339),
        }
    }
}
