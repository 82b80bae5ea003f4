//! Who is in which group: from when until when, and which group is somebody's primary one.

use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::{Group, Id, MembershipTerm, Timestamp, User};
use crate::sql::{self, Record, Row};

/// Somebody in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Who.
    pub user: Id<User>,
    /// In which.
    pub group: Id<Group>,
    /// The group's name.
    pub name: String,
    /// Whether it is the user's primary one.
    pub primary: bool,
    /// When the user was put into it.
    pub since: Timestamp,
    /// From when until when it counts.
    pub term: MembershipTerm,
}

impl Record for Membership {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            group: row.id("group_id")?,
            name: row.text("name")?,
            primary: row.boolean("is_primary")?,
            since: row.time("since")?,
            term: MembershipTerm {
                starts_at: row.maybe_time("starts_at")?,
                ends_at: row.maybe_time("ends_at")?,
            },
        })
    }
}

/// A membership whose beginning or end has come and is not on record yet.
#[derive(Clone, Debug)]
pub struct DueMembership {
    /// What it is.
    pub membership: Membership,
    /// Since when it is due: of several who see it, one does it.
    pub due_at: Timestamp,
}

impl Record for DueMembership {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            membership: Membership::read(row)?,
            due_at: row.time("due_at")?,
        })
    }
}

const FIND: &str = "
select m.user_id, m.group_id, g.name, m.is_primary, m.since, m.starts_at, m.ends_at
from group_members m
join groups g on g.id = m.group_id
where m.user_id = $1
and m.group_id = $2";

const LIST_OF: &str = "
select m.user_id, m.group_id, g.name, m.is_primary, m.since, m.starts_at, m.ends_at
from group_members m
join groups g on g.id = m.group_id
where m.user_id = $1
order by g.name_key";

const LIST_IN: &str = "
select m.user_id, m.group_id, g.name, m.is_primary, m.since, m.starts_at, m.ends_at
from group_members m
join groups g on g.id = m.group_id
where m.group_id = $1
and m.user_id > $2
order by m.user_id
limit $3";

const LIST_DUE: &str = "
select m.user_id, m.group_id, g.name, m.is_primary, m.since, m.starts_at, m.ends_at, m.due_at
from group_members m
join groups g on g.id = m.group_id
where m.due_at <= $1
order by m.due_at
limit $2";

const FIRST_BY_NAME: &str = "
select m.group_id
from group_members m
join groups g on g.id = m.group_id
where m.user_id = $1
and (m.starts_at is null or m.starts_at <= $2)
and (m.ends_at is null or m.ends_at > $2)
order by case when m.ends_at is null then 0 else 1 end, g.name_key
limit 1";

const PRIMARY_OF: &str = "
select group_id
from group_members
where user_id = $1
and is_primary = $2";

// whoever is in the bin holds up nobody
const FIRST_WITH_PRIMARY: &str = "
select m.user_id
from group_members as m
join users as u on u.id = m.user_id
where m.group_id = $1
and m.is_primary = $2
and u.status <> 'deleted'
limit 1";

const COUNT: &str = "
select count(*)
from (select 1 as one from group_members where group_id = $1 limit $2) counted";

const LIST_OF_MANY: &str = "
select m.user_id, g.name, m.is_primary
from group_members m
join groups g on g.id = m.group_id
where m.user_id in ";

/// A group that somebody is in, by its name.
#[derive(Clone, Debug)]
pub struct NamedMembership {
    /// Who.
    pub user: Id<User>,
    /// The group's name.
    pub name: String,
    /// Whether it is the primary one.
    pub primary: bool,
}

impl Record for NamedMembership {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            name: row.text("name")?,
            primary: row.boolean("is_primary")?,
        })
    }
}

