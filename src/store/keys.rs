//! Signing keys.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Id, SigningKey, SigningKeyState, Timestamp};
use crate::sql::{self, Record, Row};

impl Record for SigningKey {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            kid: row.text("kid")?,
            algorithm: row.named("algorithm")?,
            state: row.named("state")?,
            sealed: row.bytes("sealed")?,
            created_at: row.time("created_at")?,
            activated_at: row.maybe_time("activated_at")?,
            retiring_at: row.maybe_time("retiring_at")?,
            retired_at: row.maybe_time("retired_at")?,
        })
    }
}

const LIST: &str = "
select id, kid, algorithm, state, sealed, created_at, activated_at, retiring_at, retired_at
from signing_keys
order by created_at, id";

readers! {
    /// Every signing key, retired ones included, oldest first.
    pub async fn list_signing_keys(&mut self) -> Result<Vec<SigningKey>, Error> {
        Ok(self.sql(LIST).all().await?)
    }
}

const ADD: &str = "
insert into signing_keys (id, kid, algorithm, state, sealed, created_at, activated_at)
values ($1, $2, $3, $4, $5, $6, $7)";

const ACTIVATE: &str = "
update signing_keys
set state = 'active', activated_at = $2
where id = $1
and state = 'next'";

const BEGIN_RETIRING: &str = "
update signing_keys
set state = 'retiring', retiring_at = $2
where id = $1
and state = 'active'";

const RETIRE: &str = "
update signing_keys
set state = 'retired', retired_at = $2, sealed = $3
where id = $1
and state <> 'retired'";

impl Write {
    /// Adds a key. `Taken("signing_keys_kid")` if it is there.
    pub async fn add_signing_key(&mut self, key: &SigningKey) -> Result<(), Error> {
        self.sql(ADD)
            .bind(key.id)
            .bind(key.kid.as_str())
            .bind(key.algorithm.as_str())
            .bind(key.state.as_str())
            .bind(key.sealed.clone())
            .bind(key.created_at)
            .bind(key.activated_at)
            .changed()
            .await?;
        self.raise_key_generation().await
    }

    /// Moves a key on to `state`, if it stands in the one before. False if not. A retired key's private half is erased.
    pub async fn move_signing_key(
        &mut self,
        id: Id<SigningKey>,
        state: SigningKeyState,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let changed = match state {
            SigningKeyState::Next => 0,
            SigningKeyState::Active => self.sql(ACTIVATE).bind(id).bind(at).changed().await?,
            SigningKeyState::Retiring => self.sql(BEGIN_RETIRING).bind(id).bind(at).changed().await?,
            SigningKeyState::Retired => self.sql(RETIRE).bind(id).bind(at).bind(Vec::new()).changed().await?,
        };
        if changed == 1 {
            self.raise_key_generation().await?;
        }
        Ok(changed == 1)
    }
}
