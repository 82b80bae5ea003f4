//! Nodes as processes: the program itself on free ports, with logs of their own, and the signals they are tormented with.
//! Only processes that were started here are ever signalled.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use ostiary::clock::{self, Clock};
use ostiary::config::Config;
use ostiary::credential::{Parameters, PasswordHash, Passwords};
use ostiary::crypto::MasterKey;
use ostiary::model::{Client, Secret, Timestamp};
use ostiary::random;
use ostiary::store::Store;
use ostiary::vault::Vault;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::backend::{Backend, Place, furnish};
use super::cli::Ran;
use super::seed::{self, TestClient, TestUser};
use super::server::configuration;

/// Longer than any start or stop takes, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The password of everybody at an installation of processes, and its hash, which takes a while to make.
static STRONG_HASH: OnceCell<(String, PasswordHash)> = OnceCell::const_new();

async fn strong_hash() -> &'static (String, PasswordHash) {
    let make = async || {
        let password = random::token();
        let hasher = Passwords::new(Parameters::default(), 1, 1).unwrap();
        let hash = hasher.hash(Secret::new(password.clone())).await.unwrap();
        (password, hash)
    };
    STRONG_HASH.get_or_init(make).await
}

/// What several nodes share: store, keys, sessions, and the address that people and clients know.
pub struct Installation {
    /// What every node is started with, but for its own address and folder.
    pub config: Config,
    /// The master key.
    pub master: Vault,
    /// Where the balancer, or the only node, listens: the issuer's own address.
    pub front: SocketAddr,
    place: Place,
    folder: TempDir,
}

impl Installation {
    /// With a store of its own that has signing keys.
    pub async fn make(backend: Backend) -> Self {
        Self::make_with(backend, |_| ()).await
    }

