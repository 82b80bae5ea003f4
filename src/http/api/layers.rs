//! `/users/{id}/settings`, `/groups/{id}/settings`, `/clients/{id}/settings`: what each of them says about settings, and what
//! counts for a user in the end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::operations::layers;
use crate::model::setting::Declaration;
use crate::model::{Layer, LayerOwner, Settled};

/// What is said, by key, flat; what is not named here is not said.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "Layer")]
struct LayerBody(Map<String, Value>);

/// Settings by key, nested or flat; `null` takes back what was said.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct LayerPatchBody(
    #[expect(dead_code, reason = "the members are read by the flow, which knows every key")] Map<String, Value>,
);

/// What counts for a user.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectiveSettings")]
struct EffectiveBody {
    /// One each.
    items: Vec<SettledBody>,
}

/// What counts, and who says so.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectiveSetting")]
struct SettledBody {
    /// Its key.
    key: String,
    /// What counts.
    value: Value,
    /// Who says so: `user`, `primary group NAME`, `group NAME`, `client ID`, `everyone`, `operator file`, `built in`, or
    /// `administrators` with one of the last three in parentheses.
    source: String,
    /// What else was said.
    contenders: Vec<ContenderBody>,
    /// What it does.
    description: String,
}

/// What was said and does not count.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SettingContender")]
struct ContenderBody {
    /// Who says so.
    source: String,
    /// What.
    value: Value,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/users/{id}/settings",
            "admin:users.read",
            "Tells what a user's own record says about settings.",
            handler!(of_user),
        )
        .gives::<LayerBody>(),
        route(
            Method::Patch,
            "/users/{id}/settings",
            "admin:users",
            "Changes what a user's own record says about settings.",
            handler!(change_user),
        )
        .takes::<LayerPatchBody>()
        .gives::<LayerBody>(),
        route(
            Method::Get,
            "/users/{id}/effective-settings",
            "admin:users.read",
            "Tells what counts for a user, and who says so: user, groups, administrators, everyone.",
            handler!(effective),
        )
        .gives::<EffectiveBody>(),
        route(
            Method::Get,
            "/groups/{id}/settings",
            "admin:groups.read",
            "Tells what a group says about settings, for its members.",
            handler!(of_group),
        )
        .gives::<LayerBody>(),
        route(
            Method::Patch,
            "/groups/{id}/settings",
            "admin:groups",
            "Changes what a group says about settings, for its members.",
            handler!(change_group),
        )
        .takes::<LayerPatchBody>()
        .gives::<LayerBody>(),
        route(
            Method::Get,
            "/clients/{id}/settings",
            "admin:clients.read",
            "Tells what a client says about settings, for itself.",
            handler!(of_client),
        )
        .gives::<LayerBody>(),
        route(
            Method::Patch,
            "/clients/{id}/settings",
            "admin:clients",
            "Changes what a client says about settings, for itself.",
            handler!(change_client),
        )
        .takes::<LayerPatchBody>()
        .gives::<LayerBody>(),
    ]
}

async fn of_user(asked: Asked) -> Result<Answer, Problem> {
    let owner = LayerOwner::User(asked.id("id")?);
    said(layers::get(asked.provider(), owner).await?)
}

async fn change_user(asked: Asked) -> Result<Answer, Problem> {
    let owner = LayerOwner::User(asked.id("id")?);
    change(&asked, owner).await
}

async fn of_group(asked: Asked) -> Result<Answer, Problem> {
    let owner = LayerOwner::Group(asked.id("id")?);
    said(layers::get(asked.provider(), owner).await?)
}

async fn change_group(asked: Asked) -> Result<Answer, Problem> {
    let owner = LayerOwner::Group(asked.id("id")?);
    change(&asked, owner).await
}

async fn of_client(asked: Asked) -> Result<Answer, Problem> {
    let owner = LayerOwner::Client(asked.id("id")?);
    said(layers::get(asked.provider(), owner).await?)
}

async fn change_client(asked: Asked) -> Result<Answer, Problem> {
    let owner = LayerOwner::Client(asked.id("id")?);
    change(&asked, owner).await
}

async fn effective(asked: Asked) -> Result<Answer, Problem> {
    let settled = layers::settle(asked.provider(), asked.call(), asked.id("id")?, None).await?;
    Answer::of(&EffectiveBody {
        items: settled
            .into_iter()
            .map(|(declared, settled)| SettledBody::of(declared, settled))
            .collect(),
    })
}

async fn change(asked: &Asked, owner: LayerOwner) -> Result<Answer, Problem> {
    said(layers::change(asked.provider(), asked.call(), &asked.source(), owner, &asked.body).await?)
}

fn said(layer: Layer) -> Result<Answer, Problem> {
    let members = layer.into_iter().map(|(key, value)| (key.to_owned(), value.to_json()));
    Answer::of(&LayerBody(members.collect()))
}

impl SettledBody {
    fn of(declared: &Declaration, settled: Settled) -> Self {
        Self {
            key: declared.key.to_owned(),
            value: settled.value.to_json(),
            source: settled.speaker.to_string(),
            contenders: settled
                .contenders
                .into_iter()
                .map(|(speaker, value)| ContenderBody {
                    source: speaker.to_string(),
                    value: value.to_json(),
                })
                .collect(),
            description: declared.sentence.to_owned(),
        }
    }
}
