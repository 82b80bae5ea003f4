//! `/clients`: applications and services that ask for tokens, and their secrets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::client_body::{
    ClientBody, DeliveryBody, NewClientBody, NewSecretBody, SecretBody, TRUSTED, patched, read, told,
};
use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, BASE, Problem, client_body};
use crate::flow::Error;
use crate::flow::clients::find::{self, Selection};
use crate::flow::clients::logouts;
use crate::flow::clients::{self, Authority, ClientChange, Given, NewClient, Strength};
use crate::flow::people::{Page, Rights};
use crate::model::{Client, Secret};

const READ: &str = "admin:clients.read";
const WRITE: &str = "admin:clients";

const LIST: ListRule = ListRule {
    sorts: &["created_at", "-created_at"],
    filters: &["client_id"],
    words: Words::Refused,
    count: Count::Refused,
};
const SECRETS: ListRule = ListRule::plain();
const DELIVERIES: ListRule = ListRule::plain();

/// A secret to put in place.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RotationBody {
    /// The new secret, of at least 32 characters; made up and told in the answer if absent.
    #[schemars(with = "Option<String>")]
    client_secret: Option<Secret>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/clients", READ, "Lists clients.", handler!(list))
            .listed(&LIST)
            .gives::<PageBody<ClientBody>>(),
        route(Method::Post, "/clients", WRITE, "Makes a client.", handler!(create))
            .takes::<NewClientBody>()
            .creates::<ClientBody>(),
        route(Method::Get, "/clients/{id}", READ, "Tells of a client.", handler!(get)).gives::<ClientBody>(),
        route(
            Method::Patch,
            "/clients/{id}",
            WRITE,
            "Changes a client. One that comes to need a secret is given one.",
            handler!(change),
        )
        .takes::<client_body::ClientMembers>()
        .gives::<ClientBody>(),
        route(
            Method::Delete,
            "/clients/{id}",
            WRITE,
            "Deletes a client with all its grants and tokens; it is disabled first.",
            handler!(delete),
        ),
        route(
            Method::Post,
            "/clients/{id}/disable",
            WRITE,
            "Disables a client: every endpoint refuses it.",
            handler!(disable),
        )
        .gives::<ClientBody>(),
        route(
            Method::Post,
            "/clients/{id}/enable",
            WRITE,
            "Enables a client again.",
            handler!(enable),
        )
        .gives::<ClientBody>(),
        route(
            Method::Get,
            "/clients/{id}/secrets",
            READ,
            "Lists the secrets of a client, without themselves.",
            handler!(secrets),
        )
        .listed(&SECRETS)
        .gives::<PageBody<SecretBody>>(),
        route(
            Method::Post,
            "/clients/{id}/secrets",
            WRITE,
            "Gives a client another secret; the one before counts for the setting client.secret_overlap.",
            handler!(rotate),
        )
        .takes::<RotationBody>()
        .gives::<NewSecretBody>(),
        route(
            Method::Delete,
            "/clients/{id}/secrets/{secret}",
            WRITE,
            "Ends a secret at once.",
            handler!(remove_secret),
        ),
        route(
            Method::Get,
            "/clients/{id}/logout-deliveries",
            READ,
            "Lists whether a client was told of the ends of sessions, newest first.",
            handler!(deliveries),
        )
        .listed(&DELIVERIES)
        .gives::<PageBody<DeliveryBody>>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let selection = match (&listed.filter, listed.sort) {
        (Some((_, client_id)), _) => Selection::ClientId(client_id.clone()),
        (None, "-created_at") => Selection::Newest,
        (None, _) => Selection::Oldest,
    };
    let page = find::list(asked.provider(), &selection, listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, |client| told(&client, None))
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let (metadata, policy) = read(&asked.body, &["client_id", "client_secret", TRUSTED])?;
    let new = NewClient {
        metadata,
        policy,
        client_id: text(&asked, "client_id")?,
        secret: text(&asked, "client_secret")?.map(|secret| Given {
            secret: Secret::new(secret),
            strength: Strength::Demanded,
        }),
        trusted: trusted(&asked)?.unwrap_or(true),
        authority: authority(&asked),
    };
    let created = clients::create(asked.provider(), asked.call(), new).await?;
    let location = format!("{BASE}/clients/{}", created.client.id);
    let body = told(&created.client, created.secret.as_ref());
    Ok(Answer::created(location, &body)?.version(created.client.version))
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(&find::get(asked.provider(), asked.id("id")?).await?, None)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let id = asked.id("id")?;
    let before = find::get(asked.provider(), id).await?;
    let expected = asked.expected()?;
    if expected.is_some_and(|version| version != before.version) {
        return Err(Error::Stale.into());
    }
    let (metadata, policy) = patched(&before, &asked.body)?;
    let change = ClientChange {
        metadata: Some(metadata),
        policy: Some(policy),
        trusted: trusted(&asked)?,
        // the patch was made for what was read
        expected_version: Some(before.version),
        authority: authority(&asked),
    };
    let changed = clients::change(asked.provider(), asked.call(), id, change).await?;
    one(&changed.client, changed.secret.as_ref())
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    clients::delete(asked.provider(), asked.call(), &authority(&asked), id, expected).await?;
    Ok(Answer::done())
}

