//! One connection of either engine: a reader's, or the inside of a transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgQueryResult;
use sqlx::sqlite::SqliteQueryResult;
use sqlx::{AssertSqlSafe, Executor, Postgres, SqlSafeStr, SqlStr, Sqlite, SqliteConnection};
use tokio::time::timeout;

use super::group_commit::Seat;
use super::measures::Measures;
use super::outage::Outage;
use super::row::Rows;
use super::statement::Statement;
use super::value::Bound;
use super::{Engine, Error};
use crate::clock;

/// How long whoever asks for a connection waits until its first statement is answered, getting the connection included:
/// a little longer than the statement timeout that the server has been given itself, so that this one ends what a stopped
/// server or a broken network keeps waiting.
const FIRST_ANSWER_WITHIN: Duration = Duration::from_millis(1800);
/// How long any statement may take at least.
const LEAST_PATIENCE: Duration = Duration::from_millis(900);
/// How long a connection that is given back may take for its last statement.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A connection to read from, or the inside of a [`super::Transaction`].
pub struct Connection {
    pub(super) link: Link,
    /// Whether another statement may follow. Postgres answers nothing more after a failed statement of a transaction,
    /// and SQLite may have rolled back the whole of it; so on both engines such a transaction can only be rolled back.
    /// It is false while a statement runs, so that a cancelled one counts as failed.
    pub(super) sound: bool,
    /// Whether an answer is on its way that nobody has waited for to its end.
    running: bool,
    /// What is known of a server of Postgres.
    server: Option<Server>,
    /// When the statement that runs began.
    began: Option<Instant>,
    measures: Arc<Measures>,
}

struct Server {
    /// When the connection was asked for.
    asked: Instant,
    outage: Arc<Outage>,
    /// Whether statements may take any time.
    unhurried: bool,
}

pub(super) enum Link {
    SqliteReader(PoolConnection<Sqlite>),
    SqliteWriter(Seat),
    PostgresReader(PoolConnection<Postgres>),
    PostgresWriter(PoolConnection<Postgres>),
    /// Handed over to a commit or a rollback.
    Gone(Engine),
}

impl Connection {
    pub(super) fn new(link: Link, measures: Arc<Measures>) -> Self {
        Self {
            link,
            sound: true,
            running: false,
            server: None,
            began: None,
            measures,
        }
    }

    /// One of Postgres, that was asked for at `asked`.
    pub(super) fn of_postgres(link: Link, asked: Instant, outage: Arc<Outage>, measures: Arc<Measures>) -> Self {
        let mut connection = Self::new(link, measures);
        connection.server = Some(Server {
            asked,
            outage,
            unhurried: false,
        });
        connection
    }

    /// Statements may take any time from here on.
    pub(super) fn without_time_limit(&mut self) {
        if let Some(server) = &mut self.server {
            server.unhurried = true;
        }
    }

