//! Groups, their permissions and members.

use super::rows::Columns;
use super::{Ended, Error, Write, in_groups, readers, visible};
use crate::model::user::comparison_key;
use crate::model::{Group, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

impl Record for Group {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            external_id: row.maybe_text("external_id")?,
            description: row.maybe_text("description")?,
            permissions: Vec::new(),
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// For how long somebody administers: the longer is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tenure {
    /// Until their account ends, or what they administer by.
    Limited,
    /// For ever, as far as is known.
    Lasting,
}

impl Record for Tenure {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(match row.maybe_time("expires_at")? {
            Some(_) => Self::Limited,
            None => Self::Lasting,
        })
    }
}

const FIND_BY_NAME: &str = "
select id, name, external_id, description, version, created_at, updated_at
from groups
where name_key = $1";

const FIND: &str = "
select id, name, external_id, description, version, created_at, updated_at
from groups
where id = $1";

const LIST: &str = "
select id, name, external_id, description, version, created_at, updated_at
from groups
where id > $1
order by id
limit $2";

const PERMISSIONS: &str = "
select permission
from group_permissions
where group_id = $1
order by permission";

const GROUPS_OF: &str = "
select g.name
from group_members m
join groups g on g.id = m.group_id
where m.user_id = $1
order by g.name_key";

const PRIMARY_GROUP_OF: &str = "
select g.name
from group_members m
join groups g on g.id = m.group_id
where m.user_id = $1
and m.is_primary = $2";

const PERMISSIONS_OF: &str = "
with direct (group_id) as (
  select group_id
  from group_members
  where user_id = $1
), reached (group_id) as (
  select group_id
  from direct
  union
  select a.ancestor_id
  from direct d
  join group_ancestors a on a.group_id = d.group_id
)
select p.permission
from reached r
join group_permissions p on p.group_id = r.group_id
union
select p.permission
from reached r
join group_roles g on g.group_id = r.group_id
join role_permissions p on p.role_id = g.role_id
union
select p.permission
from user_roles u
join role_permissions p on p.role_id = u.role_id
where u.user_id = $1
order by permission";

const PERMISSIONS_AT: &str = in_groups!(
    "
select p.permission
from reached r
join group_permissions p on p.group_id = r.group_id
union
select p.permission
from reached r
join group_roles g on g.group_id = r.group_id
join role_permissions p on p.role_id = g.role_id
union
select p.permission
from user_roles u
join role_permissions p on p.role_id = u.role_id
where u.user_id = $1
order by permission"
);

const MEMBERS: &str = "
select user_id
from group_members
where group_id = $1
and user_id > $2
order by user_id
limit $3";

const LONGEST_TENURE: &str = concat!(
    "
with carrying (group_id) as (
  select group_id
  from group_permissions
  where permission = $1
  union
  select g.group_id
  from role_permissions p
  join group_roles g on g.role_id = p.role_id
  where p.permission = $1
), reaching (group_id) as (
  select group_id
  from carrying
  union
  select a.group_id
  from carrying c
  join group_ancestors a on a.ancestor_id = c.group_id
), holding (user_id, ends_at) as (
  select m.user_id, m.ends_at
  from reaching r
  join group_members m on m.group_id = r.group_id
  where (m.starts_at is null or m.starts_at <= $2)
  and (m.ends_at is null or m.ends_at > $2)
  union all
  select u.user_id, null
  from role_permissions p
  join user_roles u on u.role_id = p.role_id
  where p.permission = $1
)
select coalesce(u.expires_at, h.ends_at) as expires_at
from holding h
join users u on u.id = h.user_id
where u.status = 'active'
and (u.starts_at is null or u.starts_at <= $2)
and (u.expires_at is null or u.expires_at > $2)
and ",
    visible!(),
    "
order by case when u.expires_at is null and h.ends_at is null then 0 else 1 end
limit 1"
);

const LIST_APPLIED: &str = "
select name
from groups
where applied
order by name_key";

