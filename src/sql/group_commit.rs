//! Many short SQLite transactions share one durable commit.
//!
//! One connection writes. Who holds the seat at it (a fair lock) runs its statements behind a savepoint inside a common
//! transaction, the *group*, which begins in the database together with its first statements. A member that commits leaves what
//! it did to be kept and waits; who sits down next replaces the savepoint by a fresh one together with its first statement. The
//! group's *closer*, a task that queues for the seat like everybody else, commits for all as soon as it finds nobody waiting
//! behind it. All members get the outcome of that one commit. Whoever is alone commits together with its last statements.
//!
//! What keeps it true:
//! - A seat counts as abandoned from its first statement until its transaction commits. Whoever comes next rolls back
//!   to the savepoint first; dropping a transaction needs no work of its own.
//! - Everything that changes the group (begin, replace the savepoint, commit) runs in a task that owns the seat, so that
//!   a caller who stops waiting can't leave it half done.
//! - Every open group has its closer from its beginning, so that no waiter that goes away can leave it without one.
//! - Any failure of those steps fails the whole group and throws the connection away; the next transaction opens another.
//!   SQLite rolls back a whole transaction by itself on a full disk or an I/O error, and that shows here as a missing
//!   savepoint.
//!
//! Schemas must not defer constraints: they would be judged at the group's commit and fail all its members.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::timeout;

use super::error::{Cause, Error};
use super::failpoint::{Edge, Failpoints};
use super::measures::Measures;
use super::progress::{Held, Progress};
use super::row::Rows;
use super::together::{Done, Ending, Reached, Together};
use crate::clock;

/// A group that has this many members is committed whoever waits.
const MOST_MEMBERS: usize = 64;
/// How long a transaction waits for the seat.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Begins the group.
const BEGIN: &str = "begin immediate; savepoint seat;";
/// What the member before did is kept: a fresh savepoint lies behind it.
const KEEP: &str = "release seat; savepoint seat;";
const UNDO: &str = "rollback to seat";
const COMMIT: &str = "commit";

/// The writer of one database file.
#[derive(Clone)]
pub(super) struct Writer {
    desk: Arc<Mutex<Desk>>,
    shared: Arc<Shared>,
}

struct Shared {
    options: SqliteConnectOptions,
    waiting: AtomicUsize,
    commits: AtomicU64,
    measures: Arc<Measures>,
    failpoints: OnceLock<Failpoints>,
    progress: Progress,
    /// Whether the last commit failed, or the last attempt to begin.
    failed: AtomicBool,
}

impl Shared {
    async fn pass(&self, edge: Edge) {
        if let Some(failpoints) = self.failpoints.get() {
            failpoints.group(edge).await;
        }
    }
}

/// What the lock guards.
struct Desk {
    connection: Option<SqliteConnection>,
    group: Option<Group>,
    groups_begun: u64,
    savepoint: Savepoint,
    /// How many members the group before had.
    members_before: usize,
    closed: bool,
    /// When the file was last found held by another process.
    held_at: Option<Instant>,
}

struct Group {
    number: u64,
    members: usize,
    outcome: watch::Sender<Option<Outcome>>,
}

#[derive(Clone)]
enum Outcome {
    Committed,
    Failed(Cause),
}

/// What lies behind the savepoint of the open group.
#[derive(Clone, Copy, PartialEq)]
enum Savepoint {
    /// There is none: the group has not begun in the database yet. The first statements bring its beginning with them.
    None,
    /// Nothing.
    Fresh,
    /// Statements of a transaction that has not committed.
    Used,
    /// Statements of a transaction that has committed: they are the group's.
    Kept,
    /// A step on the group has begun and not ended.
    Unsure,
}

/// The answer of the last of several statements: its rows, and how many it changed.
type Ran = Result<(Rows, u64), Error>;

/// The right to use the writer, for one transaction.
pub(super) struct Seat {
    /// Let go before the desk is.
    _held: Held,
    desk: OwnedMutexGuard<Desk>,
    writer: Writer,
    company: Company,
}

/// Who shares a transaction's commit.
#[derive(Clone, Copy, PartialEq)]
enum Company {
    /// Whoever comes.
    Any,
    /// Nobody.
    None,
}

impl Writer {
    pub(super) async fn open(options: SqliteConnectOptions, measures: Arc<Measures>) -> Result<Self, sqlx::Error> {
        let connection = options.connect().await?;
        Ok(Self {
            desk: Arc::new(Mutex::new(Desk {
                connection: Some(connection),
                group: None,
                groups_begun: 0,
                savepoint: Savepoint::Fresh,
                members_before: 0,
                closed: false,
                held_at: None,
            })),
            shared: Arc::new(Shared {
                options,
                waiting: AtomicUsize::new(0),
                commits: AtomicU64::new(0),
                measures,
                failpoints: OnceLock::new(),
                progress: Progress::default(),
                failed: AtomicBool::new(false),
            }),
        })
    }

