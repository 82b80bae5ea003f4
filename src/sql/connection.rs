//! One connection of either engine: a reader's, or the inside of a transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgQueryResult;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Either, Executor, Postgres, SqlSafeStr, SqlStr, SqliteConnection};
use tokio::time::timeout;

use super::failpoint::{Failpoints, Place, Steps};
use super::group_commit::Seat;
use super::measures::Measures;
use super::outage::Outage;
use super::readers::Reader;
use super::row::Rows;
use super::statement::Statement;
use super::together::Together;
use super::value::{Bound, Value};
use super::{Engine, Error};
use crate::clock;

/// How long whoever asks for a connection waits until its first statement is answered, getting the connection included:
/// a little longer than the statement timeout that the server has been given itself, so that this one ends what a stopped
/// server or a broken network keeps waiting.
const FIRST_ANSWER_WITHIN: Duration = Duration::from_millis(1800);
/// How long any statement may take at least.
const LEAST_PATIENCE: Duration = Duration::from_millis(900);
/// How long one statement may take of a transaction that was given time: a little longer than the server is told.
const LONG_PATIENCE: Duration = Duration::from_secs(32);
/// How long a connection that is given back may take for its last statement.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A statement that writes and has more values than this is better off without numbered placeholders (see `together.rs`).
const MANY_VALUES: usize = 24;

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
    /// Statements that run with the next one.
    later: Vec<Later>,
    /// Where a test makes it stand still, and what has been done on it.
    pub(super) failpoints: Failpoints,
    pub(super) steps: Steps,
}

/// A statement that runs with the next one.
pub(super) struct Later {
    pub(super) text: SqlStr,
    pub(super) values: Vec<Value>,
    pub(super) must_change: bool,
}

struct Server {
    /// When the connection was asked for.
    asked: Instant,
    outage: Arc<Outage>,
    /// How long a statement may take at least; `None` is any time.
    least: Option<Duration>,
}

