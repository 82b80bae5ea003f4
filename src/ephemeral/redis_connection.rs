//! The connection to Redis, shared by `ephemeral` and `sessions`.
//!
//! Nobody waits longer than [`ANSWER_TIMEOUT`] for Redis. After [`FAILURES_IN_A_ROW`] failures the connection is thrown
//! away and every call fails at once, while a task of its own asks every [`PAUSE`] whether Redis is back: a server that
//! hangs, a failover and a network that swallows everything all end the same way.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisFuture, RedisResult,
    ScriptInvocation, ServerErrorKind, Value,
};
use tokio::sync::watch;

use super::redis_address::Address;
use crate::clock;
use crate::metrics::{CALLS, Counter, Histogram};

/// How long a call may take, connecting included.
pub const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// How long an attempt to connect to one server goes on, although those who asked for it have given up.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(750);
/// How long an attempt goes on that may have to try several: Sentinels, the nodes of a Cluster.
const FIND_TIMEOUT: Duration = Duration::from_secs(3);
/// After how many failures in a row calls fail at once.
pub const FAILURES_IN_A_ROW: u32 = 3;
/// How long calls fail at once before Redis is asked again.
pub const PAUSE: Duration = Duration::from_millis(250);

/// Why Redis gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured address can't be used. Never shows the address, which may hold a password.
    #[error("the address of Redis can't be used: {0}")]
    Address(&'static str),
    /// Redis does not answer, or answers that it can't at present. Whether a change has happened is unknown.
    #[error("Redis does not answer")]
    Unavailable,
    /// Redis answers with a refusal that waiting does not cure: no permission, no memory.
    #[error("Redis refuses a command")]
    Refused(#[source] RedisError),
}

/// Whether a call may be sent a second time when its connection was found closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Doing it twice is like doing it once.
    Safe,
    /// The second time would be answered differently.
    Never,
}

/// What Redis is asked.
#[derive(Clone, Copy)]
enum Question<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Question<'_> {
    async fn ask<T: FromRedisValue>(self, mut wire: Wire) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(&mut wire).await,
            Self::Script(invocation) => invocation.invoke_async(&mut wire).await,
        }
    }
}

/// A connection to Redis; clones share it.
#[derive(Clone)]
pub struct RedisConnection(Arc<Inner>);

struct Inner {
    prefix: String,
    address: Address,
    slot: watch::Sender<Slot>,
    connected: AtomicU64,
    failures: AtomicU32,
    measures: Measures,
}

/// What Redis was asked since the start.
#[derive(Debug)]
pub struct Measures {
    /// How long calls took that were sent, whatever came of them.
    pub calls: Histogram,
    /// Calls that nobody answered, or not in time.
    pub unavailable: Counter,
    /// Calls that Redis refused.
    pub refused: Counter,
    /// Calls that failed at once, because Redis did not answer before.
    pub skipped: Counter,
    paused: AtomicBool,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            calls: Histogram::new(CALLS),
            unavailable: Counter::default(),
            refused: Counter::default(),
            skipped: Counter::default(),
            paused: AtomicBool::new(false),
        }
    }
}

impl Measures {
    /// Whether calls fail at once at present, because Redis does not answer.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }
}

/// What stands between us and Redis at present.
enum Slot {
    Empty,
    Connecting,
    Connected(Held),
}

/// A wire and its number, so that only the wire that failed is thrown away and not its successor.
#[derive(Clone)]
struct Held {
    number: u64,
    wire: Wire,
}

#[derive(Clone)]
enum Wire {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl RedisConnection {
    /// Takes an address (see `OSTIARY_REDIS_URL`) and the prefix of every key. Connects at the first use: a node may
    /// start before its Redis.
    ///
    /// # Errors
    /// [`Error::Address`] if the address or the prefix can't be used.
    pub fn open(url: &str, prefix: &str) -> Result<Self, Error> {
        // a brace would move the hash tag that keeps the keys of a user on one slot
        if prefix.chars().any(|c| matches!(c, '{' | '}') || !c.is_ascii_graphic()) {
            return Err(Error::Address(
                "its key prefix holds a brace, a space or a character beyond ASCII",
            ));
        }
        Ok(Self(Arc::new(Inner {
            prefix: prefix.to_owned(),
            address: Address::parse(url)?,
            slot: watch::Sender::new(Slot::Empty),
            connected: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            measures: Measures::default(),
        })))
    }

    /// What it was asked since the start.
    pub fn measures(&self) -> &Measures {
        &self.0.measures
    }

    /// What every key begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Asks whether Redis answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if not within [`ANSWER_TIMEOUT`].
    pub async fn ping(&self) -> Result<(), Error> {
        self.command::<Value>(&redis::cmd("PING"), Repeat::Safe).await?;
        Ok(())
    }

    /// Sends one command.
    pub(crate) async fn command<T: FromRedisValue>(&self, command: &Cmd, repeat: Repeat) -> Result<T, Error> {
        self.0.answer(Question::Command(command), repeat).await
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        invocation: &ScriptInvocation<'_>,
        repeat: Repeat,
    ) -> Result<T, Error> {
        self.0.answer(Question::Script(invocation), repeat).await
    }
}

impl Inner {
    async fn answer<T: FromRedisValue>(self: &Arc<Self>, question: Question<'_>, repeat: Repeat) -> Result<T, Error> {
        if self.measures.is_paused() {
            self.measures.skipped.count();
            return Err(Error::Unavailable);
        }
        let began = clock::monotonic();
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.attempts(question, repeat)).await;
        self.measures.calls.took(began.elapsed());
        match answer {
            Ok(Ok(answer)) => {
                self.failures.store(0, Ordering::Release);
                Ok(answer)
            }
            Ok(Err(error)) if !is_outage(&error) => {
                self.measures.refused.count();
                Err(Error::Refused(error))
            }
            Ok(Err(error)) => {
                tracing::debug!(category = error.category(), "redis failed");
                self.count_failure();
                Err(Error::Unavailable)
            }
            Err(_elapsed) => {
                self.count_failure();
                Err(Error::Unavailable)
            }
        }
    }

