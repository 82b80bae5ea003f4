//! Sessions: lookups and uses a second on one core, in Redis and in the embedded file, against a bare GET of the same Redis in the
//! same run; and what very many of them come to in Redis: memory each, and how long it takes to look one up and to list one
//! user's.
//!
//! `cargo bench --bench load -- sessions --sessions 1000000`. The program runs on one core, a `redis-server` of its own on another.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ostiary::ephemeral::RedisConnection;
use ostiary::model::{Digest, Id, Session, Timestamp, User};
use ostiary::random;
use ostiary::sessions::{AtLimit, Limit, Sessions};
use tokio::task::LocalSet;

use super::processes::cpu_seconds;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long each is repeated.
const FOR: Duration = Duration::from_secs(2);
/// So many are under way at once.
const CLIENTS: usize = 16;
/// Where the two stores and the bare command are compared.
const COMPARED: u32 = 1_000;
/// A person has so many sessions.
const A_USER: u32 = 2;
const ANY_NUMBER: Limit = Limit {
    max: None,
    at_limit: AtLimit::Refuse,
};

/// Measures, on the core that this process has: up to so many sessions.
pub fn measure(most: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, all(most));
}

async fn all(most: u32) {
    let server = Server::start();
    let redis = Sessions::redis(RedisConnection::open(&server.url(), "bench:").expect("an address"));
    while redis.ping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut crowd = Crowd::default();
    crowd.grow(&redis, COMPARED).await;
    let bare = bare_get(&server).await;
    bare.tell("bare GET of Redis", None);
    compare("Redis", &redis, &crowd, Some(server.pid()), &bare).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = Sessions::embedded(&folder.path().join("sessions.db"))
        .await
        .expect("a file");
    let mut others = Crowd::default();
    others.grow(&file, COMPARED).await;
    compare("the embedded file", &file, &others, None, &bare).await;

    let mut steps = vec![COMPARED];
    while let Some(next) = steps.last().map(|last| last * 10).filter(|next| *next < most) {
        steps.push(next);
    }
    if most > COMPARED {
        steps.push(most);
    }
    let empty = server.memory(&redis).await;
    let before = crowd.sessions();
    for step in steps {
        crowd.grow(&redis, step).await;
        let added = crowd.sessions() - before;
        let each = (server.memory(&redis).await - empty) / f64::from(added.max(1));
        let (lookup, list) = (lookups(&redis, &crowd).await, lists(&redis, &crowd).await);
        let memory = if added > 0 {
            format!("{each:.0} bytes each")
        } else {
            "-".to_owned()
        };
        println!(
            "{:>9} sessions in Redis: {memory:>16}, lookup p50 {} us p99 {} us, list of one user's p50 {} us p99 {} us",
            crowd.sessions(),
            lookup.0,
            lookup.1,
            list.0,
            list.1
        );
    }
}

/// People with sessions.
#[derive(Default)]
struct Crowd {
    users: Vec<Id<User>>,
}

impl Crowd {
    fn sessions(&self) -> u32 {
        u32::try_from(self.users.len()).expect("a number") * A_USER
    }

    fn token(user: Id<User>, number: u32) -> Digest {
        Digest::of(format!("{user}{number}").as_bytes())
    }

    /// Somebody's session.
    fn any(&self) -> (Id<User>, Digest) {
        let most = u32::try_from(self.users.len()).expect("a number");
        let user = self.users[random::below(most) as usize];
        (user, Self::token(user, random::below(A_USER)))
    }

    async fn grow(&mut self, store: &Sessions, to: u32) {
        while self.sessions() < to {
            let some: Vec<Id<User>> = (0..64).map(|_| Id::new(NOW)).collect();
            let adding = some.iter().map(|user| async move {
                for number in 0..A_USER {
                    let session = session(*user);
                    store
                        .admit(&Self::token(*user, number), &session, ANY_NUMBER, NOW)
                        .await
                        .expect("admitted");
                }
            });
            futures_util::future::join_all(adding).await;
            self.users.extend(some);
        }
    }
}

/// As the server keeps it.
fn session(user: Id<User>) -> Session {
    Session {
        id: Id::new(NOW),
        user,
        started: NOW,
        seen: NOW,
        expires: NOW.after(DAY),
        idle_timeout: DAY / 3,
        data: br#"{"auth_time":1800000000000000,"amr":["pwd"],"acr":"urn:ostiary:password","remember":false,"rested":{"secs":0,"nanos":0},"browser":"4f8c1b2a9d3e5f60718293a4b5c6d7e8"}"#.to_vec(),
    }
}

