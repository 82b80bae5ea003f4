//! `/sessions` and `/users/{id}/sessions`: where people are signed in.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{self, ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem};
use crate::flow::people::{self, EndedSessions, LiveSession, OfflineGrants, Page, SessionsOf};
use crate::model::Id;

const READ: &str = "admin:sessions.read";
const WRITE: &str = "admin:sessions";

const LIST: ListRule = ListRule::plain();
const LIST_ALL: ListRule = ListRule {
    filters: &["user", "client", "address", "group"],
    ..ListRule::plain()
};
const OFFLINE: (&str, &str) = ("offline", "`true`: the grants with `offline_access` end too.");
const ENDS: &[(&str, &str)] = &[
    (
        "filter",
        "Those with `user eq \"...\"` or `client eq \"...\"` or `address eq \"...\"` or `group eq \"...\"`.",
    ),
    ("everything", "`true`: all of them, at once. Needs `admin`."),
    OFFLINE,
];

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
    /// Roughly which place that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// With which browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// The id of the device among those of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// What was ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EndedSessions")]
struct EndedBody {
    /// How many sessions; nobody counts where everything ends at once.
    ended: Option<u64>,
    /// How many stayed, because their people hold rights of administration that the caller lacks.
    kept: u64,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/sessions",
            READ,
            "Lists sessions, the newest first; those of a group by person.",
            handler!(list_all),
        )
        .listed(&LIST_ALL)
        .gives::<PageBody<SessionBody>>(),
        route(
            Method::Delete,
            "/sessions",
            WRITE,
            "Ends the sessions of a user, client, address or group, or everything, with the grants that hang on them.",
            handler!(end_many),
        )
        .asks(ENDS)
        .gives::<EndedBody>(),
        route(
            Method::Get,
            "/users/{id}/sessions",
            READ,
            "Lists the sessions of a user.",
            handler!(list),
        )
        .within(Within::Path("id", Kind::User))
        .listed(&LIST)
        .gives::<PageBody<SessionBody>>(),
        route(
            Method::Delete,
            "/users/{id}/sessions",
            WRITE,
            "Ends all sessions of a user and the grants that hang on them.",
            handler!(end_all),
        )
        .within(Within::Path("id", Kind::User))
        .asks(&[OFFLINE]),
        route(
            Method::Delete,
            "/sessions/{id}",
            WRITE,
            "Ends a session and the grants that were begun in it.",
            handler!(end),
        )
        .within(Within::Path("id", Kind::Session)),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = people::list_sessions(asked.provider(), asked.call(), asked.id("id")?).await?;
    listed.answer(&asked, Page { items, next: None }, None, SessionBody::of)
}

async fn list_all(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let of = match &listed.filter {
        Some((member, value)) => sessions_of(member, value)?,
        None => SessionsOf::Everyone,
    };
    let (provider, call) = (asked.provider(), asked.call());
    let page = people::list_live_sessions(provider, call, &of, listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, SessionBody::of)
}

async fn end_many(asked: Asked) -> Result<Answer, Problem> {
    let offline = offline(&asked)?;
    let (provider, call, source) = (asked.provider(), asked.call(), asked.source());
    match (asked.wish("filter"), flag(&asked, "everything")?) {
        (Some(filter), false) => {
            let (member, value) = list::filtered(&LIST_ALL, filter)?;
            let of = sessions_of(member, &value)?;
            let EndedSessions { ended, kept } = people::end_sessions_of(provider, call, &source, &of, offline).await?;
            Answer::of(&EndedBody {
                ended: Some(ended),
                kept,
            })
        }
        (None, true) => {
            people::end_every_session(provider, call, &source, offline).await?;
            Answer::of(&EndedBody { ended: None, kept: 0 })
        }
        // nobody ends everything by leaving something out
        _ => Err(Problem::bad_request(
            "filter",
            "expected either a filter or everything=true",
        )),
    }
}

fn offline(asked: &Asked) -> Result<OfflineGrants, Problem> {
    Ok(if flag(asked, "offline")? {
        OfflineGrants::End
    } else {
        OfflineGrants::Stay
    })
}

pub(super) fn flag(asked: &Asked, name: &'static str) -> Result<bool, Problem> {
    match asked.wish(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::bad_request(name, "expected true or false")),
    }
}

/// Which sessions a filter names.
fn sessions_of(member: &str, value: &str) -> Result<SessionsOf, Problem> {
    fn id<T>(value: &str) -> Result<Id<T>, Problem> {
        value
            .parse()
            .map_err(|_| Problem::bad_request("filter", "expected an id of this installation"))
    }
    Ok(match member {
        "user" => SessionsOf::User(id(value)?),
        "client" => SessionsOf::Client(id(value)?),
        "group" => SessionsOf::Group(id(value)?),
        _ => SessionsOf::Address(value.to_owned()),
    })
}

async fn end_all(asked: Asked) -> Result<Answer, Problem> {
    let (user, offline) = (asked.id("id")?, offline(&asked)?);
    people::end_sessions(asked.provider(), asked.call(), &asked.source(), user, offline).await?;
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
            place: session.place,
            user_agent: session.user_agent,
            device: session.device.map(|device| device.to_string()),
        }
    }
}
