//! Generations: a number per kind of remembered thing, raised with every change of one, so that every node forgets in time.

use super::{Error, Write, readers};
use crate::sql::{self, Record, Row};

/// The generations as they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// Clients and their secrets.
    pub client: i64,
    /// Signing keys.
    pub key: i64,
    /// Settings.
    pub setting: i64,
    /// Resources.
    pub resource: i64,
    /// Properties of people.
    pub property: i64,
    /// Webhooks.
    pub webhook: i64,
    /// The epoch of the installation, which is raised when the store may have lost something.
    pub epoch: i64,
}

struct Generation {
    kind: String,
    number: i64,
}

impl Record for Generation {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            kind: row.text("kind")?,
            number: row.int("number")?,
        })
    }
}

const LIST: &str = "
select kind, number
from generations
union all
select 'epoch', epoch
from installation";

readers! {
    /// The generations as they stand.
    pub async fn get_generations(&mut self) -> Result<Generations, Error> {
        let rows: Vec<Generation> = self.sql(LIST).all().await?;
        let of = |kind: &str| rows.iter().find(|row| row.kind == kind).map_or(0, |row| row.number);
        Ok(Generations { client: of("client"), key: of("key"), setting: of("setting"), resource: of("resource"), property: of("property"), webhook: of("webhook"), epoch: of("epoch") })
    }
}

const RAISE: &str = "
update generations
set number = number + 1
where kind = $1";

impl Write {
    /// Says that a client or its secrets changed.
    pub async fn raise_client_generation(&mut self) -> Result<(), Error> {
        self.raise("client").await
    }

    /// Says that the signing keys changed.
    pub async fn raise_key_generation(&mut self) -> Result<(), Error> {
        self.raise("key").await
    }

    /// Says that the settings changed.
    pub async fn raise_setting_generation(&mut self) -> Result<(), Error> {
        self.raise("setting").await
    }

    /// Says that the resources changed.
    pub async fn raise_resource_generation(&mut self) -> Result<(), Error> {
        self.raise("resource").await
    }

    /// Says that the properties of people changed.
    pub async fn raise_property_generation(&mut self) -> Result<(), Error> {
        self.raise("property").await
    }

    /// Says that the webhooks changed.
    pub async fn raise_webhook_generation(&mut self) -> Result<(), Error> {
        self.raise("webhook").await
    }

    async fn raise(&mut self, kind: &'static str) -> Result<(), Error> {
        // the first time in a transaction is as good as every time
        if self.own.raised.contains(&kind) {
            return Ok(());
        }
        self.own.raised.push(kind);
        self.sql(RAISE).bind(kind).changed().await?;
        Ok(())
    }
}