readers! {
    /// The group of this name, without regard to case.
    pub async fn find_group_by_name(&mut self, name: &str) -> Result<Option<Group>, Error> {
        let Some(mut group) = self.sql(FIND_BY_NAME).bind(comparison_key(name)).optional::<Group>().await? else {
            return Ok(None);
        };
        group.permissions = self.sql(PERMISSIONS).bind(group.id).all().await?;
        Ok(Some(group))
    }

    /// The group of this row.
    pub async fn find_group(&mut self, id: Id<Group>) -> Result<Option<Group>, Error> {
        let Some(mut group) = self.sql(FIND).bind(id).optional::<Group>().await? else {
            return Ok(None);
        };
        group.permissions = self.sql(PERMISSIONS).bind(group.id).all().await?;
        Ok(Some(group))
    }

    /// Groups after this one, oldest first, with their permissions.
    pub async fn list_groups(&mut self, after: Option<Id<Group>>, limit: u32) -> Result<Vec<Group>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        let mut groups: Vec<Group> = self.sql(LIST).bind(after).bind(limit).all().await?;
        for group in &mut groups {
            group.permissions = self.sql(PERMISSIONS).bind(group.id).all().await?;
        }
        Ok(groups)
    }

    /// The names of the groups a user is in directly, whether or not that counts already.
    pub async fn list_group_names_of(&mut self, user: Id<User>) -> Result<Vec<String>, Error> {
        Ok(self.sql(GROUPS_OF).bind(user).all().await?)
    }

    /// The name of the user's primary group.
    pub async fn find_primary_group_of(&mut self, user: Id<User>) -> Result<Option<String>, Error> {
        Ok(self.sql(PRIMARY_GROUP_OF).bind(user).bind(true).optional().await?)
    }

    /// The permissions a user holds by any group or role, or will: whoever is to hold them soon is not for everybody to act on either.
    pub async fn list_permissions_of(&mut self, user: Id<User>) -> Result<Vec<String>, Error> {
        let mut held: Vec<String> = self.sql(PERMISSIONS_OF).bind(user).all().await?;
        held.extend(self.list_limited_permissions_of(user).await?);
        Ok(held)
    }

    /// The permissions a user holds now.
    pub async fn list_permissions_at(&mut self, user: Id<User>, now: Timestamp) -> Result<Vec<String>, Error> {
        Ok(self.sql(PERMISSIONS_AT).bind(user).bind(now).all().await?)
    }

    /// Members of a group after this one.
    pub async fn list_members(&mut self, group: Id<Group>, after: Option<Id<User>>, limit: u32) -> Result<Vec<Id<User>>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        let ids: Vec<uuid::Uuid> = self.sql(MEMBERS).bind(group).bind(after).bind(limit).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// For how long anybody holds a permission whose account may be used; none if nobody does.
    pub async fn find_longest_tenure(&mut self, permission: &str, now: Timestamp) -> Result<Option<Tenure>, Error> {
        Ok(self.sql(LONGEST_TENURE).bind(permission).bind(now).optional().await?)
    }

    /// The names that came by `apply`.
    pub async fn list_applied_groups(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into groups (id, name, name_key, external_id, description, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const CHANGE: &str = "
update groups
set name = $3, name_key = $4, external_id = $5, description = $6, updated_at = $7, version = version + 1
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update groups
set applied = $2
where id = $1";

const DELETE: &str = "
delete from groups
where id = $1";

const CLEAR_PERMISSIONS: &str = "
delete from group_permissions
where group_id = $1";

const ADD_PERMISSION: &str = "
insert into group_permissions (group_id, permission)
values ($1, $2)
on conflict do nothing";

const HOLD_WITH_PERMISSION: &str = "
update groups
set updated_at = updated_at
where id in (select group_id from group_permissions where permission = $1)";

const HOLD_ROLES_WITH_PERMISSION: &str = "
update roles
set updated_at = updated_at
where id in (select role_id from role_permissions where permission = $1)";

impl Write {
    /// Adds a group with its permissions. `Taken("groups_name_key" | "groups_external_id")` if one has it.
    pub async fn add_group(&mut self, group: &Group) -> Result<(), Error> {
        self.sql(ADD)
            .bind(group.id)
            .bind(group.name.as_str())
            .bind(comparison_key(&group.name))
            .bind(group.external_id.clone())
            .bind(group.description.clone())
            .bind(false)
            .bind(group.version)
            .bind(group.created_at)
            .bind(group.updated_at)
            .changed()
            .await?;
        self.set_group_permissions(group).await
    }

    /// Changes everything but the id, permissions included, if the version still is the group's. False if not.
    pub async fn change_group(&mut self, group: &Group) -> Result<bool, Error> {
        let changed = self
            .sql(CHANGE)
            .bind(group.id)
            .bind(group.version)
            .bind(group.name.as_str())
            .bind(comparison_key(&group.name))
            .bind(group.external_id.clone())
            .bind(group.description.clone())
            .bind(group.updated_at)
            .changed()
            .await?;
        if changed == 1 {
            self.set_group_permissions(group).await?;
            self.forget(Ended::Groups).await?;
        }
        Ok(changed == 1)
    }

    async fn set_group_permissions(&mut self, group: &Group) -> Result<(), Error> {
        self.sql(CLEAR_PERMISSIONS).bind(group.id).changed().await?;
        for permission in &group.permissions {
            self.sql(ADD_PERMISSION)
                .bind(group.id)
                .bind(permission.as_str())
                .changed()
                .await?;
        }
        Ok(())
    }

    /// Remembers that `apply` made it.
    pub async fn mark_group_applied(&mut self, id: Id<Group>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Deletes a group with its memberships. False if it was not there.
    pub async fn delete_group(&mut self, id: Id<Group>) -> Result<bool, Error> {
        let deleted = self.sql(DELETE).bind(id).changed().await? == 1;
        if deleted {
            self.forget(Ended::Groups).await?;
        }
        Ok(deleted)
    }

    /// Keeps others from changing who holds a permission until this transaction ends: whoever else wants to hold them waits.
    pub async fn hold_groups_with_permission(&mut self, permission: &str) -> Result<(), Error> {
        self.sql(HOLD_WITH_PERMISSION).bind(permission).changed().await?;
        self.sql(HOLD_ROLES_WITH_PERMISSION).bind(permission).changed().await?;
        Ok(())
    }
}
