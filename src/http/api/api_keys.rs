//! `/api-keys`: keys of scripts to this interface. Each acts as the person or client it was made for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::people::api_keys::{self, ApiKey, KeyOwner, LIFE, Maker, NewApiKey};
use crate::model::setting::parse_duration;
use crate::model::{Id, Secret, Timestamp};

const READ: &str = "admin:api-keys.read";
const WRITE: &str = "admin:api-keys";

const LIST: ListRule = ListRule::plain();

/// A key to make.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewKeyBody {
    /// What it is for.
    #[schemars(required)]
    name: String,
    /// What it may do at most: permissions of this interface that the caller holds.
    #[schemars(required)]
    scopes: Vec<String>,
    /// The id of the user it acts as; whoever calls unless told.
    user: Option<String>,
    /// The id of the client it acts as.
    client: Option<String>,
    /// How long it lives: `90d` unless told, a year at most.
    life: Option<String>,
}

/// A key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
struct KeyBody {
    /// Its id.
    id: String,
    /// What it is for.
    name: String,
    /// What it begins with, to tell keys apart.
    beginning: String,
    /// What it may do at most; its owner's rights bound it too, at each request.
    scopes: Vec<String>,
    /// The user it acts as.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The client it acts as.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// `active`, `expired` or `revoked`.
    status: String,
    /// Who made it: `user`, `client` or `operator`.
    made_by_kind: String,
    /// Who made it: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by_id: Option<String>,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: String,
    /// When it was last used, to the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The key: told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/api-keys",
            READ,
            "Lists keys to this interface, the newest first, without themselves.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<KeyBody>>(),
        route(
            Method::Post,
            "/api-keys",
            WRITE,
            "Makes a key to this interface, shown this once. The caller must hold what it may do, and what its owner holds.",
            handler!(create),
        )
        .takes::<NewKeyBody>()
        .creates::<KeyBody>(),
        route(
            Method::Get,
            "/api-keys/{id}",
            READ,
            "Tells of a key, without itself.",
            handler!(get),
        )
        .gives::<KeyBody>(),
        route(
            Method::Delete,
            "/api-keys/{id}",
            WRITE,
            "Revokes a key: no node takes it any more.",
            handler!(revoke),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = api_keys::list(asked.provider(), listed.after.as_deref(), listed.limit).await?;
    let now = asked.call().now;
    listed.answer(&asked, page, None, |key| KeyBody::of(key, now, None))
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewKeyBody = asked.read()?;
    asked.must_be_fresh().await?;
    let life = match body.life.as_deref() {
        None => LIFE,
        Some(text) => parse_duration(text)
            .ok_or_else(|| Error::field("/life", "malformed", "expected a duration like 24h or 90d"))?,
    };
    let owner = match (body.user.as_deref(), body.client.as_deref()) {
        (None, None) => api_keys::owner_of(asked.call())
            .ok_or_else(|| Error::field("/user", "required", "say as whom the key acts"))?,
        (Some(user), None) => KeyOwner::User(id(user, "/user")?),
        (None, Some(client)) => KeyOwner::Client(id(client, "/client")?),
        (Some(_), Some(_)) => {
            return Err(Error::field("/client", "contradiction", "a key acts as a user or as a client").into());
        }
    };
    let new = NewApiKey {
        name: body.name,
        owner,
        scopes: body.scopes,
        life,
    };
    let maker = Maker {
        rights: asked.rights(),
        key: asked.caller.key,
    };
    let (key, secret) = api_keys::create(asked.provider(), asked.call(), maker, new).await?;
    let location = format!("{BASE}/api-keys/{}", key.id);
    Answer::created(location, &KeyBody::of(key, asked.call().now, Some(&secret)))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let key = api_keys::get(asked.provider(), asked.id("id")?).await?;
    Answer::of(&KeyBody::of(key, asked.call().now, None))
}

async fn revoke(asked: Asked) -> Result<Answer, Problem> {
    api_keys::revoke(asked.provider(), asked.call(), asked.id("id")?).await?;
    Ok(Answer::done())
}

fn id<T>(text: &str, pointer: &'static str) -> Result<Id<T>, Error> {
    text.parse()
        .map_err(|_| Error::field(pointer, "unknown", "there is nobody of this id"))
}

impl KeyBody {
    fn of(key: ApiKey, now: Timestamp, secret: Option<&Secret>) -> Self {
        let (user, client) = match key.owner {
            KeyOwner::User(id) => (Some(id.to_string()), None),
            KeyOwner::Client(id) => (None, Some(id.to_string())),
        };
        Self {
            status: api_keys::state(&key, now).to_owned(),
            id: key.id.to_string(),
            name: key.name,
            beginning: key.beginning,
            scopes: key.scopes.iter().map(str::to_owned).collect(),
            user,
            client,
            made_by_kind: key.made_by_kind,
            made_by_id: key.made_by_id.map(|id| id.to_string()),
            created_at: key.created_at.rfc3339(),
            expires_at: key.expires_at.rfc3339(),
            last_used_at: key.last_used_at.map(Timestamp::rfc3339),
            revoked_at: key.revoked_at.map(Timestamp::rfc3339),
            key: secret.map(|secret| secret.expose().to_owned()),
        }
    }
}
