//! What can be bound to a statement, and how it travels to either engine.

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::Engine;

/// A value for a placeholder; `None` is null. On SQLite a bool is 0 or 1 and a UUID its 16 bytes.
#[derive(Clone)]
pub enum Value {
    Int(Option<i64>),
    Bool(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
}

/// What a value is, where only the schema tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Bool,
    Text,
    Bytes,
    Uuid,
}

/// It says the kind alone: a value may be personal.
impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Int(_) => "Int(..)",
            Self::Bool(_) => "Bool(..)",
            Self::Text(_) => "Text(..)",
            Self::Bytes(_) => "Bytes(..)",
            Self::Uuid(_) => "Uuid(..)",
        })
    }
}

macro_rules! from {
    ($($source:ty => $kind:ident, |$value:ident| $owned:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                Self::$kind(Some($owned))
            }
        }
        impl From<Option<$source>> for Value {
            fn from(value: Option<$source>) -> Self {
                Self::$kind(value.map(|$value| $owned))
            }
        }
    )*};
}

from! {
    i64 => Int, |value| value;
    u32 => Int, |value| i64::from(value);
    bool => Bool, |value| value;
    String => Text, |value| value;
    &str => Text, |value| value.to_owned();
    &String => Text, |value| value.to_owned();
    Vec<u8> => Bytes, |value| value;
    &[u8] => Bytes, |value| value.to_vec();
    [u8; 32] => Bytes, |value| value.to_vec();
    &[u8; 32] => Bytes, |value| value.to_vec();
    Uuid => Uuid, |value| value;
}

/// The values of one statement, encoded for the engine it runs on.
pub(super) enum Bound {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
}

impl Bound {
    /// All values, in the order of their placeholders.
    pub(super) fn all(engine: Engine, values: impl IntoIterator<Item = Value>) -> Result<Self, sqlx::Error> {
        let mut bound = match engine {
            Engine::Sqlite => Self::Sqlite(SqliteArguments::default()),
            Engine::Postgres => Self::Postgres(PgArguments::default()),
        };
        for value in values {
            bound.add(value)?;
        }
        Ok(bound)
    }

    fn add(&mut self, value: Value) -> Result<(), sqlx::Error> {
        match value {
            Value::Int(value) => self.encode(value),
            Value::Bool(value) => self.encode(value),
            Value::Text(value) => self.encode(value),
            Value::Bytes(value) => self.encode(value),
            Value::Uuid(value) => self.encode(value),
        }
    }

    fn encode<'q, T>(&mut self, value: T) -> Result<(), sqlx::Error>
    where
        T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(arguments) => Arguments::add(arguments, value),
            Self::Postgres(arguments) => Arguments::add(arguments, value),
        }
        .map_err(sqlx::Error::Encode)
    }
}
