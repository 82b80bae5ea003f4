//! A transaction: everything in it happens, or nothing.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{Executor, PgPool, SqlSafeStr, SqlStr};

use super::connection::{Connection, Later, Link, give_back, in_time};
use super::failpoint::{Edge, Failpoints};
use super::group_commit::Seat;
use super::measures::Measures;
use super::outage::Outage;
use super::row::{Record, Rows};
use super::{Error, Value};
use crate::clock;

/// An open transaction. Dropped without [`Transaction::commit`] it is rolled back.
///
/// On SQLite it holds the only seat at the writer: between `write()` and `commit()` belong statements and pure code,
/// nothing that waits for anybody else. After a failed statement it can only be rolled back.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Transaction {
    connection: Connection,
}

impl Transaction {
    pub(super) fn of_sqlite(seat: Seat, measures: &Arc<Measures>) -> Self {
        Self {
            connection: Connection::new(Link::SqliteWriter(seat), measures.clone()),
        }
    }

    pub(super) async fn of_postgres(
        pool: &PgPool,
        outage: &Arc<Outage>,
        measures: &Arc<Measures>,
    ) -> Result<Self, Error> {
        outage.refuse()?;
        let asked = clock::monotonic();
        let raw = outage.told(measures.waited(pool.acquire()).await)?;
        // from here on a caller who stops waiting rolls back
        let link = Link::PostgresWriter(raw);
        let mut transaction = Self {
            connection: Connection::of_postgres(link, asked, outage.clone(), measures.clone()),
        };
        transaction.control(BEGIN).await?;
        Ok(transaction)
    }

    /// The same, with places where a test makes it stand still.
    pub(super) fn passing(mut self, failpoints: &Failpoints) -> Self {
        self.connection.failpoints = failpoints.clone();
        self
    }

    /// Keeps what was done. When it answers `Ok`, the change is durable.
    ///
    /// [`Error::Missing`] if a statement that had to change something did not: nothing is kept.
    /// [`Error::Unavailable`] if that is not certain: nothing may have been kept, or, if only the answer was lost, all.
    /// [`Error::Other`] if a statement failed before: nothing is kept.
    pub async fn commit(mut self) -> Result<(), Error> {
        if !self.connection.sound {
            // Postgres would answer such a commit with success, having rolled back
            return Err(Error::other("a statement of the transaction failed; it is rolled back"));
        }
        if self.connection.has_later() && self.connection.commits_with_its_last() {
            return self.commit_with_its_last().await.map(drop);
        }
        if let Err(error) = self.connection.run_later().await {
            if matches!(error, Error::Missing) {
                // it decided by what it has read
                self.abandon().await?;
            }
            return Err(error);
        }
        let failpoints = self.connection.failpoints.clone();
        failpoints.commit(Edge::Before, &self.connection.steps).await?;
        let began = clock::monotonic();
        let answer = match self.take_seat() {
            Some(seat) => seat.commit().await,
            _ => self.end(COMMIT).await,
        };
        self.connection.measures().committed(began.elapsed(), &answer);
        if answer.is_ok() {
            failpoints.commit(Edge::After, &self.connection.steps).await?;
        }
        answer
    }

    /// Runs what waits for the next answer: [`Error::Missing`] if one that had to change something did not.
    pub async fn decide(&mut self) -> Result<(), Error> {
        self.connection.run_later().await
    }

    /// The last statement, whose rows come with the commit.
    pub fn last(self, text: &'static str) -> Last {
        Last {
            transaction: self,
            text: text.into_sql_str(),
            values: Vec::new(),
        }
    }

    async fn commit_with_its_last(mut self) -> Result<Rows, Error> {
        let began = clock::monotonic();
        let answer = self.connection.run_later_and_commit().await;
        self.connection.measures().commits.took(began.elapsed());
        if matches!(answer, Err(Error::Missing)) {
            // it decided by what it has read
            self.abandon().await?;
        }
        answer
    }

    /// Rolls back and waits until what the transaction has read is durable: for a refusal that was judged by its reading.
    ///
    /// [`Error::Unavailable`] if what it has read is not kept.
    pub async fn abandon(mut self) -> Result<(), Error> {
        match self.take_seat() {
            Some(seat) => seat.abandon().await,
            _ => self.end(ROLLBACK).await,
        }
    }

    /// Ends a transaction of Postgres. Until the server has answered, dropping rolls back.
    async fn end(&mut self, text: &'static str) -> Result<(), Error> {
        self.control(text).await?;
        let engine = self.connection.engine();
        self.connection.link = Link::Gone(engine);
        Ok(())
    }

    async fn control(&mut self, text: &'static str) -> Result<(), Error> {
        let silence = self.connection.patience();
        let Link::PostgresWriter(raw) = &mut self.connection.link else {
            return Err(Error::other("the transaction has ended"));
        };
        let answer = in_time(silence, raw.execute(text)).await;
        if answer.is_err() {
            // whether a transaction is open on it is unknown
            raw.close_on_drop();
        }
        self.connection.told(answer.map(|_| ()))
    }

    /// SQLite's seat, which is given away with its transaction; Postgres' connection stays until the server has answered.
    fn take_seat(&mut self) -> Option<Seat> {
        let engine = self.connection.engine();
        match std::mem::replace(&mut self.connection.link, Link::Gone(engine)) {
            Link::SqliteWriter(seat) => Some(seat),
            other => {
                self.connection.link = other;
                None
            }
        }
    }

    /// Gives each statement half a minute: for one of Postgres that consists of very many.
    pub(super) async fn take_time(&mut self) -> Result<(), Error> {
        self.control(TAKE_TIME).await?;
        self.connection.with_time();
        Ok(())
    }

    pub(super) fn without_time_limit(&mut self) {
        self.connection.without_time_limit();
    }
}

/// The last statement of a transaction.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Last {
    transaction: Transaction,
    text: SqlStr,
    values: Vec<Value>,
}

impl Last {
    /// Binds the next placeholder.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it and commits: its rows. The errors of [`Transaction::commit`] and its own.
    pub async fn all<R: Record>(self) -> Result<Vec<R>, Error> {
        let Self {
            mut transaction,
            text,
            values,
        } = self;
        if transaction.connection.sound && transaction.connection.commits_with_its_last() {
            transaction.connection.later(Later {
                text,
                values,
                must_change: false,
            });
            return transaction.commit_with_its_last().await?.all();
        }
        let rows = match transaction.connection.rows(text, values).await {
            Err(Error::Missing) => {
                transaction.abandon().await?;
                return Err(Error::Missing);
            }
            rows => rows?,
        };
        transaction.commit().await?;
        rows.all()
    }
}

/// Said in full, whatever the server's default is: the statements are guarded for this level.
const BEGIN: &str = "begin isolation level read committed";
const TAKE_TIME: &str = "set local statement_timeout = '30s'";
const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";

impl Drop for Transaction {
    fn drop(&mut self) {
        let engine = self.connection.engine();
        // SQLite's seat counts as abandoned for whoever comes next
        if let Link::PostgresWriter(raw) = std::mem::replace(&mut self.connection.link, Link::Gone(engine)) {
            give_back(raw, ROLLBACK);
        }
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
