//! Refresh tokens, opaque access tokens, and what was revoked one by one.

use super::resources::ScopesText;
use super::rows::{Columns, to_json};
use super::{Ended, Error, Write, readers};
use crate::model::{AccessToken, Digest, Grant, Id, RefreshToken, Timestamp};
use crate::sql::{self, Record, Row};

impl Record for RefreshToken {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            digest: row.digest("digest")?,
            grant: row.id("grant_id")?,
            nonce: row
                .bytes("nonce")?
                .try_into()
                .map_err(|_| sql::Error::unreadable("nonce"))?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("expires_at")?,
            spent_at: row.maybe_time("spent_at")?,
        })
    }
}

impl Record for AccessToken {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            digest: row.digest("digest")?,
            grant: row.maybe_id("grant_id")?,
            client: row.id("client_id")?,
            scope: row.named::<ScopesText>("scope")?.0,
            audience: row.json("audience")?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("expires_at")?,
        })
    }
}

const FIND_REFRESH: &str = "
select digest, grant_id, nonce, issued_at, expires_at, spent_at
from refresh_tokens
where digest = $1";

const FIND_ACCESS: &str = "
select digest, grant_id, client_id, scope, audience, issued_at, expires_at
from access_tokens
where digest = $1";

const FIND_REVOKED: &str = "
select expires_at
from revoked_tokens
where digest = $1";

readers! {
    /// The refresh token of this digest.
    pub async fn find_refresh_token(&mut self, digest: &Digest) -> Result<Option<RefreshToken>, Error> {
        Ok(self.sql(FIND_REFRESH).bind(digest).optional().await?)
    }

    /// The opaque access token of this digest.
    pub async fn find_access_token(&mut self, digest: &Digest) -> Result<Option<AccessToken>, Error> {
        Ok(self.sql(FIND_ACCESS).bind(digest).optional().await?)
    }

    /// Whether the token of this digest was revoked by itself.
    pub async fn is_token_revoked(&mut self, digest: &Digest) -> Result<bool, Error> {
        let found: Option<i64> = self.sql(FIND_REVOKED).bind(digest).optional().await?;
        Ok(found.is_some())
    }
}

const ADD_REFRESH: &str = "
insert into refresh_tokens (digest, grant_id, nonce, issued_at, expires_at)
values ($1, $2, $3, $4, $5)";

const SPEND_REFRESH: &str = "
update refresh_tokens
set spent_at = $2
where digest = $1
and spent_at is null
and exists (select 1 from grants where grants.id = refresh_tokens.grant_id and grants.ended_at is null)";

const ADD_ACCESS: &str = "
insert into access_tokens (digest, grant_id, client_id, scope, audience, issued_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)";

const DELETE_ACCESS: &str = "
delete from access_tokens
where digest = $1";

const DELETE_ACCESS_OF_GRANT: &str = "
delete from access_tokens
where grant_id = $1";

const REVOKE: &str = "
insert into revoked_tokens (digest, expires_at)
values ($1, $2)
on conflict do nothing";

const SWEEP_ACCESS: &str = "
delete from access_tokens
where digest in (select digest from access_tokens where expires_at < $1 limit $2)";

const SWEEP_REFRESH: &str = "
delete from refresh_tokens
where digest in (select digest from refresh_tokens where expires_at < $1 order by expires_at limit $2)";

const SWEEP_REVOKED: &str = "
delete from revoked_tokens
where digest in (select digest from revoked_tokens where expires_at < $1 limit $2)";

impl Write {
    /// Adds a link to a family's chain of refresh tokens.
    pub async fn add_refresh_token(&mut self, token: &RefreshToken) -> Result<(), Error> {
        self.sql(ADD_REFRESH)
            .bind(&token.digest)
            .bind(token.grant)
            .bind(token.nonce)
            .bind(token.issued_at)
            .bind(token.expires_at)
            .later();
        Ok(())
    }

    /// Marks a refresh token as used. If it was used before or its family has ended, the commit is [`Error::Missing`] and
    /// nothing is kept; the database decides.
    pub fn spend_refresh_token(&mut self, digest: &Digest, at: Timestamp) {
        self.sql(SPEND_REFRESH).bind(digest).bind(at).must_change_later();
    }

    /// Adds an opaque access token.
    pub async fn add_access_token(&mut self, token: &AccessToken) -> Result<(), Error> {
        self.sql(ADD_ACCESS)
            .bind(&token.digest)
            .bind(token.grant)
            .bind(token.client)
            .bind(token.scope.to_string())
            .bind(to_json(&token.audience)?)
            .bind(token.issued_at)
            .bind(token.expires_at)
            .later();
        Ok(())
    }

    /// Revokes an opaque access token. False if it was not there.
    pub async fn delete_access_token(&mut self, digest: &Digest) -> Result<bool, Error> {
        let deleted = self.sql(DELETE_ACCESS).bind(digest).changed().await? == 1;
        if deleted {
            self.forget(Ended::Token(*digest)).await?;
        } else {
            self.forget_here(Ended::Token(*digest));
        }
        Ok(deleted)
    }

    /// Revokes the opaque access tokens of a family.
    pub async fn delete_access_tokens_of_grant(&mut self, grant: Id<Grant>) -> Result<u64, Error> {
        let deleted = self.sql(DELETE_ACCESS_OF_GRANT).bind(grant).changed().await?;
        if deleted > 0 {
            self.forget(Ended::Grant(grant)).await?;
        }
        Ok(deleted)
    }

    /// Revokes one JWT until it ends by itself.
    pub async fn revoke_token(&mut self, digest: &Digest, expires_at: Timestamp) -> Result<(), Error> {
        self.sql(REVOKE).bind(digest).bind(expires_at).changed().await?;
        self.forget(Ended::Token(*digest)).await
    }

    /// Forgets refresh tokens that ended by themselves before `before`, a bounded number. Whoever shows one later is told that
    /// it is unknown; what their replay would have ended could not have been got by them any more.
    pub async fn sweep_refresh_tokens(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP_REFRESH).bind(before).bind(limit).changed().await?)
    }

    /// Forgets access tokens and revocations that ended by themselves before `before`, a bounded number of each.
    pub async fn sweep_tokens(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let access = self.sql(SWEEP_ACCESS).bind(before).bind(limit).changed().await?;
        let revoked = self.sql(SWEEP_REVOKED).bind(before).bind(limit).changed().await?;
        Ok(access + revoked)
    }
}