async fn disable(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    let client = clients::disable(asked.provider(), asked.call(), &authority(&asked), id, expected).await?;
    one(&client, None)
}

async fn enable(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    let client = clients::enable(asked.provider(), asked.call(), &authority(&asked), id, expected).await?;
    one(&client, None)
}

async fn secrets(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let client = find::get(asked.provider(), asked.id("id")?).await?;
    let page = Page {
        items: client.secrets,
        next: None,
    };
    listed.answer(&asked, page, None, |secret| SecretBody::of(&secret))
}

async fn rotate(asked: Asked) -> Result<Answer, Problem> {
    let body: RotationBody = asked.read()?;
    let given = body.client_secret.map(|secret| Given {
        secret,
        strength: Strength::Demanded,
    });
    let client = (asked.id("id")?, asked.expected()?);
    let (_, secret) = clients::rotate_secret(asked.provider(), asked.call(), &authority(&asked), client, given).await?;
    Answer::of(&NewSecretBody {
        client_secret: secret.expose().to_owned(),
    })
}

async fn remove_secret(asked: Asked) -> Result<Answer, Problem> {
    let (id, secret) = (asked.id("id")?, asked.id("secret")?);
    clients::remove_secret(asked.provider(), asked.call(), &authority(&asked), id, secret).await?;
    Ok(Answer::done())
}

async fn deliveries(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = logouts::list(asked.provider(), asked.id("id")?, listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, |delivery| DeliveryBody::of(&delivery))
}

/// What the caller may confer.
pub(super) fn authority(asked: &Asked) -> Authority {
    match asked.rights() {
        Rights::All => Authority::Operator,
        Rights::Held(held) => Authority::Holder(held.clone()),
    }
}

/// Whether the body vouches for the client, if it says so.
fn trusted(asked: &Asked) -> Result<Option<bool>, Problem> {
    match asked.body.get(TRUSTED) {
        None => Ok(None),
        Some(serde_json::Value::Bool(trusted)) => Ok(Some(*trusted)),
        Some(_) => Err(Error::field(format!("/{TRUSTED}"), "type", "expected true or false").into()),
    }
}

fn text(asked: &Asked, name: &str) -> Result<Option<String>, Problem> {
    match asked.body.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::field(format!("/{name}"), "type", "expected a string").into()),
    }
}

fn one(client: &Client, secret: Option<&Secret>) -> Result<Answer, Problem> {
    Ok(Answer::of(&told(client, secret))?.version(client.version))
}