    /// The same after a change of the configuration.
    pub async fn make_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        let mut installation = Self::bare(backend).await;
        change(&mut installation.config);
        installation.master = furnish(&installation.config, now()).await.into();
        installation
    }

    /// With nothing in its store, not even a table, and without a key file.
    pub async fn bare(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(folder.path());
        let place = Place::make(backend, &mut config).await;
        let front = free_address();
        config.public_url = format!("http://localhost:{}", front.port()).parse().unwrap();
        Self {
            config,
            master: MasterKey::generate().into(),
            front,
            place,
            folder,
        }
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        self.config.issuer()
    }

    /// The issuer's host and port, which every request names, whichever node it is sent to.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.front.port())
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its store, to look at or to change behind the nodes' backs. Close it.
    pub async fn store(&self) -> Store {
        Store::open(self.config.database_url.expose()).await.unwrap()
    }

    /// A person with the password of everybody here. The hash is as strong as the nodes want it, so that none is made anew at the sign-in.
    pub async fn user(&self, username: &str) -> TestUser {
        let (password, hash) = strong_hash().await;
        let store = self.store().await;
        let user = seed::user(&store, now(), username, (password.clone(), hash.expose()), |_| ()).await;
        store.close().await;
        user
    }

    /// So many people.
    pub async fn users(&self, number: usize) -> Vec<TestUser> {
        let (password, hash) = strong_hash().await;
        let store = self.store().await;
        let mut users = Vec::new();
        for _ in 0..number {
            let name = format!("person-{}", random::hex_id());
            users.push(seed::user(&store, now(), &name, (password.clone(), hash.expose()), |_| ()).await);
        }
        store.close().await;
        users
    }

    /// A client, as [`super::server::Server::client`].
    pub async fn client(&self, change: impl FnOnce(&mut Client)) -> TestClient {
        let store = self.store().await;
        let client = seed::client(&store, &self.master, now(), change).await;
        store.close().await;
        client
    }

    /// A node on a port of its own, behind a balancer; it answers already.
    pub async fn node(&self) -> Node {
        self.plan().start().await
    }

    /// The only node, at the issuer's own address; it answers already.
    pub async fn only_node(&self) -> Node {
        self.plan().at(self.front).start().await
    }

    /// A node that is not started yet.
    pub fn plan(&self) -> Plan {
        let config = &self.config;
        let name = random::hex_id();
        // embedded nodes have one folder, one after the other; others have nothing worth keeping there
        let data = match self.place.backend {
            Backend::Embedded => config.data_dir.clone(),
            Backend::PostgresRedis => self.folder.path().join(format!("node-{name}")),
        };
        let mut variables = vec![
            ("OSTIARY_PUBLIC_URL", self.issuer()),
            ("OSTIARY_DATA_DIR", data.display().to_string()),
            ("OSTIARY_KEYS_DIR", config.keys_dir.display().to_string()),
            ("OSTIARY_DATABASE_URL", config.database_url.expose().to_owned()),
            ("OSTIARY_REDIS_PREFIX", config.redis_prefix.clone()),
            ("OSTIARY_EGRESS__NETWORKS", "127.0.0.0/8,::1/128".to_owned()),
            ("OSTIARY_LOG", config.log.clone()),
            ("OSTIARY_LOG_FORMAT", "json".to_owned()),
            // several rounds of the balancer's asking
            ("OSTIARY_HTTP__DRAIN_DELAY", "1s".to_owned()),
        ];
        if let Some(url) = &config.redis_url {
            variables.push(("OSTIARY_REDIS_URL", url.expose().to_owned()));
        }
        Plan {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            wrapper: Vec::new(),
            log: self.folder.path().join(format!("{name}.log")),
            address: None,
        }
    }

    /// Runs a command of the program on this installation.
    pub async fn command(&self, arguments: &[&str]) -> Ran {
        let mut command = self.plan().command(self.front, arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Removes what was made on shared servers. End the nodes first.
    pub async fn remove(self) {
        self.place.remove().await;
    }
}

/// A node that is not started yet.
#[derive(Clone)]
pub struct Plan {
    variables: Vec<(String, String)>,
    wrapper: Vec<String>,
    log: PathBuf,
    address: Option<SocketAddr>,
}

impl Plan {
    /// Everything that nodes of it have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// At this address.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// With this variable, in place of what it had.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Reaches the database by this address: a proxy's.
    pub fn database(self, url: &str) -> Self {
        self.with("OSTIARY_DATABASE_URL", url)
    }

    /// Reaches Redis by this address: a proxy's.
    pub fn redis(self, url: &str) -> Self {
        self.with("OSTIARY_REDIS_URL", url)
    }

    /// Started by another program, which must replace itself by what follows its arguments: `["prlimit", "--nofile=256"]`.
    pub fn inside(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    fn command(&self, listen: SocketAddr, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_ostiary");
        let mut command = match self.wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("OSTIARY_LISTEN", listen.to_string())
            .envs(self.variables.iter().cloned())
            .current_dir(self.log.parent().unwrap())
            .stdin(Stdio::null());
        command
    }

    /// Starts a command on the same installation, and does not wait for it.
    pub fn start_command(&self, arguments: &[&str]) -> Child {
        self.command(free_address(), arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Starts the process, and does not wait for it.
    pub fn spawn(self) -> Node {
        let address = self.address.unwrap_or_else(free_address);
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = self
            .command(address, &["serve"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Node {
            child,
            address,
            plan: self,
        }
    }

    /// Starts it; it answers already.
    pub async fn start(self) -> Node {
        let mut node = self.spawn();
        node.answers().await;
        node
    }
}

/// A running process. It is killed when it is dropped.
pub struct Node {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    plan: Plan,
}

impl Node {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of a path that begins with a slash, past any balancer.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.plan.log()
    }

    /// Waits until it is ready.
    pub async fn answers(&mut self) {
        let begun = clock::monotonic();
        while probe(self.address, "/readyz").await != Some(200) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the node ended ({ended:?}):\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "the node is not ready:\n{}", self.log());
            clock::sleep(LOOK).await;
        }
    }

    /// Whether its process still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What `/readyz` says: its status, or nothing if nobody answers within a second.
    pub async fn readiness(&self) -> Option<u16> {
        probe(self.address, "/readyz").await
    }

    /// SIGKILL: nothing of it runs on.
    pub fn kill(mut self) -> Plan {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.again()
    }

    /// The same node, to be started once more at the same address; its log goes on.
    pub fn again(&self) -> Plan {
        self.plan.clone().at(self.address)
    }

    /// SIGSTOP: it stands still.
    pub fn freeze(&self) {
        self.signal("STOP");
        // one thread takes the signal and stops the others: on a busy machine they go on for a while
        let tasks = format!("/proc/{}/task", self.pid());
        let stands = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = task.and_then(|task| std::fs::read_to_string(task.path().join("stat")));
            // a thread that is gone does nothing either
            stat.map_or(true, |stat| {
                stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
            })
        };
        let begun = clock::monotonic();
        while !std::fs::read_dir(&tasks).unwrap().all(stands) {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not stand still");
            std::thread::yield_now();
        }
    }

    /// SIGCONT: it goes on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// SIGTERM: it is asked to end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let begun = clock::monotonic();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the node does not end:\n{}", self.log());
            clock::sleep(LOOK).await;
        }
    }

    /// Asks it to end and waits for that, which must go well.
    pub async fn stop(mut self) -> Plan {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.log());
        self.again()
    }

    /// Sets a limit of the running process, as `prlimit` names it: `--nofile=64`.
    pub fn limit(&self, limit: &str) {
        let status = Command::new("prlimit")
            .args(["--pid", &self.pid().to_string(), limit])
            .status();
        assert!(status.unwrap().success(), "prlimit {limit}");
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().count()
    }

    /// Its resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn signal(&self, name: &str) {
        // the child is not waited for yet, so that the number is still its own
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status();
        assert!(status.unwrap().success(), "kill -{name} {}", self.pid());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The system's time, which is the nodes' too.
pub fn now() -> Timestamp {
    Timestamp::from_micros(Clock::default().micros())
}

/// An address of this machine that nobody listens on, outside the range that outgoing connections are given.
pub fn free_address() -> SocketAddr {
    loop {
        let port = 10_000 + u16::try_from(random::below(10_000)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// The status of a GET, or nothing if nobody answers within a second.
pub async fn probe(address: SocketAddr, path: &str) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let exchange = async {
        let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head).ok()?.rsplit(' ').next()?.parse().ok()
    };
    tokio::time::timeout(Duration::from_secs(1), exchange).await.ok()?
}

/// Looks again and again until it is so; fails with the sentence when the time is over. Gives how long it took.
pub async fn until(within: Duration, sentence: &str, so: impl AsyncFn() -> bool) -> Duration {
    let begun = clock::monotonic();
    while !so().await {
        assert!(begun.elapsed() < within, "not within {within:?}: {sentence}");
        clock::sleep(LOOK).await;
    }
    begun.elapsed()
}
