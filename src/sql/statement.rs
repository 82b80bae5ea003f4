//! A statement on its way: text, values, and the kind of answer that is wanted.

use sqlx::SqlStr;

use super::connection::{Connection, Later};
use super::row::{Record, Rows};
use super::{Error, Value};

/// A statement with its values bound in the order of its placeholders `$1`, `$2`, ...
///
/// It is prepared once for each connection and kept. In a transaction every kind of answer runs it to its end, also when a
/// single row is wanted: SQLite judges foreign keys only after the last row.
#[must_use = "a statement does nothing until its answer is asked for"]
pub struct Statement<'c> {
    connection: &'c mut Connection,
    text: SqlStr,
    values: Vec<Value>,
}

impl<'c> Statement<'c> {
    pub(super) fn new(connection: &'c mut Connection, text: SqlStr) -> Self {
        Self {
            connection,
            text,
            values: Vec::new(),
        }
    }

    /// Binds the next placeholder.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The first row, if there is one.
    pub async fn optional<R: Record>(self) -> Result<Option<R>, Error> {
        self.connection.first(self.text, self.values).await?.first()
    }

    /// The first row.
    ///
    /// [`Error::Missing`] if there is none.
    pub async fn one<R: Record>(self) -> Result<R, Error> {
        self.optional().await?.ok_or(Error::Missing)
    }

    /// All rows.
    pub async fn all<R: Record>(self) -> Result<Vec<R>, Error> {
        self.connection.rows(self.text, self.values).await?.all()
    }

    /// The rows as they come, for who does not know their columns beforehand.
    pub(super) async fn rows(self) -> Result<Rows, Error> {
        self.connection.rows(self.text, self.values).await
    }

    /// How many rows the statement changed.
    pub async fn changed(self) -> Result<u64, Error> {
        self.connection.changed(self.text, self.values).await
    }

    /// Runs it when the next answer is asked for, or at the commit, together with what else waits: on SQLite in one go. For
    /// statements of a transaction whose outcome nobody looks at; their errors come with that answer.
    pub fn later(self) {
        self.connection.later(Later {
            text: self.text,
            values: self.values,
            must_change: false,
        });
    }

    /// The same for one that decides about the transaction: if it changes no row, the next answer or the commit is
    /// [`Error::Missing`], and nothing of the transaction is kept.
    pub fn must_change_later(self) {
        self.connection.later(Later {
            text: self.text,
            values: self.values,
            must_change: true,
        });
    }
}

/// Placeholders for so many rows of so many columns: `($1, $2), ($3, $4)`.
pub fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let columns: Vec<String> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", columns.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
