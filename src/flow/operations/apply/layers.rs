//! The member `settings` of groups, clients and users: what each of them says about settings, beside what counts for everyone.
//! What it names is changed, `null` takes back; the rest stays.

use serde_json::{Map, Value};

use super::difference::{Action, Change, FieldChange};
use super::document::Document;
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, below, clients, groups, users};
use crate::flow::operations::{inventory, layers};
use crate::flow::people::{self, ChangeSource, UserKey};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Layer, LayerOwner};
use crate::store::Write;

/// Whose it is: a name of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Group(String),
    Client(String),
    User(String),
}

impl Named {
    const fn section(&self) -> &'static str {
        match self {
            Self::Group(_) => groups::SECTION,
            Self::Client(_) => clients::SECTION,
            Self::User(_) => users::SECTION,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Group(name) | Self::Client(name) | Self::User(name) => name,
        }
    }

    /// The row, if it is there already.
    async fn find(&self, provider: &Provider) -> Result<Option<LayerOwner>, Error> {
        Ok(match self {
            Self::Group(name) => people::find_group_by_name(provider, name)
                .await?
                .map(|group| LayerOwner::Group(group.id)),
            Self::Client(client_id) => match inventory::client(provider, client_id).await {
                Ok(client) => Some(LayerOwner::Client(client.id)),
                Err(Error::NotFound) => None,
                Err(error) => return Err(error),
            },
            Self::User(username) => people::find_user(provider, &UserKey::Username(username.clone()))
                .await?
                .map(|user| LayerOwner::User(user.id)),
        })
    }

    /// The same as a transaction sees it, which may have made it.
    async fn find_in(&self, tx: &mut Write) -> Result<Option<LayerOwner>, Error> {
        Ok(match self {
            Self::Group(name) => tx
                .find_group_by_name(name)
                .await?
                .map(|group| LayerOwner::Group(group.id)),
            Self::Client(client_id) => tx
                .find_client_by_client_id(client_id)
                .await?
                .map(|client| LayerOwner::Client(client.id)),
            Self::User(username) => tx
                .find_user_by_username(username)
                .await?
                .map(|user| LayerOwner::User(user.id)),
        })
    }

    /// One of its kind, for what hangs on the kind alone.
    fn kind(&self, call: &Call) -> LayerOwner {
        match self {
            Self::Group(_) => LayerOwner::Group(Id::new(call.now)),
            Self::Client(_) => LayerOwner::Client(Id::new(call.now)),
            Self::User(_) => LayerOwner::User(Id::new(call.now)),
        }
    }
}

/// What is changed.
pub(super) struct LayerAct {
    named: Named,
    table: Map<String, Value>,
}

/// Reads the member.
pub(super) fn read(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Map<String, Value> {
    match reader.value("settings") {
        None => Map::new(),
        Some(Value::Object(table)) => table.clone(),
        Some(_) => {
            mistakes.add(&reader.at("settings"), "type", "expected an object");
            Map::new()
        }
    }
}

/// What the file changes, with everything that is wrong in it.
pub(super) async fn plan(provider: &Provider, call: &Call, document: &Document) -> Result<Vec<Planned>, Error> {
    let of_groups = document
        .groups
        .iter()
        .map(|entry| (Named::Group(entry.name.clone()), &entry.pointer, &entry.settings));
    let of_clients = document
        .clients
        .iter()
        .map(|entry| (Named::Client(entry.client_id.clone()), &entry.pointer, &entry.settings));
    let of_users = document
        .users
        .iter()
        .map(|entry| (Named::User(entry.username.clone()), &entry.pointer, &entry.settings));
    let mut planned = Vec::new();
    let mut errors = Vec::new();
    for (named, pointer, table) in of_groups.chain(of_clients).chain(of_users) {
        if table.is_empty() {
            continue;
        }
        let pointer = format!("{pointer}/settings");
        let (before, owner) = match named.find(provider).await? {
            Some(owner) => (layers::get(provider, owner).await?, owner),
            None => (Layer::new(), named.kind(call)),
        };
        let after = match layers::judge(owner, &before, table).map_err(|error| below(error, &pointer)) {
            Ok(after) => after,
            Err(Error::Invalid(wrong)) => {
                errors.extend(wrong);
                continue;
            }
            Err(other) => return Err(other),
        };
        let fields = FieldChange::between(&shown(&before), &shown(&after));
        if fields.is_empty() {
            continue;
        }
        planned.push(Planned {
            change: Change {
                section: named.section(),
                name: named.name().to_owned(),
                action: Action::Change,
                fields,
            },
            act: Act::Layer(LayerAct {
                named,
                table: table.clone(),
            }),
            pointer,
        });
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

fn shown(layer: &Layer) -> Map<String, Value> {
    let fields = layer
        .iter()
        .map(|(key, value)| (format!("settings.{key}"), value.to_json()));
    fields.collect()
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &LayerAct) -> Result<(), Error> {
    let owner = act.named.find_in(tx).await?.ok_or(Error::NotFound)?;
    layers::change_in(tx, call, &ChangeSource::Apply, owner, &act.table).await?;
    Ok(())
}

/// What one says, as the file has it; nothing if it says nothing.
pub(in crate::flow::operations) async fn to_json(
    provider: &Provider,
    owner: LayerOwner,
) -> Result<Option<Map<String, Value>>, Error> {
    let layer = provider.store.read().await?.get_layer(owner).await?;
    let table: Map<String, Value> = layer
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.to_json()))
        .collect();
    Ok((!table.is_empty()).then_some(table))
}
