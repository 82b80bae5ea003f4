//! Roles that count over something alone, who looks after the members of a group, and in what somebody or a group lies.

use super::rows::Columns;
use super::{Ended, Error, Write, in_groups, readers};
use crate::model::{Group, Id, LimitedRole, Resource, Role, RoleHolder, RolePlace, Timestamp, User};
use crate::sql::{self, Record, Row};

/// So many a group or a user has at most.
pub const MOST_LIMITED_ROLES: u32 = 200;
/// So many people look after a group at most, and one person after so many groups.
pub const MOST_OWNERS: u32 = 200;

fn place(row: &Row<'_>) -> Result<RolePlace, sql::Error> {
    let group: Option<Id<Group>> = row.maybe_id("over_group_id")?;
    Ok(match group {
        Some(group) => RolePlace::Group(group),
        None => RolePlace::Resource(row.id("over_resource_id")?),
    })
}

impl Record for LimitedRole {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            role: row.id("role_id")?,
            name: row.text("name")?,
            place: place(row)?,
            place_name: row.text("place_name")?,
            since: row.time("since")?,
        })
    }
}

/// A permission that counts over something alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitedPermission {
    /// Which; none: whatever looking after the group's members is.
    pub permission: Option<String>,
    /// Over what.
    pub place: RolePlace,
}

impl Record for LimitedPermission {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            permission: row.maybe_text("permission")?,
            place: place(row)?,
        })
    }
}

/// Somebody who looks after the members of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOwner {
    /// Who.
    pub user: Id<User>,
    /// What they sign in with.
    pub username: String,
    /// Since when.
    pub since: Timestamp,
}

impl Record for GroupOwner {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            username: row.text("username")?,
            since: row.time("since")?,
        })
    }
}

const AT: &str = in_groups!(
    "
select p.permission, l.over_group_id, l.over_resource_id
from limited_roles l
join role_permissions p on p.role_id = l.role_id
where l.user_id = $1
union
select p.permission, l.over_group_id, l.over_resource_id
from reached r
join limited_roles l on l.group_id = r.group_id
join role_permissions p on p.role_id = l.role_id
union
select null, o.group_id, null
from group_owners o
where o.user_id = $1"
);

// whoever is to be in a group later counts as in it
const OF: &str = "
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
select p.permission, l.over_group_id, l.over_resource_id
from limited_roles l
join role_permissions p on p.role_id = l.role_id
where l.user_id = $1
union
select p.permission, l.over_group_id, l.over_resource_id
from reached r
join limited_roles l on l.group_id = r.group_id
join role_permissions p on p.role_id = l.role_id";

const BY: &str = "
with reached (group_id) as (
  select id
  from groups
  where id = $1
  union
  select ancestor_id
  from group_ancestors
  where group_id = $1
)
select p.permission, l.over_group_id, l.over_resource_id
from reached r
join limited_roles l on l.group_id = r.group_id
join role_permissions p on p.role_id = l.role_id";

const OF_ROLE: &str = "
select distinct p.permission, l.over_group_id, l.over_resource_id
from limited_roles l
join role_permissions p on p.role_id = l.role_id
where l.role_id = $1
limit $2";

const LIST_OF_USER: &str = "
select l.role_id, r.name, l.over_group_id, l.over_resource_id, coalesce(g.name, a.identifier) as place_name, l.since
from limited_roles l
join roles r on r.id = l.role_id
left join groups g on g.id = l.over_group_id
left join resources a on a.id = l.over_resource_id
where l.user_id = $1
order by r.name_key, place_name
limit $2";

const LIST_OF_GROUP: &str = "
select l.role_id, r.name, l.over_group_id, l.over_resource_id, coalesce(g.name, a.identifier) as place_name, l.since
from limited_roles l
join roles r on r.id = l.role_id
left join groups g on g.id = l.over_group_id
left join resources a on a.id = l.over_resource_id
where l.group_id = $1
order by r.name_key, place_name
limit $2";

