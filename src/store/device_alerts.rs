//! Mails that told of a new device: each holds a link that says "this wasn't me". What is stored of it is a digest. A link that
//! only leads to a new password is one that is used already.
//! They are action links ([`super::action_links`] says more).

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Device, Digest, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// A mail that told of a new device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAlert {
    /// Whom.
    pub user: Id<User>,
    /// Of which device.
    pub device: Id<Device>,
    /// When.
    pub created_at: Timestamp,
    /// When its link was used, if it was.
    pub used_at: Option<Timestamp>,
}

impl Record for DeviceAlert {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            device: row.id("device_id")?,
            created_at: row.time("created_at")?,
            used_at: row.maybe_time("used_at")?,
        })
    }
}

const FIND: &str = "
select user_id, device_id, created_at, used_at
from action_links
where digest = $1
and purpose = 'device_alert'
and expires_at > $2
and created_at >= (select epoch from installation)";

const COUNT_SINCE: &str = "
select count(*)
from (select 1 as one from action_links where user_id = $1 and purpose = 'device_alert' and created_at > $2 limit $3) as counted";

readers! {
    /// The mail whose link has this digest, used or not, until it expires.
    pub async fn find_device_alert(&mut self, digest: &Digest, now: Timestamp) -> Result<Option<DeviceAlert>, Error> {
        Ok(self.sql(FIND).bind(digest).bind(now).optional().await?)
    }

    /// How many such mails a person was sent after `since`, counted no further than `most`.
    pub async fn count_device_alerts(&mut self, user: Id<User>, since: Timestamp, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT_SINCE).bind(user).bind(since).bind(most).one().await?)
    }
}

const ADD: &str = "
insert into action_links (digest, purpose, user_id, device_id, created_at, expires_at, used_at)
values ($1, 'device_alert', $2, $3, $4, $5, $6)";

const USE: &str = "
update action_links
set used_at = $2
where digest = $1
and purpose = 'device_alert'
and used_at is null
and expires_at > $2
and created_at >= (select epoch from installation)";

impl Write {
    /// Adds a mail's link.
    pub fn add_device_alert(&mut self, digest: &Digest, alert: &DeviceAlert, expires_at: Timestamp) {
        self.sql(ADD)
            .bind(digest)
            .bind(alert.user)
            .bind(alert.device)
            .bind(alert.created_at)
            .bind(expires_at)
            .bind(alert.used_at)
            .later();
    }

    /// Uses a link. False if it is unknown, ended or used; the database decides.
    pub async fn use_device_alert(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }
}
