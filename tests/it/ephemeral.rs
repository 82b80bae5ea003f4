//! Short-lived state: the same facts hold on the embedded file and on Redis in each of its forms.

mod budget_model;
pub mod redis_server;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ostiary::ephemeral::{Counted, Counter, Ephemeral, Error, Kind, Owner, RedisConnection, Spent};
use ostiary::model::Timestamp;
use ostiary::sql::{Database, Durability};
use redis_server::Server;
use tokio::time::timeout;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// Every backend that this run has, with what keeps its files.
pub(crate) async fn backends() -> (Vec<Ephemeral>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let embedded = Ephemeral::embedded(&directory.path().join("ephemeral.db"))
        .await
        .unwrap();
    let redis = redis_server::provided().await;
    let redis = redis.into_iter().map(Ephemeral::redis);
    (std::iter::once(embedded).chain(redis).collect(), directory)
}

/// Runs a contract on every backend of the file that says so.
macro_rules! on_every_backend {
    ($($(#[$doc:meta])* $name:ident: $contract:path;)*) => {$(
        $(#[$doc])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (backends, _directory) = backends().await;
            for (backend, name) in backends.into_iter().zip($crate::ephemeral::redis_server::NAMES) {
                eprintln!("on {name}");
                $contract(&backend).await;
            }
        }
    )*};
}
pub(crate) use on_every_backend;

on_every_backend! {
    a_value_is_there_until_its_end_by_the_callers_clock: lives_until_its_end;
    take_has_one_winner_of_sixty_four: one_winner;
    put_new_respects_what_lives_and_replaces_what_has_ended: put_new;
    /// SEC-070: a key of one kind is another key under every other kind, and counters are apart from entries.
    single_use_namespace_isolation: kinds_are_apart;
    extend_moves_the_end_of_the_living_only: extend;
    /// SEC-184: whatever a key holds, it is one key and no command.
    keys_are_not_read_as_anything_else: hostile_keys;
    a_budget_admits_exactly_itself_to_a_hundred_at_once: exact_budget;
    a_budget_comes_back_evenly_and_is_whole_after_its_period: budget_comes_back;
    a_budget_can_be_looked_at_refunded_and_cleared: look_refund_clear;
    counters_of_another_kind_or_key_are_apart: counters_are_apart;
    an_empty_budget_refuses: empty_budget;
    ends_far_away_are_kept: far_ends;
    /// SEC-066
    entries_of_one_owner_are_capped_and_the_oldest_makes_room: owned;
    a_thousand_entries_at_once_leave_at_most_the_cap: owned_at_once;
}

async fn lives_until_its_end(store: &Ephemeral) {
    let end = NOW.after(MINUTE);
    store.put(Kind::Interaction, "a", b"one\0\xff", end, NOW).await.unwrap();
    assert_eq!(
        store.get(Kind::Interaction, "a", NOW).await.unwrap().unwrap(),
        b"one\0\xff"
    );
    let last = end.before(Duration::from_micros(1));
    assert_eq!(
        store.get(Kind::Interaction, "a", last).await.unwrap().unwrap(),
        b"one\0\xff"
    );
    assert_eq!(store.get(Kind::Interaction, "a", end).await.unwrap(), None);
    assert_eq!(store.take(Kind::Interaction, "a", end).await.unwrap(), None);
    store.put(Kind::Interaction, "a", b"", end, NOW).await.unwrap();
    store.put(Kind::Interaction, "a", b"two", end, NOW).await.unwrap();
    assert_eq!(store.get(Kind::Interaction, "a", NOW).await.unwrap().unwrap(), b"two");
    store.forget(Kind::Interaction, "a").await.unwrap();
    store.forget(Kind::Interaction, "a").await.unwrap();
    assert_eq!(store.get(Kind::Interaction, "a", NOW).await.unwrap(), None);
    store.ping().await.unwrap();
}

async fn one_winner(store: &Ephemeral) {
    store
        .put(Kind::CodePayload, "code", b"payload", NOW.after(MINUTE), NOW)
        .await
        .unwrap();
    let takers: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.take(Kind::CodePayload, "code", NOW).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for taker in takers {
        won += usize::from(taker.await.unwrap().is_some_and(|value| value == b"payload"));
    }
    assert_eq!(won, 1);
}

async fn put_new(store: &Ephemeral) {
    let end = NOW.after(MINUTE);
    assert!(store.put_new(Kind::Proof, "jti", b"1", end, NOW).await.unwrap());
    assert!(!store.put_new(Kind::Proof, "jti", b"2", end, NOW).await.unwrap());
    assert_eq!(store.get(Kind::Proof, "jti", NOW).await.unwrap().unwrap(), b"1");
    assert!(
        store
            .put_new(Kind::Proof, "jti", b"3", end.after(MINUTE), end)
            .await
            .unwrap()
    );
    assert_eq!(store.get(Kind::Proof, "jti", end).await.unwrap().unwrap(), b"3");
    let together: Vec<_> = (0..32)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.put_new(Kind::Proof, "other", b"", end, NOW).await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for put in together {
        first += u32::from(put.await.unwrap());
    }
    assert_eq!(first, 1);
}

async fn kinds_are_apart(store: &Ephemeral) {
    let end = NOW.after(MINUTE);
    for kind in Kind::ALL {
        store
            .put(kind, "same", format!("{kind:?}").as_bytes(), end, NOW)
            .await
            .unwrap();
    }
    store
        .spend(Counter::new(Counted::Request, "same"), 5, MINUTE, NOW)
        .await
        .unwrap();
    store.clear(Counter::new(Counted::Request, "same")).await.unwrap();
    for kind in Kind::ALL {
        assert_eq!(
            store.take(kind, "same", NOW).await.unwrap().unwrap(),
            format!("{kind:?}").as_bytes()
        );
        assert_eq!(store.take(kind, "same", NOW).await.unwrap(), None);
    }
}

async fn extend(store: &Ephemeral) {
    let end = NOW.after(MINUTE);
    store.put(Kind::Form, "form", b"half", end, NOW).await.unwrap();
    assert!(store.extend(Kind::Form, "form", end.after(MINUTE), NOW).await.unwrap());
    assert_eq!(store.get(Kind::Form, "form", end).await.unwrap().unwrap(), b"half");
    assert!(
        !store
            .extend(Kind::Form, "form", end.after(MINUTE * 9), end.after(MINUTE))
            .await
            .unwrap()
    );
    assert!(!store.extend(Kind::Form, "none", end, NOW).await.unwrap());
    assert_eq!(store.get(Kind::Form, "none", NOW).await.unwrap(), None);
}

async fn hostile_keys(store: &Ephemeral) {
    let keys = [
        "",
        "a b",
        "a\r\nFLUSHALL\r\n",
        "{x}",
        "*",
        "'; drop table entry; --",
        "\0",
        "form:a",
        "é",
    ];
    for key in keys {
        store
            .put(Kind::Form, key, key.as_bytes(), NOW.after(MINUTE), NOW)
            .await
            .unwrap();
    }
    let mut seen = HashSet::new();
    for key in keys {
        seen.insert(store.take(Kind::Form, key, NOW).await.unwrap().unwrap());
    }
    assert_eq!(seen.len(), keys.len());
}

/// How long after `now` what is spent then is back: a period after the end of its sixteenth.
fn back_after(now: Timestamp, period: Duration) -> Duration {
    let (part, period) = (period.as_micros() as i64 / 16, period.as_micros() as i64);
    let end = (now.micros() / part + 1) * part;
    Duration::from_micros(u64::try_from(end + period - now.micros()).unwrap())
}

async fn exact_budget(store: &Ephemeral) {
    let spenders: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            let counter = Counter::new(Counted::PasswordByUser, "crowd");
            tokio::spawn(async move { store.spend(counter, 10, MINUTE, NOW).await.unwrap() })
        })
        .collect();
    let (mut left, mut refused) = (Vec::new(), 0);
    for spender in spenders {
        match spender.await.unwrap() {
            Spent::Allowed { remaining } => left.push(remaining),
            Spent::Refused { retry_after } => {
                assert_eq!(retry_after, back_after(NOW, MINUTE));
                refused += 1;
            }
        }
    }
    left.sort_unstable();
    assert_eq!(left, (0..10).collect::<Vec<_>>());
    assert_eq!(refused, 90);
}

