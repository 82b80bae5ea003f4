//! Keys of scripts to the administration API.

use super::resources::ScopesText;
use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Actor, Client, Digest, Id, Scopes, Timestamp, User};
use crate::sql::{self, Record, Row};

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The row.
    pub id: Id<ApiKey>,
    /// What is stored of it.
    pub digest: Digest,
    /// What it begins with.
    pub beginning: String,
    /// What it is for.
    pub name: String,
    /// As whom it acts.
    pub owner: KeyOwner,
    /// What it may do at most.
    pub scopes: Scopes,
    /// Who made it: the kind.
    pub made_by_kind: String,
    /// Who made it: the id.
    pub made_by_id: Option<uuid::Uuid>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// As whom a key acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// As a person, or a program that has an account.
    User(Id<User>),
    /// As a client.
    Client(Id<Client>),
}

impl KeyOwner {
    /// Who acts.
    pub const fn actor(self) -> Actor {
        match self {
            Self::User(id) => Actor::User(id),
            Self::Client(id) => Actor::Client(id),
        }
    }
}

impl Record for ApiKey {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let owner = match (row.maybe_id("user_id")?, row.maybe_id("client_id")?) {
            (Some(user), None) => KeyOwner::User(user),
            (None, Some(client)) => KeyOwner::Client(client),
            _ => return Err(sql::Error::unreadable("user_id")),
        };
        Ok(Self {
            id: row.id("id")?,
            digest: row.digest("digest")?,
            beginning: row.text("beginning")?,
            name: row.text("name")?,
            owner,
            scopes: row.named::<ScopesText>("scope")?.0,
            made_by_kind: row.text("made_by_kind")?,
            made_by_id: row.maybe_uuid("made_by_id")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            last_used_at: row.maybe_time("last_used_at")?,
            revoked_at: row.maybe_time("revoked_at")?,
        })
    }
}

const LIST: &str = "
select id, digest, beginning, name, user_id, client_id, scope, made_by_kind, made_by_id, created_at, expires_at, last_used_at,
  revoked_at
from api_keys
where id < $1
order by id desc
limit $2";

const FIND: &str = "
select id, digest, beginning, name, user_id, client_id, scope, made_by_kind, made_by_id, created_at, expires_at, last_used_at,
  revoked_at
from api_keys
where id = $1";

const FIND_BY_DIGEST: &str = "
select id, digest, beginning, name, user_id, client_id, scope, made_by_kind, made_by_id, created_at, expires_at, last_used_at,
  revoked_at
from api_keys
where digest = $1";

const COUNT_OF_USER: &str = "
select count(*)
from api_keys
where user_id = $1
and revoked_at is null
and expires_at > $2";

const COUNT_OF_CLIENT: &str = "
select count(*)
from api_keys
where client_id = $1
and revoked_at is null
and expires_at > $2";

readers! {
    /// Keys before this one, the newest first.
    pub async fn list_api_keys(&mut self, before: Option<Id<ApiKey>>, limit: u32) -> Result<Vec<ApiKey>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST).bind(before).bind(limit).all().await?)
    }

    /// A key, whether it counts or not.
    pub async fn find_api_key(&mut self, id: Id<ApiKey>) -> Result<Option<ApiKey>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// The key of this digest, whether it counts or not.
    pub async fn find_api_key_by_digest(&mut self, digest: &Digest) -> Result<Option<ApiKey>, Error> {
        Ok(self.sql(FIND_BY_DIGEST).bind(digest).optional().await?)
    }

    /// How many keys of somebody count.
    pub async fn count_api_keys_of(&mut self, owner: KeyOwner, now: Timestamp) -> Result<i64, Error> {
        let counted = match owner {
            KeyOwner::User(id) => self.sql(COUNT_OF_USER).bind(id),
            KeyOwner::Client(id) => self.sql(COUNT_OF_CLIENT).bind(id),
        };
        Ok(counted.bind(now).one().await?)
    }
}

const ADD: &str = "
insert into api_keys (id, digest, beginning, name, user_id, client_id, scope, made_by_kind, made_by_id, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const USE: &str = "
update api_keys
set last_used_at = $2
where id = $1";

const REVOKE: &str = "
update api_keys
set revoked_at = $2
where id = $1
and revoked_at is null";

const SWEEP: &str = "
delete from api_keys
where id in (select id from api_keys where expires_at < $1 order by expires_at limit $2)";

impl Write {
    /// Adds a key. [`Error::Missing`] if whoever it is for is gone.
    pub async fn add_api_key(&mut self, key: &ApiKey) -> Result<(), Error> {
        let (user, client) = match key.owner {
            KeyOwner::User(id) => (Some(id), None),
            KeyOwner::Client(id) => (None, Some(id)),
        };
        self.sql(ADD)
            .bind(key.id)
            .bind(&key.digest)
            .bind(key.beginning.as_str())
            .bind(key.name.as_str())
            .bind(user)
            .bind(client)
            .bind(key.scopes.to_string())
            .bind(key.made_by_kind.as_str())
            .bind(key.made_by_id)
            .bind(key.created_at)
            .bind(key.expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Remembers when a key was used.
    pub fn use_api_key(&mut self, id: Id<ApiKey>, at: Timestamp) {
        self.sql(USE).bind(id).bind(at).later();
    }

    /// Revokes a key. False if it was not there or revoked before.
    pub async fn revoke_api_key(&mut self, id: Id<ApiKey>, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(REVOKE).bind(id).bind(at).changed().await? == 1)
    }

    /// Forgets keys that ended before `before`, a bounded number.
    pub async fn sweep_api_keys(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
