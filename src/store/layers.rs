//! What groups, clients and users say about settings, beside what counts for everyone.

use std::collections::BTreeMap;

use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::setting::Declaration;
use crate::model::{GroupLayer, Id, Layer, LayerOwner, Timestamp, User};
use crate::sql::{self, Record, Row};

struct Entry {
    key: String,
    value: serde_json::Value,
}

impl Record for Entry {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            key: row.text("key")?,
            value: row.json("value")?,
        })
    }
}

/// A group of somebody, with one thing it says; nothing if it says nothing.
struct GroupEntry {
    name: String,
    primary: bool,
    distance: u32,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    key: Option<String>,
    value: Option<String>,
}

impl Record for GroupEntry {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            name: row.text("name")?,
            primary: row.boolean("is_primary")?,
            distance: u32::try_from(row.int("distance")?).unwrap_or(u32::MAX),
            starts_at: row.maybe_time("starts_at")?,
            ends_at: row.maybe_time("ends_at")?,
            key: row.maybe_text("key")?,
            value: row.maybe_text("value")?,
        })
    }
}

const OF_USER: &str = "
select key, value
from user_settings
where user_id = $1";

const OF_GROUP: &str = "
select key, value
from group_settings
where group_id = $1";

const OF_CLIENT: &str = "
select key, value
from client_settings
where client_id = $1";

const OF_GROUPS_OF: &str = "
select g.name_key, g.name, m.is_primary, 0 as distance, m.starts_at, m.ends_at, s.key, s.value
from group_members m
join groups g on g.id = m.group_id
left join group_settings s on s.group_id = g.id
where m.user_id = $1
union all
select g.name_key, g.name, m.is_primary, a.distance, m.starts_at, m.ends_at, s.key, s.value
from group_members m
join group_ancestors a on a.group_id = m.group_id
join groups g on g.id = a.ancestor_id
left join group_settings s on s.group_id = g.id
where m.user_id = $1
order by name_key, distance";

const FLAGS_OF_GROUPS: &str = "
select key
from (
  select key, value
  from group_settings
  order by group_id, key
  limit $1
) as first
where value = 'true'
group by key";

const FLAGS_OF_USERS: &str = "
select key
from (
  select key, value
  from user_settings
  order by user_id, key
  limit $1
) as first
where value = 'true'
group by key";

/// So many lines of groups, and of people, are looked at.
const LINES: u32 = 10_000;

readers! {
    /// Which of these flags a group or a person says, among the first ten thousand lines of each.
    pub async fn list_flags_set(&mut self, keys: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        let mut said: Vec<String> = self.sql(FLAGS_OF_GROUPS).bind(LINES).all().await?;
        said.extend(self.sql(FLAGS_OF_USERS).bind(LINES).all::<String>().await?);
        Ok(keys.iter().copied().filter(|key| said.iter().any(|one| one == key)).collect())
    }

    /// What this one says. What this program does not know, or no longer, is left out.
    pub async fn get_layer(&mut self, owner: LayerOwner) -> Result<Layer, Error> {
        let text = match owner {
            LayerOwner::User(_) => OF_USER,
            LayerOwner::Group(_) => OF_GROUP,
            LayerOwner::Client(_) => OF_CLIENT,
        };
        let entries: Vec<Entry> = self.sql(text).bind(owner.uuid()).all().await?;
        Ok(entries.iter().filter_map(|entry| known(&entry.key, &entry.value)).collect())
    }

    /// The groups of a user by name, with what they say: those that the user is in now, and those that these stand in. With the
    /// moment from which on it may be others.
    pub async fn list_group_layers_of(&mut self, user: Id<User>, now: Timestamp) -> Result<(Vec<GroupLayer>, Option<Timestamp>), Error> {
        let entries: Vec<GroupEntry> = self.sql(OF_GROUPS_OF).bind(user).all().await?;
        let mut groups: Vec<GroupLayer> = Vec::new();
        let mut changes: Option<Timestamp> = None;
        for entry in entries {
            let later = [entry.starts_at, entry.ends_at].into_iter().flatten().filter(|at| *at > now);
            changes = changes.into_iter().chain(later).min();
            if entry.starts_at.is_some_and(|at| at > now) || entry.ends_at.is_some_and(|at| at <= now) {
                continue;
            }
            if groups.last().is_none_or(|group| group.name != entry.name) {
                groups.push(GroupLayer {
                    name: entry.name,
                    primary: entry.primary && entry.distance == 0,
                    distance: entry.distance,
                    layer: BTreeMap::new(),
                });
            }
            if let (Some(group), Some(key), Some(value)) = (groups.last_mut(), entry.key, entry.value)
                && let Ok(value) = serde_json::from_str(&value)
            {
                group.layer.extend(known(&key, &value));
            }
        }
        Ok((groups, changes))
    }
}

fn known(key: &str, value: &serde_json::Value) -> Option<(&'static str, crate::model::setting::SettingValue)> {
    let declared = Declaration::find(key)?;
    Some((declared.key, declared.read(value).ok()?))
}

const CLEAR_USER: &str = "
delete from user_settings
where user_id = $1";

const CLEAR_GROUP: &str = "
delete from group_settings
where group_id = $1";

const CLEAR_CLIENT: &str = "
delete from client_settings
where client_id = $1";

const ADD_USER: &str = "
insert into user_settings (user_id, key, value)
values ($1, $2, $3)";

const ADD_GROUP: &str = "
insert into group_settings (group_id, key, value)
values ($1, $2, $3)";

const ADD_CLIENT: &str = "
insert into client_settings (client_id, key, value)
values ($1, $2, $3)";

impl Write {
    /// Puts a layer in place of what this one said. [`Error::Missing`] if there is no such user, group or client. A client's
    /// generation is the caller's to raise.
    pub async fn replace_layer(&mut self, owner: LayerOwner, layer: &Layer) -> Result<(), Error> {
        let (clear, add) = match owner {
            LayerOwner::User(_) => (CLEAR_USER, ADD_USER),
            LayerOwner::Group(_) => (CLEAR_GROUP, ADD_GROUP),
            LayerOwner::Client(_) => (CLEAR_CLIENT, ADD_CLIENT),
        };
        self.sql(clear).bind(owner.uuid()).changed().await?;
        for (key, value) in layer {
            self.sql(add)
                .bind(owner.uuid())
                .bind(*key)
                .bind(value.to_json().to_string())
                .changed()
                .await?;
        }
        match owner {
            LayerOwner::User(id) => {
                self.look_at_sessions_of(id);
                self.forget(Ended::User(id)).await
            }
            LayerOwner::Group(_) => self.forget(Ended::Groups).await,
            LayerOwner::Client(_) => Ok(()),
        }
    }
}
