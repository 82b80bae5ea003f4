//! A statement on its way: text, values, and the kind of answer that is wanted.

use sqlx::SqlStr;

use super::connection::Connection;
use super::row::{Record, Rows};
use super::value::Bound;
use super::{Error, Value};

/// A statement with its values bound in the order of its placeholders `$1`, `$2`, ...
///
/// It is prepared once for each connection and kept. Every kind of answer runs it to its end, also when a single row is
/// wanted: SQLite judges foreign keys only after the last row.
#[must_use = "a statement does nothing until its answer is asked for"]
pub struct Statement<'c> {
    connection: &'c mut Connection,
    text: SqlStr,
    bound: Result<Bound, sqlx::Error>,
}

impl<'c> Statement<'c> {
    pub(super) fn new(connection: &'c mut Connection, text: SqlStr) -> Self {
        let bound = Ok(connection.nothing_bound());
        Self {
            connection,
            text,
            bound,
        }
    }

    /// Binds the next placeholder.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        if let Ok(bound) = &mut self.bound
            && let Err(error) = bound.add(value.into())
        {
            self.bound = Err(error);
        }
        self
    }

    /// The first row, if there is one.
    pub async fn optional<R: Record>(self) -> Result<Option<R>, Error> {
        self.connection.rows(self.text, self.bound?).await?.first()
    }

    /// The first row.
    ///
    /// [`Error::Missing`] if there is none.
    pub async fn one<R: Record>(self) -> Result<R, Error> {
        self.optional().await?.ok_or(Error::Missing)
    }

    /// All rows.
    pub async fn all<R: Record>(self) -> Result<Vec<R>, Error> {
        self.connection.rows(self.text, self.bound?).await?.all()
    }

    /// The rows as they come, for who does not know their columns beforehand.
    pub(super) async fn rows(self) -> Result<Rows, Error> {
        self.connection.rows(self.text, self.bound?).await
    }

    /// How many rows the statement changed.
    pub async fn changed(self) -> Result<u64, Error> {
        self.connection.changed(self.text, self.bound?).await
    }
}
