//! The epoch of an installation: raised when the store may have lost its latest changes, because a replica was promoted or a
//! backup was restored. What was promised before and is decided by rows that may be gone counts no more: codes, pending
//! requests, setup links, proofs of clients.
//!
//! An epoch is the moment it was raised, in microseconds since 1970, so that a store that is restored twice from the same
//! backup never has the same one twice. The first is 1.

use super::{Error, Write, readers};
use crate::model::Timestamp;

/// What is asked on every new connection to Postgres. A server whose history is another one than the store remembers was
/// promoted or restored since (its timeline differs, or the whole cluster does), and the epoch is raised before anybody
/// reads or writes there. Gives the epoch. Before the first migration, on a server that is a copy itself, or on one that does
/// not tell its history, it fails, and nothing is known.
pub(super) const WATCH: &str = "
with present as (
  select (select system_identifier from pg_control_system())::text || ' '
    || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as lineage
),
raised as (
  update installation
  set lineage = present.lineage,
    epoch = case
      when installation.lineage is null then epoch
      else greatest(epoch + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
    end
  from present
  where installation.lineage is distinct from present.lineage
  returning epoch
)
select coalesce((select epoch from raised), (select epoch from installation))";

const GET: &str = "
select epoch
from installation
where id = 1";

readers! {
    /// The epoch.
    pub async fn get_epoch(&mut self) -> Result<Timestamp, Error> {
        let epoch: i64 = self.sql(GET).one().await?;
        Ok(Timestamp::from_micros(epoch))
    }
}

const RAISE: &str = "
update installation
set epoch = case when epoch < $1 then $1 else epoch + 1 end
where id = 1";

impl Write {
    /// Begins a new epoch: for whoever has brought back an older state of the store.
    pub async fn raise_epoch(&mut self, at: Timestamp) -> Result<(), Error> {
        self.sql(RAISE).bind(at).changed().await?;
        Ok(())
    }
}
