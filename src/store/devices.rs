//! The devices of people. Each belongs to one person, and a person has a bounded number of them.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Device, DeviceState, Factor, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// How many devices of one person are kept, each kind by itself: what one pushes out is never of another.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Those that may be signed in with.
    pub known: u32,
    /// Those that wait to be let in.
    pub waiting: u32,
    /// Those that are blocked.
    pub blocked: u32,
}

/// More of one kind are not looked at when some are forgotten; there never are more.
const MOST: u32 = 1000;

/// What is known of a device that somebody comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// How it stands; nothing if the person never came with it.
    pub state: Option<DeviceState>,
    /// How many devices the person has or had that may be signed in with: blocked ones count.
    pub known: i64,
    /// Whether the person has a second factor.
    pub has_factor: bool,
    /// Whether the factor that the person used is still theirs; true if none was named.
    pub is_factor_held: bool,
    /// Since when the second factor is not asked for on it.
    pub remembered_at: Option<Timestamp>,
}

impl Record for Acquaintance {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let state = row.maybe_text("state")?;
        let state = state.map(|state| state.parse()).transpose();
        Ok(Self {
            state: state.map_err(|_| sql::Error::unreadable("state"))?,
            known: row.int("known")?,
            has_factor: row.int("factors")? > 0,
            is_factor_held: row.int("held")? > 0,
            remembered_at: row.maybe_time("remembered_at")?,
        })
    }
}

impl Record for Device {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            user: row.id("user_id")?,
            first_at: row.time("first_at")?,
            last_at: row.time("last_at")?,
            user_agent: row.maybe_text("user_agent")?,
            address: row.maybe_text("address")?,
            place: row.maybe_text("place")?,
            state: row.named("state")?,
            remembered_at: row.maybe_time("remembered_at")?,
        })
    }
}

const ACQUAINTANCE: &str = "
select
  (select case when blocked_at is not null then 'blocked' when admitted then 'known' else 'waiting' end
   from devices
   where user_id = $1
   and id = $2) as state,
  (select remembered_at from devices where user_id = $1 and id = $2 and admitted and blocked_at is null) as remembered_at,
  (select count(*) from devices where user_id = $1 and admitted) as known,
  (select count(*) from factors where user_id = $1 and confirmed_at is not null) as factors,
  case when $3 is null then 1
    else (select count(*) from factors where user_id = $1 and id = $3 and confirmed_at is not null)
  end as held";

const FIND: &str = "
select id, user_id, first_at, last_at, user_agent, address, place, remembered_at,
  case when blocked_at is not null then 'blocked' when admitted then 'known' else 'waiting' end as state
from devices
where user_id = $1
and id = $2";

const LIST: &str = "
select id, user_id, first_at, last_at, user_agent, address, place, remembered_at,
  case when blocked_at is not null then 'blocked' when admitted then 'known' else 'waiting' end as state
from devices
where user_id = $1
order by last_at desc, id
limit $2";

readers! {
    /// What is known of a device that somebody comes with; of none, how many the person has. And whether the person has to
    /// prove more than a password; `factor` is what they have proved besides.
    pub async fn get_acquaintance(
        &mut self,
        user: Id<User>,
        device: Option<Id<Device>>,
        factor: Option<Id<Factor>>,
    ) -> Result<Acquaintance, Error> {
        Ok(self.sql(ACQUAINTANCE).bind(user).bind(device).bind(factor).one().await?)
    }

    /// A person's device.
    pub async fn find_device(&mut self, user: Id<User>, device: Id<Device>) -> Result<Option<Device>, Error> {
        Ok(self.sql(FIND).bind(user).bind(device).optional().await?)
    }

    /// A person's devices, the last used first.
    pub async fn list_devices_of(&mut self, user: Id<User>, limit: u32) -> Result<Vec<Device>, Error> {
        Ok(self.sql(LIST).bind(user).bind(limit).all().await?)
    }
}

const COME: &str = "
insert into devices (id, user_id, first_at, last_at, user_agent, address, place, admitted)
values ($1, $2, $3, $3, $4, $5, $6, $7)
on conflict (user_id, id) do update
set last_at = $3, user_agent = $4, address = $5, place = $6, admitted = $7
where devices.blocked_at is null";

const COME_AS_FIRST: &str = "
insert into devices (id, user_id, first_at, last_at, user_agent, address, place, admitted)
select $1, $2, $3, $3, $4, $5, $6, $7
where not exists (select 1 from devices where user_id = $2 and admitted)
on conflict (user_id, id) do update
set last_at = $3, user_agent = $4, address = $5, place = $6, admitted = $7
where devices.blocked_at is null";

const COME_AGAIN: &str = "
update devices
set last_at = $3, user_agent = $4, address = $5, place = $6
where user_id = $2
and id = $1
and blocked_at is null
and admitted = $7";

const WAIT: &str = "
insert into devices (id, user_id, first_at, last_at, user_agent, address, place, admitted)
values ($1, $2, $3, $3, $4, $5, $6, $7)
on conflict (user_id, id) do update
set last_at = $3, user_agent = $4, address = $5, place = $6
where devices.blocked_at is null
and not devices.admitted";

