//! Consents.

use super::resources::ScopesText;
use super::rows::{Columns, to_json};
use super::{Error, Write, readers};
use crate::model::{Client, Consent, Grant, GrantTerms, Id, Scopes, User};
use crate::sql::{self, Record, Row};

impl Record for Consent {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            client: row.id("client_id")?,
            scope: row.named::<ScopesText>("scope")?.0,
            claims: row.json("claims")?,
            given_at: row.time("given_at")?,
        })
    }
}

struct Held {
    grant: Id<Grant>,
    terms: GrantTerms,
}

impl Record for Held {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            grant: row.id("id")?,
            terms: row.json("terms")?,
        })
    }
}

const FIND: &str = "
select user_id, client_id, scope, claims, given_at
from consents
where user_id = $1
and client_id = $2";

const LIST_OF_USER: &str = "
select user_id, client_id, scope, claims, given_at
from consents
where user_id = $1
order by given_at desc
limit $2";

const LIST_LIVE_GRANTS: &str = "
select id, terms
from grants
where user_id = $1
and client_id = $2
and ended_at is null
limit $3";

const LIST_CLIENTS_OF_USER: &str = "
select c.id, c.client_id, c.origin, c.trusted, c.metadata, c.policy, c.registration_token, c.disabled_at, c.unused_until, c.version,
  c.created_at, c.updated_at
from consents a
join clients c on c.id = a.client_id
where a.user_id = $1
order by a.given_at desc
limit $2";

readers! {
    /// What a user has allowed a client.
    pub async fn find_consent(&mut self, user: Id<User>, client: Id<Client>) -> Result<Option<Consent>, Error> {
        Ok(self.sql(FIND).bind(user).bind(client).optional().await?)
    }

    /// What a user has allowed, newest first.
    pub async fn list_consents_of(&mut self, user: Id<User>, limit: u32) -> Result<Vec<Consent>, Error> {
        Ok(self.sql(LIST_OF_USER).bind(user).bind(limit).all().await?)
    }

    /// What a client holds of a user now, as it was agreed.
    pub async fn list_live_grants_of(&mut self, user: Id<User>, client: Id<Client>, limit: u32) -> Result<Vec<(Id<Grant>, GrantTerms)>, Error> {
        let held: Vec<Held> = self.sql(LIST_LIVE_GRANTS).bind(user).bind(client).bind(limit).all().await?;
        Ok(held.into_iter().map(|held| (held.grant, held.terms)).collect())
    }

    /// The clients that a user has allowed something, without their secrets, in the same order.
    pub async fn list_allowed_clients_of(&mut self, user: Id<User>, limit: u32) -> Result<Vec<Client>, Error> {
        Ok(self.sql(LIST_CLIENTS_OF_USER).bind(user).bind(limit).all().await?)
    }
}

const GIVE: &str = "
insert into consents (user_id, client_id, scope, claims, given_at)
values ($1, $2, $3, $4, $5)
on conflict (user_id, client_id) do update set scope = excluded.scope, claims = excluded.claims, given_at = excluded.given_at";

const HOLD: &str = "
update consents
set scope = scope
where user_id = $1
and client_id = $2
and scope = $3";

const WITHDRAW: &str = "
delete from consents
where user_id = $1
and client_id = $2";

impl Write {
    /// Remembers what a user has allowed a client, in place of what was allowed before.
    pub async fn give_consent(&mut self, consent: &Consent) -> Result<(), Error> {
        self.sql(GIVE)
            .bind(consent.user)
            .bind(consent.client)
            .bind(consent.scope.to_string())
            .bind(to_json(&consent.claims)?)
            .bind(consent.given_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Keeps what a user has allowed a client from being changed or taken back until this transaction is over. If it is not
    /// `scope` any more, the next answer or the commit is [`Error::Missing`].
    pub fn must_hold_consent(&mut self, user: Id<User>, client: Id<Client>, scope: &Scopes) {
        let holding = self.sql(HOLD).bind(user).bind(client);
        holding.bind(scope.to_string()).must_change_later();
    }

    /// Forgets what a user has allowed a client. False if there was nothing.
    pub async fn withdraw_consent(&mut self, user: Id<User>, client: Id<Client>) -> Result<bool, Error> {
        Ok(self.sql(WITHDRAW).bind(user).bind(client).changed().await? == 1)
    }
}