async fn budget_comes_back(store: &Ephemeral) {
    let counter = Counter::new(Counted::Mail, "back");
    let spend = async |now| store.spend(counter, 3, MINUTE, now).await.unwrap();
    // two at first, one half a minute later: they come back as they were spent
    assert_eq!(spend(NOW).await, Spent::Allowed { remaining: 2 });
    assert_eq!(spend(NOW).await, Spent::Allowed { remaining: 1 });
    let half = NOW.after(MINUTE / 2);
    assert_eq!(spend(half).await, Spent::Allowed { remaining: 0 });
    let retry_after = back_after(NOW, MINUTE);
    assert!(retry_after > MINUTE && retry_after <= MINUTE + MINUTE / 16);
    assert_eq!(spend(NOW).await, Spent::Refused { retry_after });
    let first_back = NOW.after(retry_after);
    assert_eq!(
        spend(first_back.before(Duration::from_micros(1))).await,
        Spent::Refused {
            retry_after: Duration::from_micros(1)
        }
    );
    for remaining in [1, 0] {
        assert_eq!(spend(first_back).await, Spent::Allowed { remaining });
    }
    let last_back = half.after(back_after(half, MINUTE));
    assert_eq!(
        spend(first_back).await,
        Spent::Refused {
            retry_after: last_back.since(first_back)
        }
    );
    assert_eq!(spend(last_back).await, Spent::Allowed { remaining: 0 });
    // a smaller budget waits until enough is back, a larger one has some left at once
    let fewer = store.spent(counter, 2, MINUTE, last_back).await.unwrap();
    let waits = first_back.after(back_after(first_back, MINUTE)).since(last_back);
    assert_eq!(fewer, Spent::Refused { retry_after: waits });
    let more = store.spent(counter, 5, MINUTE, last_back).await.unwrap();
    assert_eq!(more, Spent::Allowed { remaining: 2 });
}

