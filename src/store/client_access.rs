//! Who may use an application where not everybody may.

use super::rows::Columns;
use super::{Error, Write, in_groups, readers};
use crate::model::{Client, ClientUser, Group, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// Somebody who may use an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAccess {
    /// Who.
    pub who: ClientUser,
    /// Their name: the group's, or what the person signs in with.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

impl Record for ClientAccess {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let group: Option<Id<Group>> = row.maybe_id("group_id")?;
        Ok(Self {
            who: match group {
                Some(group) => ClientUser::Group(group),
                None => ClientUser::User(row.id("user_id")?),
            },
            name: row.text("name")?,
            since: row.time("since")?,
        })
    }
}

// of those that are given to somebody; a person is in few groups
const MAY_USE: &str = in_groups!(
    "
select
  (select count(*) from client_access where user_id = $1 and client_id = $3)
  + (select count(*) from reached r join client_access c on c.group_id = r.group_id where c.client_id = $3)"
);

const LIST: &str = "
select c.group_id, c.user_id, g.name, c.since
from client_access c
join groups g on g.id = c.group_id
where c.client_id = $1
union all
select c.group_id, c.user_id, u.username, c.since
from client_access c
join users u on u.id = c.user_id
where c.client_id = $1
order by 3
limit $2";

const OF_GROUP: &str = "
select k.client_id
from client_access c
join clients k on k.id = c.client_id
where c.group_id = $1
order by k.client_id
limit $2";

const OF_USER: &str = "
select k.client_id
from client_access c
join clients k on k.id = c.client_id
where c.user_id = $1
order by k.client_id
limit $2";

const COUNT: &str = "
select count(*)
from (select 1 as one from client_access where client_id = $1 limit $2) counted";

/// So many groups and people are given one application at most: whom it is for that many is for a group.
pub const MOST_WITH_ACCESS: u32 = 1_000;

readers! {
    /// Whether an application is given to somebody, or to a group that counts for them now.
    pub async fn may_use_client(&mut self, user: Id<User>, client: Id<Client>, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(MAY_USE).bind(user).bind(now).bind(client).one::<i64>().await? > 0)
    }

    /// To whom an application is given, by name.
    pub async fn list_client_access(&mut self, client: Id<Client>) -> Result<Vec<ClientAccess>, Error> {
        Ok(self.sql(LIST).bind(client).bind(MOST_WITH_ACCESS).all().await?)
    }

    /// To how many an application is given, counted up to a thousand.
    pub async fn count_client_access(&mut self, client: Id<Client>) -> Result<i64, Error> {
        Ok(self.sql(COUNT).bind(client).bind(MOST_WITH_ACCESS).one().await?)
    }

    /// The `client_id` of every application that is given to a group or a user itself.
    pub async fn list_clients_given_to(&mut self, who: ClientUser) -> Result<Vec<String>, Error> {
        let (text, id) = match who {
            ClientUser::Group(group) => (OF_GROUP, group.uuid()),
            ClientUser::User(user) => (OF_USER, user.uuid()),
        };
        Ok(self.sql(text).bind(id).bind(MOST_WITH_ACCESS).all().await?)
    }
}

const GIVE: &str = "
insert into client_access (client_id, group_id, user_id, since)
values ($1, $2, $3, $4)
on conflict do nothing";

const TAKE_FROM_GROUP: &str = "
delete from client_access
where group_id = $1
and client_id = $2";

const TAKE_FROM_USER: &str = "
delete from client_access
where user_id = $1
and client_id = $2";

impl Write {
    /// Gives an application to a group or a user. False if they have it already.
    pub async fn give_client(&mut self, client: Id<Client>, who: ClientUser, at: Timestamp) -> Result<bool, Error> {
        let (group, user) = match who {
            ClientUser::Group(group) => (Some(group), None),
            ClientUser::User(user) => (None, Some(user)),
        };
        let giving = self.sql(GIVE).bind(client).bind(group).bind(user).bind(at);
        Ok(giving.changed().await? == 1)
    }

    /// Takes an application from a group or a user. False if they did not have it.
    pub async fn take_client(&mut self, client: Id<Client>, who: ClientUser) -> Result<bool, Error> {
        let (text, id) = match who {
            ClientUser::Group(group) => (TAKE_FROM_GROUP, group.uuid()),
            ClientUser::User(user) => (TAKE_FROM_USER, user.uuid()),
        };
        Ok(self.sql(text).bind(id).bind(client).changed().await? == 1)
    }
}
