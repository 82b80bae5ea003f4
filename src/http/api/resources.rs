//! `/resources`: APIs with an audience and scopes of their own.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::present;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::operations::{inventory, resources};
use crate::flow::people::Page;
use crate::model::setting::{parse_duration, write_duration};
use crate::model::{AccessTokenFormat, Resource};

const READ: &str = "admin:resources.read";
const WRITE: &str = "admin:resources";

const LIST: ListRule = ListRule::plain();

/// A resource to make.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewResourceBody {
    /// Its identifier: an absolute URI without a fragment, the `aud` of its tokens.
    #[schemars(required)]
    identifier: String,
    /// A name to show.
    name: Option<String>,
    /// The scopes it knows.
    scopes: Vec<String>,
    /// The shape of its tokens, `jwt` or `opaque`; the client's if absent.
    access_token_format: Option<String>,
    /// How long its tokens are good for at most: `90s`, `10m`, a day at most; what `token.access_lifetime` says if absent.
    access_token_lifetime: Option<String>,
}

/// A change of a resource: what is absent stays, `null` clears.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ResourcePatchBody {
    /// A name to show.
    #[serde(deserialize_with = "present")]
    name: Option<Option<String>>,
    /// The scopes it knows, as a whole.
    #[serde(deserialize_with = "present")]
    scopes: Option<Option<Vec<String>>>,
    /// The shape of its tokens.
    #[serde(deserialize_with = "present")]
    access_token_format: Option<Option<String>>,
    /// How long its tokens are good for at most.
    #[serde(deserialize_with = "present")]
    access_token_lifetime: Option<Option<String>>,
}

/// A resource.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Resource")]
struct ResourceBody {
    /// The id of this API.
    id: String,
    /// Its identifier.
    identifier: String,
    /// A name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The scopes it knows.
    scopes: Vec<String>,
    /// The shape of its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_format: Option<String>,
    /// How long its tokens are good for at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_lifetime: Option<String>,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/resources", READ, "Lists resources.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<ResourceBody>>(),
        route(Method::Post, "/resources", WRITE, "Makes a resource.", handler!(create))
            .takes::<NewResourceBody>()
            .creates::<ResourceBody>(),
        route(
            Method::Get,
            "/resources/{id}",
            READ,
            "Tells of a resource.",
            handler!(get),
        )
        .within(Within::Path("id", Kind::Resource))
        .gives::<ResourceBody>(),
        route(
            Method::Patch,
            "/resources/{id}",
            WRITE,
            "Changes a resource.",
            handler!(change),
        )
        .within(Within::Path("id", Kind::Resource))
        .takes::<ResourcePatchBody>()
        .gives::<ResourceBody>(),
        route(
            Method::Delete,
            "/resources/{id}",
            WRITE,
            "Deletes a resource.",
            handler!(delete),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = inventory::resources(asked.provider()).await?;
    // there are few of them: every node holds all in memory
    let from = listed.after.clone().unwrap_or_default();
    let items = items
        .into_iter()
        .filter(|resource| resource.identifier > from)
        .collect();
    let page = Page::cut(items, listed.limit, |resource: &Resource| resource.identifier.clone());
    listed.answer(&asked, page, None, ResourceBody::of)
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewResourceBody = asked.read()?;
    let new = resources::NewResource {
        identifier: body.identifier,
        name: body.name,
        scopes: body.scopes,
        access_token_format: body.access_token_format.as_deref().map(format).transpose()?,
        access_token_lifetime: body.access_token_lifetime.as_deref().map(lifetime).transpose()?,
    };
    let resource = resources::create(asked.provider(), asked.call(), new).await?;
    let (location, version) = (format!("{BASE}/resources/{}", resource.id), resource.version);
    Ok(Answer::created(location, &ResourceBody::of(resource))?.version(version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(resources::get(asked.provider(), asked.id("id")?).await?)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let body: ResourcePatchBody = asked.read()?;
    let change = resources::ResourceChange {
        name: body.name,
        scopes: body.scopes.map(Option::unwrap_or_default),
        access_token_format: match body.access_token_format {
            None => None,
            Some(None) => Some(None),
            Some(Some(word)) => Some(Some(format(&word)?)),
        },
        access_token_lifetime: match body.access_token_lifetime {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => Some(Some(lifetime(&text)?)),
        },
    };
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(resources::change(asked.provider(), asked.call(), id, expected, change).await?)
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    resources::delete(asked.provider(), asked.call(), id, expected).await?;
    Ok(Answer::done())
}

fn format(word: &str) -> Result<AccessTokenFormat, Problem> {
    word.parse()
        .map_err(|_| Error::field("/access_token_format", "unknown", "expected jwt or opaque").into())
}

fn lifetime(text: &str) -> Result<Duration, Problem> {
    parse_duration(text).ok_or_else(|| {
        Error::field(
            "/access_token_lifetime",
            "malformed",
            "expected a duration like 90s or 10m",
        )
        .into()
    })
}

fn one(resource: Resource) -> Result<Answer, Problem> {
    let version = resource.version;
    Ok(Answer::of(&ResourceBody::of(resource))?.version(version))
}

impl ResourceBody {
    fn of(resource: Resource) -> Self {
        Self {
            id: resource.id.to_string(),
            identifier: resource.identifier,
            name: resource.name,
            scopes: resource.scopes.iter().map(str::to_owned).collect(),
            access_token_format: resource.access_token_format.map(|format| format.to_string()),
            access_token_lifetime: resource.access_token_lifetime.map(write_duration),
            created_at: resource.created_at.rfc3339(),
            updated_at: resource.updated_at.rfc3339(),
        }
    }
}
