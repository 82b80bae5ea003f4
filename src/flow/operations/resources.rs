//! Resources: APIs with an audience and scopes of their own (RFC 8707), made, changed, deleted.

use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use crate::flow::settle::refuse;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::scope::STANDARD;
use crate::model::setting::write_duration;
use crate::model::{AccessTokenFormat, EventKind, Fact, Id, Resource, Scopes, members_of};
use crate::protocol::audience::is_api_scope;
use crate::store::{self, Write};

const LONGEST_IDENTIFIER: usize = 500;
const LONGEST_NAME: usize = 200;
const MOST_SCOPES: usize = 200;
const LIFETIME: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(24 * 60 * 60);

/// A resource to make.
#[derive(Clone, Debug, Default)]
pub struct NewResource {
    /// Its identifier, the `aud` of its tokens.
    pub identifier: String,
    /// A name to show.
    pub name: Option<String>,
    /// The scopes it knows.
    pub scopes: Vec<String>,
    /// The shape of its tokens.
    pub access_token_format: Option<AccessTokenFormat>,
    /// How long its tokens are good for at most.
    pub access_token_lifetime: Option<Duration>,
}

/// A change of a resource. What is absent stays, `Some(None)` clears it. The identifier stays what it is.
#[derive(Clone, Debug, Default)]
pub struct ResourceChange {
    /// A name to show.
    pub name: Option<Option<String>>,
    /// The scopes it knows, as a whole.
    pub scopes: Option<Vec<String>>,
    /// The shape of its tokens.
    pub access_token_format: Option<Option<AccessTokenFormat>>,
    /// How long its tokens are good for at most.
    pub access_token_lifetime: Option<Option<Duration>>,
}

/// The resource of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Resource>) -> Result<Resource, Error> {
    let mut store = provider.store.read().await?;
    let resources = store.list_resources().await?;
    resources
        .into_iter()
        .find(|resource| resource.id == id)
        .ok_or(Error::NotFound)
}

/// Makes a resource.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken.
pub async fn create(provider: &Provider, call: &Call, new: NewResource) -> Result<Resource, Error> {
    let scopes = judge(provider, &new.identifier, new.name.as_deref(), &new.scopes)?;
    check_lifetime(new.access_token_lifetime)?;
    let resource = Resource {
        id: Id::new(call.now),
        identifier: new.identifier,
        name: new.name,
        scopes,
        access_token_format: new.access_token_format,
        access_token_lifetime: new.access_token_lifetime,
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    let mut tx = provider.store.write().await?;
    match tx.add_resource(&resource).await {
        Err(store::Error::Taken(_)) => {
            tx.abandon().await?;
            return Err(Error::field("/identifier", "taken", "another resource has it"));
        }
        added => added?,
    }
    let values = (Map::new(), values_of(&resource));
    finish(provider, call, tx, &resource, "created", values).await?;
    Ok(resource)
}

/// Changes a resource, if its version still is the expected one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`].
pub async fn change(
    provider: &Provider,
    call: &Call,
    id: Id<Resource>,
    expected: Option<i64>,
    change: ResourceChange,
) -> Result<Resource, Error> {
    let mut errors = Vec::new();
    let scopes = change.scopes.map(|scopes| read_scopes(&scopes, &mut errors));
    check_name(change.name.as_ref().and_then(Option::as_deref), &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    check_lifetime(change.access_token_lifetime.flatten())?;
    let mut tx = provider.store.write().await?;
    let mut resource = match load(&mut tx, id, expected).await {
        Err(refusal) => return refuse(tx, refusal).await,
        Ok(resource) => resource,
    };
    let before = values_of(&resource);
    if let Some(name) = change.name {
        resource.name = name;
    }
    if let Some(scopes) = scopes {
        resource.scopes = scopes;
    }
    if let Some(format) = change.access_token_format {
        resource.access_token_format = format;
    }
    if let Some(lifetime) = change.access_token_lifetime {
        resource.access_token_lifetime = lifetime;
    }
    resource.updated_at = call.now;
    if !tx.change_resource(&resource).await? {
        return refuse(tx, Error::Stale).await;
    }
    resource.version = resource.version.saturating_add(1);
    let values = (before, values_of(&resource));
    finish(provider, call, tx, &resource, "changed", values).await?;
    Ok(resource)
}

/// Deletes a resource. It is refused while roles or declared permissions belong to it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Conflict`] (`in_use`).
pub async fn delete(provider: &Provider, call: &Call, id: Id<Resource>, expected: Option<i64>) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let resource = match load(&mut tx, id, expected).await {
        Err(refusal) => return refuse(tx, refusal).await,
        Ok(resource) => resource,
    };
    if tx.has_permissions(id).await? {
        return refuse(tx, Error::Conflict("in_use")).await;
    }
    if !tx.delete_resource(id).await? {
        return refuse(tx, Error::NotFound).await;
    }
    let values = (values_of(&resource), Map::new());
    finish(provider, call, tx, &resource, "deleted", values).await
}

async fn load(tx: &mut Write, id: Id<Resource>, expected: Option<i64>) -> Result<Resource, Error> {
    let resources = tx.list_resources().await?;
    let resource = resources.into_iter().find(|resource| resource.id == id);
    let resource = resource.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != resource.version) {
        return Err(Error::Stale);
    }
    Ok(resource)
}

