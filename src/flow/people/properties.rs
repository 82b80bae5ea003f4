//! Properties: defined, changed, taken away; and what a change would break.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ChangeSource, property_definition, property_values};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::{Event, EventKind, Fact, Id, Property, PropertyAccess, PropertyDefinition, PropertyState, User};
use crate::store::{self, MOST_PROPERTIES, Write};

/// So many people are looked at by a check, in pages.
const MOST_LOOKED_AT: usize = 10_000;
const PAGE: u32 = 500;
/// So many are named.
const MOST_EXAMPLES: usize = 20;

/// Every property, by name.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn list_properties(provider: &Provider) -> Result<Vec<Property>, Error> {
    Ok(provider.store.read().await?.list_properties().await?)
}

/// The property of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_property(provider: &Provider, id: Id<Property>) -> Result<Property, Error> {
    let mut store = provider.store.read().await?;
    store.find_property(id).await?.ok_or(Error::NotFound)
}

/// The property of this name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_property_by_name(provider: &Provider, name: &str) -> Result<Property, Error> {
    let all = list_properties(provider).await?;
    all.into_iter()
        .find(|property| property.name == name)
        .ok_or(Error::NotFound)
}

/// Defines a property, or extends a standard field.
///
/// # Errors
/// [`Error::Invalid`] naming every member that can't be taken.
pub async fn define_property(
    provider: &Provider,
    call: &Call,
    name: &str,
    members: &Map<String, Value>,
) -> Result<Property, Error> {
    let definition = property_definition::read(name, members).map_err(Error::Invalid)?;
    let mut tx = provider.store.write().await?;
    let done = define_in(&mut tx, call, name, definition).await;
    settle(tx, done).await
}

/// Judges a definition.
///
/// # Errors
/// [`Error::Invalid`] naming every member that can't be taken.
pub fn judge_property(name: &str, members: &Map<String, Value>) -> Result<PropertyDefinition, Error> {
    property_definition::read(name, members).map_err(Error::Invalid)
}

/// The same as a part of a transaction, once it was judged.
pub(in crate::flow) async fn define_in(
    tx: &mut Write,
    call: &Call,
    name: &str,
    definition: PropertyDefinition,
) -> Result<Property, Error> {
    let known = tx.list_properties().await?;
    if known.len() >= usize::try_from(MOST_PROPERTIES).unwrap_or(usize::MAX) {
        return Err(Error::Conflict("too_many_properties"));
    }
    must_have_claim_alone(&known, name, &definition)?;
    let property = Property {
        id: Id::new(call.now),
        name: name.to_owned(),
        definition,
        // nobody has a value yet
        state: PropertyState::Ready,
        doubles: 0,
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    match tx.add_property(&property).await {
        Err(store::Error::Taken(_)) => {
            return Err(Error::field("/name", "taken", "there is a property of this name"));
        }
        added => added?,
    }
    tx.add_event(&told(call, EventKind::PropertyCreated, &property)).await?;
    Ok(property)
}

fn must_have_claim_alone(known: &[Property], name: &str, definition: &PropertyDefinition) -> Result<(), Error> {
    let is_taken = definition.claim.as_ref().is_some_and(|claim| {
        let mut others = known.iter().filter(|other| other.name != name);
        others.any(|other| other.definition.claim.as_ref() == Some(claim))
    });
    match is_taken {
        true => Err(Error::field("/claim", "taken", "another property has this claim")),
        false => Ok(()),
    }
}

/// What a definition becomes by a merge patch (RFC 7396).
///
/// # Errors
/// [`Error::Invalid`] naming every member that can't be taken.
pub fn patched(property: &Property, patch: &Map<String, Value>) -> Result<PropertyDefinition, Error> {
    let mut members = property.definition.members();
    if property.is_built_in() {
        let allowed = crate::model::property::MEMBERS_OF_BUILT_IN;
        members.retain(|name, _| allowed.contains(&name.as_str()));
    }
    merge(&mut members, patch);
    let definition = property_definition::read(&property.name, &members).map_err(Error::Invalid)?;
    if definition.kind != property.definition.kind {
        let detail = "the type of a property does not change: define another";
        return Err(Error::field("/type", "immutable", detail));
    }
    Ok(definition)
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (value, target.get_mut(name)) {
            (Value::Null, _) => drop(target.remove(name)),
            (Value::Object(inner), Some(Value::Object(known))) if name != "default" => merge(known, inner),
            _ => drop(target.insert(name.clone(), value.clone())),
        }
    }
}

/// Changes a definition, if its version still is the expected one. Values that do not fit any more stay until they change.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`].
pub async fn change_property(
    provider: &Provider,
    call: &Call,
    id: Id<Property>,
    expected: Option<i64>,
    patch: &Map<String, Value>,
) -> Result<Property, Error> {
    let mut tx = provider.store.write().await?;
    let done = async {
        let property = find(&mut tx, id, expected).await?;
        let definition = patched(&property, patch)?;
        change_in(&mut tx, call, property, definition).await
    }
    .await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    tx: &mut Write,
    call: &Call,
    mut property: Property,
    definition: PropertyDefinition,
) -> Result<Property, Error> {
    if property.definition == definition {
        return Ok(property);
    }
    must_have_claim_alone(&tx.list_properties().await?, &property.name, &definition)?;
    let keys = |of: &PropertyDefinition| (of.is_keyed(), of.unique);
    let anew = keys(&property.definition) != keys(&definition);
    property.definition = definition;
    property.updated_at = call.now;
    if anew {
        property.state = PropertyState::Indexing;
    }
    if !tx.change_property(&property, anew).await? {
        return Err(Error::Stale);
    }
    property.version = property.version.saturating_add(1);
    tx.add_event(&told(call, EventKind::PropertyChanged, &property)).await?;
    Ok(property)
}

