//! The epoch: what was made before it was raised counts no more, where only a row that may be lost could say that it was used.

use std::time::Duration;

use ostiary::ephemeral::{Ephemeral, Kind};
use ostiary::model::Timestamp;

use super::{Ground, MINUTE, NOW, digest, each_store, write};

/// REL-20, REL-64: a new epoch voids the codes, the client assertions and the setup links of the old one, and nothing else.
#[tokio::test]
async fn a_new_epoch_voids_what_was_promised_before() {
    each_store(async |store| {
        let ground = write!(store, tx => Ground::laid(&mut tx, "ada").await);
        let epoch = store.read().await.unwrap().get_epoch().await.unwrap();
        assert_eq!(epoch, Timestamp::from_micros(1));
        write!(store, tx => {
            assert!(tx.redeem_code(&ground.grant("before", "openid"), epoch.micros()).await.unwrap());
            tx.add_setup_link(&digest("link"), NOW, NOW.after(MINUTE)).await.unwrap();
            assert!(tx.spend_proof_of_epoch("kind", &digest("before"), NOW.after(MINUTE), NOW).await.unwrap());
        });
        let raised = NOW.after(Duration::from_secs(1));
        write!(store, tx => tx.raise_epoch(raised).await.unwrap());
        let mut read = store.read().await.unwrap();
        assert_eq!(read.get_epoch().await.unwrap(), raised);
        assert_eq!(read.get_generations().await.unwrap().epoch, raised.micros());
        assert!(!read.is_setup_link_open(&digest("link"), raised).await.unwrap());
        drop(read);
        write!(store, tx => {
            assert!(!tx.redeem_code(&ground.grant("lost", "openid"), epoch.micros()).await.unwrap());
            assert!(!tx.use_setup_link(&digest("link"), raised).await.unwrap());
            assert!(!tx.spend_proof_of_epoch("kind", &digest("lost"), NOW.after(MINUTE), NOW).await.unwrap());
            // what is made from now on counts
            assert!(tx.redeem_code(&ground.grant("after", "openid"), raised.micros()).await.unwrap());
            tx.add_setup_link(&digest("new"), raised, raised.after(MINUTE)).await.unwrap();
            assert!(tx.use_setup_link(&digest("new"), raised).await.unwrap());
            assert!(tx.spend_proof_of_epoch("kind", &digest("after"), raised.after(MINUTE), raised).await.unwrap());
        });
        // raised once more with a clock that stands still, or goes back: it is another all the same
        write!(store, tx => tx.raise_epoch(NOW).await.unwrap());
        let again = store.read().await.unwrap().get_epoch().await.unwrap();
        assert_eq!(again.micros(), raised.micros() + 1);
    })
    .await;
}

/// REL-20: what is kept for a while in one epoch is not there in the next; counters of guesses go on.
#[tokio::test]
async fn entries_end_with_their_epoch_and_counters_do_not() {
    use ostiary::ephemeral::{Counted, Counter, Spent};
    let folder = tempfile::tempdir().unwrap();
    let ephemeral = Ephemeral::embedded(&folder.path().join("ephemeral.db")).await.unwrap();
    let counter = Counter::new(Counted::PasswordByUser, "ada");
    ephemeral.begin_epoch(1);
    ephemeral
        .put(Kind::Interaction, "request", b"pending", NOW.after(MINUTE), NOW)
        .await
        .unwrap();
    let spent = ephemeral.spend(counter, 1, MINUTE, NOW).await.unwrap();
    assert_eq!(spent, Spent::Allowed { remaining: 0 });
    ephemeral.begin_epoch(NOW.micros());
    assert_eq!(ephemeral.get(Kind::Interaction, "request", NOW).await.unwrap(), None);
    let spent = ephemeral.spend(counter, 1, MINUTE, NOW).await.unwrap();
    assert!(matches!(spent, Spent::Refused { .. }));
    // a node that hears of an older epoch late does not go back
    ephemeral.begin_epoch(1);
    assert_eq!(ephemeral.epoch(), NOW.micros());
}
