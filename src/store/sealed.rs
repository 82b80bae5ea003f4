//! Everything that is sealed under a master key, wherever it stands: found by the key that it names, and sealed anew.

use uuid::Uuid;

use super::{Error, Write, readers};
use crate::crypto::KeyId;
use crate::sql::{self, Record, Row};

/// A column of sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedColumn {
    /// The private halves of signing keys.
    SigningKeys,
    /// Client secrets that are needed again.
    ClientSecrets,
    /// What mails say.
    Outbox,
    /// Answers to repeated requests.
    IdempotentAnswers,
    /// The secrets of second factors.
    Factors,
    /// What calls of actions of one's own are signed with.
    UserActions,
    /// What deliveries of webhooks are signed with.
    WebhookSecrets,
}

/// How the rows of a table are told apart.
#[derive(Clone, Copy)]
enum KeyShape {
    Id,
    CallerAndKey,
}

/// One sealed value.
#[derive(Clone, Debug)]
pub struct SealedValue {
    /// Where it stands.
    pub place: SealedPlace,
    /// The value.
    pub sealed: Vec<u8>,
}

/// Where a sealed value stands; as a position, what comes after it.
#[derive(Clone, Debug)]
pub struct SealedPlace(Key);

#[derive(Clone, Debug)]
enum Key {
    Id(Uuid),
    CallerAndKey(String, Vec<u8>),
}

impl SealedColumn {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::SigningKeys,
        Self::ClientSecrets,
        Self::Outbox,
        Self::IdempotentAnswers,
        Self::Factors,
        Self::UserActions,
        Self::WebhookSecrets,
    ];

    /// The table and the column.
    pub const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::SigningKeys => ("signing_keys", "sealed"),
            Self::ClientSecrets => ("client_secrets", "sealed"),
            Self::Outbox => ("outbox", "sealed"),
            Self::IdempotentAnswers => ("idempotency_keys", "sealed_answer"),
            Self::Factors => ("factors", "sealed"),
            Self::UserActions => ("user_actions", "sealed"),
            Self::WebhookSecrets => ("webhook_secrets", "sealed"),
        }
    }

    const fn shape(self) -> KeyShape {
        match self {
            Self::SigningKeys
            | Self::ClientSecrets
            | Self::Outbox
            | Self::Factors
            | Self::UserActions
            | Self::WebhookSecrets => KeyShape::Id,
            Self::IdempotentAnswers => KeyShape::CallerAndKey,
        }
    }

    /// The position before the first value.
    pub fn start(self) -> SealedPlace {
        SealedPlace(match self.shape() {
            KeyShape::Id => Key::Id(Uuid::nil()),
            KeyShape::CallerAndKey => Key::CallerAndKey(String::new(), Vec::new()),
        })
    }
}

struct OfId(SealedValue);
struct OfCallerAndKey(SealedValue);

impl Record for OfId {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(SealedValue {
            place: SealedPlace(Key::Id(row.uuid("id")?)),
            sealed: row.bytes("sealed")?,
        }))
    }
}

impl Record for OfCallerAndKey {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(SealedValue {
            place: SealedPlace(Key::CallerAndKey(row.text("caller")?, row.bytes("key_digest")?)),
            sealed: row.bytes("sealed")?,
        }))
    }
}

readers! {
    /// How many values of a column are sealed under this key.
    pub async fn count_sealed_under(&mut self, column: SealedColumn, key: KeyId) -> Result<i64, Error> {
        let (table, sealed) = column.name();
        let text = format!("select count(*) from {table} where substr({sealed}, 1, 9) = $1");
        Ok(self.sql_built(text).bind(key.prefix()).one().await?)
    }

    /// How many values of a column are not sealed under this key.
    pub async fn count_sealed_otherwise(&mut self, column: SealedColumn, key: KeyId) -> Result<i64, Error> {
        let (table, sealed) = column.name();
        let text = format!(
            "select count(*) from {table} where length({sealed}) > 0 and substr({sealed}, 1, 9) <> $1"
        );
        Ok(self.sql_built(text).bind(key.prefix()).one().await?)
    }

    /// Values of a column that are not sealed under this key, in the order of their places, from behind `after`.
    pub async fn list_sealed_otherwise(
        &mut self,
        column: SealedColumn,
        key: KeyId,
        after: &SealedPlace,
        limit: u32,
    ) -> Result<Vec<SealedValue>, Error> {
        let (table, sealed) = column.name();
        let open = format!("from {table} where length({sealed}) > 0 and substr({sealed}, 1, 9) <> $1");
        match &after.0 {
            Key::Id(id) => {
                let text = format!("select id, {sealed} as sealed {open} and id > $2 order by id limit $3");
                let found: Vec<OfId> = self.sql_built(text).bind(key.prefix()).bind(*id).bind(limit).all().await?;
                Ok(found.into_iter().map(|OfId(value)| value).collect())
            }
            Key::CallerAndKey(caller, digest) => {
                let text = format!(
                    "select caller, key_digest, {sealed} as sealed {open} and (caller, key_digest) > ($2, $3) order by caller, key_digest limit $4"
                );
                let found: Vec<OfCallerAndKey> = self
                    .sql_built(text)
                    .bind(key.prefix())
                    .bind(caller)
                    .bind(digest.as_slice())
                    .bind(limit)
                    .all()
                    .await?;
                Ok(found.into_iter().map(|OfCallerAndKey(value)| value).collect())
            }
        }
    }
}

impl Write {
    /// Puts another sealed form in the place of this one. False if the value changed meanwhile, or is gone.
    pub async fn reseal(&mut self, column: SealedColumn, before: &SealedValue, after: Vec<u8>) -> Result<bool, Error> {
        let (table, sealed) = column.name();
        let set = format!("update {table} set {sealed} = $1 where {sealed} = $2");
        let statement = match &before.place.0 {
            Key::Id(id) => self
                .sql_built(format!("{set} and id = $3"))
                .bind(after)
                .bind(before.sealed.as_slice())
                .bind(*id),
            Key::CallerAndKey(caller, digest) => self
                .sql_built(format!("{set} and caller = $3 and key_digest = $4"))
                .bind(after)
                .bind(before.sealed.as_slice())
                .bind(caller)
                .bind(digest.as_slice()),
        };
        Ok(statement.changed().await? == 1)
    }
}
