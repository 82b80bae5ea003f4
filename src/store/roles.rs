//! Roles, and who has them.

use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Group, Id, Role, Timestamp, User};
use crate::sql::{self, Record, Row};

impl Record for Role {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            description: row.maybe_text("description")?,
            resource: row.maybe_id("resource_id")?,
            permissions: Vec::new(),
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

const FIND: &str = "
select id, name, description, resource_id, version, created_at, updated_at
from roles
where id = $1";

const FIND_BY_NAME: &str = "
select id, name, description, resource_id, version, created_at, updated_at
from roles
where name_key = $1";

const LIST: &str = "
select id, name, description, resource_id, version, created_at, updated_at
from roles
where id > $1
order by id
limit $2";

const PERMISSIONS: &str = "
select permission
from role_permissions
where role_id = $1
order by permission";

const OF_GROUP: &str = "
select r.id, r.name, r.description, r.resource_id, r.version, r.created_at, r.updated_at
from group_roles g
join roles r on r.id = g.role_id
where g.group_id = $1
order by r.name_key
limit $2";

const OF_USER: &str = "
select r.id, r.name, r.description, r.resource_id, r.version, r.created_at, r.updated_at
from user_roles u
join roles r on r.id = u.role_id
where u.user_id = $1
order by r.name_key
limit $2";

const LIST_APPLIED: &str = "
select name
from roles
where applied
order by name_key";

/// So many roles a group or a user has at most.
pub const MOST_ROLES: u32 = 200;

readers! {
    /// The role of this row.
    pub async fn find_role(&mut self, id: Id<Role>) -> Result<Option<Role>, Error> {
        let Some(mut role) = self.sql(FIND).bind(id).optional::<Role>().await? else {
            return Ok(None);
        };
        role.permissions = self.sql(PERMISSIONS).bind(role.id).all().await?;
        Ok(Some(role))
    }

    /// The role of this name, without regard to case.
    pub async fn find_role_by_name(&mut self, name: &str) -> Result<Option<Role>, Error> {
        let Some(mut role) = self.sql(FIND_BY_NAME).bind(comparison_key(name)).optional::<Role>().await? else {
            return Ok(None);
        };
        role.permissions = self.sql(PERMISSIONS).bind(role.id).all().await?;
        Ok(Some(role))
    }

    /// Roles after this one, oldest first, with their permissions.
    pub async fn list_roles(&mut self, after: Option<Id<Role>>, limit: u32) -> Result<Vec<Role>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        let mut roles: Vec<Role> = self.sql(LIST).bind(after).bind(limit).all().await?;
        for role in &mut roles {
            role.permissions = self.sql(PERMISSIONS).bind(role.id).all().await?;
        }
        Ok(roles)
    }

    /// The roles that a group has itself, by name, without their permissions.
    pub async fn list_roles_of_group(&mut self, group: Id<Group>) -> Result<Vec<Role>, Error> {
        Ok(self.sql(OF_GROUP).bind(group).bind(MOST_ROLES).all().await?)
    }

    /// The roles that a user has themselves, by name, without their permissions.
    pub async fn list_roles_of_user(&mut self, user: Id<User>) -> Result<Vec<Role>, Error> {
        Ok(self.sql(OF_USER).bind(user).bind(MOST_ROLES).all().await?)
    }

