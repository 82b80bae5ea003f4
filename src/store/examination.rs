//! What a database says of itself, for whoever judges a setup.

use std::time::Duration;

use super::{Error, Store};
use crate::clock;
use crate::sql::{self, Engine, Record, Row};

/// What a database says of itself.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Its version, as in `15.4`.
    pub version: String,
    /// How long a short question took.
    pub latency: Duration,
    /// Its clock, in microseconds since 1970; none of the embedded store, which has the machine's.
    pub clock: Option<i64>,
    /// How large the store is, in bytes.
    pub bytes: u64,
    /// Settings that let acknowledged changes be lost.
    pub unsafe_settings: Vec<&'static str>,
    /// Whether it only follows another server and takes no changes.
    pub is_standby: bool,
}

struct Told {
    version: String,
    clock: Option<i64>,
    bytes: i64,
    fsync: bool,
    full_page_writes: bool,
    is_standby: bool,
}

impl Record for Told {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            version: row.text("version")?,
            clock: row.maybe_int("clock")?,
            bytes: row.int("bytes")?,
            fsync: row.boolean("fsync")?,
            full_page_writes: row.boolean("full_page_writes")?,
            is_standby: row.boolean("is_standby")?,
        })
    }
}

const ASK_SQLITE: &str = "
select sqlite_version() as version, cast(null as integer) as clock, page_count * page_size as bytes,
  1 as fsync, 1 as full_page_writes, 0 as is_standby
from pragma_page_count(), pragma_page_size()";

const ASK_POSTGRES: &str = "
select split_part(current_setting('server_version'), ' ', 1) as version,
  (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock,
  pg_database_size(current_database()) as bytes,
  current_setting('fsync')::boolean as fsync,
  current_setting('full_page_writes')::boolean as full_page_writes,
  pg_is_in_recovery() as is_standby";

const PING: &str = "select 1";

impl Store {
    /// Asks the database about itself.
    ///
    /// # Errors
    /// [`Error::Unavailable`]
    pub async fn examine(&self) -> Result<Examination, Error> {
        let mut connection = self.database.read().await?;
        let text = match connection.engine() {
            Engine::Sqlite => ASK_SQLITE,
            Engine::Postgres => ASK_POSTGRES,
        };
        // the first question also pays for the connection
        let _: i64 = connection.sql(PING).one().await?;
        let asked = clock::monotonic();
        let _: i64 = connection.sql(PING).one().await?;
        let latency = asked.elapsed();
        let told: Told = connection.sql(text).one().await?;
        let settings = [("fsync", told.fsync), ("full_page_writes", told.full_page_writes)];
        Ok(Examination {
            version: told.version,
            latency,
            clock: told.clock,
            bytes: u64::try_from(told.bytes).unwrap_or(0),
            unsafe_settings: settings
                .into_iter()
                .filter(|(_, on)| !on)
                .map(|(name, _)| name)
                .collect(),
            is_standby: told.is_standby,
        })
    }
}