    /// Where a test makes its commits stand still; for good.
    pub(super) fn pass(&self, failpoints: Failpoints) {
        drop(self.shared.failpoints.set(failpoints));
    }

    /// Whether the last commit failed, or the last attempt to begin.
    pub(super) fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// How long whoever holds the writer has been at one step; none while nobody holds it.
    pub(super) fn silent_for(&self) -> Option<Duration> {
        self.shared.progress.silent_for()
    }

    /// How many durable commits there were.
    pub(super) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Waits for the seat, in the order of coming, and for an open group to sit in.
    pub(super) async fn take_seat(&self) -> Result<Seat, Error> {
        let asked = clock::monotonic();
        let desk = self.queue().await?;
        let mut seat = Seat {
            _held: self.shared.progress.begin(),
            desk,
            writer: self.clone(),
            company: Company::Any,
        };
        if !seat.desk.is_ready() {
            seat = tokio::spawn(async move { seat.make_ready(asked).await.map(|()| seat) })
                .await
                .map_err(|_| interrupted())??;
        }
        if seat.desk.savepoint == Savepoint::Fresh {
            seat.desk.savepoint = Savepoint::Used;
        }
        Ok(seat)
    }

    /// The same in a group of its own, for a transaction that takes long: whoever has committed before does not wait for it, and
    /// what becomes of it befalls nobody else.
    pub(super) async fn take_seat_alone(&self) -> Result<Seat, Error> {
        let asked = clock::monotonic();
        let mut seat = self.take_seat().await?;
        if seat.desk.has_members() {
            seat = tokio::spawn(async move {
                seat.desk.settle().await;
                seat.desk.commit(&seat.writer.shared).await;
                seat.make_ready(asked).await.map(|()| seat)
            })
            .await
            .map_err(|_| interrupted())??;
        }
        seat.company = Company::None;
        Ok(seat)
    }

    async fn queue(&self) -> Result<OwnedMutexGuard<Desk>, Error> {
        if let Ok(desk) = self.desk.clone().try_lock_owned() {
            return Ok(desk);
        }
        let _waiting = Waiting::new(&self.shared.waiting);
        timeout(LONGEST_WAIT, self.desk.clone().lock_owned())
            .await
            .map_err(|_| Error::unavailable("the writer was busy for too long"))
    }

    /// Commits the open group and closes the connection. Later transactions are refused.
    pub(super) async fn close(&self) {
        let desk = self.desk.clone();
        let shared = self.shared.clone();
        let closing = tokio::spawn(async move {
            let mut desk = desk.lock_owned().await;
            desk.closed = true;
            desk.settle().await;
            desk.commit(&shared).await;
            if let Some(connection) = desk.connection.take() {
                let _ = connection.close().await;
            }
        });
        let _ = closing.await;
    }

    /// The closer of one group.
    async fn close_group(self, number: u64) {
        loop {
            let mut desk = self.desk.clone().lock_owned().await;
            let _held = self.shared.progress.begin();
            desk.settle().await;
            if !desk.holds(number) {
                return;
            }
            if self.shared.waiting.load(Ordering::SeqCst) == 0 {
                desk.commit(&self.shared).await;
                return;
            }
        }
    }
}

