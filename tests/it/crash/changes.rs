//! A node is killed between any two steps of what an administrator changes: it happened, or it did not.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ostiary::clock;
use ostiary::sql::{Database, Durability};

use super::Steered;
use crate::support::backend::{Backend, quick};
use crate::support::cli::Ran;
use crate::support::failpoints::Failpoints;
use crate::support::process::{PATIENCE, until};
use crate::support::wire::{Wire, request};

/// Whether the client's secret works, whether the keys sign, and what is published. A change that a command made beside the node holds
/// at the node within a second; three times that on a machine that has other things to do.
async fn works(steered: &Steered) {
    let address = steered.node().address;
    let heard_of = match steered.installation.config.redis_url {
        Some(_) => Duration::from_secs(3),
        None => Duration::ZERO,
    };
    let changed = clock::monotonic();
    let answer = loop {
        let code = steered.stage.code_at(address).await;
        let answer = Wire::to(address).exchange(&steered.stage.redeem(&code)).await.unwrap();
        if answer.is_success() {
            break answer;
        }
        assert!(changed.elapsed() < heard_of, "{} {}", answer.status, answer.body);
        clock::sleep(Duration::from_millis(100)).await;
    };
    let jwks = request("GET", &steered.stage.host, "/oauth2/jwks", &[], "");
    let keys = Wire::to(address).exchange(&jwks).await.unwrap();
    let header = crate::support::relying_party::jwt_header(&answer.get("id_token"));
    assert!(
        keys.body.contains(header["kid"].as_str().unwrap()),
        "signed with a key that is not published"
    );
}

/// What a change consists of: rows that came or went, and events that tell of it. Whole or absent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    rows: usize,
    events: i64,
}

/// What stands in the store about a kind of change.
struct Written {
    rows: BTreeSet<uuid::Uuid>,
    events: i64,
}

impl Written {
    async fn read(steered: &Steered, change: &[&str]) -> Self {
        let (rows, kind) = match change[0] {
            "clients" => ("select id from client_secrets", "client.secret_rotated"),
            "keys" => ("select id from signing_keys", "key.created"),
            _ => ("select user_id from group_members", "group.changed"),
        };
        let url = steered.installation.config.database_url.expose();
        let database = Database::open(url, Durability::Full).await.unwrap();
        let mut store = database.read().await.unwrap();
        let rows: Vec<uuid::Uuid> = store.sql(rows).all().await.unwrap();
        let events = "select count(*) from events where kind = $1";
        let events = store.sql(events).bind(kind).one().await.unwrap();
        drop(store);
        database.close().await;
        Self {
            rows: rows.into_iter().collect(),
            events,
        }
    }

    fn since(&self, before: &Self) -> Made {
        let came = self.rows.difference(&before.rows).count();
        let went = before.rows.difference(&self.rows).count();
        Made {
            rows: came.max(went),
            events: self.events - before.events,
        }
    }
}

async fn command(steered: &Steered, arguments: &[&str]) -> Ran {
    steered.installation.command(arguments).await
}

/// Gives the client another secret, which it uses from now on.
async fn take_new_secret(steered: &mut Steered) {
    let client = steered.stage.client.client_id.clone();
    let rotated = command(steered, &["clients", "rotate-secret", &client, "--json"])
        .await
        .json();
    let secret = rotated["client_secret"].as_str().unwrap();
    secret.clone_into(&mut steered.stage.client.secret);
}

/// Where the steps of a change are taken: at the node, which the commands of an embedded installation ask, or in the command's own
/// process, which the database of several nodes decides about.
enum Taken {
    ByTheNode,
    ByTheCommand(Failpoints),
}

impl Taken {
    fn by(steered: &Steered, backend: Backend) -> Self {
        match backend {
            Backend::Embedded => Self::ByTheNode,
            Backend::PostgresRedis => {
                Self::ByTheCommand(Failpoints::at(&steered.installation.folder().join("command")))
            }
        }
    }

    /// The steps of a change, which is made.
    async fn steps(&self, steered: &Steered, change: &[&str]) -> Vec<String> {
        match self {
            Self::ByTheNode => {
                steered
                    .steps(async || {
                        let ran = command(steered, change).await;
                        assert_eq!(ran.code, 0, "{change:?} {ran:?}");
                    })
                    .await
            }
            Self::ByTheCommand(failpoints) => {
                failpoints.record();
                let mut child = failpoints.steer(steered.installation.plan()).start_command(change);
                let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
                    .await
                    .unwrap();
                assert!(status.success(), "{change:?} {status}");
                super::wanted(failpoints.recorded())
            }
        }
    }