const LIST_OWNERS: &str = "
select o.user_id, u.username, o.since
from group_owners o
join users u on u.id = o.user_id
where o.group_id = $1
order by o.user_id
limit $2";

const LIST_OWNED: &str = "
select g.name
from group_owners o
join groups g on g.id = o.group_id
where o.user_id = $1
order by g.name_key
limit $2";

const AROUND_USER: &str = in_groups!(
    "
select group_id
from reached"
);

const AROUND_GROUP: &str = "
select id
from groups
where id = $1
union
select ancestor_id
from group_ancestors
where group_id = $1";

readers! {
    /// What a user holds now over something alone.
    pub async fn list_limited_permissions_at(&mut self, user: Id<User>, now: Timestamp) -> Result<Vec<LimitedPermission>, Error> {
        Ok(self.sql(AT).bind(user).bind(now).all().await?)
    }

    /// What a user holds over something alone, or will, written out; behind each group those that it stands in.
    pub async fn list_limited_permissions_of(&mut self, user: Id<User>) -> Result<Vec<String>, Error> {
        let held = self.sql(OF).bind(user).all().await?;
        self.spell_permissions(held).await
    }

    /// What a membership in a group gives over something alone, written out; behind each group those that it stands in.
    pub async fn list_limited_permissions_by(&mut self, group: Id<Group>) -> Result<Vec<String>, Error> {
        let held = self.sql(BY).bind(group).all().await?;
        self.spell_permissions(held).await
    }

    /// What those hold by a role who have it over something alone, written out.
    pub async fn list_limited_permissions_in(&mut self, role: Id<Role>) -> Result<Vec<String>, Error> {
        let held = self.sql(OF_ROLE).bind(role).bind(1_000_u32).all().await?;
        self.spell_permissions(held).await
    }

    /// Permissions over something alone as they are written, behind each group those that it stands in.
    pub async fn spell_permissions(&mut self, held: Vec<LimitedPermission>) -> Result<Vec<String>, Error> {
        let mut spelled = Vec::with_capacity(held.len());
        for held in held {
            let above = match held.place {
                RolePlace::Group(group) => self.list_groups_around_group(group).await?,
                RolePlace::Resource(_) => Vec::new(),
            };
            let permission = held.permission.unwrap_or_default();
            let above: Vec<Id<Group>> = above.into_iter().filter(|id| RolePlace::Group(*id) != held.place).collect();
            spelled.push(held.place.spell(&permission, &above));
        }
        spelled.sort_unstable();
        Ok(spelled)
    }

    /// The roles that a group or a user has over something alone themselves, by name.
    pub async fn list_limited_roles_of(&mut self, holder: RoleHolder) -> Result<Vec<LimitedRole>, Error> {
        let (text, id) = match holder {
            RoleHolder::Group(group) => (LIST_OF_GROUP, group.uuid()),
            RoleHolder::User(user) => (LIST_OF_USER, user.uuid()),
        };
        Ok(self.sql(text).bind(id).bind(MOST_LIMITED_ROLES).all().await?)
    }

    /// Who looks after a group's members.
    pub async fn list_group_owners(&mut self, group: Id<Group>) -> Result<Vec<GroupOwner>, Error> {
        Ok(self.sql(LIST_OWNERS).bind(group).bind(MOST_OWNERS).all().await?)
    }

    /// The names of the groups whose members somebody looks after.
    pub async fn list_owned_groups(&mut self, user: Id<User>) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_OWNED).bind(user).bind(MOST_OWNERS).all().await?)
    }

    /// Every group that somebody is in now, by way of others too.
    pub async fn list_groups_around(&mut self, user: Id<User>, now: Timestamp) -> Result<Vec<Id<Group>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(AROUND_USER).bind(user).bind(now).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// A group, if it is there, and every one that it stands in.
    pub async fn list_groups_around_group(&mut self, group: Id<Group>) -> Result<Vec<Id<Group>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(AROUND_GROUP).bind(group).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }
}

const GIVE: &str = "
insert into limited_roles (user_id, group_id, role_id, over_group_id, over_resource_id, since)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing";

