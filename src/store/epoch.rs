//! The epoch of an installation: raised when the store may have lost its latest changes, because a replica was promoted or a
//! backup was restored. What was promised before and is decided by rows that may be gone counts no more: codes, pending
//! requests, setup links, proofs of clients.
//!
//! An epoch is the moment it was raised, in microseconds since 1970, so that a store that is restored twice from the same
//! backup never has the same one twice. The first is 1.

use super::{Error, Write, readers};
use crate::model::Timestamp;

/// What runs on every new connection to Postgres: a server whose history is another one than the store remembers was
/// promoted or restored since (its timeline differs, or the whole cluster does), and the epoch is raised before anybody
/// reads or writes there.
pub(super) const WATCH: &str = "
do $$
declare present text;
begin
  if pg_is_in_recovery() then
    return;
  end if;
  present := (select system_identifier from pg_control_system())::text || ' '
    || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
  if exists (select 1 from installation where lineage is distinct from present) then
    update installation
    set lineage = present,
      epoch = case
        when lineage is null then epoch
        else greatest(epoch + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
      end
    where lineage is distinct from present;
  end if;
exception
  -- before the first migration; on a server that does not tell its history
  when undefined_table or undefined_function or insufficient_privilege or feature_not_supported
    or read_only_sql_transaction then null;
end $$";

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
