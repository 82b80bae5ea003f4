//! Redis for tests: the one the test command provides, and servers of our own that may be hung, killed or made a Cluster.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ostiary::ephemeral::RedisConnection;
use tempfile::TempDir;

/// Whether the tests run without servers (`OSTIARY_TEST_QUICK=1`).
pub fn quick() -> bool {
    std::env::var("OSTIARY_TEST_QUICK").is_ok_and(|quick| quick == "1")
}

/// The provided Redis, under a prefix that no other test has. None: run without servers.
pub fn provided() -> Option<RedisConnection> {
    if quick() {
        return None;
    }
    let url = std::env::var("OSTIARY_TEST_REDIS_URL")
        .expect("this test needs a Redis: run ./scripts/test, or set OSTIARY_TEST_REDIS_URL");
    let prefix = format!("test:{}:", ostiary::random::hex_id());
    Some(RedisConnection::open(&url, &prefix).unwrap())
}

/// A server of our own, which ends with this value.
pub struct Server {
    child: Child,
    pub port: u16,
    directory: TempDir,
}

impl Server {
    /// A server with these arguments, answering.
    pub async fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = spawn(&directory, port, arguments);
        let server = Self { child, port, directory };
        server.wait().await;
        server
    }

    /// A Cluster of one node that holds every slot.
    pub async fn start_cluster() -> Self {
        let server = Self::start(&["--cluster-enabled", "yes"]).await;
        server.ask("cluster addslotsrange 0 16383");
        while !server.ask("cluster info").contains("cluster_state:ok") {
            pause().await;
        }
        server
    }

    /// A Sentinel that calls the server on `master` "main", and knows its password.
    pub async fn start_sentinel(master: u16, password: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = directory.path().join("sentinel.conf");
        let lines = format!("sentinel monitor main 127.0.0.1 {master} 1\nsentinel auth-pass main {password}\n");
        std::fs::write(&file, lines).unwrap();
        let child = spawn(&directory, port, &[file.to_str().unwrap(), "--sentinel"]);
        let server = Self { child, port, directory };
        server.wait().await;
        server
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
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.directory, self.port, &[]);
        self.wait().await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after a kill, on the same port, with what its folder holds.
    pub async fn up(&mut self) {
        self.child = spawn(&self.directory, self.port, &[]);
        self.wait().await;
    }

    /// What `redis-cli` answers to a command.
    pub fn ask(&self, command: &str) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(command.split(' '))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn wait(&self) {
        loop {
            let answer = self.ask("ping");
            if answer.contains("PONG") || answer.contains("NOAUTH") {
                return;
            }
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

fn spawn(directory: &TempDir, port: u16, arguments: &[&str]) -> Child {
    // a configuration file comes first
    let (file, rest) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with("--") => (Some(*first), rest),
        _ => (None, arguments),
    };
    Command::new("redis-server")
        .args(file)
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--daemonize",
            "no",
            "--dir",
        ])
        .arg(directory.path())
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is needed: run ./scripts/test, which says how to get it")
}

fn free_port() -> u16 {
    // a Cluster's node also takes the port 10000 above
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if port < 55_000 {
            return port;
        }
    }
}

/// Waiting for a process to come up is not waiting for what a test wants to see.
pub async fn pause() {
    ostiary::clock::sleep(Duration::from_millis(20)).await;
}
