//! Settings: shown with their source, changed by table, kept in numbered revisions, brought back.

use serde_json::{Map, Value};

use crate::flow::people::{ChangeSource, permissions};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::setting::{Declaration, GROUPS_DEFAULT, SettingError, Settings};
use crate::model::{EventKind, Fact};
pub use crate::store::Revision;
use crate::store::Write;

/// One setting that differs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SettingChange {
    /// Which.
    pub key: String,
    /// What the store says; nothing, if it says nothing.
    pub before: Option<Value>,
    /// What it will say.
    pub after: Option<Value>,
}

/// By what settings are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedBy {
    /// A file.
    Apply,
    /// The administration API.
    Api,
    /// A command.
    Command,
}

impl ChangedBy {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Api => "api",
            Self::Command => "command",
        }
    }
}

const ROLLBACK: &str = "rollback";
const MOST_REVISIONS: u32 = 1000;

/// What a table would change. `null` takes a setting back to what is built in.
///
/// # Errors
/// [`Error::Invalid`] with every unknown or locked key and every value out of bounds.
pub async fn difference(provider: &Provider, table: &Map<String, Value>) -> Result<Vec<SettingChange>, Error> {
    let wanted = Wanted::read(provider, table)?;
    let before = provider.store.read().await?.list_settings().await?;
    Ok(compare(&before, &wanted.onto(&before)))
}

/// Changes what a table names and leaves the rest alone, as one revision. Nothing to change makes none.
///
/// # Errors
/// [`Error::Invalid`] with every unknown or locked key and every value out of bounds; nothing is changed then.
pub async fn change(
    provider: &Provider,
    call: &Call,
    table: &Map<String, Value>,
    by: ChangedBy,
) -> Result<Vec<SettingChange>, Error> {
    let wanted = Wanted::read(provider, table)?;
    let mut tx = provider.store.write().await?;
    let done = write_in(call, &mut tx, &wanted, by).await;
    end(provider, tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    provider: &Provider,
    call: &Call,
    tx: &mut Write,
    table: &Map<String, Value>,
    by: ChangedBy,
) -> Result<Vec<SettingChange>, Error> {
    write_in(call, tx, &Wanted::read(provider, table)?, by).await
}

async fn write_in(call: &Call, tx: &mut Write, wanted: &Wanted, by: ChangedBy) -> Result<Vec<SettingChange>, Error> {
    // the row of the generation is the lock
    tx.raise_setting_generation().await?;
    let before = tx.list_settings().await?;
    let after = wanted.onto(&before);
    put_in(call, tx, &before, &after, by.word()).await
}

/// Refuses a table that names a default group which is not there, or which carries what the caller may not confer: whoever says in
/// which group everybody is, puts everybody into it.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`].
pub async fn may_say(provider: &Provider, source: &ChangeSource, table: &Map<String, Value>) -> Result<(), Error> {
    for (key, value) in flat(table) {
        let Some(name) = value
            .as_str()
            .filter(|name| key == GROUPS_DEFAULT && !name.trim().is_empty())
        else {
            continue;
        };
        let wrong = |code, detail: String| Error::field(pointer(GROUPS_DEFAULT), code, detail);
        let mut store = provider.store.read().await?;
        let group = store.find_group_by_name(name).await?;
        let group = group.ok_or_else(|| wrong("unknown", format!("there is no group {name}")))?;
        let carried = store.list_permissions_by(group.id).await?;
        if carried
            .iter()
            .any(|permission| permissions::is_of_administration(permission))
        {
            let detail = "a group that carries a right of administration is nobody's by default";
            return Err(wrong("contradiction", detail.to_owned()));
        }
        source.must_cover(carried.iter().map(String::as_str))?;
    }
    Ok(())
}

/// The settings that will be in force once a table is stored.
///
/// # Errors
/// As [`difference`].
pub(super) async fn to_be(provider: &Provider, table: &Map<String, Value>) -> Result<Settings, Error> {
    let wanted = Wanted::read(provider, table)?;
    let before = provider.store.read().await?.list_settings().await?;
    Ok(provider.resolve_settings(wanted.onto(&before)))
}

/// The newest revisions first.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn history(provider: &Provider) -> Result<Vec<Revision>, Error> {
    Ok(provider.store.read().await?.list_revisions(MOST_REVISIONS).await?)
}

/// Brings the settings back to how they were after revision `number`; 0 is before the first. This makes a new revision.
///
/// # Errors
/// [`Error::NotFound`] if there is no such revision.
pub async fn roll_back(provider: &Provider, call: &Call, number: i64) -> Result<Vec<SettingChange>, Error> {
    let mut tx = provider.store.write().await?;
    let done = roll_back_in(call, &mut tx, number).await;
    end(provider, tx, done).await
}

