//! Initial access tokens: who holds one may register clients (RFC 7591 section 3).

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Digest, Id, Timestamp};
use crate::sql::{self, Record, Row};

/// An initial access token as it is stored.
#[derive(Clone, Debug)]
pub struct RegistrationToken {
    /// The row.
    pub id: Id<RegistrationToken>,
    /// What is stored of it.
    pub digest: Digest,
    /// What it was made for.
    pub name: String,
    /// How many clients may still be registered with it; none: any number.
    pub uses_left: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl Record for RegistrationToken {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            digest: row.digest("digest")?,
            name: row.text("name")?,
            uses_left: row.maybe_int("uses_left")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            revoked_at: row.maybe_time("revoked_at")?,
        })
    }
}

const LIST: &str = "
select id, digest, name, uses_left, created_at, expires_at, revoked_at
from registration_tokens
order by created_at desc
limit $1";

const FIND: &str = "
select id, digest, name, uses_left, created_at, expires_at, revoked_at
from registration_tokens
where digest = $1";

readers! {
    /// The initial access token of this digest, whether it counts or not.
    pub async fn find_registration_token(&mut self, digest: &Digest) -> Result<Option<RegistrationToken>, Error> {
        Ok(self.sql(FIND).bind(digest).optional().await?)
    }

    /// The newest initial access tokens.
    pub async fn list_registration_tokens(&mut self, limit: u32) -> Result<Vec<RegistrationToken>, Error> {
        Ok(self.sql(LIST).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into registration_tokens (id, digest, name, uses_left, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6)";

const USE: &str = "
update registration_tokens
set uses_left = uses_left - 1
where digest = $1
and revoked_at is null
and expires_at > $2
and (uses_left is null or uses_left > 0)";

const REVOKE: &str = "
update registration_tokens
set revoked_at = $2
where id = $1
and revoked_at is null";

impl Write {
    /// Adds an initial access token.
    pub async fn add_registration_token(&mut self, token: &RegistrationToken) -> Result<(), Error> {
        self.sql(ADD)
            .bind(token.id)
            .bind(&token.digest)
            .bind(token.name.as_str())
            .bind(token.uses_left)
            .bind(token.created_at)
            .bind(token.expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses an initial access token once. False if it is unknown, ended, revoked or used up; the database decides.
    pub async fn use_registration_token(&mut self, digest: &Digest, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(USE).bind(digest).bind(now).changed().await? == 1)
    }

    /// Revokes an initial access token. False if it was not there or revoked before.
    pub async fn revoke_registration_token(&mut self, id: Id<RegistrationToken>, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(REVOKE).bind(id).bind(at).changed().await? == 1)
    }
}