    /// The names that came by `apply`.
    pub async fn list_applied_roles(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into roles (id, name, name_key, description, resource_id, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const CHANGE: &str = "
update roles
set name = $3, name_key = $4, description = $5, updated_at = $6, version = version + 1
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update roles
set applied = $2
where id = $1";

const DELETE: &str = "
delete from roles
where id = $1";

const CLEAR_PERMISSIONS: &str = "
delete from role_permissions
where role_id = $1";

const ADD_PERMISSION: &str = "
insert into role_permissions (role_id, permission)
values ($1, $2)
on conflict do nothing";

const GIVE_GROUP: &str = "
insert into group_roles (group_id, role_id, since)
values ($1, $2, $3)
on conflict do nothing";

const TAKE_GROUP: &str = "
delete from group_roles
where group_id = $1
and role_id = $2";

const GIVE_USER: &str = "
insert into user_roles (user_id, role_id, since)
values ($1, $2, $3)
on conflict do nothing";

const TAKE_USER: &str = "
delete from user_roles
where user_id = $1
and role_id = $2";

impl Write {
    /// Adds a role with its permissions. `Taken("roles_name_key")` if one has the name, `Missing` if there is no such resource.
    pub async fn add_role(&mut self, role: &Role) -> Result<(), Error> {
        self.sql(ADD)
            .bind(role.id)
            .bind(role.name.as_str())
            .bind(comparison_key(&role.name))
            .bind(role.description.clone())
            .bind(role.resource)
            .bind(false)
            .bind(role.version)
            .bind(role.created_at)
            .bind(role.updated_at)
            .changed()
            .await?;
        self.set_role_permissions(role).await
    }

    /// Changes name, description and permissions, if the version still is the role's. False if not.
    pub async fn change_role(&mut self, role: &Role) -> Result<bool, Error> {
        let changing = self.sql(CHANGE).bind(role.id).bind(role.version);
        let changing = changing.bind(role.name.as_str()).bind(comparison_key(&role.name));
        let changing = changing.bind(role.description.clone()).bind(role.updated_at);
        let changed = changing.changed().await? == 1;
        if changed {
            self.set_role_permissions(role).await?;
            self.forget(Ended::Groups).await?;
        }
        Ok(changed)
    }

    async fn set_role_permissions(&mut self, role: &Role) -> Result<(), Error> {
        self.sql(CLEAR_PERMISSIONS).bind(role.id).changed().await?;
        for permission in &role.permissions {
            let adding = self.sql(ADD_PERMISSION).bind(role.id);
            adding.bind(permission.as_str()).changed().await?;
        }
        Ok(())
    }

    /// Remembers that `apply` made it.
    pub async fn mark_role_applied(&mut self, id: Id<Role>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Deletes a role: nobody has it any more. False if it was not there.
    pub async fn delete_role(&mut self, id: Id<Role>) -> Result<bool, Error> {
        let deleted = self.sql(DELETE).bind(id).changed().await? == 1;
        if deleted {
            self.forget(Ended::Groups).await?;
        }
        Ok(deleted)
    }

    /// Gives a group a role. False if it has it already.
    pub async fn give_group_role(&mut self, group: Id<Group>, role: Id<Role>, at: Timestamp) -> Result<bool, Error> {
        let given = self.sql(GIVE_GROUP).bind(group).bind(role).bind(at).changed().await? == 1;
        self.forget(Ended::Groups).await?;
        Ok(given)
    }

    /// Takes a role from a group. False if it did not have it.
    pub async fn take_group_role(&mut self, group: Id<Group>, role: Id<Role>) -> Result<bool, Error> {
        let taken = self.sql(TAKE_GROUP).bind(group).bind(role).changed().await? == 1;
        self.forget(Ended::Groups).await?;
        Ok(taken)
    }

    /// Gives a user a role. False if they have it already.
    pub async fn give_user_role(&mut self, user: Id<User>, role: Id<Role>, at: Timestamp) -> Result<bool, Error> {
        let given = self.sql(GIVE_USER).bind(user).bind(role).bind(at).changed().await? == 1;
        self.look_at_sessions_of(user);
        self.forget(Ended::User(user)).await?;
        Ok(given)
    }

    /// Takes a role from a user. False if they did not have it.
    pub async fn take_user_role(&mut self, user: Id<User>, role: Id<Role>) -> Result<bool, Error> {
        let taken = self.sql(TAKE_USER).bind(user).bind(role).changed().await? == 1;
        self.look_at_sessions_of(user);
        self.forget(Ended::User(user)).await?;
        Ok(taken)
    }
}