async fn look_refund_clear(store: &Ephemeral) {
    let counter = Counter::new(Counted::SecondFactor, "look");
    let look = async || store.spent(counter, 2, MINUTE, NOW).await.unwrap();
    let spend = async || store.spend(counter, 2, MINUTE, NOW).await.unwrap();
    store.refund(counter, NOW).await.unwrap();
    assert_eq!(look().await, Spent::Allowed { remaining: 2 });
    spend().await;
    assert_eq!(look().await, Spent::Allowed { remaining: 1 });
    assert_eq!(look().await, Spent::Allowed { remaining: 1 });
    spend().await;
    assert_eq!(
        look().await,
        Spent::Refused {
            retry_after: back_after(NOW, MINUTE)
        }
    );
    store.refund(counter, NOW).await.unwrap();
    assert_eq!(look().await, Spent::Allowed { remaining: 1 });
    store.refund(counter, NOW).await.unwrap();
    store.refund(counter, NOW).await.unwrap();
    assert_eq!(look().await, Spent::Allowed { remaining: 2 });
    spend().await;
    spend().await;
    assert_eq!(
        spend().await,
        Spent::Refused {
            retry_after: back_after(NOW, MINUTE)
        }
    );
    store.clear(counter).await.unwrap();
    assert_eq!(spend().await, Spent::Allowed { remaining: 1 });
}

async fn counters_are_apart(store: &Ephemeral) {
    let spend = async |counted, key| store.spend(Counter::new(counted, key), 1, MINUTE, NOW).await.unwrap();
    let allowed = Spent::Allowed { remaining: 0 };
    assert_eq!(spend(Counted::UserCode, "x").await, allowed);
    assert_eq!(spend(Counted::UserCode, "y").await, allowed);
    assert_eq!(spend(Counted::DevicePoll, "x").await, allowed);
    assert_eq!(
        spend(Counted::UserCode, "x").await,
        Spent::Refused {
            retry_after: back_after(NOW, MINUTE)
        }
    );
}

async fn empty_budget(store: &Ephemeral) {
    let counter = Counter::new(Counted::Registration, "none");
    assert_eq!(
        store.spend(counter, 0, MINUTE, NOW).await.unwrap(),
        Spent::Refused { retry_after: MINUTE }
    );
    assert_eq!(
        store.spent(counter, 0, MINUTE, NOW).await.unwrap(),
        Spent::Refused { retry_after: MINUTE }
    );
}

