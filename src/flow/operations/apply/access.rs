//! The members `access_groups` and `access_users` of clients: whom they are given to, where not everybody may use them.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, clients};
use crate::flow::clients::access;
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{Client, ClientUser, Id};
use crate::store::Write;

const GROUPS: &str = "access_groups";
const USERS: &str = "access_users";

/// What an entry of a client says about it.
#[derive(Default)]
pub(super) struct Given {
    groups: Option<Vec<String>>,
    users: Option<Vec<String>>,
}

/// Gives a client to these and takes it from those, by name.
pub(super) struct AccessAct {
    client_id: String,
    give: Vec<Named>,
    take: Vec<Named>,
}

#[derive(Clone)]
enum Named {
    Group(String),
    User(String),
}

pub(super) fn read(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Given {
    Given {
        groups: reader.texts(GROUPS, mistakes),
        users: reader.texts(USERS, mistakes),
    }
}

/// Whom a client is given to, as the file has it: groups and users.
pub(in crate::flow::operations) async fn to_json(
    provider: &Provider,
    client: Id<Client>,
) -> Result<Map<String, Value>, Error> {
    let (groups, users) = names(provider, client).await?;
    Ok(shown(&groups, &users))
}

async fn names(provider: &Provider, client: Id<Client>) -> Result<(Vec<String>, Vec<String>), Error> {
    let (mut groups, mut users) = (Vec::new(), Vec::new());
    for given in access::list_client_access(provider, client).await? {
        match given.who {
            ClientUser::Group(_) => groups.push(given.name),
            ClientUser::User(_) => users.push(given.name),
        }
    }
    Ok((groups, users))
}

fn shown(groups: &[String], users: &[String]) -> Map<String, Value> {
    let mut entry = Map::new();
    for (member, names) in [(GROUPS, groups), (USERS, users)] {
        let mut names = names.to_vec();
        names.sort_by_key(|name| comparison_key(name));
        if !names.is_empty() {
            entry.insert(member.to_owned(), json!(names));
        }
    }
    entry
}

/// The difference, once clients, groups and users are there.
pub(super) async fn plan(provider: &Provider, entries: &[clients::Entry]) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in entries {
        let Given { groups, users } = &entry.given;
        if groups.is_none() && users.is_none() {
            continue;
        }
        let before = match provider
            .store
            .read()
            .await?
            .find_client_by_client_id(&entry.client_id)
            .await?
        {
            Some(client) => names(provider, client.id).await?,
            None => (Vec::new(), Vec::new()),
        };
        let after = (
            groups.as_ref().unwrap_or(&before.0),
            users.as_ref().unwrap_or(&before.1),
        );
        let fields = FieldChange::between(&shown(&before.0, &before.1), &shown(after.0, after.1));
        if fields.is_empty() {
            continue;
        }
        let of_groups = |names: Vec<String>| names.into_iter().map(Named::Group);
        let of_users = |names: Vec<String>| names.into_iter().map(Named::User);
        let give = of_groups(missing(&before.0, after.0)).chain(of_users(missing(&before.1, after.1)));
        let take = of_groups(missing(after.0, &before.0)).chain(of_users(missing(after.1, &before.1)));
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: clients::SECTION,
                name: entry.client_id.clone(),
                action: Action::Change,
                fields,
            },
            act: Act::Access(AccessAct {
                client_id: entry.client_id.clone(),
                give: give.collect(),
                take: take.collect(),
            }),
        });
    }
    Ok(planned)
}

fn missing(from: &[String], of: &[String]) -> Vec<String> {
    let known: Vec<String> = from.iter().map(|name| comparison_key(name)).collect();
    of.iter()
        .filter(|name| !known.contains(&comparison_key(name)))
        .cloned()
        .collect()
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &AccessAct) -> Result<(), Error> {
    let client = tx
        .find_client_by_client_id(&act.client_id)
        .await?
        .ok_or(Error::NotFound)?;
    for named in &act.give {
        let who = find(tx, named).await?;
        access::give_in(tx, call, client.id, who).await?;
    }
    for named in &act.take {
        let who = find(tx, named).await?;
        access::take_in(tx, call, client.id, who).await?;
    }
    Ok(())
}

async fn find(tx: &mut Write, named: &Named) -> Result<ClientUser, Error> {
    let unknown =
        |member: &str, name: &str| Error::field(format!("/{member}"), "unknown", format!("there is no {name}"));
    match named {
        Named::Group(name) => {
            let found = tx.find_group_by_name(name).await?;
            found
                .map(|group| ClientUser::Group(group.id))
                .ok_or_else(|| unknown(GROUPS, name))
        }
        Named::User(name) => {
            let found = tx.find_user_by_username(name).await?;
            found
                .map(|user| ClientUser::User(user.id))
                .ok_or_else(|| unknown(USERS, name))
        }
    }
}