const FORGET_OLDEST: &str = "
delete from devices
where user_id = $1
and id in (
  select id
  from devices
  where user_id = $1
  and blocked_at is null
  and admitted = $2
  order by last_at desc, id
  limit $3 offset $4)";

const FORGET_OLDEST_BLOCKED: &str = "
delete from devices
where user_id = $1
and id in (
  select id
  from devices
  where user_id = $1
  and blocked_at is not null
  order by blocked_at desc, id
  limit $2 offset $3)";

const REMEMBER: &str = "
update devices
set remembered_at = $3
where user_id = $1
and id = $2
and admitted
and blocked_at is null
and exists (
  select 1
  from users
  where id = $1
  and password_changed_at is not distinct from $4)
and exists (
  select 1
  from factors
  where user_id = $1
  and id = $5
  and confirmed_at is not null)";

const FORGET_REMEMBERED: &str = "
update devices
set remembered_at = null
where user_id = $1
and remembered_at is not null";

const BLOCK: &str = "
update devices
set blocked_at = $3, remembered_at = null
where user_id = $1
and id = $2
and blocked_at is null";

const UNBLOCK: &str = "
update devices
set blocked_at = null
where user_id = $1
and id = $2
and blocked_at is not null";

const ADMIT: &str = "
update devices
set admitted = $3
where user_id = $1
and id = $2
and admitted <> $3
and blocked_at is null";

const FORGET: &str = "
delete from devices
where user_id = $1
and id = $2";

const SWEEP: &str = "
delete from devices
where (user_id, id) in (select user_id, id from devices where last_at < $1 limit $2)";

impl Write {
    /// Somebody signs in with a device: as a condition of this transaction it may not be blocked, else the commit is
    /// [`Error::Missing`].
    pub fn must_come(&mut self, device: &Device) {
        self.comes(COME, device, true);
    }

    /// The same for one that has to be known already.
    pub fn must_come_again(&mut self, device: &Device) {
        self.comes(COME_AGAIN, device, true);
    }

    /// The same for the first of a person who has none that is known.
    pub fn must_come_as_first(&mut self, device: &Device) {
        self.comes(COME_AS_FIRST, device, true);
    }

    /// Somebody was turned away with a device: it waits to be let in.
    pub fn add_waiting_device(&mut self, device: &Device) {
        self.comes(WAIT, device, false);
    }

    fn comes(&mut self, text: &'static str, device: &Device, admitted: bool) {
        let statement = self
            .sql(text)
            .bind(device.id)
            .bind(device.user)
            .bind(device.last_at)
            .bind(device.user_agent.clone())
            .bind(device.address.clone())
            .bind(device.place.clone())
            .bind(admitted);
        if admitted {
            statement.must_change_later();
        } else {
            statement.later();
        }
    }

    /// Forgets the devices of a person that are more than may be, those that were not used for the longest time first.
    pub fn forget_oldest_devices(&mut self, user: Id<User>, limits: Limits) {
        for (admitted, most) in [(true, limits.known), (false, limits.waiting)] {
            self.sql(FORGET_OLDEST)
                .bind(user)
                .bind(admitted)
                .bind(MOST)
                .bind(most)
                .later();
        }
        self.sql(FORGET_OLDEST_BLOCKED)
            .bind(user)
            .bind(MOST)
            .bind(limits.blocked)
            .later();
    }

    /// The second factor is not asked for on a device from now on, if the person still has the password and the factor that they
    /// proved there. False if not.
    pub async fn remember_device(
        &mut self,
        (user, device): (Id<User>, Id<Device>),
        at: Timestamp,
        (password_changed_at, factor): (Option<Timestamp>, Id<Factor>),
    ) -> Result<bool, Error> {
        let remembering = self.sql(REMEMBER).bind(user).bind(device).bind(at);
        Ok(remembering.bind(password_changed_at).bind(factor).changed().await? == 1)
    }

    /// The second factor is asked for on every device of the person again. Gives on how many it was not.
    pub async fn forget_remembered_devices_of(&mut self, user: Id<User>) -> Result<u64, Error> {
        Ok(self.sql(FORGET_REMEMBERED).bind(user).changed().await?)
    }

    /// Blocks a device. False if it is not there, or blocked already. Its sessions are the caller's to end, in this transaction.
    pub async fn block_device(&mut self, user: Id<User>, device: Id<Device>, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(BLOCK).bind(user).bind(device).bind(at).changed().await? == 1)
    }

    /// Takes that back. False if it is not there, or not blocked.
    pub async fn unblock_device(&mut self, user: Id<User>, device: Id<Device>) -> Result<bool, Error> {
        Ok(self.sql(UNBLOCK).bind(user).bind(device).changed().await? == 1)
    }

    /// Lets a device in that waits. False if it is not there, or does not wait.
    pub async fn admit_device(&mut self, user: Id<User>, device: Id<Device>) -> Result<bool, Error> {
        Ok(self.sql(ADMIT).bind(user).bind(device).bind(true).changed().await? == 1)
    }

    /// Forgets a device. False if it is not there.
    pub async fn forget_device(&mut self, user: Id<User>, device: Id<Device>) -> Result<bool, Error> {
        Ok(self.sql(FORGET).bind(user).bind(device).changed().await? == 1)
    }

    /// Forgets devices that nobody signed in with since `before`, a bounded number.
    pub async fn sweep_devices(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
