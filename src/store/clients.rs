//! Clients and their secrets.

use super::rows::{Columns, to_json};
use super::{Error, Write, readers};
use crate::model::{Client, ClientOrigin, ClientSecret, Id, Layer, LayerOwner, Timestamp};
use crate::sql::{self, Record, Row};

/// A page of clients and where the next begins.
pub type ClientPage = Vec<Client>;

impl Record for Client {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            client_id: row.text("client_id")?,
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            disabled_at: row.maybe_time("disabled_at")?,
            origin: row.named("origin")?,
            trusted: row.boolean("trusted")?,
            metadata: row.json("metadata")?,
            policy: row.json("policy")?,
            settings: Layer::new(),
            secrets: Vec::new(),
            registration_token: row.maybe_digest("registration_token")?,
            unused_until: row.maybe_time("unused_until")?,
        })
    }
}

impl Record for ClientSecret {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            digest: row.digest("digest")?,
            sealed: row.maybe_bytes("sealed")?,
            created_at: row.time("created_at")?,
            expires_at: row.maybe_time("expires_at")?,
        })
    }
}

const FIND_BY_CLIENT_ID: &str = "
select id, client_id, origin, trusted, metadata, policy, registration_token, disabled_at, version, created_at,
  updated_at, unused_until
from clients
where client_id = $1";

const FIND: &str = "
select id, client_id, origin, trusted, metadata, policy, registration_token, disabled_at, version, created_at,
  updated_at, unused_until
from clients
where id = $1";

const LIST: &str = "
select id, client_id, origin, trusted, metadata, policy, registration_token, disabled_at, version, created_at,
  updated_at, unused_until
from clients
where id > $1
order by id
limit $2";

const LIST_NEWEST: &str = "
select id, client_id, origin, trusted, metadata, policy, registration_token, disabled_at, version, created_at,
  updated_at, unused_until
from clients
where id < $1
order by id desc
limit $2";

const SECRETS: &str = "
select id, digest, sealed, created_at, expires_at
from client_secrets
where client_id = $1
order by created_at desc, id desc";

const LIST_APPLIED: &str = "
select client_id
from clients
where applied
order by client_id";