/// What something costs.
struct Cost {
    per_second: f64,
    /// Of this process.
    here: f64,
    /// Of Redis.
    there: f64,
}

impl Cost {
    fn tell(&self, name: &str, bare: Option<&Self>) {
        let both = |cost: &Self| cost.here + cost.there;
        let ratio = bare.map_or(String::new(), |bare| {
            format!("  {:.1} x bare GET", both(self) / both(bare))
        });
        println!(
            "{name:<34} {:>8.0}/s  cpu {:>6.1} us here ({:>6.0}/s a core), {:>5.1} us in Redis{ratio}",
            self.per_second,
            self.here,
            1e6 / self.here.max(0.1),
            self.there
        );
    }
}

/// Does it again and again, so many at once.
async fn repeated<F: Future<Output = ()>>(redis: Option<u32>, act: impl Fn(u32) -> F) -> Cost {
    let there = || redis.map_or(0.0, cpu_seconds);
    let own = std::process::id();
    let (began, before, before_there) = (Instant::now(), cpu_seconds(own), there());
    let act = &act;
    let workers = (0..CLIENTS).map(|_| async move {
        let mut times = 0u32;
        while began.elapsed() < FOR {
            act(times).await;
            times += 1;
        }
        times
    });
    let times: u32 = futures_util::future::join_all(workers).await.into_iter().sum();
    let operations = f64::from(times.max(1));
    Cost {
        per_second: operations / began.elapsed().as_secs_f64(),
        here: (cpu_seconds(own) - before) * 1e6 / operations,
        there: (there() - before_there) * 1e6 / operations,
    }
}

async fn compare(name: &str, store: &Sessions, crowd: &Crowd, redis: Option<u32>, bare: &Cost) {
    let looked_up = repeated(redis, |_| async {
        let (user, token) = crowd.any();
        store
            .get(user, &token, NOW)
            .await
            .expect("an answer")
            .expect("a session");
    });
    looked_up.await.tell(&format!("lookup, {name}"), Some(bare));
    let used = repeated(redis, |times| async move {
        let (user, token) = crowd.any();
        let now = NOW.after(Duration::from_micros(times.into()));
        assert!(store.touch(user, &token, now).await.expect("an answer"));
    });
    used.await.tell(&format!("use noted, {name}"), Some(bare));
}

async fn bare_get(server: &Server) -> Cost {
    let client = redis::Client::open(server.url()).expect("an address");
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let value = [7u8; 256];
    let set = redis::cmd("SET").arg("bare").arg(&value[..]).to_owned();
    set.query_async::<()>(&mut connection.clone()).await.expect("set");
    repeated(Some(server.pid()), |_| {
        let mut connection = connection.clone();
        async move {
            let got: Vec<u8> = redis::cmd("GET")
                .arg("bare")
                .query_async(&mut connection)
                .await
                .expect("an answer");
            assert_eq!(got.len(), value.len());
        }
    })
    .await
}

/// One after another: the median and the 99th percentile, in microseconds.
async fn lookups(store: &Sessions, crowd: &Crowd) -> (u128, u128) {
    let mut times = Vec::new();
    for _ in 0..10_000 {
        let (user, token) = crowd.any();
        let began = Instant::now();
        let found = store.get(user, &token, NOW).await.expect("an answer");
        times.push(began.elapsed().as_micros());
        assert!(found.is_some());
    }
    percentiles(times)
}

async fn lists(store: &Sessions, crowd: &Crowd) -> (u128, u128) {
    let mut times = Vec::new();
    for _ in 0..5_000 {
        let (user, _) = crowd.any();
        let began = Instant::now();
        let found = store.list(user, NOW).await.expect("an answer");
        times.push(began.elapsed().as_micros());
        assert_eq!(found.len(), A_USER as usize);
    }
    percentiles(times)
}

fn percentiles(mut times: Vec<u128>) -> (u128, u128) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// A Redis of its own, on the load's core; it ends with this value.
struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("a port").port();
        drop(free);
        let child = Command::new("taskset")
            .args([
                "-c",
                "1",
                "redis-server",
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server and taskset are needed");
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `taskset` becomes the server.
    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes that its data takes, as it says itself.
    async fn memory(&self, store: &Sessions) -> f64 {
        store.ping().await.expect("an answer");
        let client = redis::Client::open(self.url()).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let told: String = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut connection)
            .await
            .expect("an answer");
        let bytes = told.lines().find_map(|line| line.strip_prefix("used_memory:"));
        bytes.and_then(|bytes| bytes.trim().parse().ok()).expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