const TAKE_FROM_USER_OVER_GROUP: &str = "
delete from limited_roles
where user_id = $1
and role_id = $2
and over_group_id = $3";

const TAKE_FROM_USER_OVER_RESOURCE: &str = "
delete from limited_roles
where user_id = $1
and role_id = $2
and over_resource_id = $3";

const TAKE_FROM_GROUP_OVER_GROUP: &str = "
delete from limited_roles
where group_id = $1
and role_id = $2
and over_group_id = $3";

const TAKE_FROM_GROUP_OVER_RESOURCE: &str = "
delete from limited_roles
where group_id = $1
and role_id = $2
and over_resource_id = $3";

const ADD_OWNER: &str = "
insert into group_owners (group_id, user_id, since)
values ($1, $2, $3)
on conflict do nothing";

const REMOVE_OWNER: &str = "
delete from group_owners
where group_id = $1
and user_id = $2";

impl Write {
    /// Gives a group or a user a role over something alone. False if they have it already.
    pub async fn give_limited_role(
        &mut self,
        holder: RoleHolder,
        role: Id<Role>,
        place: RolePlace,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let (user, group) = match holder {
            RoleHolder::Group(group) => (None, Some(group)),
            RoleHolder::User(user) => (Some(user), None),
        };
        let (over_group, over_resource): (Option<Id<Group>>, Option<Id<Resource>>) = match place {
            RolePlace::Group(group) => (Some(group), None),
            RolePlace::Resource(resource) => (None, Some(resource)),
        };
        let giving = self.sql(GIVE).bind(user).bind(group).bind(role);
        let given = giving.bind(over_group).bind(over_resource).bind(at).changed().await? == 1;
        self.forget_rights_of(holder).await?;
        Ok(given)
    }

    /// Takes a role over something alone from a group or a user. False if they did not have it.
    pub async fn take_limited_role(
        &mut self,
        holder: RoleHolder,
        role: Id<Role>,
        place: RolePlace,
    ) -> Result<bool, Error> {
        let (text, from, over) = match (holder, place) {
            (RoleHolder::User(user), RolePlace::Group(over)) => (TAKE_FROM_USER_OVER_GROUP, user.uuid(), over.uuid()),
            (RoleHolder::User(user), RolePlace::Resource(over)) => {
                (TAKE_FROM_USER_OVER_RESOURCE, user.uuid(), over.uuid())
            }
            (RoleHolder::Group(group), RolePlace::Group(over)) => {
                (TAKE_FROM_GROUP_OVER_GROUP, group.uuid(), over.uuid())
            }
            (RoleHolder::Group(group), RolePlace::Resource(over)) => {
                (TAKE_FROM_GROUP_OVER_RESOURCE, group.uuid(), over.uuid())
            }
        };
        let taken = self.sql(text).bind(from).bind(role).bind(over).changed().await? == 1;
        self.forget_rights_of(holder).await?;
        Ok(taken)
    }

    /// Makes somebody look after a group's members. False if they do already.
    pub async fn add_group_owner(&mut self, group: Id<Group>, user: Id<User>, at: Timestamp) -> Result<bool, Error> {
        let added = self.sql(ADD_OWNER).bind(group).bind(user).bind(at).changed().await? == 1;
        self.forget_rights_of(RoleHolder::User(user)).await?;
        Ok(added)
    }

    /// Somebody looks after a group's members no more. False if they did not.
    pub async fn remove_group_owner(&mut self, group: Id<Group>, user: Id<User>) -> Result<bool, Error> {
        let removed = self.sql(REMOVE_OWNER).bind(group).bind(user).changed().await? == 1;
        self.forget_rights_of(RoleHolder::User(user)).await?;
        Ok(removed)
    }

    async fn forget_rights_of(&mut self, holder: RoleHolder) -> Result<(), Error> {
        match holder {
            RoleHolder::Group(_) => self.forget(Ended::Groups).await,
            RoleHolder::User(user) => {
                self.look_at_sessions_of(user);
                self.forget(Ended::User(user)).await
            }
        }
    }
}
