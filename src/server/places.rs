//! Places for connections: as many as are wanted, if the system lets the process have as many files open. Whoever comes when
//! every place is taken waits a moment for one in the system's queue; where none comes free they are told to come again, at
//! once, rather than to wait behind others who wait for nothing.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::clock;

/// File descriptors that connections leave for the stores, for files and for requests of ours.
const DESCRIPTORS_KEPT: usize = 96;
/// How long nobody has to have left before newcomers are sent away.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many of them are waited for at once until they have read the answer; of more, who has not asked yet may never see it.
const MOST_TOLD: usize = 32;
/// How long that may take.
const TOLD_WITHIN: Duration = Duration::from_millis(250);
/// How often the log says that every place is taken.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// RFC 9110 section 15.6.4, and section 10.2.3 for when to come again: by then the slow ones are gone.
const COME_AGAIN: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\n\
cache-control: no-store\r\ncontent-length: 0\r\n\r\n";

/// See the module.
pub(super) struct Places {
    free: Arc<Semaphore>,
    most: u32,
    telling: Arc<Semaphore>,
    /// Whether newcomers can be told anything: with TLS that takes what there is no room for.
    speaks: bool,
    /// Since when nobody has left.
    full_since: Option<Instant>,
    logged: Option<Instant>,
}

/// Somebody who has a place.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) place: OwnedSemaphorePermit,
}

impl Places {
    /// As many as are asked for, if possible.
    pub(super) fn new(asked: usize, tls: bool) -> Self {
        let most = u32::try_from(possible(asked)).unwrap_or(u32::MAX >> 4);
        Self {
            free: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS))),
            most,
            telling: Arc::new(Semaphore::new(MOST_TOLD)),
            speaks: !tls,
            full_since: None,
            logged: None,
        }
    }

    /// The next one who comes; nothing if they were sent away.
    pub(super) async fn accept(&mut self, socket: &TcpListener) -> io::Result<Option<Arrival>> {
        let mut place = self.try_take();
        if place.is_none() {
            let patience = PATIENCE.saturating_sub(self.is_full().elapsed());
            let waiting = timeout(patience, self.free.clone().acquire_owned()).await;
            place = waiting.ok().and_then(Result::ok);
        }
        let (stream, peer) = socket.accept().await?;
        let Some(place) = place.or_else(|| self.try_take()) else {
            self.send_away(stream);
            return Ok(None);
        };
        self.full_since = None;
        Ok(Some(Arrival { stream, peer, place }))
    }

    /// Waits until everybody has left; false if that takes longer than `within`.
    pub(super) async fn empty(&self, within: Duration) -> bool {
        timeout(within, self.free.acquire_many(self.most)).await.is_ok()
    }

    fn try_take(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// Takes note that every place is taken: since when nobody has left.
    fn is_full(&mut self) -> Instant {
        if self.logged.is_none_or(|logged| logged.elapsed() > LOGGED_EVERY) {
            tracing::warn!(
                most = self.most,
                "every place for connections is taken; newcomers wait, and are told to come again"
            );
            self.logged = Some(clock::monotonic());
        }
        *self.full_since.get_or_insert_with(clock::monotonic)
    }

    fn send_away(&self, mut stream: TcpStream) {
        if !self.speaks {
            return;
        }
        let Ok(telling) = self.telling.clone().try_acquire_owned() else {
            // whether they take it is theirs
            drop(tell_at_once(stream));
            return;
        };
        tokio::spawn(async move {
            let told = async {
                stream.write_all(COME_AGAIN).await?;
                stream.shutdown().await?;
                // closed with a request unread, the system would take the answer back
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                Ok::<_, io::Error>(())
            };
            drop(timeout(TOLD_WITHIN, told).await);
            drop(telling);
        });
    }
}

/// Reads what is there of the request, since otherwise the system would take the answer back, and answers.
fn tell_at_once(stream: TcpStream) -> io::Result<()> {
    let mut stream = stream.into_std()?;
    drop(stream.read(&mut [0; 1024]));
    stream.write_all(COME_AGAIN)
}

/// As many connections as were asked for, if the process may have as many files open.
fn possible(asked: usize) -> usize {
    let Some(descriptors) = descriptors() else {
        return asked;
    };
    let possible = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(descriptors / 2);
    if possible < asked {
        tracing::info!(
            asked,
            possible,
            descriptors,
            "fewer connections at once than http.max_connections: the system limits open files (ulimit -n)"
        );
    }
    asked.min(possible)
}

/// How many files the process may have open; none if the system does not say so here, or sets no limit.
fn descriptors() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