async fn finish(
    provider: &Provider,
    call: &Call,
    mut tx: Write,
    resource: &Resource,
    what: &'static str,
    (before, after): (Map<String, Value>, Map<String, Value>),
) -> Result<(), Error> {
    let event = call
        .event(EventKind::ResourceChanged)
        .fact("resource", Fact::Id(resource.id.uuid()))
        .fact("action", Fact::Word(what))
        .changing(&before, &after);
    tx.add_event(&event).await?;
    tx.raise_resource_generation().await?;
    tx.commit().await?;
    if let Err(error) = provider.refresh_memory().await {
        tracing::warn!(%error, "the memory of resources was not refreshed at once");
    }
    Ok(())
}

/// What of a resource the history tells, by field.
pub(super) fn values_of(resource: &Resource) -> Map<String, Value> {
    members_of(&json!({
        "identifier": resource.identifier,
        "name": resource.name,
        "scopes": resource.scopes.iter().collect::<Vec<&str>>(),
        "access_token_format": resource.access_token_format.map(|format| format.to_string()),
        "access_token_lifetime": resource.access_token_lifetime.map(write_duration),
    }))
}

/// What a resource may be, whoever describes it: gives its scopes.
///
/// # Errors
/// [`Error::Invalid`] with everything that can't be taken: what is malformed, and what is this server's own.
pub(super) fn judge(
    provider: &Provider,
    identifier: &str,
    name: Option<&str>,
    scopes: &[String],
) -> Result<Scopes, Error> {
    let mut errors = Vec::new();
    check_identifier(provider, identifier, &mut errors);
    check_name(name, &mut errors);
    let scopes = read_scopes(scopes, &mut errors);
    if errors.is_empty() {
        Ok(scopes)
    } else {
        Err(Error::Invalid(errors))
    }
}

fn check_identifier(provider: &Provider, identifier: &str, errors: &mut Vec<FieldError>) {
    // RFC 8707 section 2: an absolute URI without a fragment
    let fits = identifier.len() <= LONGEST_IDENTIFIER
        && identifier.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(identifier).is_ok_and(|url| url.fragment().is_none());
    if !fits {
        errors.push(FieldError {
            pointer: "/identifier".to_owned(),
            code: "malformed",
            detail: "expected an absolute URI without a fragment".to_owned(),
        });
    }
    // tokens for this server itself are never for somebody else too
    if identifier.trim_end_matches('/') == provider.issuer.as_str() || identifier == provider.issuer.api() {
        errors.push(FieldError {
            pointer: "/identifier".to_owned(),
            code: "reserved",
            detail: "this is the identifier of this server".to_owned(),
        });
    }
}

/// What `token.access_lifetime` may be, a resource's may be too.
pub(super) fn check_lifetime(lifetime: Option<Duration>) -> Result<(), Error> {
    if lifetime.is_none_or(|lifetime| LIFETIME.contains(&lifetime) && lifetime.subsec_nanos() == 0) {
        return Ok(());
    }
    Err(Error::field(
        "/access_token_lifetime",
        "invalid",
        "expected 30 seconds to a day",
    ))
}

fn check_name(name: Option<&str>, errors: &mut Vec<FieldError>) {
    let fits = |name: &str| {
        !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
    };
    if name.is_some_and(|name| !fits(name)) {
        errors.push(FieldError {
            pointer: "/name".to_owned(),
            code: "malformed",
            detail: "expected one line of at most 200 characters".to_owned(),
        });
    }
}

fn read_scopes(tokens: &[String], errors: &mut Vec<FieldError>) -> Scopes {
    let mut scopes = Scopes::default();
    for (place, token) in tokens.iter().take(MOST_SCOPES).enumerate() {
        let is_one = Scopes::parse(token).is_ok_and(|parsed| parsed.iter().eq([token.as_str()]));
        let problem = if !is_one {
            Some(("malformed", "expected a scope (RFC 6749 section 3.3)"))
        } else if is_api_scope(token) || STANDARD.contains(&token.as_str()) {
            Some(("reserved", "this scope is one of this server's own"))
        } else {
            None
        };
        match problem {
            None => scopes.add(token),
            Some((code, detail)) => errors.push(FieldError {
                pointer: format!("/scopes/{place}"),
                code,
                detail: detail.to_owned(),
            }),
        }
    }
    if tokens.len() > MOST_SCOPES {
        errors.push(FieldError {
            pointer: "/scopes".to_owned(),
            code: "too_many",
            detail: "a resource has at most 200 scopes".to_owned(),
        });
    }
    scopes
}