    /// Makes a change, and kills whoever takes its steps when this one is reached. Gives whether it was.
    async fn cut(&self, steered: &mut Steered, change: &[&str], step: &str) -> bool {
        match self {
            Self::ByTheNode => {
                steered.failpoints.arm("pause", step);
                let installation = &steered.installation;
                let done = AtomicBool::new(false);
                let cut = async {
                    installation.command(change).await;
                    done.store(true, Ordering::Relaxed);
                };
                let kill = async {
                    until(PATIENCE, step, async || {
                        steered.failpoints.is_reached() || done.load(Ordering::Relaxed)
                    })
                    .await;
                    // the command waits for an answer that does not come
                    std::process::Command::new("kill")
                        .args(["-KILL", &steered.node().pid().to_string()])
                        .status()
                        .unwrap();
                };
                tokio::join!(cut, kill);
                let is_hit = steered.failpoints.is_reached();
                steered.kill().await;
                is_hit
            }
            Self::ByTheCommand(failpoints) => {
                failpoints.arm("pause", step);
                let plan = failpoints.steer(steered.installation.plan());
                let child = Mutex::new(plan.start_command(change));
                until(PATIENCE, step, async || {
                    failpoints.is_reached() || child.lock().unwrap().try_wait().unwrap().is_some()
                })
                .await;
                let mut child = child.into_inner().unwrap();
                child.kill().unwrap();
                child.wait().unwrap();
                let is_hit = failpoints.is_reached();
                failpoints.disarm();
                is_hit
            }
        }
    }
}

async fn whole_or_absent(backend: Backend) {
    let mut steered = Steered::on(backend).await;
    let taken = Taken::by(&steered, backend);
    let (client, user) = (
        steered.stage.client.client_id.clone(),
        steered.stage.user.username.clone(),
    );
    assert_eq!(command(&steered, &["groups", "create", "crew"]).await.code, 0);
    let changes: [&[&str]; 4] = [
        &["clients", "rotate-secret", &client],
        &["keys", "rotate", "--now"],
        &["groups", "add", "crew", &user],
        &["groups", "remove", "crew", &user],
    ];
    for change in changes {
        let undo = match change[1] {
            "add" => "remove",
            _ => "add",
        };
        let undo = ["groups", undo, "crew", &user];
        if change[0] == "groups" {
            // not there before it is added, and there before it is removed
            command(&steered, &undo).await;
        }
        let before = Written::read(&steered, change).await;
        let mut steps = taken.steps(&steered, change).await;
        let all = Written::read(&steered, change).await.since(&before);
        assert!(all.rows > 0 && all.events > 0, "{change:?} changes {all:?}");
        if change[0] == "groups" {
            // the one undoes the other
            assert_eq!(command(&steered, &undo).await.code, 0);
        }
        if change[0] == "clients" {
            // of two rotations in a row the second takes away what was before the first
            take_new_secret(&mut steered).await;
        }
        if !super::full_length() {
            // the same places of the three kinds: around the commit, and between the changes
            steps.retain(|step| step.contains("commit") || step.starts_with("after"));
        }
        let (mut hits, mut whole, mut absent) = (0, 0, 0);
        for step in steps {
            let before = Written::read(&steered, change).await;
            hits += usize::from(taken.cut(&mut steered, change, &step).await);
            let nothing = Made { rows: 0, events: 0 };
            let made = Written::read(&steered, change).await.since(&before);
            assert!(
                made == all || made == nothing,
                "{change:?} is half done at {step}: {made:?} of {all:?}"
            );
            whole += usize::from(made == all);
            absent += usize::from(made == nothing);
            if change[0] == "groups" && made == all {
                assert_eq!(command(&steered, &undo).await.code, 0);
            }
            // the secret of before is within its overlap, whatever became of the change
            works(&steered).await;
            if change[0] == "clients" {
                take_new_secret(&mut steered).await;
                works(&steered).await;
            }
            let shown = command(&steered, &["users", "show", &user, "--json"]).await.ok();
            assert!(shown.contains(&user));
        }
        println!("{change:?}: {hits} kills hit, {absent} before the change and {whole} after it");
        assert!(
            hits > 2 && absent > 0 && whole > 0,
            "{change:?}: {hits} hit, {absent} absent, {whole} whole"
        );
    }
    steered.end().await;
}

/// REL-05: killed between any two steps of a secret's rotation, a key's rotation or a change of a group, the change is whole
/// or absent, and there is always a secret that works and a key that signs.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_whole_or_absent_wherever_the_node_is_killed() {
    whole_or_absent(Backend::Embedded).await;
}

/// REL-05 on Postgres and Redis, where the command that makes the change is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_whole_or_absent_wherever_its_command_is_killed_on_postgres() {
    if !quick() {
        whole_or_absent(Backend::PostgresRedis).await;
    }
}
