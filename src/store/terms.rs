//! Terms of use, and who has accepted them.

use super::rows::Columns;
use super::{Error, Write, in_groups, readers};
use crate::model::{Acceptance, Group, Id, Terms, TermsOccasion, Timestamp, User};
use crate::sql::{self, Record, Row};

/// More versions are not listed; nobody publishes more.
const MOST: u32 = 1_000;

impl Record for Terms {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            version: row.text("version")?,
            effective_at: row.time("effective_at")?,
            required_of: row.json("required_of")?,
            texts: row.json("texts")?,
            created_at: row.time("created_at")?,
            withdrawn_at: row.maybe_time("withdrawn_at")?,
        })
    }
}

impl Record for Acceptance {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            terms: row.id("terms_id")?,
            name: row.text("name")?,
            version: row.text("version")?,
            accepted_at: row.time("accepted_at")?,
            locale: row.text("locale")?,
            occasion: row.named("occasion")?,
        })
    }
}

const LIST: &str = "
select id, name, version, effective_at, required_of, texts, created_at, withdrawn_at
from terms
order by name, effective_at desc, created_at desc
limit $1";

const LIST_IN_FORCE: &str = "
select id, name, version, effective_at, required_of, texts, created_at, withdrawn_at
from terms
where withdrawn_at is null
and effective_at <= $1
order by name, effective_at desc, created_at desc
limit $2";

const FIND: &str = "
select id, name, version, effective_at, required_of, texts, created_at, withdrawn_at
from terms
where id = $1";

const LIST_ACCEPTED: &str = "
select terms_acceptances.terms_id, terms.name, terms.version, terms_acceptances.accepted_at, terms_acceptances.locale,
  terms_acceptances.occasion
from terms_acceptances
join terms on terms.id = terms_acceptances.terms_id
where terms_acceptances.user_id = $1
order by terms_acceptances.accepted_at desc, terms.name
limit $2";

const LIST_GROUPS: &str = in_groups!(
    "
select group_id
from reached"
);

readers! {
    /// Every version, by name, the one that takes effect last first.
    pub async fn list_terms(&mut self) -> Result<Vec<Terms>, Error> {
        Ok(self.sql(LIST).bind(MOST).all().await?)
    }

    /// The versions that have taken effect and were not taken back, in the same order.
    pub async fn list_terms_in_force(&mut self, now: Timestamp) -> Result<Vec<Terms>, Error> {
        Ok(self.sql(LIST_IN_FORCE).bind(now).bind(MOST).all().await?)
    }

    /// The version of this row.
    pub async fn find_terms(&mut self, id: Id<Terms>) -> Result<Option<Terms>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// What somebody has accepted, the latest first.
    pub async fn list_acceptances_of(&mut self, user: Id<User>) -> Result<Vec<Acceptance>, Error> {
        Ok(self.sql(LIST_ACCEPTED).bind(user).bind(MOST).all().await?)
    }

    /// The rows of the groups that somebody is in now, and of those that these stand in.
    pub async fn list_group_ids_of(&mut self, user: Id<User>, now: Timestamp) -> Result<Vec<Id<Group>>, Error> {
        let rows: Vec<InGroup> = self.sql(LIST_GROUPS).bind(user).bind(now).all().await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

struct InGroup(Id<Group>);

impl Record for InGroup {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(row.id("group_id")?))
    }
}

const ADD: &str = "
insert into terms (id, name, version, effective_at, required_of, texts, created_at)
values ($1, $2, $3, $4, $5, $6, $7)";

const WITHDRAW: &str = "
update terms
set withdrawn_at = $2
where id = $1
and withdrawn_at is null";

const ACCEPT: &str = "
insert into terms_acceptances (user_id, terms_id, accepted_at, locale, occasion)
values ($1, $2, $3, $4, $5)
on conflict do nothing";

impl Write {
    /// Publishes a version. `Taken("terms_name_version")` if there is one of this name and number.
    pub async fn add_terms(&mut self, terms: &Terms) -> Result<(), Error> {
        self.sql(ADD)
            .bind(terms.id)
            .bind(terms.name.as_str())
            .bind(terms.version.as_str())
            .bind(terms.effective_at)
            .bind(serde_json::to_string(&terms.required_of).unwrap_or_default())
            .bind(serde_json::to_string(&terms.texts).unwrap_or_default())
            .bind(terms.created_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Takes a version back. False if there is none that counts.
    pub async fn withdraw_terms(&mut self, id: Id<Terms>, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(WITHDRAW).bind(id).bind(at).changed().await? == 1)
    }

    /// Remembers that somebody has accepted a version.
    pub async fn accept_terms(
        &mut self,
        user: Id<User>,
        terms: Id<Terms>,
        (at, locale): (Timestamp, &str),
        occasion: TermsOccasion,
    ) -> Result<(), Error> {
        self.sql(ACCEPT)
            .bind(user)
            .bind(terms)
            .bind(at)
            .bind(locale)
            .bind(occasion.as_str())
            .changed()
            .await?;
        Ok(())
    }
}
