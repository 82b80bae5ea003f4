//! Backups that are taken while people sign on and clients refresh: whatever was acknowledged before one was begun is in it, it opens by
//! itself, and nobody was made to wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ostiary::sql::{Database, Durability};

use crate::support::backend::{Backend, length};
use crate::support::cli::Terminal;
use crate::support::ledger::{Kind, Ledger, Outcome};
use crate::support::process::{Installation, PATIENCE, until};
use crate::support::stage::Stage;
use crate::support::wire::Wire;

const CLIENTS: usize = 8;

/// Signs on and refreshes, again and again.
async fn live(stage: Arc<Stage>, ledger: Arc<Ledger>, address: std::net::SocketAddr, over: Arc<AtomicBool>) {
    let mut wire = Wire::to(address);
    let subject = &stage.user.subject;
    while !over.load(Ordering::Relaxed) {
        let code = stage.code(&mut wire).await;
        let redeem = stage.redeem(&code);
        let mut outcome = ledger.ask(&mut wire, Kind::Code, &code, subject, &redeem).await;
        for _ in 0..4 {
            let Outcome::Answered(answer) = &outcome else {
                panic!("{outcome:?}")
            };
            let token = answer.get("refresh_token");
            let refresh = stage.refresh(&token);
            outcome = ledger.ask(&mut wire, Kind::Refresh, &token, subject, &refresh).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_backup_is_in_it() {
    let installation = Installation::make(Backend::Embedded).await;
    let node = installation.only_node().await;
    let stage = Arc::new(Stage::set(&installation).await);
    let (ledger, over) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(live(stage.clone(), ledger.clone(), node.address, over.clone())))
        .collect();
    let passphrase = installation.folder().join("passphrase");
    std::fs::write(&passphrase, "a sentence that nobody else says").unwrap();
    let passphrase = passphrase.to_str().unwrap();
    let mut taken = Vec::new();
    for round in 0..length(2, 4, 30) {
        let before = ledger.len();
        until(PATIENCE, "somebody is served", async || ledger.len() > before + 60).await;
        let file = installation.folder().join(format!("backup-{round}"));
        let begun = ledger.now();
        let words = [
            "backup",
            file.to_str().unwrap(),
            "--passphrase-file",
            passphrase,
            "--json",
        ];
        let told = installation.command(&words).await.json();
        assert_eq!(told["beside_server"], true);
        taken.push((file, begun, ledger.now()));
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    // nobody was turned away meanwhile
    ledger.assert_allowed(&[200], Duration::from_secs(30));
    ledger.assert_once();
    for (file, begun, done) in &taken {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Terminal::at(folder.path());
        let words = ["restore", file.to_str().unwrap(), "--passphrase-file", passphrase];
        elsewhere.run(&words).await.ok();
        let url = format!("sqlite:{}", folder.path().join("data/ostiary.db").display());
        let database = Database::open(&url, Durability::Full).await.unwrap();
        let mut store = database.read().await.unwrap();
        let verdict: String = store.sql("pragma integrity_check").one().await.unwrap();
        assert_eq!(verdict, "ok");
        let kept = ledger.assert_kept(&mut store, *begun).await;
        assert!(kept > 40, "only {kept} operations were acknowledged before");
        let grants: i64 = store.sql("select count(*) from grants").one().await.unwrap();
        let events: i64 = store
            .sql("select count(*) from events where kind = 'code.redeemed'")
            .one()
            .await
            .unwrap();
        // a change and its event, both or neither
        assert_eq!(grants, events, "grants, and events that tell of them");
        drop(store);
        database.close().await;
        println!(
            "a backup that took {:?} holds the {kept} operations that were acknowledged before it",
            *done - *begun
        );
    }
    drop(node);
    installation.remove().await;
}
