//! Redis for tests: what all tests share, and servers of our own that may be hung, killed and emptied.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ostiary::clock;
use ostiary::ephemeral::RedisConnection;
use tempfile::TempDir;

use crate::support::process::{PATIENCE, free_address};
use crate::support::redis_kinds;

/// Whether the tests run without servers (`OSTIARY_TEST_QUICK=1`).
pub fn quick() -> bool {
    std::env::var("OSTIARY_TEST_QUICK").is_ok_and(|quick| quick == "1")
}

/// What the backends of a contract are called, in their order.
pub const NAMES: [&str; 5] = ["the embedded file", "Redis", "Sentinels", "a Cluster", "TLS"];

/// The provided Redis, and every other form of Redis, each under a prefix that no other test has. None in a run without servers.
pub async fn provided() -> Vec<RedisConnection> {
    if quick() {
        return Vec::new();
    }
    let url = std::env::var("OSTIARY_TEST_REDIS_URL")
        .expect("this test needs a Redis: run ./scripts/test, or set OSTIARY_TEST_REDIS_URL");
    let prefix = format!("test:{}:", ostiary::random::hex_id());
    let mut all = vec![RedisConnection::open(&url, &prefix).unwrap()];
    all.extend(redis_kinds::connections().await);
    all
}

/// A server of our own, which ends with this value.
pub struct Server {
    child: Child,
    pub port: u16,
    directory: TempDir,
    /// With what it is started again.
    again: Vec<String>,
    /// How `redis-cli` reaches it.
    cli: Vec<String>,
}

impl Server {
    /// A server with these arguments, answering. Started again it has none of them.
    pub async fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = spawn(directory.path(), port, arguments);
        let server = Self {
            child,
            port,
            directory,
            again: Vec::new(),
            cli: vec!["-p".to_owned(), port.to_string()],
        };
        server.wait().await;
        server
    }

    /// A server with these lines as its configuration, beside what an administrator's `redis-cli` needs to reach it. It is not
    /// waited for, and has the same configuration when it is started again.
    pub fn begin(port: u16, lines: &str, mode: &[&str], administrator: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.conf");
        let logged = directory.path().join("log");
        std::fs::write(&file, format!("logfile {}\n{lines}", logged.display())).unwrap();
        let mut again = vec![file.display().to_string()];
        again.extend(mode.iter().map(|&word| word.to_owned()));
        let words: Vec<&str> = again.iter().map(String::as_str).collect();
        let child = spawn(directory.path(), port, &words);
        let mut cli = vec!["-p".to_owned(), port.to_string()];
        cli.extend(administrator.iter().map(|&word| word.to_owned()));
        Self {
            child,
            port,
            directory,
            again,
            cli,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Sends a signal: `STOP` hangs it, `CONT` lets it go on.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id();
        let sent = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{signal} {pid}"))
            .status();
        assert!(sent.unwrap().success());
    }

    /// Kills it and starts it again, empty, on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        self.up().await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after a kill, on the same port, with what its folder holds.
    pub async fn up(&mut self) {
        let words: Vec<&str> = self.again.iter().map(String::as_str).collect();
        self.child = spawn(self.directory.path(), self.port, &words);
        self.wait().await;
    }

    /// What `redis-cli` answers to a command.
    pub fn ask(&self, command: &str) -> String {
        self.ask_words(&command.split(' ').collect::<Vec<_>>())
    }

    /// The same to a command whose words may hold spaces.
    pub fn ask_words(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(&self.cli)
            .args(command)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until it answers.
    pub async fn wait(&self) {
        let begun = clock::monotonic();
        loop {
            let answer = self.ask("ping");
            if answer.contains("PONG") || answer.contains("NOAUTH") {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "redis-server does not answer: {answer}");
            pause().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(directory: &Path, port: u16, arguments: &[&str]) -> Child {
    // a configuration file comes first, and says itself where it listens
    let (file, rest) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with("--") => (Some(*first), rest),
        _ => (None, arguments),
    };
    let port = port.to_string();
    let place = if file.is_some() {
        Vec::new()
    } else {
        vec!["--port", &port, "--bind", "127.0.0.1"]
    };
    Command::new("redis-server")
        .args(file)
        .args(place)
        .args(["--daemonize", "no", "--dir"])
        .arg(directory)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is needed: run ./scripts/test, which says how to get it")
}

/// A port that nobody has. A Cluster's node also takes the one 10000 above.
pub fn free_port() -> u16 {
    loop {
        let port = free_address().port();
        if TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

/// Waiting for a process to come up is not waiting for what a test wants to see.
pub async fn pause() {
    clock::sleep(Duration::from_millis(20)).await;
}