readers! {
    /// The client that calls itself this, with its secrets.
    pub async fn find_client_by_client_id(&mut self, client_id: &str) -> Result<Option<Client>, Error> {
        let Some(mut client) = self.sql(FIND_BY_CLIENT_ID).bind(client_id).optional::<Client>().await? else {
            return Ok(None);
        };
        client.secrets = self.sql(SECRETS).bind(client.id).all().await?;
        client.settings = self.get_layer(LayerOwner::Client(client.id)).await?;
        Ok(Some(client))
    }

    /// The client of this row, with its secrets.
    pub async fn find_client(&mut self, id: Id<Client>) -> Result<Option<Client>, Error> {
        let Some(mut client) = self.sql(FIND).bind(id).optional::<Client>().await? else {
            return Ok(None);
        };
        client.secrets = self.sql(SECRETS).bind(client.id).all().await?;
        client.settings = self.get_layer(LayerOwner::Client(client.id)).await?;
        Ok(Some(client))
    }

    /// Clients after this one, oldest first, without their secrets.
    pub async fn list_clients(&mut self, after: Option<Id<Client>>, limit: u32) -> Result<ClientPage, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST).bind(after).bind(limit).all().await?)
    }

    /// Clients before this one, newest first, without their secrets.
    pub async fn list_newest_clients(&mut self, before: Option<Id<Client>>, limit: u32) -> Result<ClientPage, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST_NEWEST).bind(before).bind(limit).all().await?)
    }

    /// The `client_id`s that came by `apply`.
    pub async fn list_applied_clients(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into clients (id, client_id, client_name, origin, metadata, policy, registration_token, applied, disabled_at,
  version, created_at, updated_at, trusted, backchannel_logout_uri, unused_until)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

const CHANGE: &str = "
update clients
set client_name = $3, metadata = $4, policy = $5, registration_token = $6, disabled_at = $7, updated_at = $8,
  trusted = $9, backchannel_logout_uri = $10, unused_until = $11, version = version + 1
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update clients
set applied = $2
where id = $1";

const DELETE: &str = "
delete from clients
where id = $1
and version = $2";

const ADD_SECRET: &str = "
insert into client_secrets (id, client_id, digest, sealed, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6)";

const EXPIRE_SECRETS: &str = "
update client_secrets
set expires_at = $2
where client_id = $1
and (expires_at is null or expires_at > $2)";

const DELETE_SECRET: &str = "
delete from client_secrets
where client_id = $1
and id = $2";

const DELETE_SECRETS: &str = "
delete from client_secrets
where client_id = $1";

impl Write {
    /// Adds a client with its secrets. `Taken("clients_client_id")` if it is there.
    pub async fn add_client(&mut self, client: &Client) -> Result<(), Error> {
        self.sql(ADD)
            .bind(client.id)
            .bind(client.client_id.as_str())
            .bind(client.name())
            .bind(client.origin.as_str())
            .bind(to_json(&client.metadata)?)
            .bind(to_json(&client.policy)?)
            .bind(client.registration_token)
            .bind(false)
            .bind(client.disabled_at)
            .bind(client.version)
            .bind(client.created_at)
            .bind(client.updated_at)
            .bind(client.trusted)
            .bind(client.metadata.backchannel_logout_uri.clone())
            .bind(client.unused_until)
            .changed()
            .await?;
        for secret in &client.secrets {
            self.add_client_secret(client.id, secret).await?;
        }
        Ok(())
    }

    /// Changes everything but id, `client_id`, origin and secrets, if the version still is the client's. False if not.
    pub async fn change_client(&mut self, client: &Client) -> Result<bool, Error> {
        let changed = self
            .sql(CHANGE)
            .bind(client.id)
            .bind(client.version)
            .bind(client.name())
            .bind(to_json(&client.metadata)?)
            .bind(to_json(&client.policy)?)
            .bind(client.registration_token)
            .bind(client.disabled_at)
            .bind(client.updated_at)
            .bind(client.trusted)
            .bind(client.metadata.backchannel_logout_uri.clone())
            // whoever vouches for it keeps it
            .bind(client.unused_until.filter(|_| !client.trusted))
            .changed()
            .await?;
        if changed == 1 && client.origin == ClientOrigin::Registration {
            self.count_open_clients().await?;
        }
        if changed == 1 {
            self.raise_client_generation().await?;
        }
        Ok(changed == 1)
    }

    /// Remembers that `apply` made it.
    pub async fn mark_client_applied(&mut self, id: Id<Client>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Deletes a client with everything that still hangs on it (see [`Write::empty_client`]), if the version still is the client's. False if not.
    pub async fn delete_client(&mut self, id: Id<Client>, version: i64) -> Result<bool, Error> {
        let deleted = self.sql(DELETE).bind(id).bind(version).changed().await? == 1;
        if deleted {
            self.count_open_clients().await?;
            self.raise_client_generation().await?;
        }
        Ok(deleted)
    }

    /// Adds a secret.
    pub async fn add_client_secret(&mut self, client: Id<Client>, secret: &ClientSecret) -> Result<(), Error> {
        self.sql(ADD_SECRET)
            .bind(secret.id)
            .bind(client)
            .bind(&secret.digest)
            .bind(secret.sealed.clone())
            .bind(secret.created_at)
            .bind(secret.expires_at)
            .changed()
            .await?;
        self.raise_client_generation().await
    }

    /// Lets all present secrets end at `at`, unless they end sooner.
    pub async fn expire_client_secrets(&mut self, client: Id<Client>, at: Timestamp) -> Result<(), Error> {
        self.sql(EXPIRE_SECRETS).bind(client).bind(at).changed().await?;
        self.raise_client_generation().await
    }

    /// Deletes one secret. False if it was not there.
    pub async fn delete_client_secret(&mut self, client: Id<Client>, secret: Id<ClientSecret>) -> Result<bool, Error> {
        let deleted = self.sql(DELETE_SECRET).bind(client).bind(secret).changed().await? == 1;
        if deleted {
            self.raise_client_generation().await?;
        }
        Ok(deleted)
    }

    /// Deletes all secrets of a client.
    pub async fn delete_client_secrets(&mut self, client: Id<Client>) -> Result<(), Error> {
        self.sql(DELETE_SECRETS).bind(client).changed().await?;
        self.raise_client_generation().await
    }
}