async fn far_ends(store: &Ephemeral) {
    let far = Timestamp::from_micros(i64::MAX);
    store.put(Kind::JwksCache, "far", b"keys", far, NOW).await.unwrap();
    assert!(store.extend(Kind::JwksCache, "far", far, NOW).await.unwrap());
    assert!(!store.put_new(Kind::JwksCache, "far", b"other", far, NOW).await.unwrap());
    assert_eq!(store.take(Kind::JwksCache, "far", NOW).await.unwrap().unwrap(), b"keys");
    let counter = Counter::new(Counted::Request, "far");
    let spent = store.spend(counter, 1, Duration::MAX, NOW).await.unwrap();
    assert_eq!(spent, Spent::Allowed { remaining: 0 });
    let again = store.spend(counter, 1, Duration::MAX, NOW.after(MINUTE)).await.unwrap();
    assert!(matches!(again, Spent::Refused { retry_after } if retry_after > MINUTE));
}

/// The keys of an owner's entries that live at `now`, of those that were put.
async fn living(store: &Ephemeral, keys: &[String], now: Timestamp) -> Vec<usize> {
    // the embedded file pushes out what is too much when it is written, which is a tenth of a second later
    store.close().await.unwrap();
    let mut living = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        if store.get(Kind::Interaction, key, now).await.unwrap().is_some() {
            living.push(place);
        }
    }
    living
}

async fn owned(store: &Ephemeral) {
    let owner = Owner::new([7; 32]);
    let other = Owner::new([8; 32]);
    let keys: Vec<String> = (0..7).map(|number| owner.key(&format!("entry {number}"))).collect();
    let at = |number: u64| NOW.after(MINUTE + Duration::from_secs(number));
    let put = async |owner: &Owner, key: &str, end, now| {
        store
            .put_within(Kind::Interaction, (owner, 3), key, b"value", end, now)
            .await
            .unwrap();
    };
    put(&other, &other.key("entry"), at(0), NOW).await;
    for (key, number) in keys.iter().zip(0..5) {
        put(&owner, key, at(number), NOW).await;
    }
    assert_eq!(living(store, &keys, NOW).await, [2, 3, 4]);
    // one that is put again does not compete with itself, and is the youngest then
    put(&owner, &keys[2], at(5), NOW).await;
    assert_eq!(living(store, &keys, NOW).await, [2, 3, 4]);
    put(&owner, &keys[5], at(6), NOW).await;
    assert_eq!(living(store, &keys, NOW).await, [2, 4, 5]);
    // what was just put stays although it ends first, and what has ended does not count
    put(&owner, &keys[0], at(0), NOW).await;
    assert_eq!(living(store, &keys, NOW).await, [0, 2, 5]);
    put(&owner, &keys[6], at(9), at(0)).await;
    assert_eq!(living(store, &keys, at(0)).await, [2, 5, 6]);
    let rest = store.take(Kind::Interaction, &keys[5], at(0)).await.unwrap();
    assert_eq!(rest.unwrap(), b"value");
    // a smaller cap holds from the next entry on
    store
        .put_within(Kind::Interaction, (&owner, 1), &keys[1], b"", at(9), at(0))
        .await
        .unwrap();
    assert_eq!(living(store, &keys, at(0)).await, [1]);
    // the same key of another kind and another owner's entries are none of its business
    store
        .put_within(Kind::CodePayload, (&owner, 1), &keys[1], b"", at(9), at(0))
        .await
        .unwrap();
    assert_eq!(living(store, &keys, at(0)).await, [1]);
    let spared = store.get(Kind::Interaction, &other.key("entry"), NOW).await.unwrap();
    assert_eq!(spared.unwrap(), b"value");
}

async fn owned_at_once(store: &Ephemeral) {
    let owner = Owner::new([9; 32]);
    let keys: Vec<String> = (0..1000)
        .map(|number| owner.key(&format!("at once {number}")))
        .collect();
    let putting: Vec<_> = keys
        .iter()
        .cloned()
        .zip(0..)
        .map(|(key, number)| {
            let store = store.clone();
            tokio::spawn(async move {
                let end = NOW.after(MINUTE + Duration::from_millis(number));
                store
                    .put_within(Kind::Interaction, (&owner, 20), &key, b"value", end, NOW)
                    .await
                    .unwrap();
            })
        })
        .collect();
    for put in putting {
        put.await.unwrap();
    }
    assert_eq!(living(store, &keys, NOW).await.len(), 20);
}

