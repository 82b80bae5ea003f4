//! The member `limited_roles` of groups and users: roles that count over a group or a resource alone. And `owned_groups` of users: the
//! groups whose members they look after.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::document::Document;
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, groups, users};
use crate::flow::people::{self, ChangeSource, RoleHolder, UserKey};
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{Id, Role, RolePlace};
use crate::store::Write;

const LIMITED: &str = "limited_roles";
const OWNED: &str = "owned_groups";

/// A role over something, by names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    role: String,
    over: Over,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Over {
    Group(String),
    Resource(String),
}

impl Named {
    fn key(&self) -> (String, u8, String) {
        let role = comparison_key(&self.role);
        match &self.over {
            Over::Group(name) => (role, 0, comparison_key(name)),
            Over::Resource(identifier) => (role, 1, identifier.clone()),
        }
    }

    fn to_json(&self) -> Value {
        match &self.over {
            Over::Group(name) => json!({"role": self.role, "group": name}),
            Over::Resource(identifier) => json!({"role": self.role, "resource": identifier}),
        }
    }
}

/// What an entry of a group or a user says about it.
#[derive(Clone, Default)]
pub(super) struct Limited {
    roles: Option<Vec<Named>>,
    owned: Option<Vec<String>>,
}

/// Gives these to a group or a user, and takes those.
pub(super) struct LimitedAct {
    holder: Holder,
    give: Vec<Named>,
    take: Vec<Named>,
    own: Vec<String>,
    disown: Vec<String>,
}

#[derive(Clone)]
enum Holder {
    Group(String),
    User(String),
}