    /// How long the next answer may take; `None` is for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        let server = self.server.as_ref().filter(|server| !server.unhurried)?;
        let left = FIRST_ANSWER_WITHIN.saturating_sub(server.asked.elapsed());
        Some(left.max(LEAST_PATIENCE))
    }

    /// The numbers of its database.
    pub(super) fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Passes an answer on; one that stays out raises a suspicion.
    pub(super) fn told<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        match &self.server {
            Some(server) => server.outage.told(answer),
            None => answer,
        }
    }

    /// A statement of a fixed text.
    pub fn sql(&mut self, text: &'static str) -> Statement<'_> {
        Statement::new(self, text.into_sql_str())
    }

    /// A statement put together at run time: from fixed fragments alone, never from anything that came from outside.
    pub fn sql_built(&mut self, text: String) -> Statement<'_> {
        Statement::new(self, AssertSqlSafe(text).into_sql_str())
    }

    /// The engine behind it.
    pub fn engine(&self) -> Engine {
        match &self.link {
            Link::SqliteReader(_) | Link::SqliteWriter(_) => Engine::Sqlite,
            Link::PostgresReader(_) | Link::PostgresWriter(_) => Engine::Postgres,
            Link::Gone(engine) => *engine,
        }
    }

    pub(super) fn nothing_bound(&self) -> Bound {
        match self.engine() {
            Engine::Sqlite => Bound::Sqlite(Default::default()),
            Engine::Postgres => Bound::Postgres(Default::default()),
        }
    }

    pub(super) async fn rows(&mut self, text: SqlStr, bound: Bound) -> Result<Rows, Error> {
        self.begin_statement()?;
        let silence = self.patience();
        let answer = match (self.raw()?, bound) {
            (Raw::Sqlite(raw), Bound::Sqlite(values)) => sqlx::query_with(text, values)
                .fetch_all(raw)
                .await
                .map(Rows::Sqlite)
                .map_err(Error::from),
            (Raw::Postgres(raw), Bound::Postgres(values)) => {
                let answer = sqlx::query_with(text, values).fetch_all(&mut **raw);
                in_time(silence, answer).await.map(Rows::Postgres)
            }
            _ => Err(wrong_engine()),
        };
        self.end_statement(answer)
    }

    pub(super) async fn changed(&mut self, text: SqlStr, bound: Bound) -> Result<u64, Error> {
        self.begin_statement()?;
        let silence = self.patience();
        let answer = match (self.raw()?, bound) {
            (Raw::Sqlite(raw), Bound::Sqlite(values)) => sqlx::query_with(text, values)
                .execute(raw)
                .await
                .map(|done: SqliteQueryResult| done.rows_affected())
                .map_err(Error::from),
            (Raw::Postgres(raw), Bound::Postgres(values)) => {
                let answer = sqlx::query_with(text, values).execute(&mut **raw);
                in_time(silence, answer)
                    .await
                    .map(|done: PgQueryResult| done.rows_affected())
            }
            _ => Err(wrong_engine()),
        };
        self.end_statement(answer)
    }

    /// Runs several statements that take no values.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), Error> {
        self.begin_statement()?;
        let silence = self.patience();
        let answer = match self.raw()? {
            Raw::Sqlite(raw) => sqlx::raw_sql(text).execute(raw).await.map(|_| ()).map_err(Error::from),
            Raw::Postgres(raw) => in_time(silence, sqlx::raw_sql(text).execute(&mut **raw))
                .await
                .map(|_| ()),
        };
        self.end_statement(answer)
    }

    fn begin_statement(&mut self) -> Result<(), Error> {
        if !self.sound {
            return Err(Error::other("an earlier statement of the transaction failed"));
        }
        self.sound = matches!(self.link, Link::SqliteReader(_) | Link::PostgresReader(_));
        self.running = true;
        self.began = Some(clock::monotonic());
        Ok(())
    }

    fn end_statement<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        self.running = false;
        self.measure(&answer);
        match &answer {
            Ok(_) => self.sound = true,
            // its next answer would be the one to this statement
            Err(Error::Unavailable(_)) => {
                if let Link::PostgresReader(raw) | Link::PostgresWriter(raw) = &mut self.link {
                    raw.close_on_drop();
                    self.sound = false;
                }
            }
            Err(_) => {}
        }
        self.told(answer)
    }

    fn measure<T>(&mut self, answer: &Result<T, Error>) {
        if let Some(began) = self.began.take() {
            match self.link {
                Link::SqliteReader(_) | Link::PostgresReader(_) => self.measures.reads.took(began.elapsed()),
                _ => self.measures.writes.took(began.elapsed()),
            }
        }
        if let Err(error) = answer {
            self.measures.failed(error);
        }
    }

    fn raw(&mut self) -> Result<Raw<'_>, Error> {
        match &mut self.link {
            Link::SqliteReader(raw) => Ok(Raw::Sqlite(raw)),
            Link::SqliteWriter(seat) => seat.raw().map(Raw::Sqlite),
            Link::PostgresReader(raw) | Link::PostgresWriter(raw) => Ok(Raw::Postgres(raw)),
            Link::Gone(_) => Err(Error::other("the transaction has ended")),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let engine = self.engine();
        if self.running
            && let Link::PostgresReader(raw) = std::mem::replace(&mut self.link, Link::Gone(engine))
        {
            give_back(raw, "");
        }
    }
}

/// Gives a connection back in the background, after a last statement; closes it if the server does not answer.
pub(super) fn give_back(mut raw: PoolConnection<Postgres>, text: &'static str) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        // the process is ending; the server notices that the connection is cut
        drop(raw.leak());
        return;
    };
    runtime.spawn(async move {
        if in_time(Some(LAST_ANSWER_WITHIN), raw.execute(text)).await.is_err() {
            raw.close_on_drop();
        }
    });
}

enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PoolConnection<Postgres>),
}

/// Waits for an answer of Postgres, but not for ever.
pub(super) async fn in_time<T>(
    silence: Option<Duration>,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    let Some(silence) = silence else {
        return answer.await.map_err(Error::from);
    };
    match timeout(silence, answer).await {
        Ok(answer) => answer.map_err(Error::from),
        Err(_) => Err(Error::unavailable("the server did not answer in time")),
    }
}

fn wrong_engine() -> Error {
    Error::other("the values were bound for another engine")
}
