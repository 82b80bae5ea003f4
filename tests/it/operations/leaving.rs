//! Stopping in good order: load balancers are told first, what runs is finished, connections end with their next answer, and
//! a second signal ends it at once. With real processes and signals.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::cli::Terminal;
use crate::support::server::Server;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
const OFTEN: Duration = Duration::from_millis(20);

/// A server in a process of its own.
pub struct Process {
    child: Child,
    pub address: String,
    /// The lines of its log so far.
    pub log: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Process {
    async fn start(drain_delay: &str) -> Self {
        Self::start_with(drain_delay, &[]).await
    }

    /// The same with more variables.
    pub async fn start_with(drain_delay: &str, more: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let terminal = Terminal::at(folder.path())
            .with("OSTIARY_LISTEN", &address)
            .with("OSTIARY_PUBLIC_URL", &format!("http://{address}"))
            .with("OSTIARY_HTTP__DRAIN_DELAY", drain_delay);
        let terminal = more
            .iter()
            .fold(terminal, |terminal, (name, value)| terminal.with(name, value));
        let mut command = terminal.command(&["serve"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Self {
            child,
            address,
            log: Arc::default(),
            _folder: folder,
        };
        let errors = process.child.stderr.take().unwrap();
        // the log has to be read, or the process waits for whoever reads it
        let log = process.log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                log.lock().unwrap().push(line);
            }
        });
        let began = Instant::now();
        while process.status("/readyz").await != Some(200) {
            assert!(began.elapsed() < LONG, "the server does not start");
            tokio::time::sleep(OFTEN).await;
        }
        process
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The status of a GET on a connection of its own; none if there is no answer.
    pub async fn status(&self, path: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        let answer = self.ask(&mut stream, path).await?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// A GET on this connection: the answer's head and body.
    pub async fn ask(&self, stream: &mut TcpStream, path: &str) -> Option<String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let count = timeout(LONG, stream.read(&mut chunk)).await.unwrap().ok()?;
            answer.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&answer);
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = length.is_some_and(|length| length.parse::<usize>().unwrap() <= body.len());
            if whole {
                return Some(text.into_owned());
            }
            if count == 0 {
                return None;
            }
        }
    }

    pub async fn ended(mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < LONG, "the server does not end");
            tokio::time::sleep(OFTEN).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // ended already, mostly
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// REL-07, its order: not ready at once, served all the same, connections closed with their next answer, then the door.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_leaves_the_load_balancer_before_it_closes_its_door() {
    let process = Process::start("3s").await;
    let mut kept = TcpStream::connect(&process.address).await.unwrap();
    let answer = process.ask(&mut kept, "/healthz").await.unwrap();
    assert!(!answer.contains("connection: close"), "{answer}");
    process.signal("-TERM");
    let told = Instant::now();
    while process.status("/readyz").await != Some(503) {
        assert!(told.elapsed() < LONG, "the server stays ready");
        tokio::time::sleep(OFTEN).await;
    }
    // it serves, on connections that are there and on new ones
    assert_eq!(process.status("/healthz").await, Some(200));
    let answer = process.ask(&mut kept, "/oauth2/jwks").await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
    let mut rest = Vec::new();
    assert_eq!(timeout(LONG, kept.read_to_end(&mut rest)).await.unwrap().unwrap(), 0);
    assert_eq!(process.ended().await, Some(0));
    assert!(
        told.elapsed() >= Duration::from_secs(3),
        "it ended after {:?}",
        told.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_at_a_terminal_does_not_wait_for_load_balancers() {
    let process = Process::start("5m").await;
    process.signal("-INT");
    assert_eq!(process.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let process = Process::start("5m").await;
    process.signal("-TERM");
    let began = Instant::now();
    while process.status("/readyz").await != Some(503) {
        assert!(began.elapsed() < LONG, "the server stays ready");
        tokio::time::sleep(OFTEN).await;
    }
    process.signal("-TERM");
    assert_eq!(process.ended().await, Some(1));
}

/// A connection that waits for nothing ends with the server, not with its own patience.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_a_stopping_server() {
    let server = Server::start().await;
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    let host = server.host();
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut chunk = [0; 4096];
    assert!(idle.read(&mut chunk).await.unwrap() > 0);
    server.leave();
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(idle.read(&mut chunk).await.unwrap(), 0);
}
