//! A TCP proxy that stands between a server and what it depends on, and does to the connections what networks do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ostiary::{clock, random};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to what is sent. A change holds for connections that are open, too.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Everything arrives.
    Pass,
    /// New connections end at once, open ones as well.
    Refuse,
    /// Connections stay open; nothing arrives any more, in either direction.
    BlackHole,
    /// Every piece arrives this much later, in each direction, and up to so much more.
    Delay(Duration, Duration),
    /// A connection ends after this many bytes of answers.
    CutAfter(u64),
    /// Of the requests that hold these bytes, the answer to every so manieth is swallowed and the connection ends: it was
    /// done, and nobody is told.
    SwallowAnswer(&'static [u8], u64),
    /// Of the requests that hold these bytes, every so manieth never arrives, and the connection ends.
    SwallowRequest(&'static [u8], u64),
    /// Every so manieth HTTP request with a body is sent twice: the copy on a connection of its own, its answer thrown away.
    Replay(u64),
}

/// A running proxy. It ends when it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    upstream: Mutex<SocketAddr>,
    mode: watch::Sender<Mode>,
    /// Ends every connection when it changes.
    cut: watch::Sender<u64>,
    open: AtomicUsize,
    opened: AtomicU64,
    noticed: AtomicU64,
    replayed: AtomicU64,
}

impl Proxy {
    /// Passes everything on to this address.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, upstream)
    }

    /// The same at an address of one's own.
    pub async fn start_at(address: SocketAddr, upstream: SocketAddr) -> Self {
        Self::on(TcpListener::bind(address).await.unwrap(), upstream)
    }

    fn on(listener: TcpListener, upstream: SocketAddr) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            mode: watch::Sender::new(Mode::Pass),
            cut: watch::Sender::new(0),
            open: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            noticed: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Changes what happens from now on.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Sends new connections elsewhere, and ends the open ones.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock().unwrap() = upstream;
        self.cut();
    }

    /// Ends every open connection, without a word.
    pub fn cut(&self) {
        self.shared.cut.send_modify(|cut| *cut += 1);
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::SeqCst)
    }

    /// How many requests held the bytes that the mode looks for.
    pub fn noticed(&self) -> u64 {
        self.shared.noticed.load(Ordering::SeqCst)
    }

    /// How many requests were sent twice.
    pub fn replayed(&self) -> u64 {
        self.shared.replayed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            clock::sleep(Duration::from_millis(5)).await;
            continue;
        };
        shared.opened.fetch_add(1, Ordering::SeqCst);
        if matches!(*shared.mode.borrow(), Mode::Refuse) {
            continue;
        }
        tokio::spawn(pass(client, shared.clone()));
    }
}

async fn pass(client: TcpStream, shared: Arc<Shared>) {
    let upstream = *shared.upstream.lock().unwrap();
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    shared.open.fetch_add(1, Ordering::SeqCst);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let deaf = watch::Sender::new(false);
    let mut cut = shared.cut.subscribe();
    let mut mode = shared.mode.subscribe();
    tokio::select! {
        () = requests(from_client, to_server, &shared, &deaf, upstream) => (),
        () = answers(from_server, to_client, &shared, deaf.subscribe()) => (),
        _ = cut.changed() => (),
        _ = mode.wait_for(|mode| matches!(mode, Mode::Refuse)) => (),
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    deaf: &watch::Sender<bool>,
    upstream: SocketAddr,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else {
            return;
        };
        let piece = &piece[..read];
        let mode = shared.mode.borrow().clone();
        match mode {
            Mode::BlackHole => continue,
            Mode::Delay(least, jitter) => delay(least, jitter).await,
            Mode::SwallowAnswer(needle, every) if shared.notice(piece, needle, every) => {
                deaf.send_replace(true);
            }
            Mode::SwallowRequest(needle, every) if shared.notice(piece, needle, every) => return,
            Mode::Replay(every) if shared.notice(piece, b"content-length: ", every) => {
                shared.replayed.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(replay(upstream, piece.to_vec()));
            }
            _ => (),
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, deaf: watch::Receiver<bool>) {
    let mut piece = vec![0; 64 * 1024];
    let mut sent = 0;
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else {
            return;
        };
        if *deaf.borrow() {
            return;
        }
        let mode = shared.mode.borrow().clone();
        match mode {
            Mode::BlackHole => continue,
            Mode::Delay(least, jitter) => delay(least, jitter).await,
            Mode::CutAfter(most) if sent + read as u64 > most => return,
            _ => (),
        }
        sent += read as u64;
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}

async fn delay(least: Duration, jitter: Duration) {
    let more = random::below(u32::try_from(jitter.as_micros()).unwrap().max(1));
    clock::sleep(least + Duration::from_micros(u64::from(more))).await;
}

async fn replay(upstream: SocketAddr, request: Vec<u8>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    if server.write_all(&request).await.is_ok() {
        let mut answer = [0; 1024];
        drop(tokio::time::timeout(Duration::from_secs(5), server.read(&mut answer)).await);
    }
}

impl Shared {
    /// Counts what holds the bytes; whether this is one of every so many.
    fn notice(&self, piece: &[u8], needle: &[u8], every: u64) -> bool {
        let holds = piece.windows(needle.len()).any(|window| window == needle);
        holds && (self.noticed.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(every)
    }
}
