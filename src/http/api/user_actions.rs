//! `/user-actions`: what administrators do with users beside what this server can.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::operations::user_actions::{self, ActionChange, Called};
use crate::flow::{Error, Page};
use crate::model::{Id, Secret, UserAction};

const READ: &str = "admin:users.read";
/// Who names an address has data of people sent there.
const DEFINE: &str = "admin:settings";
const RUN: &str = "admin:users";

const LIST: ListRule = ListRule::plain();

/// An action, or a change of one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ActionPatch {
    /// What it is called by programs: 1 to 60 of a-z, 0-9 and -, unique.
    name: Option<String>,
    /// What it is called by people.
    label: Option<String>,
    /// Where the call goes: https, and no address of the inside that the operator does not list.
    url: Option<String>,
    /// Whether it may not be used for now.
    disabled: Option<bool>,
}

/// An action of one's own on users.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UserAction")]
struct ActionBody {
    /// The id of this API.
    id: String,
    /// What it is called by programs.
    name: String,
    /// What it is called by people.
    label: String,
    /// Where the call goes.
    url: String,
    /// Whether it may not be used for now.
    disabled: bool,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// What its calls are signed with: told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// With whom an action is called.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RunBody {
    /// These users, 1 to 100.
    #[schemars(required)]
    ids: Vec<String>,
}

/// What a call came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UserActionAnswer")]
struct AnswerBody {
    /// The status of its answer; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What it says, as text.
    answer: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/user-actions",
            READ,
            "Lists actions of one's own on users, by name.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<ActionBody>>(),
        route(
            Method::Post,
            "/user-actions",
            DEFINE,
            "Makes an action of one's own on users: a signed call to an address. Its secret is told this once.",
            handler!(create),
        )
        .takes::<ActionPatch>()
        .creates::<ActionBody>(),
        route(
            Method::Get,
            "/user-actions/{id}",
            READ,
            "Tells of an action of one's own.",
            handler!(get),
        )
        .gives::<ActionBody>(),
        route(
            Method::Patch,
            "/user-actions/{id}",
            DEFINE,
            "Changes an action of one's own.",
            handler!(change),
        )
        .takes::<ActionPatch>()
        .gives::<ActionBody>(),
        route(
            Method::Delete,
            "/user-actions/{id}",
            DEFINE,
            "Deletes an action of one's own.",
            handler!(delete),
        ),
        route(
            Method::Post,
            "/user-actions/{id}/rotate-secret",
            DEFINE,
            "Gives an action of one's own another secret, told this once.",
            handler!(rotate),
        )
        .gives::<ActionBody>(),
        route(
            Method::Post,
            "/user-actions/{id}/run",
            RUN,
            "Calls the address of an action of one's own with users, and tells what it answers.",
            handler!(run),
        )
        .takes::<RunBody>()
        .gives::<AnswerBody>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = user_actions::list(asked.provider()).await?;
    let page = Page { items, next: None };
    listed.answer(&asked, page, None, |action| ActionBody::of(action, None))
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let new = asked.read::<ActionPatch>()?.into_change();
    let (action, secret) = user_actions::create(asked.provider(), asked.call(), new).await?;
    let (location, version) = (format!("{BASE}/user-actions/{}", action.id), action.version);
    Ok(Answer::created(location, &ActionBody::of(action, Some(&secret)))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(user_actions::get(asked.provider(), asked.id("id")?).await?, None)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let change = asked.read::<ActionPatch>()?.into_change();
    let target = (asked.id("id")?, asked.expected()?);
    one(
        user_actions::change(asked.provider(), asked.call(), target, change).await?,
        None,
    )
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let target = (asked.id("id")?, asked.expected()?);
    user_actions::delete(asked.provider(), asked.call(), target).await?;
    Ok(Answer::done())
}

async fn rotate(asked: Asked) -> Result<Answer, Problem> {
    let target = (asked.id("id")?, asked.expected()?);
    let (action, secret) = user_actions::rotate_secret(asked.provider(), asked.call(), target).await?;
    one(action, Some(&secret))
}

async fn run(asked: Asked) -> Result<Answer, Problem> {
    let body: RunBody = asked.read()?;
    let read = body.ids.iter().enumerate().map(|(place, id)| {
        id.parse()
            .map_err(|_| Error::field(format!("/ids/{place}"), "malformed", "expected an id of this API"))
    });
    let users: Vec<Id<_>> = read.collect::<Result<_, _>>()?;
    let target = (asked.id("id")?, users);
    let Called { status, answer } = user_actions::run(asked.provider(), asked.call(), &asked.source(), target).await?;
    Answer::of(&AnswerBody { status, answer })
}

fn one(action: UserAction, secret: Option<&Secret>) -> Result<Answer, Problem> {
    let version = action.version;
    Ok(Answer::of(&ActionBody::of(action, secret))?.version(version))
}

impl ActionPatch {
    fn into_change(self) -> ActionChange {
        ActionChange {
            name: self.name,
            label: self.label,
            url: self.url,
            disabled: self.disabled,
        }
    }
}

impl ActionBody {
    fn of(action: UserAction, secret: Option<&Secret>) -> Self {
        Self {
            id: action.id.to_string(),
            name: action.name,
            label: action.label,
            url: action.url,
            disabled: action.disabled,
            created_at: action.created_at.rfc3339(),
            updated_at: action.updated_at.rfc3339(),
            secret: secret.map(|secret| secret.expose().to_owned()),
        }
    }
}
