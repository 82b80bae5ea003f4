//! Redis in its forms: a Sentinel trio over a master and its replica, a Cluster of six nodes, and a server that is reached by TLS
//! alone. Each is what docs/operations.md describes: the server's account may do what is said there, and nothing else.
//!
//! `redis-server --sentinel` is the same program as `redis-sentinel`; nothing is needed beside `redis-server` and `redis-cli`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use ostiary::ephemeral::RedisConnection;
use ostiary::random;
use tokio::sync::OnceCell;

use super::certificates::Certificates;
use super::process::{PATIENCE, until};
use super::sources::documented;
use crate::ephemeral::redis_server::{Server, free_port};

/// The password of whoever looks after the servers.
const ADMINISTRATOR: &str = "of-the-administrator";
/// What the documented account has.
const ACCOUNT: &str = "ostiary:SERVERS-PASSWORD";
const MASTERS: usize = 3;

/// A form of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Three Sentinels that watch a master and its replica.
    Sentinel,
    /// Three masters with a replica each.
    Cluster,
    /// One server, by TLS.
    Tls,
}

impl Kind {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Sentinel, Self::Cluster, Self::Tls];
}

/// Running servers.
pub struct Deployment {
    /// `OSTIARY_REDIS_URL`.
    pub url: String,
    /// Those that hold data: of a Cluster the masters first, behind Sentinels the master first.
    pub data: Vec<Server>,
    /// Those that watch them.
    pub sentinels: Vec<Server>,
    _certificates: Option<Certificates>,
}

/// Those that all tests of this process share.
static SHARED: [OnceCell<Deployment>; 3] = [const { OnceCell::const_new() }; 3];

impl Deployment {
    /// Servers of a test's own, which end with this value.
    pub async fn start(kind: Kind) -> Self {
        match kind {
            Kind::Sentinel => sentinel().await,
            Kind::Cluster => cluster().await,
            Kind::Tls => tls().await,
        }
    }

    /// Those of this process, started by the first who asks; they end with the process. For what harms nobody else.
    pub async fn shared(kind: Kind) -> &'static Self {
        let place = Kind::ALL.iter().position(|&known| known == kind).unwrap();
        SHARED[place]
            .get_or_init(async || {
                let deployment = Self::start(kind).await;
                for server in deployment.servers() {
                    end_with_this_process(server);
                }
                deployment
            })
            .await
    }

    /// All of them.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.data.iter().chain(&self.sentinels)
    }

    /// A prefix that nobody else has, below what the account may touch.
    pub fn prefix() -> String {
        format!("ostiary:test-{}:", random::hex_id())
    }

    /// A connection under a prefix of its own.
    pub fn connection(&self) -> RedisConnection {
        RedisConnection::open(&self.url, &Self::prefix()).unwrap()
    }

    /// How often each command was run and each kind of error was answered, on all servers that hold data: `cmdstat_get`,
    /// `errorstat_NOPERM`.
    pub fn counted(&self) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        for server in &self.data {
            let told = server.ask("info commandstats") + &server.ask("info errorstats");
            for line in told.lines() {
                let Some((name, told)) = line.split_once(':').filter(|(name, _)| name.contains("stat_")) else {
                    continue;
                };
                let number = told.split_once('=').unwrap().1;
                let number: u64 = number.split(',').next().unwrap().trim().parse().unwrap();
                *counted.entry(name.to_owned()).or_default() += number;
            }
        }
        counted
    }

    /// What the servers have logged.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for server in self.servers() {
            let log = std::fs::read_to_string(server.folder().join("log")).unwrap_or_default();
            all.push_str(&format!("on port {}:\n{log}\n", server.port));
        }
        all
    }

    /// The server that has this role: `master` or `slave`.
    pub fn holder(&self, role: &str) -> Option<&Server> {
        self.data
            .iter()
            .find(|server| server.ask("role").lines().next() == Some(role))
    }
}

/// Connections to each shared form, in the order of [`Kind::ALL`], each under a prefix of its own.
pub async fn connections() -> Vec<RedisConnection> {
    let (sentinel, cluster, tls) = tokio::join!(
        Deployment::shared(Kind::Sentinel),
        Deployment::shared(Kind::Cluster),
        Deployment::shared(Kind::Tls)
    );
    let mut connections = Vec::new();
    for deployment in [sentinel, cluster, tls] {
        let connection = deployment.connection();
        until(PATIENCE, "a form of Redis answers", async || {
            connection.ping().await.is_ok()
        })
        .await;
        connections.push(connection);
    }
    connections
}

/// What the account may do, as the documentation gives it, in the words of a configuration file.
fn account() -> String {
    let rule = documented("The account of Redis");
    let words: Vec<&str> = rule.split_whitespace().filter(|word| *word != "\\").collect();
    assert_eq!(words[..2], ["ACL", "SETUSER"]);
    // a Cluster needs one command more
    format!("user {} +cluster|slots\n", words[2..].join(" "))
}

/// What every server that holds data has in common.
fn of_data(port: u16) -> String {
    format!(
        "port {port}\nbind 127.0.0.1\nsave \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n\
         requirepass {ADMINISTRATOR}\nmasterauth {ADMINISTRATOR}\n{}",
        account()
    )
}

const AS_ADMINISTRATOR: [&str; 3] = ["--pass", ADMINISTRATOR, "--no-auth-warning"];

