//! Which master keys there are, and which is the current one. The keys themselves are never here.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::crypto::KeyId;
use crate::model::{MasterKeyRecord, Timestamp};
use crate::sql::{self, Record, Row};

impl Record for MasterKeyRecord {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.named("id")?,
            state: row.named("state")?,
            root: row.bytes("root")?,
            created_at: row.time("created_at")?,
            current_at: row.maybe_time("current_at")?,
            resealed_at: row.maybe_time("resealed_at")?,
        })
    }
}

const LIST: &str = "
select id, state, root, created_at, current_at, resealed_at
from master_keys
order by current_at is null, current_at, id";

readers! {
    /// Every master key that the store knows of, oldest first. None, as long as there was only ever one.
    pub async fn list_master_keys(&mut self) -> Result<Vec<MasterKeyRecord>, Error> {
        Ok(self.sql(LIST).all().await?)
    }
}

const ADD: &str = "
insert into master_keys (id, state, root, created_at, current_at, resealed_at)
values ($1, $2, $3, $4, $5, $6)";

const SUPERSEDE: &str = "
update master_keys
set state = 'older'
where state = 'current'";

const BEGIN: &str = "
update master_keys
set state = 'current', current_at = $2
where id = $1
and state = 'prepared'";

const RESEALED: &str = "
update master_keys
set resealed_at = $2
where id = $1
and state = 'current'
and resealed_at is null";

impl Write {
    /// Adds what is known of a key.
    pub async fn add_master_key(&mut self, key: &MasterKeyRecord) -> Result<(), Error> {
        self.sql(ADD)
            .bind(key.id.to_string())
            .bind(key.state.as_str())
            .bind(key.root.clone())
            .bind(key.created_at)
            .bind(key.current_at)
            .bind(key.resealed_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Makes a prepared key the current one, and the one before an older one. False if it is not prepared.
    pub async fn begin_master_key(&mut self, id: KeyId, at: Timestamp) -> Result<bool, Error> {
        self.sql(SUPERSEDE).changed().await?;
        Ok(self.sql(BEGIN).bind(id.to_string()).bind(at).changed().await? == 1)
    }

    /// Remembers that everything is sealed under the current key. False if that was known, or the key is not current.
    pub async fn mark_resealed(&mut self, id: KeyId, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(RESEALED).bind(id.to_string()).bind(at).changed().await? == 1)
    }
}
