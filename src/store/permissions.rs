//! Permissions that are declared, and by which ways somebody comes to hold one.

use super::rows::Columns;
use super::{Error, Write, in_groups, readers};
use crate::model::{DeclaredPermission, Group, Id, Resource, Timestamp, User};
use crate::sql::{self, Record, Row};

/// More ways than this are not told.
const MOST_WAYS: u32 = 5_000;

impl Record for DeclaredPermission {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            description: row.maybe_text("description")?,
            resource: row.maybe_id("resource_id")?,
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// A permission that comes to somebody by a group that they are in, or that theirs stands in, or by a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionWay {
    /// Which.
    pub permission: String,
    /// The group that carries it, if one does.
    pub group: Option<Id<Group>>,
    /// The role that it is a part of, if of one.
    pub role: Option<String>,
}

impl Record for PermissionWay {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            permission: row.text("permission")?,
            group: row.maybe_id("group_id")?,
            role: row.maybe_text("role")?,
        })
    }
}

/// A group of somebody, and one that it stands in directly, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStep {
    /// The group.
    pub group: Id<Group>,
    /// Its name.
    pub name: String,
    /// Whether the person is in it directly.
    pub direct: bool,
    /// What it stands in.
    pub outer: Option<Id<Group>>,
}

impl Record for GroupStep {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            group: row.id("group_id")?,
            name: row.text("name")?,
            direct: row.int("direct")? > 0,
            outer: row.maybe_id("outer_id")?,
        })
    }
}

const FIND: &str = "
select id, name, description, resource_id, version, created_at, updated_at
from permissions
where id = $1";

const FIND_BY_NAME: &str = "
select id, name, description, resource_id, version, created_at, updated_at
from permissions
where name = $1";

const LIST: &str = "
select id, name, description, resource_id, version, created_at, updated_at
from permissions
where id > $1
order by id
limit $2";

const IS_USED: &str = "
select count(*)
from (
  select permission from role_permissions where permission = $1
  union
  select permission from group_permissions where permission = $1
) used";

const COUNT_OF_RESOURCE: &str = "
select (select count(*) from permissions where resource_id = $1) + (select count(*) from roles where resource_id = $1)";

const LIST_APPLIED: &str = "
select name
from permissions
where applied
order by name";

const WAYS: &str = in_groups!(
    "
select p.permission, r.group_id, null as role
from reached r
join group_permissions p on p.group_id = r.group_id
union all
select p.permission, r.group_id, o.name
from reached r
join group_roles g on g.group_id = r.group_id
join roles o on o.id = g.role_id
join role_permissions p on p.role_id = g.role_id
union all
select p.permission, null, o.name
from user_roles u
join roles o on o.id = u.role_id
join role_permissions p on p.role_id = u.role_id
where u.user_id = $1
order by 1
limit $3"
);

const STEPS: &str = in_groups!(
    "
select r.group_id, g.name, (select count(*) from direct d where d.group_id = r.group_id) as direct, n.outer_id
from reached r
join groups g on g.id = r.group_id
left join group_nesting n on n.inner_id = r.group_id
order by g.name_key
limit $3"
);

readers! {
    /// The declared permission of this row.
    pub async fn find_permission(&mut self, id: Id<DeclaredPermission>) -> Result<Option<DeclaredPermission>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// The declared permission of this name.
    pub async fn find_permission_by_name(&mut self, name: &str) -> Result<Option<DeclaredPermission>, Error> {
        Ok(self.sql(FIND_BY_NAME).bind(name).optional().await?)
    }

    /// Declared permissions after this one, oldest first.
    pub async fn list_permissions(&mut self, after: Option<Id<DeclaredPermission>>, limit: u32) -> Result<Vec<DeclaredPermission>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST).bind(after).bind(limit).all().await?)
    }

    /// Whether a role or a group carries a permission.
    pub async fn is_permission_used(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.sql(IS_USED).bind(name).one::<i64>().await? > 0)
    }

    /// Whether permissions or roles belong to an API.
    pub async fn has_permissions(&mut self, resource: Id<Resource>) -> Result<bool, Error> {
        Ok(self.sql(COUNT_OF_RESOURCE).bind(resource).one::<i64>().await? > 0)
    }

    /// The names that came by `apply`.
    pub async fn list_applied_permissions(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }

    /// By which ways somebody holds what they hold now, by permission.
    pub async fn list_permission_ways_of(&mut self, user: Id<User>, now: Timestamp) -> Result<Vec<PermissionWay>, Error> {
        Ok(self.sql(WAYS).bind(user).bind(now).bind(MOST_WAYS).all().await?)
    }

    /// How the groups that somebody is in now stand in others.
    pub async fn list_group_steps_of(&mut self, user: Id<User>, now: Timestamp) -> Result<Vec<GroupStep>, Error> {
        Ok(self.sql(STEPS).bind(user).bind(now).bind(MOST_WAYS).all().await?)
    }
}

const ADD: &str = "
insert into permissions (id, name, description, resource_id, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)";

const CHANGE: &str = "
update permissions
set description = $3, updated_at = $4, version = version + 1
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update permissions
set applied = $2
where id = $1";

const DELETE: &str = "
delete from permissions
where id = $1";

impl Write {
    /// Declares a permission. `Taken("permissions_name")` if it is, `Missing` if there is no such resource.
    pub async fn add_permission(&mut self, permission: &DeclaredPermission) -> Result<(), Error> {
        self.sql(ADD)
            .bind(permission.id)
            .bind(permission.name.as_str())
            .bind(permission.description.clone())
            .bind(permission.resource)
            .bind(false)
            .bind(permission.version)
            .bind(permission.created_at)
            .bind(permission.updated_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Changes what is said about a permission, if the version still is its. False if not.
    pub async fn change_permission(&mut self, permission: &DeclaredPermission) -> Result<bool, Error> {
        let changing = self.sql(CHANGE).bind(permission.id).bind(permission.version);
        let changing = changing
            .bind(permission.description.clone())
            .bind(permission.updated_at);
        Ok(changing.changed().await? == 1)
    }

    /// Remembers that `apply` made it.
    pub async fn mark_permission_applied(&mut self, id: Id<DeclaredPermission>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Takes a declaration back. False if it was not there.
    pub async fn delete_permission(&mut self, id: Id<DeclaredPermission>) -> Result<bool, Error> {
        Ok(self.sql(DELETE).bind(id).changed().await? == 1)
    }
}