/// What a group says.
pub(super) fn read(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Limited {
    let mut limited = Limited::default();
    if reader.has(LIMITED) {
        let entries = reader.entries(LIMITED, mistakes);
        limited.roles = Some(entries.into_iter().filter_map(|entry| named(entry, mistakes)).collect());
    }
    limited
}

/// What a user says.
pub(super) fn read_of_user(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Limited {
    Limited {
        owned: reader.texts(OWNED, mistakes),
        ..read(reader, mistakes)
    }
}

fn named(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Named> {
    let role = reader.required("role", mistakes);
    let group = reader.text("group", mistakes);
    let resource = reader.text("resource", mistakes);
    let over = match (group, resource) {
        (Some(group), None) => Some(Over::Group(group)),
        (None, Some(resource)) => Some(Over::Resource(resource)),
        _ => {
            mistakes.add(&reader.pointer, "contradiction", "expected one of group and resource");
            None
        }
    };
    reader.finish(mistakes);
    Some(Named {
        role: role?,
        over: over?,
    })
}

/// What a group or a user has, as the file has it.
pub(in crate::flow::operations) async fn to_json(
    provider: &Provider,
    holder: RoleHolder,
) -> Result<Map<String, Value>, Error> {
    let (roles, owned) = held(provider, holder).await?;
    Ok(shown(&roles, &owned))
}

async fn held(provider: &Provider, holder: RoleHolder) -> Result<(Vec<Named>, Vec<String>), Error> {
    let limited = people::list_limited_roles_of(provider, holder).await?;
    let roles = limited.into_iter().map(|limited| Named {
        role: limited.name,
        over: match limited.place {
            RolePlace::Group(_) => Over::Group(limited.place_name),
            RolePlace::Resource(_) => Over::Resource(limited.place_name),
        },
    });
    let owned = match holder {
        RoleHolder::User(user) => people::list_owned_groups(provider, user).await?,
        RoleHolder::Group(_) => Vec::new(),
    };
    Ok((roles.collect(), owned))
}

fn shown(roles: &[Named], owned: &[String]) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut roles = roles.to_vec();
    roles.sort_by_key(Named::key);
    if !roles.is_empty() {
        entry.insert(LIMITED.to_owned(), roles.iter().map(Named::to_json).collect());
    }
    let mut owned = owned.to_vec();
    owned.sort_by_key(|name| comparison_key(name));
    if !owned.is_empty() {
        entry.insert(OWNED.to_owned(), json!(owned));
    }
    entry
}

/// The difference, once roles, groups, resources and users are there.
pub(super) async fn plan(provider: &Provider, document: &Document) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in &document.groups {
        let limited = &entry.limited;
        if limited.roles.is_some() {
            let found = people::find_group_by_name(provider, &entry.name).await?;
            let holder = found.map(|group| RoleHolder::Group(group.id));
            let who = (groups::SECTION, Holder::Group(entry.name.clone()), entry.name.as_str());
            planned.extend(difference(provider, &entry.pointer, who, holder, limited).await?);
        }
    }
    for entry in &document.users {
        let limited = &entry.limited;
        if limited.roles.is_some() || limited.owned.is_some() {
            let key = UserKey::Username(entry.username.clone());
            let found = people::find_user(provider, &key).await?;
            let holder = found.map(|user| RoleHolder::User(user.id));
            let name = entry.username.as_str();
            let who = (users::SECTION, Holder::User(name.to_owned()), name);
            planned.extend(difference(provider, &entry.pointer, who, holder, limited).await?);
        }
    }
    Ok(planned)
}

async fn difference(
    provider: &Provider,
    pointer: &str,
    (section, named, name): (&'static str, Holder, &str),
    holder: Option<RoleHolder>,
    wanted: &Limited,
) -> Result<Option<Planned>, Error> {
    let before = match holder {
        Some(holder) => held(provider, holder).await?,
        None => (Vec::new(), Vec::new()),
    };
    let roles = wanted.roles.as_ref().unwrap_or(&before.0);
    let owned = wanted.owned.as_ref().unwrap_or(&before.1);
    let fields = FieldChange::between(&shown(&before.0, &before.1), &shown(roles, owned));
    if fields.is_empty() {
        return Ok(None);
    }
    let act = LimitedAct {
        holder: named,
        give: missing(&before.0, roles, Named::key),
        take: missing(roles, &before.0, Named::key),
        own: missing(&before.1, owned, |name| comparison_key(name)),
        disown: missing(owned, &before.1, |name| comparison_key(name)),
    };
    Ok(Some(Planned {
        pointer: pointer.to_owned(),
        change: Change {
            section,
            name: name.to_owned(),
            action: Action::Change,
            fields,
        },
        act: Act::Limited(act),
    }))
}

fn missing<T: Clone, K: PartialEq>(from: &[T], of: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let known: Vec<K> = from.iter().map(&key).collect();
    of.iter().filter(|item| !known.contains(&key(item))).cloned().collect()
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &LimitedAct) -> Result<(), Error> {
    let source = &ChangeSource::Apply;
    let holder = match &act.holder {
        Holder::Group(name) => RoleHolder::Group(group(tx, name).await?),
        Holder::User(name) => {
            let user = tx.find_user_by_username(name).await?.ok_or(Error::NotFound)?;
            RoleHolder::User(user.id)
        }
    };
    for named in &act.give {
        let what = find(tx, named).await?;
        people::limited_roles::give_in(tx, call, source, holder, what).await?;
    }
    for named in &act.take {
        let what = find(tx, named).await?;
        people::limited_roles::take_in(tx, call, source, holder, what).await?;
    }
    if let RoleHolder::User(user) = holder {
        for name in &act.own {
            let group = group(tx, name).await?;
            people::owners::add_in(tx, call, source, (group, user)).await?;
        }
        for name in &act.disown {
            let group = group(tx, name).await?;
            people::owners::remove_in(tx, call, source, (group, user)).await?;
        }
    }
    Ok(())
}

async fn find(tx: &mut Write, named: &Named) -> Result<(Id<Role>, RolePlace), Error> {
    let unknown =
        |what: &str, name: &str| Error::field(format!("/{LIMITED}"), "unknown", format!("there is no {what} {name}"));
    let role = tx.find_role_by_name(&named.role).await?;
    let role = role.ok_or_else(|| unknown("role", &named.role))?;
    let place = match &named.over {
        Over::Group(name) => RolePlace::Group(group(tx, name).await?),
        Over::Resource(identifier) => {
            let resources = tx.list_resources().await?;
            let found = resources
                .into_iter()
                .find(|resource| resource.identifier == *identifier);
            RolePlace::Resource(found.ok_or_else(|| unknown("resource", identifier))?.id)
        }
    };
    Ok((role.id, place))
}

async fn group(tx: &mut Write, name: &str) -> Result<Id<crate::model::Group>, Error> {
    let found = tx.find_group_by_name(name).await?;
    found
        .map(|group| group.id)
        .ok_or_else(|| Error::field("/groups", "unknown", format!("there is no group {name}")))
}
