//! `/settings`: what is changed at run time, with its source and its history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::operations::settings::{self, ChangedBy, SettingChange};
use crate::flow::people::Page;
use crate::flow::{Error, Provider};
use crate::model::setting::DECLARED;

const READ: &str = "admin:settings.read";
const WRITE: &str = "admin:settings";

const LIST: ListRule = ListRule::plain();

/// Every setting, in the order of their declaration.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Settings")]
struct SettingsBody {
    /// One each.
    items: Vec<SettingBody>,
}

/// A setting.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Setting")]
struct SettingBody {
    /// Its key.
    key: String,
    /// What counts.
    value: Value,
    /// Who says so: `built in`, `everyone`, or `operator file`, which is locked.
    source: String,
    /// What it takes.
    expected: String,
    /// What it does.
    description: String,
}

/// Settings by key, nested or flat; `null` takes one back to what is built in.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct SettingsPatchBody(
    #[expect(dead_code, reason = "the members are read by the flow, which knows every key")] Map<String, Value>,
);

/// What a change changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SettingChanges")]
struct ChangesBody {
    /// One each.
    items: Vec<ChangeBody>,
}

/// A setting that changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SettingChange")]
struct ChangeBody {
    /// Its key.
    key: String,
    /// What the store said; null if it said nothing.
    before: Option<Value>,
    /// What it says now; null if it says nothing.
    after: Option<Value>,
}

/// A revision of the settings.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SettingRevision")]
struct RevisionBody {
    /// Its number, from 1.
    number: i64,
    /// When.
    at: String,
    /// Who: the kind of actor.
    actor_kind: String,
    /// Who: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_id: Option<String>,
    /// By what: `api`, `apply`, `command` or `rollback`.
    source: String,
    /// All stored settings before.
    before: Map<String, Value>,
    /// All stored settings after.
    after: Map<String, Value>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/settings",
            READ,
            "Tells every setting and who says so.",
            handler!(get),
        )
        .gives::<SettingsBody>(),
        route(
            Method::Patch,
            "/settings",
            WRITE,
            "Changes settings, as one revision.",
            handler!(change),
        )
        .takes::<SettingsPatchBody>()
        .gives::<ChangesBody>(),
        route(
            Method::Get,
            "/settings/revisions",
            READ,
            "Lists the revisions of the settings, the newest first.",
            handler!(revisions),
        )
        .listed(&LIST)
        .gives::<PageBody<RevisionBody>>(),
        route(
            Method::Post,
            "/settings/revisions/{number}/rollback",
            WRITE,
            "Brings the settings back to how they were after a revision; 0 is before the first.",
            handler!(roll_back),
        )
        .gives::<ChangesBody>(),
    ]
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    Answer::of(&SettingsBody {
        items: all(asked.provider()).await?,
    })
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    settings::may_say(asked.provider(), &asked.source(), &asked.body).await?;
    let changes = settings::change(asked.provider(), asked.call(), &asked.body, ChangedBy::Api).await?;
    changed(changes)
}

async fn revisions(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let from = listed.after.as_deref().and_then(|number| number.parse::<i64>().ok());
    let history = settings::history(asked.provider()).await?;
    let items: Vec<RevisionBody> = history
        .into_iter()
        .filter(|revision| from.is_none_or(|from| revision.number < from))
        .map(|revision| RevisionBody {
            number: revision.number,
            at: revision.at.rfc3339(),
            actor_kind: revision.actor_kind,
            actor_id: revision.actor_id.map(|id| id.to_string()),
            source: revision.source,
            before: revision.before,
            after: revision.after,
        })
        .collect();
    let page = Page::cut(items, listed.limit, |revision| revision.number.to_string());
    listed.answer(&asked, page, None, |revision| revision)
}

async fn roll_back(asked: Asked) -> Result<Answer, Problem> {
    let number = asked.parameter("number").parse().map_err(|_| Error::NotFound)?;
    changed(settings::roll_back(asked.provider(), asked.call(), number).await?)
}

fn changed(changes: Vec<SettingChange>) -> Result<Answer, Problem> {
    let items = changes
        .into_iter()
        .map(|change| ChangeBody {
            key: change.key,
            before: change.before,
            after: change.after,
        })
        .collect();
    Answer::of(&ChangesBody { items })
}

async fn all(provider: &Provider) -> Result<Vec<SettingBody>, Error> {
    let settings = provider.settings().await?;
    let items = DECLARED.iter().filter_map(|declared| {
        let effective = settings.effective(declared.key)?;
        Some(SettingBody {
            key: declared.key.to_owned(),
            value: effective.value.to_json(),
            source: effective.source.as_str().to_owned(),
            expected: declared.expected(),
            description: declared.sentence.to_owned(),
        })
    });
    Ok(items.collect())
}