pub(super) enum Link {
    SqliteReader(Reader),
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
            later: Vec::new(),
            failpoints: Failpoints::default(),
            steps: Steps::default(),
        }
    }

    /// One of Postgres, that was asked for at `asked`.
    pub(super) fn of_postgres(link: Link, asked: Instant, outage: Arc<Outage>, measures: Arc<Measures>) -> Self {
        let mut connection = Self::new(link, measures);
        connection.server = Some(Server {
            asked,
            outage,
            least: Some(LEAST_PATIENCE),
        });
        connection
    }

    /// Statements may take any time from here on.
    pub(super) fn without_time_limit(&mut self) {
        if let Some(server) = &mut self.server {
            server.least = None;
        }
    }

    /// Each statement may take half a minute from here on.
    pub(super) fn with_time(&mut self) {
        if let Some(server) = &mut self.server {
            server.least = Some(LONG_PATIENCE);
        }
    }

    /// How long the next answer may take; `None` is for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        let server = self.server.as_ref()?;
        let left = FIRST_ANSWER_WITHIN.saturating_sub(server.asked.elapsed());
        Some(left.max(server.least?))
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

    /// The same, with places where a test makes it stand still.
    pub(super) fn passing(mut self, failpoints: &Failpoints) -> Self {
        self.failpoints = failpoints.clone();
        self
    }

    /// The engine behind it.
    pub fn engine(&self) -> Engine {
        match &self.link {
            Link::SqliteReader(_) | Link::SqliteWriter(_) => Engine::Sqlite,
            Link::PostgresReader(_) | Link::PostgresWriter(_) => Engine::Postgres,
            Link::Gone(engine) => *engine,
        }
    }

    pub(super) fn later(&mut self, later: Later) {
        self.later.push(later);
    }

    /// Runs what waits for the next answer.
    pub(super) async fn run_later(&mut self) -> Result<(), Error> {
        match self.later.pop() {
            None => Ok(()),
            Some(last) => {
                let must_change = last.must_change;
                let changed = self.changed(last.text, last.values).await?;
                if must_change && changed == 0 {
                    return Err(Error::Missing);
                }
                Ok(())
            }
        }
    }

    /// Whether the commit goes in one go with the statements before it: on SQLite, if this transaction is alone. If it has
    /// nothing more to do it is the group's closer that commits.
    pub(super) fn commits_with_its_last(&self) -> bool {
        let is_alone = matches!(&self.link, Link::SqliteWriter(seat) if seat.is_alone());
        is_alone && !self.failpoints.are_steered()
    }

    /// Whether statements wait for the next one.
    pub(super) fn has_later(&self) -> bool {
        !self.later.is_empty()
    }

    /// Runs what waits and commits SQLite's group with it: the answer of the last.
    pub(super) async fn run_later_and_commit(&mut self) -> Result<Rows, Error> {
        let later = std::mem::take(&mut self.later);
        self.begin_statement()?;
        // measured as a commit
        self.began = None;
        let (seat, answer) = self.give_seat()?.run_and_commit(together(later)).await?;
        self.link = Link::SqliteWriter(seat);
        self.end_statement(answer).map(|(rows, _)| rows)
    }

    pub(super) async fn rows(&mut self, text: SqlStr, values: Vec<Value>) -> Result<Rows, Error> {
        Ok(self.run(text, values, Wanted::Rows).await?.0)
    }

    pub(super) async fn changed(&mut self, text: SqlStr, values: Vec<Value>) -> Result<u64, Error> {
        Ok(self.run(text, values, Wanted::Changed).await?.1)
    }

    /// The first row. A reader stops there; whoever writes runs every statement to its end.
    pub(super) async fn first(&mut self, text: SqlStr, values: Vec<Value>) -> Result<Rows, Error> {
        let wanted = match self.link {
            Link::SqliteReader(_) => Wanted::First,
            _ => Wanted::Rows,
        };
        Ok(self.run(text, values, wanted).await?.0)
    }

    /// Runs what waits and then this.
    async fn run(&mut self, text: SqlStr, values: Vec<Value>, wanted: Wanted) -> Result<(Rows, u64), Error> {
        let place = match self.link {
            Link::SqliteReader(_) | Link::PostgresReader(_) => Place::Reader,
            _ => Place::Transaction,
        };
        let name = self.steps.begin(&self.failpoints, text.as_str(), place).await?;
        let answer = self.run_unwatched(text, values, wanted).await;
        self.steps.end(&self.failpoints, name, place).await?;
        answer
    }

    async fn run_unwatched(&mut self, text: SqlStr, values: Vec<Value>, wanted: Wanted) -> Result<(Rows, u64), Error> {
        let later = std::mem::take(&mut self.later);
        match self.engine() {
            Engine::Sqlite if !later.is_empty() || self.is_better_together(values.len()) => {
                self.run_together(later, text, values).await
            }
            Engine::Sqlite => self.run_alone(text, values, wanted).await,
            Engine::Postgres => {
                for Later {
                    text,
                    values,
                    must_change,
                } in later
                {
                    let (_, changed) = self.run_alone(text, values, Wanted::Changed).await?;
                    if must_change && changed == 0 {
                        return Err(Error::Missing);
                    }
                }
                self.run_alone(text, values, wanted).await
            }
        }
    }

    /// Whether a statement with so many values goes by [`Connection::run_together`] although it is alone.
    fn is_better_together(&self, values: usize) -> bool {
        matches!(&self.link, Link::SqliteWriter(seat) if values > MANY_VALUES || seat.has_no_savepoint())
    }

    /// Whether a savepoint has to be taken before anything is done.
    fn has_no_savepoint(&self) -> bool {
        matches!(&self.link, Link::SqliteWriter(seat) if seat.has_no_savepoint())
    }

    async fn run_alone(&mut self, text: SqlStr, values: Vec<Value>, wanted: Wanted) -> Result<(Rows, u64), Error> {
        let bound = Bound::all(self.engine(), values)?;
        self.begin_statement()?;
        let silence = self.patience();
        let answer = match (self.raw()?, bound) {
            (Raw::Sqlite(raw), Bound::Sqlite(values)) => run_on_sqlite(raw, text, values, wanted).await,
            (Raw::Postgres(raw), Bound::Postgres(values)) => match wanted {
                Wanted::First | Wanted::Rows => in_time(silence, sqlx::query_with(text, values).fetch_all(&mut **raw))
                    .await
                    .map(|rows| (Rows::Postgres(rows), 0)),
                Wanted::Changed => in_time(silence, sqlx::query_with(text, values).execute(&mut **raw))
                    .await
                    .map(|done: PgQueryResult| (Rows::Postgres(Vec::new()), done.rows_affected())),
            },
            _ => Err(wrong_engine()),
        };
        self.end_statement(answer)
    }

    /// Runs several statements of SQLite's writer in one go: the answer is that of the last.
    async fn run_together(
        &mut self,
        later: Vec<Later>,
        text: SqlStr,
        values: Vec<Value>,
    ) -> Result<(Rows, u64), Error> {
        self.begin_statement()?;
        let mut whole = together(later);
        whole.add(&text, values, false);
        let (seat, answer) = self.give_seat()?.run_together(whole).await?;
        self.link = Link::SqliteWriter(seat);
        self.end_statement(answer)
    }

    /// SQLite's seat, for a step that owns it meanwhile.
    fn give_seat(&mut self) -> Result<Seat, Error> {
        match std::mem::replace(&mut self.link, Link::Gone(Engine::Sqlite)) {
            Link::SqliteWriter(seat) => Ok(seat),
            _ => Err(Error::other("only a transaction has statements that wait")),
        }
    }

    /// Runs several statements that take no values.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), Error> {
        self.run_later().await?;
        if self.has_no_savepoint() {
            // takes a savepoint of its own
            self.changed("select 1".into_sql_str(), Vec::new()).await?;
        }
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
            Link::SqliteReader(reader) => reader.raw().map(Raw::Sqlite),
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
            && let Link::SqliteReader(reader) = &mut self.link
        {
            reader.discard();
        }
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

fn together(later: Vec<Later>) -> Together {
    let mut whole = Together::default();
    for one in later {
        whole.add(&one.text, one.values, one.must_change);
    }
    whole
}

#[derive(Clone, Copy)]
enum Wanted {
    First,
    Rows,
    Changed,
}

async fn run_on_sqlite(
    raw: &mut SqliteConnection,
    text: SqlStr,
    values: SqliteArguments,
    wanted: Wanted,
) -> Result<(Rows, u64), Error> {
    let query = sqlx::query_with(text, values);
    if matches!(wanted, Wanted::First) {
        return Ok((Rows::Sqlite(query.fetch_optional(raw).await?.into_iter().collect()), 0));
    }
    let mut rows = Vec::new();
    let mut steps = raw.fetch_many(query);
    // it is one statement: waiting for what comes after its end would be one more change of threads
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Right(row) => rows.push(row),
            Either::Left(done) => return Ok((Rows::Sqlite(rows), done.rows_affected())),
        }
    }
    Ok((Rows::Sqlite(rows), 0))
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
