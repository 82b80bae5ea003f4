//! A Postgres of a test's own, which may be stopped, killed, filled up, copied and promoted. Started by the test on a free
//! port in a temporary folder, and ended with it; only processes that were started here are ever signalled.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ostiary::clock;
use ostiary::sql::{Database, Durability, Transaction};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::process::{PATIENCE, free_address, until};

/// A folder with an empty cluster, made once for all tests of this process.
static EMPTY: OnceCell<TempDir> = OnceCell::const_new();

/// A server of our own.
pub struct Postgres {
    /// Where it listens.
    pub address: SocketAddr,
    arguments: Vec<String>,
    child: Option<Child>,
    folder: TempDir,
}

impl Postgres {
    /// An empty server, which answers already.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with settings (`max_connections=20`).
    pub async fn start_with(settings: &[&str]) -> Self {
        let empty = EMPTY.get_or_init(async || make_empty()).await;
        let folder = folder();
        let status = Command::new("cp")
            .arg("-a")
            .arg(empty.path().join("data"))
            .arg(folder.path())
            .status();
        assert!(status.unwrap().success());
        let mut server = Self {
            address: free_address(),
            arguments: settings.iter().map(|&setting| setting.to_owned()).collect(),
            child: None,
            folder,
        };
        server.up().await;
        server
    }

    /// A streaming copy of this server, reached by `primary` (this one's address, or a proxy's before it).
    pub async fn replica(&self, primary: SocketAddr, settings: &[&str]) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        let address = self.address;
        let made = tokio::task::spawn_blocking(move || {
            as_postgres(&program("pg_basebackup"))
                .args(["-h", "127.0.0.1", "-U", "postgres", "-X", "stream", "-c", "fast", "-p"])
                .arg(address.port().to_string())
                .arg("-D")
                .arg(data)
                .output()
                .unwrap()
        });
        let made = made.await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(folder.path().join("data/standby.signal"), "").unwrap();
        own(&folder.path().join("data/standby.signal"));
        let mut arguments: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        arguments.push(format!(
            "primary_conninfo=host=127.0.0.1 port={} user=postgres application_name=replica",
            primary.port()
        ));
        let mut server = Self {
            address: free_address(),
            arguments,
            child: None,
            folder,
        };
        server.up().await;
        server
    }

    /// The address of its database, by way of `through` (its own address, or a proxy's before it).
    pub fn url(&self, through: SocketAddr) -> String {
        format!("postgres://postgres@{through}/postgres")
    }

    /// A folder that its account may write to.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it; it answers already. Gives how long that took.
    pub async fn up(&mut self) -> Duration {
        let begun = clock::monotonic();
        loop {
            self.spawn();
            while begun.elapsed() < PATIENCE {
                if self.answers().await {
                    return begun.elapsed();
                }
                if self
                    .child
                    .as_mut()
                    .is_none_or(|child| child.try_wait().unwrap().is_some())
                {
                    // after a kill the last of its processes may hold the memory for a moment
                    break;
                }
                clock::sleep(Duration::from_millis(20)).await;
            }
            assert!(begun.elapsed() < PATIENCE, "Postgres does not start:\n{}", self.log());
        }
    }

    fn spawn(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = as_postgres(&program("postgres"));
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .arg("-p")
            .arg(self.address.port().to_string())
            .arg("-k")
            .arg(self.folder.path())
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_wal_senders=4",
                "-c",
                "wal_level=replica",
            ])
            .args([
                "-c",
                "shared_buffers=16MB",
                "-c",
                "autovacuum=off",
                "-c",
                "wal_keep_size=64MB",
            ]);
        for setting in &self.arguments {
            command.arg("-c").arg(setting);
        }
        let child = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    async fn answers(&self) -> bool {
        let Ok(database) = Database::open(&self.url(self.address), Durability::Full).await else {
            return false;
        };
        database.close().await;
        true
    }

    /// Runs statements that give no rows.
    pub async fn run(&self, text: &str) {
        self.try_run(text).await.unwrap();
    }

    /// The same; it may fail.
    pub async fn try_run(&self, text: &str) -> Result<(), ostiary::sql::Error> {
        let database = Database::open(&self.url(self.address), Durability::Full).await?;
        let done = database.read().await?.sql_built(text.to_owned()).changed().await;
        database.close().await;
        done.map(|_| ())
    }

    /// What a statement says that gives one number.
    pub async fn number(&self, text: &str) -> i64 {
        let database = Database::open(&self.url(self.address), Durability::Full).await.unwrap();
        let number = database
            .read()
            .await
            .unwrap()
            .sql_built(text.to_owned())
            .one()
            .await
            .unwrap();
        database.close().await;
        number
    }

    /// Runs a statement in a transaction and keeps that open until the answer is dropped.
    pub async fn hold(&self, text: &str) -> Held {
        let database = Database::open(&self.url(self.address), Durability::Full).await.unwrap();
        let mut transaction = database.write().await.unwrap();
        let patient = "set local idle_in_transaction_session_timeout = 0";
        transaction.sql(patient).changed().await.unwrap();
        transaction.sql_built(text.to_owned()).changed().await.unwrap();
        Held {
            _transaction: transaction,
            _database: database,
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// SIGKILL to the first of its processes; the others end when they notice.
    pub async fn kill(&mut self) {
        let all = self.processes();
        signal("KILL", &all[..1]);
        self.child.take().unwrap().wait().unwrap();
        let rest = all[1..].to_vec();
        until(PATIENCE, "the processes of a killed Postgres end", async || {
            rest.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        })
        .await;
    }

    /// SIGSTOP to all of its processes: they stand still.
    pub fn freeze(&self) {
        signal("STOP", &self.processes());
    }

    /// SIGCONT: they go on.
    pub fn thaw(&self) {
        signal("CONT", &self.processes());
    }

    /// Makes a replica the primary.
    pub async fn promote(&self) {
        self.run("select pg_promote(false)").await;
        until(PATIENCE, "the replica is promoted", async || {
            self.number("select pg_is_in_recovery()::int").await == 0
        })
        .await;
    }

    /// The first process and its children.
    fn processes(&self) -> Vec<u32> {
        let file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let first: u32 = file.lines().next().unwrap().trim().parse().unwrap();
        let mut all = vec![first];
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // after the name in parentheses: state, parent
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            if parent.and_then(|parent| parent.parse().ok()) == Some(first) {
                all.push(pid);
            }
        }
        all
    }
}

/// A transaction that stays open.
pub struct Held {
    _transaction: Transaction,
    _database: Database,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let all = self.processes();
            signal("CONT", &all);
            // immediate shutdown
            signal("QUIT", &all[..1]);
            drop(child.wait());
        }
    }
}

fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    // one of them may have ended meanwhile
    drop(
        Command::new("kill")
            .arg(format!("-{name}"))
            .args(pids)
            .stderr(Stdio::null())
            .status(),
    );
}

fn make_empty() -> TempDir {
    let folder = folder();
    let made = as_postgres(&program("initdb"))
        .arg("-D")
        .arg(folder.path().join("data"))
        .args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=trust",
            "--no-sync",
            "--wal-segsize=1",
        ])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    own(folder.path());
    folder
}

/// Gives a file to the account that runs Postgres, which refuses to run as root.
pub fn own(path: &Path) {
    if is_root() {
        let status = Command::new("chown").arg("postgres").arg(path).status();
        assert!(status.unwrap().success());
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn as_postgres(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").env("LC_ALL", "C");
    command
}

/// A program of the newest Postgres that is installed.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}
