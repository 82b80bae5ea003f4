//! Groups that stand in groups. What stands in what directly is written down; what that comes to, every group above a group, is made
//! of it anew with each change, so that whoever asks what counts for somebody looks at rows and climbs nowhere.

use super::rows::Columns;
use super::{Ended, Error, Write, readers};
use crate::model::{Group, Id, Timestamp};
use crate::sql::{self, Record, Row};

/// A group above or below another, and how many steps away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedGroup {
    /// The row.
    pub id: Id<Group>,
    /// Its name.
    pub name: String,
    /// 1: one stands in the other directly.
    pub distance: u32,
}

impl Record for NestedGroup {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            distance: u32::try_from(row.int("distance")?).unwrap_or(u32::MAX),
        })
    }
}

const LIST_ABOVE: &str = "
select g.id, g.name, a.distance
from group_ancestors a
join groups g on g.id = a.ancestor_id
where a.group_id = $1
order by a.distance, g.name_key
limit $2";

const LIST_BELOW: &str = "
select g.id, g.name, a.distance
from group_ancestors a
join groups g on g.id = a.group_id
where a.ancestor_id = $1
order by a.distance, g.name_key
limit $2";

const IS_ABOVE: &str = "
select count(*)
from group_ancestors
where group_id = $1
and ancestor_id = $2";

const CARRIED: &str = "
with reached (group_id) as (
  select id
  from groups
  where id = $1
  union
  select ancestor_id
  from group_ancestors
  where group_id = $1
)
select p.permission
from reached r
join group_permissions p on p.group_id = r.group_id
union
select p.permission
from reached r
join group_roles g on g.group_id = r.group_id
join role_permissions p on p.role_id = g.role_id
order by permission";

readers! {
    /// The groups that a group stands in, the nearest first, by way of others too; at most `limit`.
    pub async fn list_groups_above(&mut self, group: Id<Group>, limit: u32) -> Result<Vec<NestedGroup>, Error> {
        Ok(self.sql(LIST_ABOVE).bind(group).bind(limit).all().await?)
    }

    /// The groups that stand in a group, the nearest first, by way of others too; at most `limit`.
    pub async fn list_groups_below(&mut self, group: Id<Group>, limit: u32) -> Result<Vec<NestedGroup>, Error> {
        Ok(self.sql(LIST_BELOW).bind(group).bind(limit).all().await?)
    }

    /// Whether a group stands in another, by way of others too.
    pub async fn is_group_above(&mut self, above: Id<Group>, below: Id<Group>) -> Result<bool, Error> {
        Ok(self.sql(IS_ABOVE).bind(below).bind(above).one::<i64>().await? > 0)
    }

    /// Every permission that a membership in a group gives: its own, those of its roles, and those of all groups that it
    /// stands in; those over something alone as they are written.
    pub async fn list_permissions_by(&mut self, group: Id<Group>) -> Result<Vec<String>, Error> {
        let mut carried: Vec<String> = self.sql(CARRIED).bind(group).all().await?;
        carried.extend(self.list_limited_permissions_by(group).await?);
        Ok(carried)
    }
}

const HOLD: &str = "
update generations
set number = number + 1
where kind = 'nesting'";

const NEST: &str = "
insert into group_nesting (inner_id, outer_id, since)
values ($1, $2, $3)
on conflict do nothing";

const UNNEST: &str = "
delete from group_nesting
where inner_id = $1
and outer_id = $2";

const FORGET_ABOVE: &str = "
delete from group_ancestors
where group_id = $1";

// there are no circles; the number is a stop for rows that this program did not write
const CLIMB: &str = "
insert into group_ancestors (group_id, ancestor_id, distance)
with recursive above (group_id, ancestor_id, distance) as (
  select inner_id, outer_id, 1
  from group_nesting
  where inner_id = $1
  union
  select a.group_id, n.outer_id, a.distance + 1
  from above a
  join group_nesting n on n.inner_id = a.ancestor_id
  where a.distance < 20
)
select group_id, ancestor_id, min(distance)
from above
group by group_id, ancestor_id";

impl Write {
    /// Keeps others from changing how groups stand in each other until this transaction ends: two who nest at once must not close a
    /// circle together.
    pub async fn hold_nesting(&mut self) -> Result<(), Error> {
        self.sql(HOLD).changed().await?;
        Ok(())
    }

    /// Puts a group into another. False if it stands in it already. Whoever calls holds the nesting, and [`Self::climb`]s then.
    pub async fn nest_group(&mut self, inner: Id<Group>, outer: Id<Group>, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(NEST).bind(inner).bind(outer).bind(at).changed().await? == 1)
    }

    /// Takes a group out of another. False if it did not stand in it directly. As [`Self::nest_group`].
    pub async fn unnest_group(&mut self, inner: Id<Group>, outer: Id<Group>) -> Result<bool, Error> {
        Ok(self.sql(UNNEST).bind(inner).bind(outer).changed().await? == 1)
    }

    /// Finds anew what stands above a group and above these others that stand in it. Gives the greatest number above one of them.
    pub async fn climb(&mut self, group: Id<Group>, below: &[NestedGroup]) -> Result<u64, Error> {
        let mut most = 0;
        for id in std::iter::once(group).chain(below.iter().map(|nested| nested.id)) {
            self.sql(FORGET_ABOVE).bind(id).changed().await?;
            most = self.sql(CLIMB).bind(id).changed().await?.max(most);
        }
        self.forget(Ended::Groups).await?;
        Ok(most)
    }
}
