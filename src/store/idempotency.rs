//! Answers kept for a day under the caller's `Idempotency-Key`.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Digest, Timestamp};
use crate::sql::{self, Record, Row};

/// What is kept under a key.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The digest of the body it came with.
    pub body: Digest,
    /// The answer under the master key; none while it is being made.
    pub sealed_answer: Option<Vec<u8>>,
}

impl Record for Remembered {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            body: row.digest("body_digest")?,
            sealed_answer: row.maybe_bytes("sealed_answer")?,
        })
    }
}

const FIND: &str = "
select body_digest, sealed_answer
from idempotency_keys
where caller = $1
and key_digest = $2
and created_at > $3";

readers! {
    /// What a caller's key stands for, if it was used after `since`.
    pub async fn find_idempotency_key(&mut self, caller: &str, key: &Digest, since: Timestamp) -> Result<Option<Remembered>, Error> {
        Ok(self.sql(FIND).bind(caller).bind(key).bind(since).optional().await?)
    }
}

const CLAIM: &str = "
insert into idempotency_keys (caller, key_digest, body_digest, created_at)
values ($1, $2, $3, $4)
on conflict do nothing";

const ANSWER: &str = "
update idempotency_keys
set sealed_answer = $3
where caller = $1
and key_digest = $2";

const RELEASE: &str = "
delete from idempotency_keys
where caller = $1
and key_digest = $2
and sealed_answer is null";

const FORGET: &str = "
delete from idempotency_keys
where caller = $1
and key_digest = $2
and created_at <= $3";

const SWEEP: &str = "
delete from idempotency_keys
where (caller, key_digest) in (
  select caller, key_digest
  from idempotency_keys
  where created_at < $1
  order by created_at
  limit $2)";

impl Write {
    /// Takes a key for one request. False if another has it.
    pub async fn claim_idempotency_key(
        &mut self,
        caller: &str,
        key: &Digest,
        body: &Digest,
        at: Timestamp,
    ) -> Result<bool, Error> {
        Ok(self
            .sql(CLAIM)
            .bind(caller)
            .bind(key)
            .bind(body)
            .bind(at)
            .changed()
            .await?
            == 1)
    }

    /// Keeps the answer.
    pub async fn answer_idempotency_key(&mut self, caller: &str, key: &Digest, sealed: &[u8]) -> Result<(), Error> {
        self.sql(ANSWER).bind(caller).bind(key).bind(sealed).changed().await?;
        Ok(())
    }

    /// Gives a key back that got no answer worth keeping.
    pub async fn release_idempotency_key(&mut self, caller: &str, key: &Digest) -> Result<(), Error> {
        self.sql(RELEASE).bind(caller).bind(key).changed().await?;
        Ok(())
    }

    /// Forgets a caller's key, if it is not from after `since`.
    pub async fn forget_idempotency_key(&mut self, caller: &str, key: &Digest, since: Timestamp) -> Result<(), Error> {
        self.sql(FORGET).bind(caller).bind(key).bind(since).changed().await?;
        Ok(())
    }

    /// Forgets keys from before `before`, a bounded number.
    pub async fn sweep_idempotency_keys(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
