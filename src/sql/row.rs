//! Reading the columns of a row, whichever engine it came from.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};
use uuid::Uuid;

use super::Error;
use super::value::{Kind, Value};

/// One row of an answer. Its columns are read by name.
pub struct Row<'r>(Source<'r>);

#[derive(Clone, Copy)]
enum Source<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

/// Something that a row is read into.
pub trait Record: Sized {
    /// Reads the columns it needs.
    fn read(row: &Row<'_>) -> Result<Self, Error>;
}

impl Row<'_> {
    /// A text column.
    pub fn text(&self, name: &'static str) -> Result<String, Error> {
        self.named(name)
    }

    /// A text column that may be null.
    pub fn maybe_text(&self, name: &'static str) -> Result<Option<String>, Error> {
        self.named(name)
    }

    /// An integer column of any width.
    pub fn int(&self, name: &'static str) -> Result<i64, Error> {
        self.maybe_int(name)?.ok_or_else(|| null(name))
    }

    /// An integer column of any width that may be null.
    pub fn maybe_int(&self, name: &'static str) -> Result<Option<i64>, Error> {
        self.integer(name).map_err(|error| Error::column(name, error))
    }

    /// A boolean column; on SQLite an integer, where 0 is false.
    pub fn boolean(&self, name: &'static str) -> Result<bool, Error> {
        self.named(name)
    }

    /// A boolean column that may be null.
    pub fn maybe_boolean(&self, name: &'static str) -> Result<Option<bool>, Error> {
        self.named(name)
    }

    /// A column of bytes.
    pub fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Error> {
        self.named(name)
    }

    /// A column of bytes that may be null.
    pub fn maybe_bytes(&self, name: &'static str) -> Result<Option<Vec<u8>>, Error> {
        self.named(name)
    }

    /// A UUID column; on SQLite 16 bytes.
    pub fn uuid(&self, name: &'static str) -> Result<Uuid, Error> {
        self.named(name)
    }

    /// A UUID column that may be null.
    pub fn maybe_uuid(&self, name: &'static str) -> Result<Option<Uuid>, Error> {
        self.named(name)
    }

    /// The column at this place, of this kind or null.
    pub(super) fn value(&self, index: usize, kind: Kind) -> Result<Value, Error> {
        Ok(match kind {
            Kind::Int => Value::Int(self.get(index)?),
            Kind::Bool => Value::Bool(self.get(index)?),
            Kind::Text => Value::Text(self.get(index)?),
            Kind::Bytes => Value::Bytes(self.get(index)?),
            Kind::Uuid => Value::Uuid(self.get(index)?),
        })
    }

    fn named<T>(&self, name: &'static str) -> Result<T, Error>
    where
        T: for<'d> Decode<'d, Sqlite> + Type<Sqlite> + for<'d> Decode<'d, Postgres> + Type<Postgres>,
    {
        self.get(name).map_err(|error| Error::column(name, error))
    }

    fn first<T>(&self) -> Result<T, Error>
    where
        T: for<'d> Decode<'d, Sqlite> + Type<Sqlite> + for<'d> Decode<'d, Postgres> + Type<Postgres>,
    {
        self.get(0).map_err(|error| Error::column(FIRST, error))
    }

    /// Postgres refuses to widen: an `integer` column or literal does not decode as a `bigint`.
    fn integer<I>(&self, index: I) -> Result<Option<i64>, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy,
    {
        let wide = self.get::<Option<i64>, I>(index);
        match (self.0, &wide) {
            (Source::Postgres(row), Err(sqlx::Error::ColumnDecode { .. })) => {
                if let Ok(value) = row.try_get::<Option<i32>, I>(index) {
                    return Ok(value.map(i64::from));
                }
                match row.try_get::<Option<i16>, I>(index) {
                    Ok(value) => Ok(value.map(i64::from)),
                    Err(_) => wide,
                }
            }
            _ => wide,
        }
    }

    fn get<T, I>(&self, index: I) -> Result<T, sqlx::Error>
    where
        T: for<'d> Decode<'d, Sqlite> + Type<Sqlite> + for<'d> Decode<'d, Postgres> + Type<Postgres>,
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        match self.0 {
            Source::Sqlite(row) => row.try_get(index),
            Source::Postgres(row) => row.try_get(index),
        }
    }
}

const FIRST: &str = "(the first)";

fn null(name: &'static str) -> Error {
    Error::column(
        name,
        sqlx::Error::ColumnDecode {
            index: name.to_owned(),
            source: Box::new(sqlx::error::UnexpectedNullError),
        },
    )
}

impl Record for i64 {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        row.integer(0)
            .map_err(|error| Error::column(FIRST, error))?
            .ok_or_else(|| null(FIRST))
    }
}

impl Record for (i64,) {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        i64::read(row).map(|value| (value,))
    }
}

impl Record for bool {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        row.first()
    }
}

impl Record for String {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        row.first()
    }
}

impl Record for Vec<u8> {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        row.first()
    }
}

impl Record for Uuid {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        row.first()
    }
}

/// The rows of one answer.
pub(super) enum Rows {
    Sqlite(Vec<SqliteRow>),
    Postgres(Vec<PgRow>),
}

impl Rows {
    /// The first row, if there is one.
    pub(super) fn first<R: Record>(&self) -> Result<Option<R>, Error> {
        let row = match self {
            Self::Sqlite(rows) => rows.first().map(Source::Sqlite),
            Self::Postgres(rows) => rows.first().map(Source::Postgres),
        };
        row.map(|row| R::read(&Row(row))).transpose()
    }

    /// All rows, in their order.
    pub(super) fn all<R: Record>(&self) -> Result<Vec<R>, Error> {
        self.read(R::read)
    }

    /// What is read from each row, in their order.
    pub(super) fn read<T>(&self, read: impl Fn(&Row<'_>) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        match self {
            Self::Sqlite(rows) => rows.iter().map(|row| read(&Row(Source::Sqlite(row)))).collect(),
            Self::Postgres(rows) => rows.iter().map(|row| read(&Row(Source::Postgres(row)))).collect(),
        }
    }
}
