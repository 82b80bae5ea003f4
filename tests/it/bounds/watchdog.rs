//! What stands still is found: a thread that answers requests, one that computes a hash, the writer of a file.

use std::time::{Duration, Instant};

use ostiary::credential::{Parameters, Passwords};
use ostiary::flow::watch::{HASHING, Patience, RUNTIME};
use ostiary::model::Secret;
use ostiary::server::Failpoints;
use ostiary::sql::{Edge, Place, Verdict};
use tokio::sync::watch;

use crate::support::browser::Browser;
use crate::support::server::{Backend, Server};

/// Far less than anybody would wait for in earnest, far more than anything takes that goes on.
const SHORT: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(600);
const BOUND: Duration = Duration::from_secs(30);

async fn server(patience: Patience, failpoints: Failpoints) -> Server {
    Server::start_fully(
        Backend::Embedded,
        |config| config.metrics.listen = Some("127.0.0.1:0".parse().unwrap()),
        |options| {
            options.patience = patience;
            options.failpoints = failpoints;
        },
    )
    .await
}

fn patience(of: &str) -> Patience {
    let limit = |what: &str| if what == of { SHORT } else { LONG };
    Patience {
        runtime: limit(RUNTIME),
        hashing: limit(HASHING),
        writer: limit("store"),
    }
}

/// Waits until what stands still is this.
async fn until(server: &Server, wanted: &[&str]) {
    let began = Instant::now();
    loop {
        let still = server.provider().watch.still();
        let still: Vec<&str> = still.iter().map(|(what, _)| *what).collect();
        if still == wanted {
            return;
        }
        assert!(began.elapsed() < BOUND, "{still:?} stands still, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn number(server: &Server, line: &str) -> Option<String> {
    let url = format!("http://{}/metrics", server.metrics_address().unwrap());
    let page = Browser::new().get(&url).await;
    let found = page.body.lines().find_map(|told| told.strip_prefix(line));
    found.map(|value| value.trim().to_owned())
}

async fn readyz(server: &Server) -> u16 {
    Browser::new().get(&server.url("/readyz")).await.status.as_u16()
}

/// SEC-646: a commit that does not come back is found, counted, and told to load balancers; when it comes back all is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lock_hygiene_of_the_writer() {
    let (gate, closed) = watch::channel(false);
    let failpoints = Failpoints::told_to(move |step| {
        let mut closed = closed.clone();
        Box::pin(async move {
            if step.place == Place::Group && step.edge == Edge::Before {
                drop(closed.wait_for(|closed| !closed).await);
            }
            Verdict::Goes
        })
    });
    let server = server(patience("store"), failpoints).await;
    assert_eq!(readyz(&server).await, 200);
    assert!(server.provider().watch.still().is_empty());
    gate.send_replace(true);
    let provider = server.provider().clone();
    let writing = tokio::spawn(async move {
        let mut tx = provider.store.write().await.unwrap();
        tx.raise_client_generation().await.unwrap();
        tx.commit().await.unwrap();
    });
    until(&server, &["store"]).await;
    assert_eq!(number(&server, "ostiary_stalled{what=\"store\"}").await.unwrap(), "1");
    assert_eq!(
        number(&server, "ostiary_stalls_total{what=\"store\"}").await.unwrap(),
        "1"
    );
    assert_eq!(readyz(&server).await, 503);
    gate.send_replace(false);
    writing.await.unwrap();
    until(&server, &[]).await;
    assert_eq!(readyz(&server).await, 200);
    assert_eq!(number(&server, "ostiary_stalled{what=\"store\"}").await.unwrap(), "0");
    assert_eq!(
        number(&server, "ostiary_stalls_total{what=\"store\"}").await.unwrap(),
        "1"
    );
    server.stop().await;
}

/// SEC-646: a thread that answers requests and is kept at one piece of work is found, while the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lock_hygiene_of_the_runtime() {
    let server = server(patience(RUNTIME), Failpoints::default()).await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    // what nobody may do in earnest: it blocks the thread that it runs on
    let blocking = tokio::spawn(async move { held.recv_timeout(BOUND).unwrap() });
    until(&server, &[RUNTIME]).await;
    assert_eq!(number(&server, "ostiary_stalled{what=\"runtime\"}").await.unwrap(), "1");
    assert_eq!(readyz(&server).await, 503);
    release.send(()).unwrap();
    blocking.await.unwrap();
    until(&server, &[]).await;
    assert_eq!(readyz(&server).await, 200);
    server.stop().await;
}

/// SEC-646: a hash that does not come to its end is found; requests that need none go on, and the server stays ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lock_hygiene_of_the_hashing_threads() {
    let short = Patience {
        hashing: SHORT / 6,
        ..patience(HASHING)
    };
    let server = server(short, Failpoints::default()).await;
    // as costly as may be verified
    let costly = Parameters {
        memory_kib: 128 * 1024,
        iterations: 4,
        parallelism: 1,
    };
    let password = Secret::new("a long walk by the river at noon");
    let hash = Passwords::new(costly, 1, 1)
        .unwrap()
        .hash(password.clone())
        .await
        .unwrap();
    let stored = ostiary::credential::PasswordHash::parse(hash.expose()).unwrap();
    let verifying = server.provider().passwords.verify(password, Some(stored));
    let (verified, ()) = tokio::join!(verifying, async {
        until(&server, &[HASHING]).await;
        assert_eq!(readyz(&server).await, 200);
    });
    verified.unwrap();
    until(&server, &[]).await;
    let told = number(&server, "ostiary_stalls_total{what=\"hashing\"}").await;
    assert_eq!(told.unwrap(), "1");
    server.stop().await;
}

/// What counts as standing still is as docs/limits.md says.
#[test]
fn patience_is_as_it_is_told() {
    let patience = Patience::default();
    let page = std::fs::read_to_string("docs/limits.md").unwrap();
    for (what, time) in [
        ("a thread that answers requests", patience.runtime),
        ("a hash", patience.hashing),
        ("the writer of an embedded file", patience.writer),
    ] {
        let told = format!("| {what} | {} s |", time.as_secs());
        assert!(page.contains(&told), "docs/limits.md says: {told}");
    }
}
