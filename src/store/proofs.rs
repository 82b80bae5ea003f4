//! Once-only identifiers (`jti` of client assertions and the like): inserted if absent; the database decides.

use super::{Error, Write};
use crate::model::{Digest, Timestamp};

const SPEND: &str = "
insert into proofs (kind, digest, expires_at)
values ($1, $2, $3)
on conflict do nothing";

const SPEND_IN_EPOCH: &str = "
insert into proofs (kind, digest, expires_at)
select $1, $2, $3
from installation
where epoch <= $4
on conflict do nothing";

const SWEEP: &str = "
delete from proofs
where (kind, digest) in (select kind, digest from proofs where expires_at < $1 order by expires_at limit $2)";

impl Write {
    /// Uses up an identifier of a kind until it would be refused for its age anyway. False if it was used before.
    pub async fn spend_proof(
        &mut self,
        kind: &'static str,
        digest: &Digest,
        expires_at: Timestamp,
    ) -> Result<bool, Error> {
        Ok(self
            .sql(SPEND)
            .bind(kind)
            .bind(digest)
            .bind(expires_at)
            .changed()
            .await?
            == 1)
    }

    /// The same for what was made at `issued`. False, too, if that was before the epoch: the row that says it was used may
    /// have been lost.
    pub async fn spend_proof_of_epoch(
        &mut self,
        kind: &'static str,
        digest: &Digest,
        expires_at: Timestamp,
        issued: Timestamp,
    ) -> Result<bool, Error> {
        Ok(self
            .sql(SPEND_IN_EPOCH)
            .bind(kind)
            .bind(digest)
            .bind(expires_at)
            .bind(issued)
            .changed()
            .await?
            == 1)
    }

    /// Forgets identifiers that are too old to be accepted, a bounded number.
    pub async fn sweep_proofs(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
