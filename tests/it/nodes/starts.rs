//! Nodes that start at once, and nodes that start under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use ostiary::clock;
use ostiary::sql::{Database, Durability};

use super::Cluster;
use crate::support::backend::{Backend, quick};
use crate::support::process::{Installation, Node};
use crate::support::stage::Stage;
use crate::support::wire::{Wire, request};

/// Three nodes find an empty database and no key file: the schema is made once, the keys are made once, and all are one
/// server.
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_that_start_at_once_migrate_once() {
    if quick() {
        return;
    }
    let installation = Installation::bare(Backend::PostgresRedis).await;
    let mut nodes: Vec<Node> = vec![
        installation.plan().at(installation.front).spawn(),
        installation.plan().spawn(),
        installation.plan().spawn(),
    ];
    join_all(nodes.iter_mut().map(Node::answers)).await;
    let database = Database::open(installation.config.database_url.expose(), Durability::Full)
        .await
        .unwrap();
    let mut store = database.read().await.unwrap();
    let steps: i64 = store.sql("select count(*) from schema_migrations").one().await.unwrap();
    let active: Vec<String> = store
        .sql("select algorithm from signing_keys where state = 'active' group by algorithm having count(*) > 1")
        .all()
        .await
        .unwrap();
    assert!(active.is_empty(), "several active keys of {active:?}");
    drop(store);
    database.close().await;
    let jwks = request("GET", &installation.host(), "/oauth2/jwks", &[], "");
    let mut documents = Vec::new();
    for node in &nodes {
        documents.push(Wire::to(node.address).exchange(&jwks).await.unwrap().body);
    }
    assert!(
        documents
            .iter()
            .all(|document| *document == documents[0] && document.contains("kid"))
    );
    // whoever takes a step says so
    let taken: Vec<usize> = nodes
        .iter()
        .map(|node| node.log().matches("was brought forward").count())
        .collect();
    assert_eq!(i64::try_from(taken.iter().sum::<usize>()).unwrap(), steps, "{taken:?}");
    // a token of one is a token of all
    let stage = Stage::set(&installation).await;
    let code = stage.code_at(nodes[0].address).await;
    let tokens = Wire::to(nodes[1].address).exchange(&stage.redeem(&code)).await.unwrap();
    let userinfo = stage.userinfo(&tokens.get("access_token"));
    assert!(
        Wire::to(nodes[2].address)
            .exchange(&userinfo)
            .await
            .unwrap()
            .is_success()
    );
    drop(nodes);
    installation.remove().await;
}

/// Nodes with key files of their own do not become one server by accident: the second one to start says what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_master_key_does_not_start() {
    if quick() {
        return;
    }
    let installation = Installation::bare(Backend::PostgresRedis).await;
    let own_keys = |name: &str| {
        let keys = installation.folder().join(name).display().to_string();
        installation.plan().with("OSTIARY_KEYS_DIR", keys)
    };
    let mut nodes = [own_keys("first").spawn(), own_keys("second").spawn()];
    let begun = clock::monotonic();
    // one of them is ready, and the other one has ended: both at once would be two servers on one store
    loop {
        let ready = join_all(nodes.iter().map(Node::readiness)).await;
        let running: Vec<bool> = nodes.iter_mut().map(Node::runs).collect();
        let good = |one: usize, other: usize| ready[one] == Some(200) && !running[other];
        if good(0, 1) || good(1, 0) {
            let ended = usize::from(running[0]);
            assert!(nodes[ended].log().contains("master"), "{}", nodes[ended].log());
            break;
        }
        assert!(
            begun.elapsed() < crate::support::process::PATIENCE,
            "{ready:?} {running:?}\n{}\n{}",
            nodes[0].log(),
            nodes[1].log()
        );
        clock::sleep(Duration::from_millis(50)).await;
    }
    drop(nodes);
    installation.remove().await;
}

/// REL-50: every node is killed and started again while clients do not stop asking: each is ready in time, and serves.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_start_cold_under_load() {
    if quick() {
        return;
    }
    let mut cluster = Cluster::of_three().await;
    let stage = Arc::new(Stage::set(&cluster.installation).await);
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let addresses = cluster.addresses();
    let clients: Vec<_> = (0..24)
        .map(|turn| {
            let mut wire = Wire::to(addresses[turn % 3]);
            let (stage, over, served) = (stage.clone(), over.clone(), served.clone());
            tokio::spawn(async move {
                let asked = stage.introspect("unknown");
                while !over.load(Ordering::Relaxed) {
                    match wire.exchange(&asked).await {
                        Ok(answer) if answer.is_success() => drop(served.fetch_add(1, Ordering::Relaxed)),
                        _ => clock::sleep(Duration::from_millis(20)).await,
                    }
                }
            })
        })
        .collect();
    let plans: Vec<_> = cluster.nodes.drain(..).map(Node::kill).collect();
    let begun = clock::monotonic();
    let started = join_all(plans.into_iter().map(async |plan| {
        let node = plan.start().await;
        (node, begun.elapsed())
    }))
    .await;
    let mut times = Vec::new();
    for (node, time) in started {
        cluster.nodes.push(node);
        times.push(time);
    }
    let before = served.load(Ordering::Relaxed);
    super::super::support::process::until(Duration::from_secs(15), "all are served again", async || {
        served.load(Ordering::Relaxed) > before + 300
    })
    .await;
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    println!("ready after {times:?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(10)), "{times:?}");
    cluster.end().await;
}