/// Counts a transaction as waiting for as long as it does.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn new(count: &'w AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Seat {
    /// The connection, for the transaction's statements.
    pub(super) fn raw(&mut self) -> Result<&mut SqliteConnection, Error> {
        self.writer.shared.progress.step();
        self.desk.connection.as_mut().ok_or_else(interrupted)
    }

    /// Whether there is no savepoint of this transaction's own yet: then the first statements go by [`Seat::run_together`].
    pub(super) fn has_no_savepoint(&self) -> bool {
        matches!(self.desk.savepoint, Savepoint::None | Savepoint::Kept)
    }

    /// Whether the group is committed with this transaction: nobody else is in it or waits to join it, nor was anybody in the
    /// one before. Where others come and go, whoever lets them in first shares the flush with more of them.
    pub(super) fn is_alone(&self) -> bool {
        let is_first = self.desk.group.as_ref().is_some_and(|group| group.members == 0);
        is_first && self.desk.members_before <= 1 && self.writer.shared.waiting.load(Ordering::SeqCst) == 0
    }

    /// Runs statements in one go, behind a savepoint of this transaction's own.
    pub(super) async fn run_together(self, statements: Together) -> Result<(Self, Ran), Error> {
        self.run_to(statements, Ending::Open).await
    }

    /// The same, and commits the group with them. Unless the answer is an error the transaction has committed.
    pub(super) async fn run_and_commit(self, statements: Together) -> Result<(Self, Ran), Error> {
        self.run_to(statements, Ending::Commit).await
    }

    async fn run_to(mut self, statements: Together, ending: Ending) -> Result<(Self, Ran), Error> {
        self.writer.shared.progress.step();
        let running = tokio::spawn(async move {
            let first = match self.desk.savepoint {
                Savepoint::None => BEGIN,
                Savepoint::Kept => KEEP,
                Savepoint::Fresh | Savepoint::Used => "",
                Savepoint::Unsure => return (self, Err(interrupted())),
            };
            let begins = self.desk.savepoint == Savepoint::None;
            self.desk.savepoint = Savepoint::Unsure;
            let Some(connection) = self.desk.connection.as_mut() else {
                return (self, Err(interrupted()));
            };
            let done = statements.run(first, ending, connection).await;
            let answer = self.desk.reached(done, begins, ending, &self.writer.shared).await;
            (self, answer)
        });
        running.await.map_err(|_| interrupted())
    }

    /// Makes the transaction a member of its group and waits for the group's commit.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        if self.desk.savepoint == Savepoint::None {
            // it did nothing, and has read nothing
            return Ok(());
        }
        let outcome = self.desk.outcome();
        self.desk.keep();
        if self.company == Company::None || self.desk.is_full() {
            tokio::spawn(async move {
                self.desk.settle().await;
                self.desk.commit(&self.writer.shared).await;
            });
        } else {
            drop(self);
        }
        wait_for(outcome).await
    }

    /// Gives the seat away and waits for the commit of what the transaction may have read.
    pub(super) async fn abandon(self) -> Result<(), Error> {
        if self.desk.group.as_ref().is_some_and(|group| group.members == 0) {
            return Ok(());
        }
        let outcome = self.desk.outcome();
        drop(self);
        wait_for(outcome).await
    }

    /// Makes everything ready for a transaction: a connection, an open group, a fresh savepoint.
    async fn make_ready(&mut self, asked: Instant) -> Result<(), Error> {
        let desk = &mut *self.desk;
        if desk.closed {
            return Err(Error::unavailable("the database is closed"));
        }
        desk.settle().await;
        // whoever waited while the file was held by others has waited for it long enough
        if desk.group.is_none() && desk.held_at.is_some_and(|at| asked < at) {
            return Err(Error::unavailable(HELD));
        }
        if desk.group.is_none() {
            let number = desk.open_group(&self.writer.shared.options).await?;
            tokio::spawn(self.writer.clone().close_group(number));
        }
        Ok(())
    }
}

impl Desk {
    fn is_ready(&self) -> bool {
        let settled = matches!(self.savepoint, Savepoint::None | Savepoint::Fresh | Savepoint::Kept);
        !self.closed && self.group.is_some() && settled
    }