#[tokio::test]
async fn the_embedded_file_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ephemeral.db");
    let counter = Counter::new(Counted::PasswordByAddress, "address");
    let before = Ephemeral::embedded(&path).await.unwrap();
    before
        .put(Kind::Interaction, "kept", b"value", NOW.after(MINUTE), NOW)
        .await
        .unwrap();
    before.spend(counter, 1, MINUTE, NOW).await.unwrap();
    before.close().await.unwrap();
    drop(before);
    let after = Ephemeral::embedded(&path).await.unwrap();
    assert_eq!(
        after.take(Kind::Interaction, "kept", NOW).await.unwrap().unwrap(),
        b"value"
    );
    assert!(matches!(
        after.spent(counter, 1, MINUTE, NOW).await.unwrap(),
        Spent::Refused { .. }
    ));
}

#[tokio::test]
async fn sweeping_removes_what_has_ended_in_bounded_batches() {
    let directory = tempfile::tempdir().unwrap();
    let store = Ephemeral::embedded(&directory.path().join("ephemeral.db"))
        .await
        .unwrap();
    for number in 0..5 {
        store
            .put(Kind::Form, &format!("old{number}"), b"", NOW, NOW)
            .await
            .unwrap();
    }
    store.put(Kind::Form, "new", b"", NOW.after(MINUTE), NOW).await.unwrap();
    store
        .spend(Counter::new(Counted::Mail, "old"), 1, MINUTE, NOW.before(MINUTE * 2))
        .await
        .unwrap();
    store
        .spend(Counter::new(Counted::Mail, "new"), 1, MINUTE, NOW)
        .await
        .unwrap();
    assert_eq!(store.sweep(NOW, 3).await.unwrap(), 4);
    assert_eq!(store.sweep(NOW, 3).await.unwrap(), 2);
    assert_eq!(store.sweep(NOW, 3).await.unwrap(), 0);
    assert!(store.get(Kind::Form, "new", NOW).await.unwrap().is_some());
    let kept = store
        .spent(Counter::new(Counted::Mail, "new"), 1, MINUTE, NOW)
        .await
        .unwrap();
    let retry_after = back_after(NOW, MINUTE);
    assert_eq!(kept, Spent::Refused { retry_after });
}