async fn roll_back_in(call: &Call, tx: &mut Write, number: i64) -> Result<Vec<SettingChange>, Error> {
    tx.raise_setting_generation().await?;
    let after = match number {
        0 => Some(Map::new()),
        number => tx.find_revision(number).await?.map(|revision| revision.after),
    };
    let after = after.ok_or(Error::NotFound)?;
    let before = tx.list_settings().await?;
    put_in(call, tx, &before, &after, ROLLBACK).await
}

/// Ends a change: one that changes nothing leaves no trace.
async fn end(
    provider: &Provider,
    tx: Write,
    done: Result<Vec<SettingChange>, Error>,
) -> Result<Vec<SettingChange>, Error> {
    if done.as_ref().is_ok_and(Vec::is_empty) {
        tx.abandon().await?;
        return done;
    }
    let changes = settle(tx, done).await?;
    super::forget(provider).await;
    Ok(changes)
}

/// Puts `after` in place of all stored settings, as a revision, where that changes anything.
pub(super) async fn put_in(
    call: &Call,
    tx: &mut Write,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    source: &'static str,
) -> Result<Vec<SettingChange>, Error> {
    let changes = compare(before, after);
    if changes.is_empty() {
        return Ok(changes);
    }
    tx.replace_settings(after, call.actor, source, call.now).await?;
    let mut event = call.event(EventKind::SettingsChanged).because(source);
    for declared in changes.iter().filter_map(|change| Declaration::find(&change.key)) {
        event = event.fact(declared.key, Fact::Setting(declared.key));
    }
    let side = |side: fn(&SettingChange) -> &Option<Value>| {
        let said = changes
            .iter()
            .filter_map(|change| Some((change.key.clone(), side(change).clone()?)));
        said.collect::<Map<String, Value>>()
    };
    let event = event.changing(&side(|change| &change.before), &side(|change| &change.after));
    tx.add_event(&event).await?;
    Ok(changes)
}

fn compare(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<SettingChange> {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| SettingChange {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

/// A table that was read: what to set, what to take back.
struct Wanted(Vec<(&'static str, Option<Value>)>);

impl Wanted {
    fn read(provider: &Provider, table: &Map<String, Value>) -> Result<Self, Error> {
        let mut wanted = Vec::new();
        let mut errors = Vec::new();
        for (key, value) in flat(table) {
            let Some(declared) = Declaration::find(&key) else {
                errors.extend(unreadable(&key, value));
                continue;
            };
            let read = match value {
                Value::Null => Ok(None),
                value => declared.read(value).map(|read| Some(read.to_json())),
            };
            match read {
                Err(error) => errors.push(field(declared.key, "invalid", &error)),
                Ok(value) => {
                    let locked = provider.file_settings.get(declared.key).map(|value| value.to_json());
                    if locked.is_some() && locked != value {
                        errors.push(FieldError {
                            pointer: pointer(declared.key),
                            code: "locked",
                            detail: format!("{} is set in the operator's file, which counts", declared.key),
                        });
                    }
                    wanted.push((declared.key, value));
                }
            }
        }
        if errors.is_empty() {
            Ok(Self(wanted))
        } else {
            Err(Error::Invalid(errors))
        }
    }

    fn onto(&self, before: &Map<String, Value>) -> Map<String, Value> {
        let mut after = before.clone();
        for (key, value) in &self.0 {
            match value {
                Some(value) => drop(after.insert((*key).to_owned(), value.clone())),
                None => drop(after.remove(*key)),
            }
        }
        after
    }
}

/// The entries of a table that may be nested (`{"session": {"idle_timeout": "30m"}}`) or flat.
pub(super) fn flat(table: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut entries = Vec::new();
    for (name, value) in table {
        match value {
            Value::Object(inner) if Declaration::find(name).is_none() => {
                entries.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => entries.push((name.clone(), value)),
        }
    }
    entries
}

/// The declared list finds the nearest key.
pub(super) fn unreadable(key: &str, value: &Value) -> Vec<FieldError> {
    let mut table = Map::new();
    table.insert(key.to_owned(), value.clone());
    match crate::model::setting::read_table(&table) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| field(key, "unknown", error)).collect(),
    }
}

fn field(key: &str, code: &'static str, error: &SettingError) -> FieldError {
    FieldError {
        pointer: pointer(key),
        code,
        detail: error.to_string(),
    }
}

pub(super) fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1").replace('.', "/"))
}