async fn tls() -> Deployment {
    let certificates = Certificates::make();
    let file = |name: &str| certificates.file(name).display().to_string();
    let port = free_port();
    let lines = format!(
        "{}port 0\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients no\n",
        of_data(0),
        file("cert.pem"),
        file("key.pem")
    );
    let ca = file("ca.pem");
    let mut administrator = AS_ADMINISTRATOR.to_vec();
    administrator.extend(["-h", "localhost", "--tls", "--cacert", &ca]);
    let server = Server::begin(port, &lines, &[], &administrator);
    server.wait().await;
    Deployment {
        url: format!("rediss://{ACCOUNT}@localhost:{port}?ca={ca}"),
        data: vec![server],
        sentinels: Vec::new(),
        _certificates: Some(certificates),
    }
}

async fn sentinel() -> Deployment {
    let ports = [free_port(), free_port()];
    let master = Server::begin(ports[0], &of_data(ports[0]), &[], &AS_ADMINISTRATOR);
    let following = format!("{}replicaof 127.0.0.1 {}\n", of_data(ports[1]), ports[0]);
    let replica = Server::begin(ports[1], &following, &[], &AS_ADMINISTRATOR);
    master.wait().await;
    replica.wait().await;
    until(PATIENCE, "the replica follows", async || {
        replica.ask("info replication").contains("master_link_status:up")
    })
    .await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        let port = free_port();
        let lines = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 2\nsentinel auth-pass main {ADMINISTRATOR}\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n",
            ports[0]
        );
        sentinels.push(Server::begin(port, &lines, &["--sentinel"], &[]));
    }
    for sentinel in &sentinels {
        until(PATIENCE, "the Sentinels know each other and the replica", async || {
            let told = sentinel.ask("info sentinel");
            told.contains("slaves=1,sentinels=3")
        })
        .await;
    }
    let hosts: Vec<String> = sentinels
        .iter()
        .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
        .collect();
    Deployment {
        url: format!("redis+sentinel://{ACCOUNT}@{}/main", hosts.join(",")),
        data: vec![master, replica],
        sentinels,
        _certificates: None,
    }
}

async fn cluster() -> Deployment {
    let mut nodes = Vec::new();
    for number in 1..=2 * MASTERS {
        let port = free_port();
        let lines = format!(
            "{}cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 1000\n\
             cluster-announce-ip 127.0.0.1\ncluster-replica-validity-factor 0\ncluster-allow-replica-migration no\n",
            of_data(port)
        );
        let node = Server::begin(port, &lines, &[], &AS_ADMINISTRATOR);
        node.wait().await;
        node.ask(&format!("cluster set-config-epoch {number}"));
        nodes.push(node);
    }
    let slots = 16_384 / MASTERS;
    for (place, node) in nodes.iter().take(MASTERS).enumerate() {
        let last = if place + 1 == MASTERS {
            16_383
        } else {
            (place + 1) * slots - 1
        };
        let told = node.ask(&format!("cluster addslotsrange {} {last}", place * slots));
        assert!(told.contains("OK"), "{told}");
    }
    for node in &nodes[1..] {
        nodes[0].ask(&format!("cluster meet 127.0.0.1 {}", node.port));
    }
    for node in &nodes {
        until(PATIENCE, "the nodes know each other", async || {
            node.ask("cluster info").contains("cluster_known_nodes:6")
        })
        .await;
    }
    for (replica, master) in nodes[MASTERS..].iter().zip(&nodes) {
        let id = master.ask("cluster myid");
        until(PATIENCE, "a replica is told whom to follow", async || {
            replica.ask(&format!("cluster replicate {}", id.trim())).contains("OK")
        })
        .await;
    }
    for (place, node) in nodes.iter().enumerate() {
        until(PATIENCE, "the Cluster is whole", async || {
            node.ask("cluster info").contains("cluster_state:ok")
                && node.ask("cluster nodes").matches("slave").count() == MASTERS
                && (place < MASTERS || node.ask("info replication").contains("master_link_status:up"))
        })
        .await;
    }
    let hosts: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    Deployment {
        url: format!("redis+cluster://{ACCOUNT}@{}", hosts[..MASTERS].join(",")),
        data: nodes,
        sentinels: Vec::new(),
        _certificates: None,
    }
}

/// A process that outlives this one by a moment: it is told which servers there are, and ends them, and removes their folders,
/// when this process has ended, however that ended.
struct Keeper {
    told: ChildStdin,
    _shell: Child,
}

static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

fn end_with_this_process(server: &Server) {
    const KEEP: &str = "
        pids=; folders=
        while read -r pid folder; do pids=\"$pids $pid\"; folders=\"$folders $folder\"; done
        kill $pids
        sleep 1
        rm -rf $folders";
    let mut keeper = KEEPER.lock().unwrap();
    let keeper = keeper.get_or_insert_with(|| {
        let mut shell = Command::new("sh")
            .args(["-c", KEEP])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Keeper {
            told: shell.stdin.take().unwrap(),
            _shell: shell,
        }
    });
    writeln!(keeper.told, "{} {}", server.pid(), server.folder().display()).unwrap();
}

/// How long Sentinels or a Cluster may take to find another master, on a machine with much else to do.
pub const FAILOVER: Duration = Duration::from_secs(30);
