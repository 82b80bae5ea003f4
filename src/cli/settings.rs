//! `settings`: what is in force and where it comes from, what was changed, and the way back.

use serde_json::{Map, Value, json};

use super::arguments::{SettingOwner, Settings};
use super::failure::Failure;
use super::output::{Output, Shape};
use super::users;
use crate::flow::operations::settings::{self, ChangedBy, Revision, SettingChange};
use crate::flow::operations::{inventory, layers};
use crate::flow::people::{self, ChangeSource};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{Declaration, SettingValue};
use crate::model::{LayerOwner, Speaker};

pub(super) async fn run(provider: &Provider, call: &Call, command: Settings) -> Result<Output, Failure> {
    match command {
        Settings::Show {
            user: Some(user),
            client,
            json,
        } => effective(provider, call, &user, client.as_deref(), json.shape()).await,
        Settings::Set {
            key,
            value,
            owner,
            json,
        } => set(provider, call, &key, &value, owner, json.shape()).await,
        Settings::Show { json, .. } => {
            let settings = provider.settings().await?;
            let rows: Vec<Value> = settings
                .all()
                .map(|(key, effective)| {
                    json!({
                        "key": key,
                        "value": effective.value.to_json(),
                        "source": effective.source.as_str(),
                        "description": Declaration::find(key).map(|declared| declared.sentence),
                    })
                })
                .collect();
            let columns = ["key", "value", "source", "description"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Settings::History(json) => {
            let revisions = settings::history(provider).await?;
            let rows: Vec<Value> = revisions.iter().map(row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["number", "at", "by", "source", "changed"],
            ))
        }
        Settings::Rollback { number, json } => match settings::roll_back(provider, call, number).await {
            Err(Error::NotFound) => Err(Failure::refused(format!("there is no revision {number}"))),
            changes => changed(json.shape(), &changes?),
        },
    }
}

/// What counts for one person, who says so, and what else was said.
async fn effective(
    provider: &Provider,
    call: &Call,
    user: &str,
    client: Option<&str>,
    shape: Shape,
) -> Result<Output, Failure> {
    let user = users::find(provider, user).await?;
    let settled = layers::settle(provider, call, user.id, client).await?;
    let rows: Vec<Value> = settled
        .iter()
        .map(|(declared, settled)| {
            let said = |(speaker, value): &(Speaker, SettingValue)| {
                json!({ "source": speaker.to_string(), "value": value.to_json() })
            };
            json!({
                "key": declared.key,
                "value": settled.value.to_json(),
                "source": settled.speaker.to_string(),
                "contenders": settled.contenders.iter().map(said).collect::<Vec<_>>(),
            })
        })
        .collect();
    if shape == Shape::Json {
        return Ok(Output::table(shape, &rows, &[]));
    }
    let told: Vec<Value> = settled
        .iter()
        .map(|(declared, settled)| {
            let others = settled.contenders.iter();
            let others: Vec<String> = others
                .map(|(speaker, value)| format!("{} ({speaker})", plain(&value.to_json())))
                .collect();
            json!({
                "key": declared.key,
                "value": settled.value.to_json(),
                "source": settled.speaker.to_string(),
                "beside": others.join(", "),
            })
        })
        .collect();
    Ok(Output::table(shape, &told, &["key", "value", "source", "beside"]))
}

/// Sets a setting for everyone, or says it for one user, group or client.
async fn set(
    provider: &Provider,
    call: &Call,
    key: &str,
    value: &str,
    owner: SettingOwner,
    shape: Shape,
) -> Result<Output, Failure> {
    let mut table = Map::new();
    table.insert(key.to_owned(), read(value));
    let named = match (owner.user, owner.group, owner.client) {
        (Some(user), _, _) => LayerOwner::User(users::find(provider, &user).await?.id),
        (_, Some(group), _) => match people::find_group_by_name(provider, &group).await? {
            Some(group) => LayerOwner::Group(group.id),
            None => return Err(Failure::refused(format!("there is no group {group}"))),
        },
        (_, _, Some(client)) => match inventory::client(provider, &client).await {
            Ok(client) => LayerOwner::Client(client.id),
            Err(Error::NotFound) => return Err(Failure::refused(format!("there is no client {client}"))),
            Err(error) => return Err(error.into()),
        },
        (None, None, None) => {
            settings::may_say(provider, &ChangeSource::Command, &table).await?;
            let changes = settings::change(provider, call, &table, ChangedBy::Command).await?;
            return changed(shape, &changes);
        }
    };
    let layer = layers::change(provider, call, &ChangeSource::Command, named, &table).await?;
    let said: Map<String, Value> = layer
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.to_json()))
        .collect();
    Ok(Output::either(shape, &Value::Object(said.clone()), || {
        if said.is_empty() {
            return format!("the {} says nothing about settings\n", named.kind());
        }
        let lines = said.iter().map(|(key, value)| format!("{key}: {}\n", plain(value)));
        lines.collect()
    }))
}

/// A value as it is typed: a number, yes or no, nothing, else a word.
fn read(value: &str) -> Value {
    match serde_json::from_str(value) {
        Ok(read @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => read,
        _ => value.into(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn changed(shape: Shape, changes: &[SettingChange]) -> Result<Output, Failure> {
    let value = serde_json::to_value(changes)?;
    Ok(Output::either(shape, &value, || {
        if changes.is_empty() {
            return "nothing to change\n".to_owned();
        }
        let shown = |value: &Option<Value>| value.as_ref().map_or("built in".to_owned(), Value::to_string);
        changes
            .iter()
            .map(|change| {
                format!(
                    "{}: {} -> {}\n",
                    change.key,
                    shown(&change.before),
                    shown(&change.after)
                )
            })
            .collect()
    }))
}

fn row(revision: &Revision) -> Value {
    let mut keys: Vec<&String> = revision.before.keys().chain(revision.after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| revision.before.get(*key) != revision.after.get(*key));
    json!({
        "number": revision.number,
        "at": revision.at.rfc3339(),
        "by": revision.actor_kind,
        "actor_id": revision.actor_id.map(|id| id.to_string()),
        "source": revision.source,
        "changed": keys,
    })
}