/// Takes a property away: nobody is told its values from now on, and they are removed from every person in the background. The name is
/// free again when that is done.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`].
pub async fn remove_property(
    provider: &Provider,
    call: &Call,
    id: Id<Property>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = async {
        let property = find(&mut tx, id, expected).await?;
        remove_in(&mut tx, call, property).await
    }
    .await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn remove_in(tx: &mut Write, call: &Call, mut property: Property) -> Result<(), Error> {
    property.state = PropertyState::Clearing;
    property.updated_at = call.now;
    let is_gone = match property.is_built_in() {
        // an extension has no values
        true => tx.finish_property(&property).await?,
        false => tx.change_property(&property, true).await?,
    };
    if !is_gone {
        return Err(Error::Stale);
    }
    tx.add_event(&told(call, EventKind::PropertyDeleted, &property)).await?;
    Ok(())
}

async fn find(tx: &mut Write, id: Id<Property>, expected: Option<i64>) -> Result<Property, Error> {
    let property = tx.find_property(id).await?.ok_or(Error::NotFound)?;
    if property.state == PropertyState::Clearing {
        return Err(Error::NotFound);
    }
    if expected.is_some_and(|version| version != property.version) {
        return Err(Error::Stale);
    }
    Ok(property)
}

fn told(call: &Call, kind: EventKind, property: &Property) -> Event {
    let event = call.event(kind).fact("property", Fact::Id(property.id.uuid()));
    event.fact("version", Fact::Number(property.version))
}

/// What a change of a definition would break.
#[derive(Clone, Debug, Default)]
pub struct PropertyCheck {
    /// How many people were looked at, the oldest accounts first.
    pub looked_at: usize,
    /// Whether that is everybody.
    pub complete: bool,
    /// How many of them have a value that would not be taken.
    pub invalid: usize,
    /// How many have none although it is required.
    pub missing: usize,
    /// How many have one that another has, although there may be one of each.
    pub taken: usize,
    /// Some of them, with what is wrong.
    pub examples: Vec<(Id<User>, FieldError)>,
}

/// Looks whose values a definition would not take, without changing anything. A bounded number of people is looked at. Whoever asks by
/// the API sees the values, or asks in vain: a pattern that fits or does not would tell them.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Forbidden`], [`Error::Conflict`] (`unseen_values`).
pub async fn check_property(
    provider: &Provider,
    source: &ChangeSource,
    id: Id<Property>,
    patch: &Map<String, Value>,
) -> Result<PropertyCheck, Error> {
    source.must_cover(["admin:users.read"])?;
    let property = get_property(provider, id).await?;
    if matches!(source, ChangeSource::Api(_)) && property.definition.administrators == PropertyAccess::None {
        return Err(Error::Conflict("unseen_values"));
    }
    let definition = patched(&property, patch)?;
    let mut check = PropertyCheck::default();
    let mut seen = BTreeSet::new();
    let mut after = None;
    while check.looked_at < MOST_LOOKED_AT {
        // a connection is not held from the first page to the last
        let page = provider.store.read().await?.list_users(after, PAGE).await?;
        let Some(last) = page.last() else {
            check.complete = true;
            break;
        };
        after = Some(last.id);
        for user in &page {
            check.looked_at = check.looked_at.saturating_add(1);
            check.look_at(&property, &definition, user, &mut seen);
        }
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            check.complete = true;
            break;
        }
    }
    Ok(check)
}

impl PropertyCheck {
    fn look_at(
        &mut self,
        property: &Property,
        definition: &PropertyDefinition,
        user: &User,
        seen: &mut BTreeSet<String>,
    ) {
        let found = if property.is_built_in() {
            let members = serde_json::to_value(&user.profile).unwrap_or_default();
            let text = members.get(&property.name).and_then(Value::as_str).map(str::to_owned);
            text.and_then(|text| property_values::judge_text(definition, &text).err())
        } else {
            match user.profile.properties.get(&property.name) {
                None if definition.required => Some(("required", "this has to be there".to_owned())),
                None => None,
                Some(value) => match property_values::judge_value(definition, value) {
                    Err(refused) => Some(refused),
                    Ok(_) if !definition.unique => None,
                    Ok(value) => match definition.key(&value) {
                        Some(key) if !seen.insert(key.clone()) => Some(("taken", "somebody else has it".to_owned())),
                        _ => None,
                    },
                },
            }
        };
        let Some((code, detail)) = found else {
            return;
        };
        let counter = match code {
            "required" if !property.is_built_in() => &mut self.missing,
            "taken" => &mut self.taken,
            _ => &mut self.invalid,
        };
        *counter = counter.saturating_add(1);
        if self.examples.len() < MOST_EXAMPLES {
            let pointer = format!("/properties/{}", property.name);
            self.examples.push((user.id, FieldError { pointer, code, detail }));
        }
    }
}