    async fn attempts<T: FromRedisValue>(self: &Arc<Self>, question: Question<'_>, repeat: Repeat) -> RedisResult<T> {
        let held = self.wire().await?;
        let error = match question.ask(held.wire).await {
            Err(error) if is_outage(&error) => error,
            answer => return answer,
        };
        // a closed connection, or a server that is no longer the master
        self.throw_away(held.number);
        if repeat == Repeat::Never {
            return Err(error);
        }
        let held = self.wire().await?;
        question.ask(held.wire).await
    }

    /// The wire, connected by one task for all who wait.
    async fn wire(self: &Arc<Self>) -> RedisResult<Held> {
        if let Slot::Connected(held) = &*self.slot.borrow() {
            return Ok(held.clone());
        }
        let mut slot = self.slot.subscribe();
        let first = self.slot.send_if_modified(|slot| {
            let empty = matches!(slot, Slot::Empty);
            if empty {
                *slot = Slot::Connecting;
            }
            empty
        });
        if first {
            tokio::spawn(self.clone().connect());
        }
        match slot.wait_for(|slot| !matches!(slot, Slot::Connecting)).await.as_deref() {
            Ok(Slot::Connected(held)) => Ok(held.clone()),
            _ => Err((ErrorKind::Io, "not connected").into()),
        }
    }

    async fn connect(self: Arc<Self>) {
        let address = self.clone();
        // in a task of its own, so that whatever becomes of it the slot does not stay at Connecting
        let attempt = tokio::spawn(async move {
            let within = address.address.connects_within();
            tokio::time::timeout(within, address.address.connect()).await
        });
        let settled = match attempt.await {
            Ok(Ok(Ok(wire))) => Slot::Connected(Held {
                number: self.connected.fetch_add(1, Ordering::Relaxed),
                wire,
            }),
            Ok(Ok(Err(error))) => {
                tracing::warn!(category = error.category(), "redis can't be connected to");
                Slot::Empty
            }
            Ok(Err(_)) | Err(_) => Slot::Empty,
        };
        if let Slot::Connected(held) = &settled {
            tokio::spawn(warn_of_eviction(held.wire.clone()));
        }
        self.slot.send_replace(settled);
    }

    fn throw_away(&self, number: u64) {
        self.slot.send_if_modified(|slot| {
            let held = matches!(slot, Slot::Connected(held) if held.number == number);
            if held {
                *slot = Slot::Empty;
            }
            held
        });
    }

    fn count_failure(self: &Arc<Self>) {
        self.measures.unavailable.count();
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        if failures >= FAILURES_IN_A_ROW && !self.measures.paused.swap(true, Ordering::AcqRel) {
            tracing::warn!(failures, "redis does not answer; calls fail at once until it does");
            tokio::spawn(Self::wait_for_return(Arc::downgrade(self)));
        }
    }

    /// Ends the pause once Redis answers on a new connection, or with the last user of this one.
    async fn wait_for_return(inner: Weak<Self>) {
        loop {
            clock::sleep(PAUSE).await;
            let Some(inner) = inner.upgrade() else { return };
            inner.slot.send_if_modified(|slot| {
                let connected = matches!(slot, Slot::Connected(_));
                if connected {
                    *slot = Slot::Empty;
                }
                connected
            });
            let ping = redis::cmd("PING");
            let asked = inner.attempts::<Value>(Question::Command(&ping), Repeat::Never);
            if let Ok(Ok(_)) = tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
                inner.failures.store(0, Ordering::Release);
                inner.measures.paused.store(false, Ordering::Release);
                tracing::info!("redis answers again");
                return;
            }
        }
    }
}

impl Address {
    fn connects_within(&self) -> Duration {
        match self {
            Self::Server(_) => CONNECT_TIMEOUT,
            Self::Sentinel(_) | Self::Cluster(_) => FIND_TIMEOUT,
        }
    }

    async fn connect(&self) -> RedisResult<Wire> {
        // calls have a timeout of their own, above
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None);
        match self {
            Self::Server(client) => client
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .map(Wire::Server),
            Self::Sentinel(client) => client
                .lock()
                .await
                .get_async_connection_with_config(&config)
                .await
                .map(Wire::Server),
            Self::Cluster(client) => client.get_async_connection().await.map(Wire::Cluster),
        }
    }
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// Tells the log if this Redis throws entries away when its memory is full. What is lost signs nobody in and redeems
/// nothing, but a counter that is lost is a budget of guesses more.
async fn warn_of_eviction(mut wire: Wire) {
    let mut info = redis::cmd("INFO");
    info.arg("memory");
    // who may not ask has been told so by whoever set up the access
    let Ok(Ok(told)) = tokio::time::timeout(ANSWER_TIMEOUT, info.query_async::<String>(&mut wire)).await else {
        return;
    };
    let policy = told.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
    if let Some(policy) = policy.map(str::trim).filter(|policy| *policy != "noeviction") {
        tracing::warn!(
            policy,
            "redis evicts keys when its memory is full; set maxmemory-policy noeviction"
        );
    }
}

/// Whether waiting, or another connection, may cure this.
fn is_outage(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_cluster_error()
        || matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed
                | ErrorKind::Parse
                | ErrorKind::MasterNameNotFoundBySentinel
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::Server(
                    ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly
                )
        )
}