#[tokio::test]
async fn redis_keys_go_away_by_themselves() {
    if redis_server::quick() {
        return;
    }
    let server = Server::start(&[]).await;
    let store = Ephemeral::redis(open(&format!("redis://127.0.0.1:{}", server.port)));
    store
        .put(Kind::Form, "secret-looking", b"value", NOW.after(MINUTE), NOW)
        .await
        .unwrap();
    store
        .put_new(Kind::Proof, "b", b"value", NOW.after(MINUTE), NOW)
        .await
        .unwrap();
    store
        .extend(Kind::Proof, "b", NOW.after(MINUTE * 2), NOW)
        .await
        .unwrap();
    store
        .spend(Counter::new(Counted::Mail, "c"), 2, MINUTE, NOW)
        .await
        .unwrap();
    // of what is given back altogether nothing is left
    let given_back = Counter::new(Counted::Mail, "given back");
    store.spend(given_back, 2, MINUTE, NOW).await.unwrap();
    store.refund(given_back, NOW).await.unwrap();
    let owner = Owner::new([1; 32]);
    store
        .put_within(
            Kind::Logout,
            (&owner, 5),
            &owner.key("secret-too"),
            b"value",
            NOW.after(MINUTE),
            NOW,
        )
        .await
        .unwrap();
    let keys = server.ask("keys *");
    // the one of an owner, and the list of that owner's
    assert_eq!(keys.lines().count(), 5);
    for key in keys.lines() {
        assert!(key.starts_with("ostiary:"), "{key}");
        assert!(!key.contains("secret"), "{key}");
        let seconds: i64 = server.ask(&format!("ttl {key}")).trim().parse().unwrap();
        assert!((1..=180).contains(&seconds), "{key} {seconds}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_redis_is_unavailable_within_a_second_and_comes_back() {
    if redis_server::quick() {
        return;
    }
    let server = Server::start(&[]).await;
    let store = Ephemeral::redis(open(&format!("redis://127.0.0.1:{}", server.port)));
    store.put(Kind::Form, "a", b"1", NOW.after(MINUTE), NOW).await.unwrap();
    server.signal("STOP");
    let within = async |limit| {
        let answer = tokio::time::timeout(limit, store.get(Kind::Form, "a", NOW)).await;
        assert!(matches!(answer, Ok(Err(Error::Unavailable))), "{answer:?}");
    };
    for _ in 0..3 {
        within(Duration::from_secs(1)).await;
    }
    // after three failures nobody waits at all
    within(Duration::from_millis(50)).await;
    server.signal("CONT");
    wait_until_it_answers(&store).await;
    assert_eq!(store.get(Kind::Form, "a", NOW).await.unwrap().unwrap(), b"1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_redis_is_found_again_without_a_failed_read() {
    if redis_server::quick() {
        return;
    }
    let mut server = Server::start(&[]).await;
    let store = Ephemeral::redis(open(&format!("redis://127.0.0.1:{}", server.port)));
    store.put(Kind::Form, "a", b"1", NOW.after(MINUTE), NOW).await.unwrap();
    server.restart().await;
    assert_eq!(store.get(Kind::Form, "a", NOW).await.unwrap(), None);
    assert!(
        store
            .put_new(Kind::Form, "a", b"2", NOW.after(MINUTE), NOW)
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_yet_does_not_prevent_the_start() {
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let store = Ephemeral::redis(open(&format!("redis://{closed}")));
    let answer = store.ping().await;
    assert!(matches!(answer, Err(Error::Unavailable)), "{answer:?}");
}

#[tokio::test]
async fn an_address_that_can_not_be_used_is_named_without_its_password() {
    let wrong = [
        "",
        "hunter2",
        "http://hunter2@host",
        "redis://user:hunter2@host:port",
        "redis+sentinel://user:hunter2@host:26379",
        "redis+sentinel://user:hunter2@host:26379/",
        "redis+sentinel://user:hunter2@host:26379/main?other=1",
        "redis+cluster://user:hunter2@host:6379/3",
    ];
    for url in wrong {
        let error = RedisConnection::open(url, "ostiary:").map(|_| ()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
    }
    for prefix in ["{a}", "a b", "a\n"] {
        assert!(RedisConnection::open("redis://localhost", prefix).is_err(), "{prefix}");
    }
    for url in [
        "redis://localhost",
        "rediss://user:word@host:6380/2",
        "redis+sentinel://a:26379,b:26379/main",
        "rediss+sentinel://:word@a:26379,[::1]:26379/main/2?sentinel_password=other",
        "redis+cluster://user:word@a:6379,b:6379",
        "rediss+cluster://a:6379/",
    ] {
        RedisConnection::open(url, "ostiary:").map(|_| ()).unwrap();
    }
}

fn open(url: &str) -> RedisConnection {
    RedisConnection::open(url, "ostiary:").unwrap()
}

async fn wait_until_it_answers(store: &Ephemeral) {
    while store.ping().await.is_err() {
        redis_server::pause().await;
    }
}

/// Where the embedded file takes nothing, what waits to be written is bounded, and whoever finds no room is told so in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_takes_nothing_keeps_nobody_waiting() {
    const MOST: usize = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ephemeral.db");
    let store = Ephemeral::embedded(&path).await.unwrap();
    let other = Database::open(&format!("sqlite:{}", path.display()), Durability::Light)
        .await
        .unwrap();
    let mut holding = other.write().await.unwrap();
    holding.sql("delete from counter").changed().await.unwrap();
    let end = NOW.after(MINUTE);
    let put = async |number: usize| {
        let key = number.to_string();
        let putting = store.put(Kind::Interaction, &key, b"one", end, NOW);
        timeout(Duration::from_secs(10), putting)
            .await
            .expect("an answer in time")
    };
    for number in 0..MOST {
        put(number).await.unwrap();
    }
    put(MOST).await.unwrap_err();
    let taking = store.take(Kind::Interaction, "unknown", NOW);
    let taken = timeout(Duration::from_secs(10), taking)
        .await
        .expect("an answer in time");
    taken.unwrap_err();
    // what stands there already may go on changing
    put(0).await.unwrap();
    assert!(store.take(Kind::Interaction, "1", NOW).await.unwrap().is_some());
    holding.abandon().await.unwrap();
    let began = Instant::now();
    while put(MOST).await.is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the file takes everything again"
        );
    }
}
