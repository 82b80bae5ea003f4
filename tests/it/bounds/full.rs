//! What happens where as much is kept for strangers as may be: nobody else is harmed who is not harmed by necessity.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::ephemeral::{Counted, Counter, Ephemeral, Kind, Owner, Spent};
use ostiary::model::Timestamp;

use crate::ephemeral::backends;
use crate::ephemeral::redis_server::NAMES;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);
/// The places of one of the 64 marks in Redis, and those of the file.
const OF_A_MARK: u32 = 2_000;
const ALTOGETHER: u32 = 128_000;
const OF_A_NETWORK: u32 = 1_000;
const SHARE: u32 = 50;
const NEWCOMERS: u32 = 50_000;

/// Owners that all have the same mark: its first six bits are nought.
fn owner(number: u32) -> Owner {
    let mut digest = [0; 32];
    digest[28..].copy_from_slice(&number.to_be_bytes());
    Owner::new(digest)
}

async fn put(store: &Ephemeral, of: u32, number: u32) -> String {
    let owner = owner(of);
    let key = owner.key(&URL_SAFE_NO_PAD.encode([of.to_be_bytes(), number.to_be_bytes()].concat()));
    // each ends a little later than the one before
    let end = NOW.after(HOUR).after(Duration::from_millis(u64::from(number)));
    let within = (&owner, OF_A_NETWORK);
    store
        .put_within(Kind::Interaction, within, &key, b"x", end, NOW)
        .await
        .unwrap();
    key
}

async fn is_there(store: &Ephemeral, key: &str) -> bool {
    store.get(Kind::Interaction, key, NOW).await.unwrap().is_some()
}

/// SEC-643: where networks have filled the places of what waits, those that have much make room, and somebody who has little keeps
/// it; what ends soonest goes where that is not enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_bounded_altogether() {
    let (backends, _folder) = backends().await;
    for (store, name) in backends.into_iter().zip(NAMES) {
        eprintln!("on {name}");
        let most = if store.database().is_some() {
            ALTOGETHER
        } else {
            OF_A_MARK
        };
        let mut number = 0;
        let quiet = put(&store, 0, number).await;
        // as many networks as fill every place, each with all that it may have
        for network in 1..=most / OF_A_NETWORK {
            for _ in 0..OF_A_NETWORK {
                number += 1;
                put(&store, network, number).await;
            }
            if network % 5 == 0 {
                settle(&store).await;
            }
        }
        settle(&store).await;
        let mut last = String::new();
        for _ in 0..SHARE {
            number += 1;
            last = put(&store, 1, number).await;
        }
        settle(&store).await;
        assert!(
            is_there(&store, &quiet).await,
            "who has one keeps it while others have a thousand"
        );
        assert!(is_there(&store, &last).await);
        let another = put(&store, u32::MAX, number + 1).await;
        settle(&store).await;
        assert!(is_there(&store, &another).await, "whoever comes then finds a place");
        if let Some(file) = store.database() {
            let count = "select count(*) from entry where kind = 'interaction'";
            let rows: i64 = file.read().await.unwrap().sql(count).one().await.unwrap();
            assert!(rows <= i64::from(ALTOGETHER), "{rows}");
            continue;
        }
        // so many networks that each has little
        let mut keys = Vec::new();
        for network in 0..OF_A_MARK + 10 {
            number += 1;
            keys.push(put(&store, 10_000 + network, number).await);
        }
        let mut there = 0;
        for key in &keys {
            there += u32::from(is_there(&store, key).await);
        }
        assert_eq!(there, OF_A_MARK, "those that end soonest made room");
        assert!(!is_there(&store, &quiet).await);
        // what was pushed out is not counted with its owner any more, and what has ended takes no place
        let later = NOW.after(2 * HOUR);
        let (fresh, key) = (owner(7), owner(7).key("later"));
        let end = later.after(HOUR);
        store
            .put_within(Kind::Interaction, (&fresh, 1), &key, b"x", end, later)
            .await
            .unwrap();
        assert!(store.get(Kind::Interaction, &key, later).await.unwrap().is_some());
    }
}

/// The file is written behind.
async fn settle(store: &Ephemeral) {
    store.close().await.unwrap();
}

/// SEC-643: a node adds no more counters for strangers than so many; those that are there go on, and people's own are not among
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_strangers_are_bounded() {
    let (backends, _folder) = backends().await;
    // the other forms of Redis are asked the same
    for (store, name) in backends.into_iter().zip(NAMES).take(2) {
        eprintln!("on {name}");
        let spend = async |key: String, now: Timestamp| {
            let counter = Counter::new(Counted::ClientAuthentication, &key);
            store.spend_of_stranger(counter, 10, HOUR / 4, now).await.unwrap()
        };
        for chunk in 0..NEWCOMERS / 500 {
            let all = (0..500).map(|number| spend(format!("{chunk} {number}"), NOW));
            futures_util::future::join_all(all).await;
        }
        assert!(
            matches!(spend("one more".to_owned(), NOW).await, Spent::Refused { .. }),
            "no place is left"
        );
        assert_eq!(
            spend("0 0".to_owned(), NOW).await,
            Spent::Allowed { remaining: 8 },
            "who is counted is counted on"
        );
        let other = Counter::new(Counted::Recovery, "a stranger");
        let other = store.spend_of_stranger(other, 10, HOUR / 4, NOW).await.unwrap();
        assert!(
            matches!(other, Spent::Allowed { .. }),
            "another thing has places of its own"
        );
        let own = Counter::new(Counted::ClientAuthentication, "somebody's own");
        assert!(matches!(
            store.spend(own, 10, HOUR / 4, NOW).await.unwrap(),
            Spent::Allowed { .. }
        ));
        let later = NOW.after(HOUR / 2);
        assert!(
            matches!(spend("one more".to_owned(), later).await, Spent::Allowed { .. }),
            "places come back"
        );
    }
}

/// SEC-643: what is given back leaves nothing behind: of a guess that was not looked at there is no counter.
#[tokio::test]
async fn what_is_given_back_leaves_no_counter() {
    let (backends, _folder) = backends().await;
    for (store, name) in backends.into_iter().zip(NAMES) {
        let counter = Counter::new(Counted::PasswordByAddress, "somewhere");
        store.spend(counter, 10, HOUR, NOW).await.unwrap();
        store.refund(counter, NOW).await.unwrap();
        store.close().await.unwrap();
        let spent = store.spent(counter, 10, HOUR, NOW).await.unwrap();
        assert_eq!(spent, Spent::Allowed { remaining: 10 }, "{name}");
        if let Some(file) = store.database() {
            let rows: i64 = file
                .read()
                .await
                .unwrap()
                .sql("select count(*) from counter")
                .one()
                .await
                .unwrap();
            assert_eq!(rows, 0, "{name}");
        }
    }
}
