//! What groups, clients and users say about settings: shown, changed, settled for one person.

use serde_json::{Map, Value};

use super::settings::{flat, pointer, unreadable};
use crate::flow::clients::Authority;
use crate::flow::people::{ChangeSource, Rights};
use crate::flow::settle::settle as keep;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::setting::{DECLARED, Declaration};
use crate::model::{EventKind, Fact, Id, Layer, LayerOwner, Settled, User};
use crate::store::{self, Write};

/// What this one says about settings.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, owner: LayerOwner) -> Result<Layer, Error> {
    let mut store = provider.store.read().await?;
    let is_there = match owner {
        LayerOwner::User(id) => store.find_user(id).await?.is_some(),
        LayerOwner::Group(id) => store.find_group(id).await?.is_some(),
        LayerOwner::Client(id) => store.find_client(id).await?.is_some(),
    };
    if !is_there {
        return Err(Error::NotFound);
    }
    Ok(store.get_layer(owner).await?)
}

/// What a table would make of a layer: `null` takes back what was said.
///
/// # Errors
/// [`Error::Invalid`] with every unknown key, every one that this owner has no say in, and every value out of bounds.
pub fn judge(owner: LayerOwner, before: &Layer, table: &Map<String, Value>) -> Result<Layer, Error> {
    let mut after = before.clone();
    let mut errors = Vec::new();
    for (key, value) in flat(table) {
        let Some(declared) = Declaration::find(&key) else {
            errors.extend(unreadable(&key, value));
            continue;
        };
        if !owner.may_say(declared.key) {
            errors.push(FieldError {
                pointer: pointer(declared.key),
                code: "not_here",
                detail: format!(
                    "{} counts for everyone; a {} has no say in it",
                    declared.key,
                    owner.kind()
                ),
            });
            continue;
        }
        match value {
            Value::Null => drop(after.remove(declared.key)),
            value => match declared.read(value) {
                Ok(read) => drop(after.insert(declared.key, read)),
                Err(error) => errors.push(FieldError {
                    pointer: pointer(declared.key),
                    code: "invalid",
                    detail: error.to_string(),
                }),
            },
        }
    }
    if errors.is_empty() {
        Ok(after)
    } else {
        Err(Error::Invalid(errors))
    }
}

/// Changes what a table names and leaves the rest of what this one says alone. Gives what it says now.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] as [`judge`], [`Error::Forbidden`] if it carries rights that the caller lacks.
pub async fn change(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    owner: LayerOwner,
    table: &Map<String, Value>,
) -> Result<Layer, Error> {
    let mut tx = provider.store.write().await?;
    let done = change_in(&mut tx, call, source, owner, table).await;
    let after = keep(tx, done).await?;
    super::forget(provider).await;
    Ok(after)
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    owner: LayerOwner,
    table: &Map<String, Value>,
) -> Result<Layer, Error> {
    may_change(tx, source, owner).await?;
    let before = tx.get_layer(owner).await?;
    let after = judge(owner, &before, table)?;
    if before == after {
        return Ok(after);
    }
    match tx.replace_layer(owner, &after).await {
        Err(store::Error::Missing) => return Err(Error::NotFound),
        replaced => replaced?,
    }
    if let LayerOwner::Client(_) = owner {
        tx.raise_client_generation().await?;
    }
    let mut event = call
        .event(EventKind::SettingsChanged)
        .because("layer")
        .fact("source", source.fact())
        .fact(owner.kind(), Fact::Id(owner.uuid()));
    let changed = DECLARED
        .iter()
        .filter(|declared| before.get(declared.key) != after.get(declared.key));
    for declared in changed {
        event = event.fact(declared.key, Fact::Setting(declared.key));
    }
    event = match owner {
        LayerOwner::User(id) => event.user(id),
        LayerOwner::Client(id) => event.client(id),
        LayerOwner::Group(_) => event,
    };
    tx.add_event(&event).await?;
    Ok(after)
}

async fn may_change(tx: &mut Write, source: &ChangeSource, owner: LayerOwner) -> Result<(), Error> {
    match owner {
        LayerOwner::User(id) => {
            tx.find_user(id).await?.ok_or(Error::NotFound)?;
            source.must_outrank(&tx.list_permissions_of(id).await?)
        }
        LayerOwner::Group(id) => {
            tx.find_group(id).await?.ok_or(Error::NotFound)?;
            let carried = tx.list_permissions_by(id).await?;
            source.must_cover(carried.iter().map(String::as_str))
        }
        LayerOwner::Client(id) => {
            let client = tx.find_client(id).await?.ok_or(Error::NotFound)?;
            let authority = match source {
                ChangeSource::Api(Rights::Held(held)) => Authority::Holder(held.clone()),
                _ => Authority::Operator,
            };
            authority.require(&client.metadata)
        }
    }
}

/// What counts for a user, of the settings that have layers: with who says so and what else was said. `client_id` adds what
/// a client says for itself.
///
/// # Errors
/// [`Error::NotFound`] for the user, [`Error::Invalid`] for the client.
pub async fn settle(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    client_id: Option<&str>,
) -> Result<Vec<(&'static Declaration, Settled)>, Error> {
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let client = match client_id {
        None => None,
        Some(client_id) => Some(
            provider
                .client(client_id)
                .await?
                .ok_or_else(|| Error::field("/client_id", "unknown", format!("there is no client {client_id}")))?,
        ),
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, client.as_deref());
    let layered = DECLARED
        .iter()
        .filter(|declared| LayerOwner::User(user).may_say(declared.key));
    Ok(layered
        .filter_map(|declared| Some((declared, layers.settle(declared.key)?)))
        .collect())
}
