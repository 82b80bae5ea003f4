//! What can go wrong between a statement and its answer, in the words the rooms above decide by.

use std::fmt;
use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// Why the database did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers, answers too late, or can't keep what it was given: no connection, a full disk, a failed commit.
    /// After a failed commit it is unknown whether the change is kept.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Cause),
    /// Others were changing the same rows; the same transaction may succeed when it is run again from its beginning.
    #[error("the database asks to run the transaction again")]
    Contention,
    /// A unique constraint holds such a row already. The constraint is named `table_column[_column]` on both engines.
    #[error("the unique constraint {constraint} holds such a row already")]
    Unique { constraint: String },
    /// A row refers to one that does not exist, or is still referred to.
    #[error("a foreign key does not hold")]
    ForeignKey,
    /// No row where one was promised.
    #[error("there is no such row")]
    Missing,
    /// A column is not there, is null, or holds another type than the one it is read as.
    #[error("column {name} can't be read: {cause}")]
    Column {
        name: &'static str,
        #[source]
        cause: Cause,
    },
    /// The store's schema and this program don't belong together.
    #[error("migration {name}: {fault}")]
    Migration {
        name: String,
        #[source]
        fault: MigrationFault,
    },
    /// What was in this database is in another one now.
    #[error("this store was moved to {to}: that is what OSTIARY_DATABASE_URL has to say; this file is kept as it was")]
    Moved {
        /// Where, without credentials.
        to: String,
    },
    /// A mistake in a statement or in how it is used.
    #[error("the statement failed: {0}")]
    Other(#[source] Cause),
}

/// Why the migrations of this program can't be applied to a store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationFault {
    /// Its text was changed after it had been applied.
    #[error("its text is not the one that was applied to this store")]
    Changed,
    /// The store knows a migration that this program does not: the store is newer.
    #[error("this program does not know it; the store was made by a newer one")]
    Unknown,
    /// One of its statements failed.
    #[error("it can't be applied: {0}")]
    Failed(#[source] Cause),
}

/// What lies behind an [`Error`]. It prints the message alone: the details of a database error may hold column values.
#[derive(Clone)]
pub struct Cause(Reason);

#[derive(Clone)]
enum Reason {
    Driver(Arc<sqlx::Error>),
    Own(&'static str),
}

impl Cause {
    /// Whether a connection turned out to be broken.
    pub(super) fn is_broken(&self) -> bool {
        matches!(&self.0, Reason::Driver(error) if matches!(**error, sqlx::Error::Io(_)))
    }

    pub(super) fn own(sentence: &'static str) -> Self {
        Self(Reason::Own(sentence))
    }
}

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        Self(Reason::Driver(Arc::new(error)))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Driver(error) => error.fmt(formatter),
            Reason::Own(sentence) => formatter.write_str(sentence),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cause({self})")
    }
}

impl std::error::Error for Cause {}

impl Error {
    /// A column holds what this program does not understand.
    pub fn unreadable(name: &'static str) -> Self {
        Self::Column {
            name,
            cause: Cause::own("it holds what this program does not understand"),
        }
    }

    /// What waits to be written is not written in time.
    pub fn unwritten() -> Self {
        Self::unavailable("too much waits to be written")
    }

    /// Something that was to run to its end did not.
    pub fn interrupted() -> Self {
        Self::unavailable("it was interrupted")
    }

    pub(super) fn unavailable(sentence: &'static str) -> Self {
        Self::Unavailable(Cause::own(sentence))
    }

    pub(super) fn other(sentence: &'static str) -> Self {
        Self::Other(Cause::own(sentence))
    }

    pub(super) fn column(name: &'static str, error: sqlx::Error) -> Self {
        Self::Column {
            name,
            cause: error.into(),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let known = match &error {
            sqlx::Error::RowNotFound => Some(Self::Missing),
            sqlx::Error::Database(reported) => {
                if let Some(sqlite) = reported.try_downcast_ref::<SqliteError>() {
                    of_sqlite(sqlite)
                } else if let Some(postgres) = reported.try_downcast_ref::<PgDatabaseError>() {
                    of_postgres(postgres)
                } else {
                    None
                }
            }
            _ => None,
        };
        match known {
            Some(known) => known,
            None if is_unavailable(&error) => Self::Unavailable(error.into()),
            None => Self::Other(error.into()),
        }
    }
}

/// Whether this is SQLite saying that another process holds the file.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(reported) = error else {
        return None;
    };
    let sqlite = reported.try_downcast_ref::<SqliteError>()?;
    extended_code(sqlite)
}

fn extended_code(error: &SqliteError) -> Option<u32> {
    use sqlx::error::DatabaseError;
    error.code()?.parse().ok()
}

/// Result codes: <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
fn of_sqlite(error: &SqliteError) -> Option<Error> {
    use sqlx::error::DatabaseError;
    match extended_code(error)? {
        // UNIQUE, PRIMARYKEY, ROWID
        2067 | 1555 | 2579 => Some(Error::Unique {
            constraint: constraint_of_message(error.message()),
        }),
        787 => Some(Error::ForeignKey),
        // BUSY, LOCKED
        code if matches!(code & 0xff, 5 | 6) => Some(Error::Contention),
        _ => None,
    }
}

/// SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(error: &PgDatabaseError) -> Option<Error> {
    match error.code() {
        "23505" => Some(Error::Unique {
            constraint: error.constraint().unwrap_or_default().to_owned(),
        }),
        "23503" => Some(Error::ForeignKey),
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Some(Error::Contention),
        _ => None,
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(reported) => {
            if let Some(sqlite) = reported.try_downcast_ref::<SqliteError>() {
                // PERM, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, AUTH, NOTADB
                extended_code(sqlite)
                    .is_some_and(|code| matches!(code & 0xff, 3 | 7 | 8 | 9 | 10 | 11 | 13 | 14 | 15 | 23 | 26))
            } else if let Some(postgres) = reported.try_downcast_ref::<PgDatabaseError>() {
                let code = postgres.code();
                // a standby that was promoted away (25006), a transaction ended for its idleness (25P03), no such database
                matches!(code, "25006" | "25P03" | "3D000")
                    // connection, authorization, resources, intervention (57014: statement timeout), system, internal
                    || ["08", "28", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class))
            } else {
                false
            }
        }
        _ => false,
    }
}

/// `UNIQUE constraint failed: a.x, a.y` is `a_x_y`; an index over expressions is named by SQLite itself: `index 'a_x'`.
fn constraint_of_message(message: &str) -> String {
    let columns = message.split_once(": ").map_or(message, |(_, columns)| columns);
    if let Some(index) = columns.strip_prefix("index ") {
        return index.trim_matches('\'').to_owned();
    }
    let mut constraint = String::new();
    for column in columns.split(", ") {
        let (table, column) = column.split_once('.').unwrap_or(("", column));
        if constraint.is_empty() {
            constraint.push_str(table);
        }
        if !constraint.is_empty() {
            constraint.push('_');
        }
        constraint.push_str(column);
    }
    constraint
}