    fn is_full(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.members >= MOST_MEMBERS)
    }

    fn has_members(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.members > 0)
    }

    fn holds(&self, number: u64) -> bool {
        self.group.as_ref().is_some_and(|group| group.number == number)
    }

    fn outcome(&self) -> Option<watch::Receiver<Option<Outcome>>> {
        self.group.as_ref().map(|group| group.outcome.subscribe())
    }

    /// Rolls back what a transaction left behind that did not commit.
    async fn settle(&mut self) {
        match self.savepoint {
            Savepoint::None | Savepoint::Fresh | Savepoint::Kept => {}
            Savepoint::Used => {
                self.savepoint = Savepoint::Unsure;
                match self.run(UNDO).await {
                    Ok(()) => self.savepoint = Savepoint::Fresh,
                    Err(error) => self.fail(error.into()).await,
                }
            }
            Savepoint::Unsure => self.fail(Cause::own(INTERRUPTED)).await,
        }
    }

    /// Opens a group: its number. The database hears of it with the first statements.
    async fn open_group(&mut self, options: &SqliteConnectOptions) -> Result<u64, Error> {
        if self.connection.is_none() {
            self.connection = Some(options.connect().await?);
        }
        self.savepoint = Savepoint::None;
        self.groups_begun = self.groups_begun.wrapping_add(1);
        self.group = Some(Group {
            number: self.groups_begun,
            members: 0,
            outcome: watch::Sender::new(None),
        });
        Ok(self.groups_begun)
    }

    /// Takes note of how far statements came, and gives their answer.
    async fn reached(&mut self, done: Done, begins: bool, ending: Ending, shared: &Shared) -> Ran {
        match done.reached {
            Reached::Nothing if begins && done.is_busy => {
                // another process holds the file: nothing has begun, and the connection is as good as before
                shared.failed.store(true, Ordering::Relaxed);
                self.held_at = Some(clock::monotonic());
                self.group = None;
                self.savepoint = Savepoint::Fresh;
                return Err(Error::unavailable(HELD));
            }
            Reached::Nothing | Reached::Preparation if begins => {
                shared.failed.store(true, Ordering::Relaxed);
                self.fail(Cause::own(INTERRUPTED)).await;
            }
            // the savepoint is not what it should be: that shows with the next step
            Reached::Nothing | Reached::Preparation => {}
            Reached::Statements => self.savepoint = Savepoint::Used,
            Reached::Commit => {
                shared.failed.store(true, Ordering::Relaxed);
                return match done.answer {
                    Err(Error::Unavailable(cause)) => {
                        self.fail(cause.clone()).await;
                        Err(Error::Unavailable(cause))
                    }
                    _ => {
                        self.fail(Cause::own(INTERRUPTED)).await;
                        Err(interrupted())
                    }
                };
            }
            Reached::End if ending == Ending::Commit => {
                if let Some(group) = &mut self.group {
                    group.members += 1;
                }
                self.committed(shared);
            }
            Reached::End => self.savepoint = Savepoint::Used,
        }
        done.answer
    }

    /// Makes what lies behind the savepoint part of the group. Whether the savepoint is still there shows with the next
    /// step: SQLite then has rolled back the whole of it, and the step fails.
    fn keep(&mut self) {
        if self.savepoint == Savepoint::Unsure {
            return;
        }
        self.savepoint = Savepoint::Kept;
        if let Some(group) = &mut self.group {
            group.members += 1;
        }
    }

    /// Commits the open group and tells its members.
    async fn commit(&mut self, shared: &Shared) {
        shared.progress.step();
        if self.group.is_none() {
            return;
        }
        if self.savepoint == Savepoint::None {
            // nobody did anything in it
            self.group = None;
            self.savepoint = Savepoint::Fresh;
            return;
        }
        self.savepoint = Savepoint::Unsure;
        shared.pass(Edge::Before).await;
        if let Err(error) = self.run(COMMIT).await {
            shared.failed.store(true, Ordering::Relaxed);
            self.fail(error.into()).await;
            return;
        }
        shared.pass(Edge::After).await;
        self.committed(shared);
    }

    /// The open group has been committed: its members are told.
    fn committed(&mut self, shared: &Shared) {
        self.savepoint = Savepoint::Fresh;
        shared.commits.fetch_add(1, Ordering::Relaxed);
        shared.failed.store(false, Ordering::Relaxed);
        if let Some(group) = self.group.take() {
            self.members_before = group.members;
            let members = u64::try_from(group.members).unwrap_or(u64::MAX);
            // a group whose members all went away has nothing to be measured
            if members > 0 {
                shared.measures.groups.observe(members);
            }
            group.outcome.send_replace(Some(Outcome::Committed));
        }
    }

    /// Fails the open group and throws the connection away, which rolls back whatever is open on it.
    async fn fail(&mut self, cause: Cause) {
        if let Some(group) = self.group.take() {
            tracing::error!(%cause, members = group.members, "a group of transactions was not committed");
            group.outcome.send_replace(Some(Outcome::Failed(cause)));
        }
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
        self.savepoint = Savepoint::Fresh;
    }

    async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        let mut steps = connection.fetch_many(sqlx::query(text));
        // the first answer is the last
        steps.try_next().await.map(drop)
    }
}

async fn wait_for(outcome: Option<watch::Receiver<Option<Outcome>>>) -> Result<(), Error> {
    let mut outcome = outcome.ok_or_else(interrupted)?;
    let outcome = outcome
        .wait_for(|outcome| outcome.is_some())
        .await
        .map_err(|_| interrupted())?
        .clone();
    match outcome {
        Some(Outcome::Committed) => Ok(()),
        Some(Outcome::Failed(cause)) => Err(Error::Unavailable(cause)),
        None => Err(interrupted()),
    }
}

const HELD: &str = "another process holds the file";
const INTERRUPTED: &str = "the writer was interrupted";

fn interrupted() -> Error {
    Error::unavailable(INTERRUPTED)
}
