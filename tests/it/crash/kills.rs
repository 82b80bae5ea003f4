//! A node is killed at any moment under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ostiary::clock;
use ostiary::random;

use super::READY_AGAIN;
use crate::support::backend::{Backend, length, quick};
use crate::support::ledger::{Kind, Ledger, Outcome, assert_no_secret};
use crate::support::process::Installation;
use crate::support::stage::Stage;
use crate::support::wire::Wire;

const CLIENTS: usize = 8;

/// Signs on, refreshes, asks whose the token is, revokes now and then; begins anew whenever an answer is lost.
///
/// Gives what was revoked and acknowledged, and when.
async fn live(
    stage: Arc<Stage>,
    ledger: Arc<Ledger>,
    address: std::net::SocketAddr,
    over: Arc<AtomicBool>,
) -> Vec<(String, Duration)> {
    let mut ended = Vec::new();
    let subject = &stage.user.subject;
    let mut wire = Wire::to(address);
    while !over.load(Ordering::Relaxed) {
        if wire.connect().await.is_err() {
            clock::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let Ok(code) = stage.code_unless_lost(&mut wire).await else {
            continue;
        };
        let mut outcome = ledger
            .ask(&mut wire, Kind::Code, &code, subject, &stage.redeem(&code))
            .await;
        if let Outcome::Lost(_) = outcome {
            // whoever did not hear the answer asks again
            outcome = ledger
                .ask(&mut wire, Kind::Code, &code, subject, &stage.redeem(&code))
                .await;
        }
        for _ in 0..3 {
            let Outcome::Answered(answer) = &outcome else { break };
            if !answer.is_success() {
                break;
            }
            let token = answer.get("access_token");
            ledger
                .ask(&mut wire, Kind::Whose, &token, subject, &stage.userinfo(&token))
                .await;
            let token = answer.get("refresh_token");
            outcome = ledger
                .ask(&mut wire, Kind::Refresh, &token, subject, &stage.refresh(&token))
                .await;
            if let Outcome::Lost(_) = outcome {
                outcome = ledger
                    .ask(&mut wire, Kind::Refresh, &token, subject, &stage.refresh(&token))
                    .await;
            }
        }
        let Outcome::Answered(answer) = &outcome else { continue };
        if !answer.is_success() || random::below(3) != 0 {
            continue;
        }
        let token = answer.get("refresh_token");
        let revoked = ledger
            .ask(&mut wire, Kind::Revoke, &token, subject, &stage.revoke(&token))
            .await;
        if let Outcome::Answered(answer) = &revoked
            && answer.is_success()
        {
            ended.push((token.clone(), ledger.now()));
        }
        // whatever became of it: what was acknowledged lets nobody in again
        ledger
            .ask(&mut wire, Kind::Refresh, &token, subject, &stage.refresh(&token))
            .await;
    }
    ended
}

async fn kills(backend: Backend, rounds: usize) {
    let installation = Installation::make(backend).await;
    let mut node = installation.only_node().await;
    let stage = Arc::new(Stage::set(&installation).await);
    let ledger = Arc::new(Ledger::default());
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(live(stage.clone(), ledger.clone(), installation.front, over.clone())))
        .collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds {
        let done = ledger.len();
        let pause = Duration::from_millis(200 + u64::from(random::below(400)));
        clock::sleep(pause).await;
        crate::support::process::until(super::PATIENCE, "somebody is served", async || ledger.len() > done).await;
        let plan = node.kill();
        let begun = clock::monotonic();
        node = plan.start().await;
        slowest = slowest.max(begun.elapsed());
    }
    over.store(true, Ordering::Relaxed);
    let mut ended = Vec::new();
    for client in clients {
        ended.extend(client.await.unwrap());
    }
    assert!(slowest < READY_AGAIN, "ready again after {slowest:?}");
    // what was in flight at a kill may be lost; nothing else is anything but an answer of the protocol
    ledger.assert_allowed(&[200, 400, 503], Duration::from_secs(45));
    ledger.assert_once();
    assert!(!ended.is_empty(), "nothing was revoked");
    ledger.assert_ended(&ended, Duration::ZERO);
    ledger.assert_identity();
    ledger.assert_scope_never_grows();
    ledger.assert_verified(&node, &stage.host).await;
    ledger.assert_stored(&installation).await;
    // the stores, what they write ahead, and the logs
    let expected: &[&str] = match backend {
        Backend::Embedded => &["ostiary.db", "ostiary.db-wal", "ephemeral.db", "sessions.db"],
        Backend::PostgresRedis => &[],
    };
    assert_no_secret(installation.folder(), expected, &ledger.secrets());
    println!(
        "{backend:?}: {rounds} kills, {} operations, ready again within {slowest:?}",
        ledger.len()
    );
    drop(node);
    if backend == Backend::Embedded {
        let store = installation.store().await;
        store.close().await;
        let database = ostiary::sql::Database::open(
            installation.config.database_url.expose(),
            ostiary::sql::Durability::Full,
        )
        .await
        .unwrap();
        let verdict: String = database
            .read()
            .await
            .unwrap()
            .sql("pragma integrity_check")
            .one()
            .await
            .unwrap();
        assert_eq!(verdict, "ok");
        database.close().await;
    }
    installation.remove().await;
}

/// REL-25, REL-03: killed at any moment with a write-ahead log behind it, the embedded store opens without a hand on it, and
/// everything acknowledged is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_nothing_it_acknowledged() {
    kills(Backend::Embedded, length(3, 6, 100)).await;
}

/// REL-02, REL-03 on Postgres and Redis.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_nothing_it_acknowledged_on_postgres() {
    if !quick() {
        kills(Backend::PostgresRedis, length(0, 6, 100)).await;
    }
}