readers! {
    /// The groups that these are in directly, whether or not that counts already; in no order.
    pub async fn list_group_names_of_many(&mut self, users: &[Id<User>]) -> Result<Vec<NamedMembership>, Error> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.sql_built(format!("{LIST_OF_MANY}{}", sql::places(1, users.len())));
        Ok(users.iter().fold(statement, |statement, user| statement.bind(*user)).all().await?)
    }

    /// Somebody's membership in a group.
    pub async fn find_membership(&mut self, group: Id<Group>, user: Id<User>) -> Result<Option<Membership>, Error> {
        Ok(self.sql(FIND).bind(user).bind(group).optional().await?)
    }

    /// The groups that somebody is in directly, by name, whether or not that counts already.
    pub async fn list_memberships_of(&mut self, user: Id<User>) -> Result<Vec<Membership>, Error> {
        Ok(self.sql(LIST_OF).bind(user).all().await?)
    }

    /// The memberships in a group, of the users after this one.
    pub async fn list_memberships_in(&mut self, group: Id<Group>, after: Option<Id<User>>, limit: u32) -> Result<Vec<Membership>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST_IN).bind(group).bind(after).bind(limit).all().await?)
    }

    /// The memberships whose beginning or end has come, the longest due first.
    pub async fn list_due_memberships(&mut self, now: Timestamp, limit: u32) -> Result<Vec<DueMembership>, Error> {
        Ok(self.sql(LIST_DUE).bind(now).bind(limit).all().await?)
    }

    /// The group that somebody's primary one would be if none was named: of those that count now the first by name, one without an
    /// end before the others.
    pub async fn find_next_primary_of(&mut self, user: Id<User>, now: Timestamp) -> Result<Option<Id<Group>>, Error> {
        let id: Option<uuid::Uuid> = self.sql(FIRST_BY_NAME).bind(user).bind(now).optional().await?;
        Ok(id.map(Id::from_uuid))
    }

    /// The row of somebody's primary group.
    pub async fn find_primary_group_id_of(&mut self, user: Id<User>) -> Result<Option<Id<Group>>, Error> {
        let id: Option<uuid::Uuid> = self.sql(PRIMARY_OF).bind(user).bind(true).optional().await?;
        Ok(id.map(Id::from_uuid))
    }

    /// Whether a group is the primary one of anybody who is not in the bin.
    pub async fn is_primary_group(&mut self, group: Id<Group>) -> Result<bool, Error> {
        let first: Option<uuid::Uuid> = self.sql(FIRST_WITH_PRIMARY).bind(group).bind(true).optional().await?;
        Ok(first.is_some())
    }

    /// How many members a group has, counted up to `most`.
    pub async fn count_members(&mut self, group: Id<Group>, most: u32) -> Result<u64, Error> {
        let count: i64 = self.sql(COUNT).bind(group).bind(most).one().await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

const ADD: &str = "
insert into group_members (user_id, group_id, is_primary, since, starts_at, ends_at, due_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing";

const SET_TERM: &str = "
update group_members
set starts_at = $3, ends_at = $4, due_at = $5
where user_id = $1
and group_id = $2";

const BEGIN: &str = "
update group_members
set due_at = ends_at
where user_id = $1
and group_id = $2
and due_at = $3";

const END: &str = "
delete from group_members
where user_id = $1
and group_id = $2
and due_at = $3";

const HOLD: &str = "
update group_members
set since = since
where user_id = $1";

const NO_PRIMARY: &str = "
update group_members
set is_primary = $2
where user_id = $1
and is_primary <> $2";

const MAKE_PRIMARY: &str = "
update group_members
set is_primary = $3
where user_id = $1
and group_id = $2";

const REMOVE: &str = "
delete from group_members
where user_id = $1
and group_id = $2";

const NEXT_MEMBERS: &str = "
select user_id
from group_members
where group_id = $1
order by user_id
limit $2";

const JOIN_SUCCESSOR: &str = "
insert into group_members (user_id, group_id, is_primary, since)
select user_id, $1, $2, $3
from group_members
where group_id = $4
and user_id <= $5
and is_primary <> $2
on conflict (user_id, group_id) do update
set starts_at = null, ends_at = null, due_at = null";

const LEAVE_MANY: &str = "
delete from group_members
where group_id = $1
and user_id <= $2";

// whoever is in a group and has no primary one has just lost it
const SUCCEED_MANY: &str = "
update group_members
set is_primary = $1
where group_id = $2
and user_id >= $3
and user_id <= $4
and not exists (
  select 1
  from group_members other
  where other.user_id = group_members.user_id
  and other.is_primary = $1
)";

impl Write {
    /// Puts a user into a group, for good. False if the user is in it already.
    pub async fn add_member(&mut self, group: Id<Group>, user: Id<User>, at: Timestamp) -> Result<bool, Error> {
        self.add_membership(group, user, at, MembershipTerm::default()).await
    }

    /// Puts a user into a group for a time. False if the user is in it already.
    pub async fn add_membership(
        &mut self,
        group: Id<Group>,
        user: Id<User>,
        at: Timestamp,
        term: MembershipTerm,
    ) -> Result<bool, Error> {
        let adding = self.sql(ADD).bind(user).bind(group).bind(false).bind(at);
        let adding = adding.bind(term.starts_at).bind(term.ends_at).bind(term.due_at(at));
        let added = adding.changed().await? == 1;
        if added {
            self.membership_changed(user).await?;
        }
        Ok(added)
    }

    /// Says from when until when a membership counts. False if there is none.
    pub async fn set_membership_term(
        &mut self,
        group: Id<Group>,
        user: Id<User>,
        now: Timestamp,
        term: MembershipTerm,
    ) -> Result<bool, Error> {
        let setting = self.sql(SET_TERM).bind(user).bind(group);
        let setting = setting.bind(term.starts_at).bind(term.ends_at).bind(term.due_at(now));
        let set = setting.changed().await? == 1;
        if set {
            self.membership_changed(user).await?;
        }
        Ok(set)
    }

    /// Writes down that a membership has begun. False if somebody else did, or it is not due any more.
    pub async fn begin_membership(&mut self, due: &DueMembership) -> Result<bool, Error> {
        let Membership { user, group, .. } = due.membership;
        let begun = self
            .sql(BEGIN)
            .bind(user)
            .bind(group)
            .bind(due.due_at)
            .changed()
            .await?
            == 1;
        if begun {
            self.membership_changed(user).await?;
        }
        Ok(begun)
    }

    /// Ends a membership whose end has come. False if somebody else did, or it is not due any more.
    pub async fn end_membership(&mut self, due: &DueMembership) -> Result<bool, Error> {
        let Membership { user, group, .. } = due.membership;
        let ended = self.sql(END).bind(user).bind(group).bind(due.due_at).changed().await? == 1;
        if ended {
            self.membership_changed(user).await?;
        }
        Ok(ended)
    }

    /// Keeps others from taking somebody's memberships away until this transaction ends: two who take one each must not both rely on
    /// the other's.
    pub async fn hold_memberships_of(&mut self, user: Id<User>) -> Result<(), Error> {
        self.sql(HOLD).bind(user).changed().await?;
        Ok(())
    }

    /// Makes one of a user's groups the primary one. False if the user is not in it.
    pub async fn make_primary(&mut self, group: Id<Group>, user: Id<User>) -> Result<bool, Error> {
        self.sql(NO_PRIMARY).bind(user).bind(false).changed().await?;
        self.forget(Ended::User(user)).await?;
        let making = self.sql(MAKE_PRIMARY).bind(user).bind(group).bind(true);
        Ok(making.changed().await? == 1)
    }

    /// Takes a user out of a group. False if the user was not in it.
    pub async fn remove_member(&mut self, group: Id<Group>, user: Id<User>) -> Result<bool, Error> {
        let removed = self.sql(REMOVE).bind(user).bind(group).changed().await? == 1;
        if removed {
            self.membership_changed(user).await?;
        }
        Ok(removed)
    }

    /// Takes the next members out of a group, at most `limit`; whose primary one it was, is in its successor then, for good, as their
    /// primary one. Gives how many left.
    pub async fn move_members(
        &mut self,
        group: Id<Group>,
        successor: Option<Id<Group>>,
        now: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        let next: Vec<uuid::Uuid> = self.sql(NEXT_MEMBERS).bind(group).bind(limit).all().await?;
        let (Some(first), Some(last)) = (next.first().copied(), next.last().copied()) else {
            return Ok(0);
        };
        if let Some(successor) = successor {
            let joining = self.sql(JOIN_SUCCESSOR).bind(successor).bind(false).bind(now);
            joining.bind(group).bind(last).changed().await?;
        }
        let left = self.sql(LEAVE_MANY).bind(group).bind(last).changed().await?;
        if let Some(successor) = successor {
            let succeeding = self.sql(SUCCEED_MANY).bind(true).bind(successor);
            succeeding.bind(first).bind(last).changed().await?;
        }
        self.forget(Ended::Groups).await?;
        Ok(left)
    }

    async fn membership_changed(&mut self, user: Id<User>) -> Result<(), Error> {
        self.look_at_sessions_of(user);
        self.forget(Ended::User(user)).await
    }
}
