//! Ephemeral state in Redis. One key an entry, and every command touches one slot of a Cluster; keys expire by
//! themselves; nothing scans.

use std::sync::Arc;

use redis::{Script, ScriptInvocation};

use super::allowance::{Allowance, Spent, Tally};
use super::kind::{MARKS, SHARE_WHEN_FULL};
use super::place::{Place, Stored, milliseconds_to_keep};
use super::redis_connection::{Error, Measures, RedisConnection, Repeat};
use crate::model::Timestamp;

/// An entry among others: where it lies, where those of its owner are listed and all that begin alike, and how many the owner may
/// have.
pub(super) struct Among<'p> {
    pub place: &'p Place,
    pub owned: &'p Place,
    pub all: &'p Place,
    pub most: u32,
}

/// What becomes of an entry that is there already.
#[derive(Clone, Copy)]
enum Found {
    Replaced,
    Stays,
}

#[derive(Clone)]
pub(super) struct OnRedis {
    connection: RedisConnection,
    scripts: Arc<Scripts>,
}

struct Scripts {
    put_new: Script,
    put_within: Script,
    extend: Script,
    spend: Script,
    refund: Script,
}

impl OnRedis {
    pub fn new(connection: RedisConnection) -> Self {
        let scripts = Scripts {
            put_new: Script::new(include_str!("script/put_new.lua")),
            put_within: Script::new(include_str!("script/put_within.lua")),
            extend: Script::new(include_str!("script/extend.lua")),
            spend: Script::new(include_str!("script/spend.lua")),
            refund: Script::new(include_str!("script/refund.lua")),
        };
        Self {
            connection,
            scripts: Arc::new(scripts),
        }
    }

    pub fn measures(&self) -> &Measures {
        self.connection.measures()
    }

    /// The connection, for questions about the server itself.
    pub fn connection(&self) -> &RedisConnection {
        &self.connection
    }

    fn key(&self, place: &Place) -> String {
        place.redis_key(self.connection.prefix())
    }

    pub async fn put(&self, place: &Place, value: &[u8], expires: Timestamp, now: Timestamp) -> Result<(), Error> {
        let mut command = redis::cmd("SET");
        command
            .arg(self.key(place))
            .arg(Stored::write(expires, value))
            .arg("PX")
            .arg(milliseconds_to_keep(expires, now));
        self.connection.command(&command, Repeat::Safe).await
    }

    pub async fn put_new(
        &self,
        place: &Place,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut invocation = self.scripts.put_new.key(self.key(place));
        invocation
            .arg(now.micros())
            .arg(Stored::write(expires, value))
            .arg(milliseconds_to_keep(expires, now));
        self.connection.script(&invocation, Repeat::Never).await
    }

    pub async fn put_within(
        &self,
        among: Among<'_>,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let invocation = self.invocation_within(&among, value, expires, now, Found::Replaced);
        let _done: i64 = self.connection.script(&invocation, Repeat::Safe).await?;
        Ok(())
    }

    pub async fn put_new_within(
        &self,
        among: Among<'_>,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let invocation = self.invocation_within(&among, value, expires, now, Found::Stays);
        self.connection.script(&invocation, Repeat::Never).await
    }

    fn invocation_within(
        &self,
        among: &Among<'_>,
        value: &[u8],
        expires: Timestamp,
        now: Timestamp,
        found: Found,
    ) -> ScriptInvocation<'_> {
        let place = among.place;
        let mut invocation = self.scripts.put_within.key(self.key(place));
        invocation
            .key(self.key(among.owned))
            .key(self.key(among.all))
            .arg(now.micros())
            .arg(Stored::write(expires, value))
            .arg(milliseconds_to_keep(expires, now))
            .arg(expires.micros())
            .arg(place.name())
            .arg(among.most)
            .arg(place.altogether.map_or(0, |most| most / MARKS))
            .arg(SHARE_WHEN_FULL)
            .arg(among.owned.name())
            .arg(match found {
                Found::Replaced => 0,
                Found::Stays => 1,
            });
        invocation
    }

    pub async fn get(&self, place: &Place, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let mut command = redis::cmd("GET");
        command.arg(self.key(place));
        let stored: Option<Vec<u8>> = self.connection.command(&command, Repeat::Safe).await?;
        Ok(stored.and_then(|stored| Stored::read(stored, now)))
    }

    pub async fn take(&self, place: &Place, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let mut command = redis::cmd("GETDEL");
        command.arg(self.key(place));
        let stored: Option<Vec<u8>> = self.connection.command(&command, Repeat::Never).await?;
        Ok(stored.and_then(|stored| Stored::read(stored, now)))
    }

    pub async fn extend(&self, place: &Place, expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let mut invocation = self.scripts.extend.key(self.key(place));
        invocation
            .arg(now.micros())
            .arg(Stored::write(expires, b""))
            .arg(milliseconds_to_keep(expires, now));
        self.connection.script(&invocation, Repeat::Safe).await
    }

    /// Forgets an entry or a counter.
    pub async fn forget(&self, place: &Place) -> Result<(), Error> {
        let mut command = redis::cmd("DEL");
        command.arg(self.key(place));
        let _removed: i64 = self.connection.command(&command, Repeat::Safe).await?;
        Ok(())
    }

    pub async fn spend(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Result<Spent, Error> {
        let mut invocation = self.scripts.spend.key(self.key(place));
        invocation
            .arg(now.micros())
            .arg(allowance.part())
            .arg(allowance.period())
            .arg(allowance.budget());
        let (counted, tally): (i64, String) = self.connection.script(&invocation, Repeat::Never).await?;
        let tally = Tally::read(&tally);
        Ok(match counted {
            1 => allowance.allowed(&tally, now),
            _ => allowance.refused(&tally, now),
        })
    }

    pub async fn spent(&self, place: &Place, allowance: Allowance, now: Timestamp) -> Result<Spent, Error> {
        let mut command = redis::cmd("GET");
        command.arg(self.key(place));
        let tally: Option<String> = self.connection.command(&command, Repeat::Safe).await?;
        Ok(allowance.foretold(&Tally::read(&tally.unwrap_or_default()), now))
    }

    pub async fn refund(&self, place: &Place, at: Timestamp) -> Result<(), Error> {
        let mut invocation = self.scripts.refund.key(self.key(place));
        invocation.arg(at.micros());
        let _done: i64 = self.connection.script(&invocation, Repeat::Never).await?;
        Ok(())
    }

    pub async fn ping(&self) -> Result<(), Error> {
        self.connection.ping().await
    }
}
