//! Sessions: the same facts hold on the embedded file, and on Redis in each of its forms.

mod forms_of_redis;
mod room;

use std::collections::HashSet;
use std::time::Duration;

use ostiary::model::{Digest, Id, Session, Timestamp, User};
use ostiary::sessions::{Admission, AtLimit, Error, Limit, MadeRoom, Sessions};

use crate::ephemeral::on_every_backend;
use crate::ephemeral::redis_server::{self, Server};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const ANY_NUMBER: Limit = Limit {
    max: None,
    at_limit: AtLimit::Refuse,
};

/// Every backend that this run has, with what keeps its files.
async fn backends() -> (Vec<Sessions>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let embedded = Sessions::embedded(&directory.path().join("sessions.db")).await.unwrap();
    let redis = redis_server::provided().await;
    let redis = redis.into_iter().map(Sessions::redis);
    (std::iter::once(embedded).chain(redis).collect(), directory)
}

on_every_backend! {
    an_admitted_session_is_found_as_it_was_given: found_as_given;
    /// SEC-172, the store's part.
    session_timeouts_hold_by_the_callers_clock: timeouts;
    /// SEC-177
    session_limit_race: limit_race;
    the_session_too_many_ends_the_one_its_mode_names: modes;
    sessions_that_have_ended_take_no_place: ended_take_no_place;
    a_limit_that_was_lowered_ends_as_many_as_it_takes: lowered_limit;
    who_was_let_go_comes_back_as_they_were: let_go_comes_back;
    nobody_is_admitted_to_no_place: no_place;
    an_admission_sent_twice_is_one_session: admitted_twice;
    /// SEC-171, the store's part.
    session_rotated_on_auth_leaves_nothing_of_the_old_token: rotation;
    /// SEC-742, the store's part: of concurrent rotations one wins, and an ended session stays ended.
    model_session_has_one_winning_rotation: rotation_race;
    data_is_replaced_while_the_session_lives: data_replaced;
    sessions_are_ended_by_id_and_all_at_once: ending;
    a_token_finds_nothing_under_another_user: another_user;
    limitless_times_are_kept: far_times;
    a_lost_session_is_put_back_where_there_is_room: put_back;
    the_sessions_of_an_embedded_file_are_taken_over_once: taken_over;
}

fn user() -> Id<User> {
    Id::new(NOW)
}

fn session(user: Id<User>, started: Timestamp) -> Session {
    Session {
        id: Id::new(started),
        user,
        started,
        seen: started,
        expires: started.after(HOUR),
        idle_timeout: MINUTE * 10,
        data: b"{\"acr\":\"1\"}".to_vec(),
    }
}

fn token(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn at_most(max: u32, at_limit: AtLimit) -> Limit {
    Limit {
        max: Some(max),
        at_limit,
    }
}

/// Who made room: sessions and families. What else is told of a session is as it was held.
#[derive(Debug)]
struct Going {
    sessions: Vec<Id<Session>>,
    families: Vec<Digest>,
}

impl From<&MadeRoom> for Going {
    fn from(made_room: &MadeRoom) -> Self {
        Self {
            sessions: made_room.sessions.iter().map(|let_go| let_go.session.id).collect(),
            families: made_room.families.clone(),
        }
    }
}

impl PartialEq<Going> for Admission {
    fn eq(&self, going: &Going) -> bool {
        let Self::Admitted(made_room) = self else { return false };
        let made = Going::from(made_room);
        (made.sessions, made.families) == (going.sessions.clone(), going.families.clone())
    }
}

/// Admitted, and these sessions ended for it.
fn admitted(sessions: Vec<Id<Session>>) -> Going {
    let families = Vec::new();
    Going { sessions, families }
}

async fn admit(store: &Sessions, name: &str, session: &Session) {
    let admission = store
        .admit(&token(name), session, ANY_NUMBER, session.started)
        .await
        .unwrap();
    assert_eq!(admission, admitted(Vec::new()));
}

async fn found_as_given(store: &Sessions) {
    let user = user();
    let mut given = session(user, NOW);
    given.data = (0..=255).collect();
    admit(store, "a", &given).await;
    assert_eq!(store.get(user, &token("a"), NOW).await.unwrap().unwrap(), given);
    let later = session(user, NOW.after(MINUTE));
    admit(store, "b", &later).await;
    assert_eq!(store.list(user, NOW.after(MINUTE)).await.unwrap(), [given, later]);
    assert_eq!(store.get(user, &token("c"), NOW).await.unwrap(), None);
    store.ping().await.unwrap();
}

async fn timeouts(store: &Sessions) {
    let user = user();
    let given = session(user, NOW);
    let instant = Duration::from_micros(1);
    admit(store, "a", &given).await;
    let idle_end = NOW.after(given.idle_timeout);
    assert!(
        store
            .get(user, &token("a"), idle_end.before(instant))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.get(user, &token("a"), idle_end).await.unwrap(), None);
    assert!(store.list(user, idle_end).await.unwrap().is_empty());
    assert!(!store.touch(user, &token("a"), idle_end).await.unwrap());
    // touched again and again it lives to its absolute end
    let mut now = NOW;
    while now.after(MINUTE * 9) < given.expires {
        now = now.after(MINUTE * 9);
        assert!(store.touch(user, &token("a"), now).await.unwrap());
        assert_eq!(store.get(user, &token("a"), now).await.unwrap().unwrap().seen, now);
    }
    assert!(
        store
            .get(user, &token("a"), given.expires.before(instant))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.get(user, &token("a"), given.expires).await.unwrap(), None);
    assert!(!store.touch(user, &token("a"), given.expires).await.unwrap());
    // a slower clock does not take back what a faster one has noted
    let other = session(user, NOW);
    admit(store, "b", &other).await;
    assert!(store.touch(user, &token("b"), NOW.after(MINUTE * 5)).await.unwrap());
    assert!(store.touch(user, &token("b"), NOW.after(MINUTE)).await.unwrap());
    let seen = store.get(user, &token("b"), NOW).await.unwrap().unwrap().seen;
    assert_eq!(seen, NOW.after(MINUTE * 5));
}

async fn limit_race(store: &Sessions) {
    for at_limit in [AtLimit::Refuse, AtLimit::EndOldest, AtLimit::EndLeastRecent] {
        let user = user();
        let admissions: Vec<_> = (0..200)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let session = session(user, NOW);
                    let token = token(&format!("race{number}"));
                    let admission = store.admit(&token, &session, at_most(3, at_limit), NOW).await.unwrap();
                    let live = store.list(user, NOW).await.unwrap().len();
                    assert!(live <= 3, "{live} with {at_limit:?}");
                    (session.id, admission)
                })
            })
            .collect();
        let (mut admitted, mut ended) = (HashSet::new(), Vec::new());
        for admission in admissions {
            match admission.await.unwrap() {
                (id, Admission::Admitted(made_room)) => {
                    admitted.insert(id);
                    ended.extend(Going::from(&made_room).sessions);
                }
                (_, Admission::Refused { live }) => assert_eq!((live, at_limit), (3, AtLimit::Refuse)),
            }
        }
        let expected = if at_limit == AtLimit::Refuse { 3 } else { 200 };
        assert_eq!(admitted.len(), expected);
        for id in &ended {
            assert!(admitted.remove(id), "ended twice, or never admitted");
        }
        let live: HashSet<_> = store
            .list(user, NOW)
            .await
            .unwrap()
            .iter()
            .map(|session| session.id)
            .collect();
        assert_eq!(live, admitted);
        assert_eq!(live.len(), 3);
    }
}

async fn modes(store: &Sessions) {
    let at = |minutes: u32| NOW.after(MINUTE * minutes);
    for (at_limit, expected) in [
        (AtLimit::Refuse, None),
        (AtLimit::EndOldest, Some("first")),
        (AtLimit::EndLeastRecent, Some("second")),
    ] {
        let user = user();
        let first = session(user, at(0));
        let second = session(user, at(1));
        admit(store, "first", &first).await;
        admit(store, "second", &second).await;
        assert!(store.touch(user, &token("first"), at(2)).await.unwrap());
        let third = session(user, at(3));
        let admission = store
            .admit(&token("third"), &third, at_most(2, at_limit), at(3))
            .await
            .unwrap();
        let gone = match expected {
            None => {
                assert_eq!(admission, Admission::Refused { live: 2 });
                "third"
            }
            Some(name) => {
                let id = if name == "first" { first.id } else { second.id };
                assert_eq!(admission, admitted(vec![id]));
                name
            }
        };
        for name in ["first", "second", "third"] {
            let found = store.get(user, &token(name), at(3)).await.unwrap();
            assert_eq!(found.is_none(), name == gone, "{name} {at_limit:?}");
        }
    }
}

async fn ended_take_no_place(store: &Sessions) {
    let user = user();
    admit(store, "idle", &session(user, NOW)).await;
    let later = NOW.after(MINUTE * 10);
    let next = session(user, later);
    let refusing = at_most(1, AtLimit::Refuse);
    let admission = store.admit(&token("next"), &next, refusing, later).await.unwrap();
    assert_eq!(admission, admitted(Vec::new()));
    let other = session(user, later);
    let admission = store.admit(&token("other"), &other, refusing, later).await.unwrap();
    assert_eq!(admission, Admission::Refused { live: 1 });
    assert!(store.end(user, next.id).await.unwrap());
    let admission = store.admit(&token("other"), &other, refusing, later).await.unwrap();
    assert_eq!(admission, admitted(Vec::new()));
}

async fn let_go_comes_back(store: &Sessions) {
    let user = user();
    let (old, new) = (session(user, NOW), session(user, NOW.after(MINUTE)));
    admit(store, "old", &old).await;
    assert!(store.touch(user, &token("old"), NOW.after(MINUTE)).await.unwrap());
    let held = store.list(user, NOW.after(MINUTE)).await.unwrap();
    let one = at_most(1, AtLimit::EndOldest);
    let now = NOW.after(MINUTE * 2);
    let admission = store.admit(&token("new"), &new, one, now).await.unwrap();
    let Admission::Admitted(made_room) = admission else {
        panic!("refused");
    };
    let [let_go] = made_room.sessions.as_slice() else {
        panic!("{made_room:?}");
    };
    assert_eq!((let_go.token, &let_go.session), (token("old"), &held[0]));
    assert!(
        !store.put_back(&let_go.token, &let_go.session, one, now).await.unwrap(),
        "taken"
    );
    assert!(store.end(user, new.id).await.unwrap());
    assert!(store.put_back(&let_go.token, &let_go.session, one, now).await.unwrap());
    assert_eq!(store.list(user, now).await.unwrap(), held);
}

async fn lowered_limit(store: &Sessions) {
    let user = user();
    let mut all = Vec::new();
    for number in 0..5 {
        let session = session(user, NOW.after(Duration::from_secs(number)));
        admit(store, &format!("s{number}"), &session).await;
        all.push(session.id);
    }
    let now = NOW.after(MINUTE);
    let last = session(user, now);
    let admission = store
        .admit(&token("last"), &last, at_most(2, AtLimit::EndOldest), now)
        .await
        .unwrap();
    let Admission::Admitted(made_room) = admission else {
        panic!("refused");
    };
    let mut ended = Going::from(&made_room).sessions;
    ended.sort();
    all.truncate(4);
    all.sort();
    assert_eq!(ended, all);
    assert_eq!(store.list(user, now).await.unwrap().len(), 2);
}

async fn no_place(store: &Sessions) {
    for at_limit in [AtLimit::Refuse, AtLimit::EndOldest, AtLimit::EndLeastRecent] {
        let user = user();
        let admission = store
            .admit(&token("a"), &session(user, NOW), at_most(0, at_limit), NOW)
            .await
            .unwrap();
        assert_eq!(admission, Admission::Refused { live: 0 });
        assert!(store.list(user, NOW).await.unwrap().is_empty());
    }
}

async fn admitted_twice(store: &Sessions) {
    let user = user();
    let given = session(user, NOW);
    for _ in 0..2 {
        let admission = store
            .admit(&token("a"), &given, at_most(1, AtLimit::Refuse), NOW)
            .await
            .unwrap();
        assert_eq!(admission, admitted(Vec::new()));
    }
    assert_eq!(store.list(user, NOW).await.unwrap(), [given]);
}

async fn rotation(store: &Sessions) {
    let user = user();
    let given = session(user, NOW);
    admit(store, "old", &given).await;
    let later = NOW.after(MINUTE);
    assert!(store.rotate(user, &token("old"), &token("new"), later).await.unwrap());
    assert_eq!(store.get(user, &token("old"), later).await.unwrap(), None);
    let found = store.get(user, &token("new"), later).await.unwrap().unwrap();
    let expected = Session {
        seen: later,
        ..given.clone()
    };
    assert_eq!(found, expected);
    assert_eq!(store.list(user, later).await.unwrap(), [expected]);
    assert!(!store.rotate(user, &token("old"), &token("other"), later).await.unwrap());
    assert!(!store.touch(user, &token("old"), later).await.unwrap());
    // it is still the same place under the limit, and still in the order of its start
    let next = session(user, later);
    let admission = store
        .admit(&token("next"), &next, at_most(1, AtLimit::EndOldest), later)
        .await
        .unwrap();
    assert_eq!(admission, admitted(vec![given.id]));
    // nothing takes the place of another session, and nothing rises from the dead
    admit(store, "other", &session(user, later)).await;
    assert!(
        !store
            .rotate(user, &token("next"), &token("other"), later)
            .await
            .unwrap()
    );
    assert!(
        !store
            .rotate(user, &token("next"), &token("new"), later.after(HOUR))
            .await
            .unwrap()
    );
}

async fn rotation_race(store: &Sessions) {
    let user = user();
    admit(store, "old", &session(user, NOW)).await;
    let rotations: Vec<_> = (0..32)
        .map(|number| {
            let store = store.clone();
            let new = token(&format!("new{number}"));
            tokio::spawn(async move { store.rotate(user, &token("old"), &new, NOW).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for rotation in rotations {
        won += u32::from(rotation.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(store.list(user, NOW).await.unwrap().len(), 1);
    assert_eq!(store.end_all(user).await.unwrap().len(), 1);
    for number in 0..32 {
        let new = token(&format!("new{number}"));
        assert!(!store.touch(user, &new, NOW).await.unwrap());
        assert!(!store.replace_data(user, &new, b"", NOW).await.unwrap());
        assert!(!store.rotate(user, &new, &token("again"), NOW).await.unwrap());
    }
    assert!(store.list(user, NOW).await.unwrap().is_empty());
}

async fn data_replaced(store: &Sessions) {
    let user = user();
    let given = session(user, NOW);
    admit(store, "a", &given).await;
    assert!(store.replace_data(user, &token("a"), b"other", NOW).await.unwrap());
    let expected = Session {
        data: b"other".to_vec(),
        ..given
    };
    assert_eq!(store.get(user, &token("a"), NOW).await.unwrap().unwrap(), expected);
    assert!(
        !store
            .replace_data(user, &token("a"), b"late", NOW.after(HOUR))
            .await
            .unwrap()
    );
    assert!(!store.replace_data(user, &token("none"), b"", NOW).await.unwrap());
}

async fn ending(store: &Sessions) {
    let (user, stranger) = (user(), user());
    let mut all: Vec<_> = (0..4).map(|_| session(user, NOW)).collect();
    for (number, session) in all.iter().enumerate() {
        admit(store, &format!("s{number}"), session).await;
    }
    admit(store, "theirs", &session(stranger, NOW)).await;
    assert!(store.end(user, all[0].id).await.unwrap());
    assert!(!store.end(user, all[0].id).await.unwrap());
    assert!(!store.end(stranger, all[1].id).await.unwrap());
    assert_eq!(store.get(user, &token("s0"), NOW).await.unwrap(), None);
    let mut ended = store.end_all(user).await.unwrap();
    ended.sort();
    let mut rest: Vec<_> = all.drain(1..).map(|session| session.id).collect();
    rest.sort();
    assert_eq!(ended, rest);
    assert!(store.list(user, NOW).await.unwrap().is_empty());
    assert!(store.end_all(user).await.unwrap().is_empty());
    assert_eq!(store.list(stranger, NOW).await.unwrap().len(), 1);
}

async fn another_user(store: &Sessions) {
    let (owner, stranger) = (user(), user());
    admit(store, "a", &session(owner, NOW)).await;
    assert_eq!(store.get(stranger, &token("a"), NOW).await.unwrap(), None);
    assert!(!store.touch(stranger, &token("a"), NOW).await.unwrap());
    assert!(store.get(owner, &token("a"), NOW).await.unwrap().is_some());
}

async fn far_times(store: &Sessions) {
    let user = user();
    let mut given = session(user, NOW);
    given.expires = Timestamp::from_micros(i64::MAX);
    given.idle_timeout = Duration::MAX;
    admit(store, "a", &given).await;
    let later = NOW.after(HOUR * 24 * 365 * 50);
    assert!(store.touch(user, &token("a"), later).await.unwrap());
    assert!(store.get(user, &token("a"), later).await.unwrap().is_some());
}

async fn put_back(store: &Sessions) {
    let user = user();
    let (first, second) = (session(user, NOW), session(user, NOW.after(MINUTE)));
    let now = NOW.after(MINUTE * 2);
    let one = at_most(1, AtLimit::EndOldest);
    assert!(store.put_back(&token("first"), &first, one, now).await.unwrap());
    assert_eq!(
        store.get(user, &token("first"), now).await.unwrap(),
        Some(first.clone())
    );
    // nobody ends for one that comes back
    assert!(!store.put_back(&token("second"), &second, one, now).await.unwrap());
    assert_eq!(store.list(user, now).await.unwrap(), std::slice::from_ref(&first));
    assert!(
        store
            .put_back(&token("second"), &second, ANY_NUMBER, now)
            .await
            .unwrap()
    );
    // what is there is newer than what comes back, and stays
    assert!(store.touch(user, &token("first"), now).await.unwrap());
    assert!(store.put_back(&token("first"), &first, one, now).await.unwrap());
    let seen = store.get(user, &token("first"), now).await.unwrap().unwrap().seen;
    assert_eq!(seen, now);
    // one and the same under another token takes its own place
    assert!(
        store
            .put_back(&token("renewed"), &first, at_most(2, AtLimit::Refuse), now)
            .await
            .unwrap()
    );
    assert_eq!(store.get(user, &token("first"), now).await.unwrap(), None);
    assert_eq!(store.list(user, now).await.unwrap(), [first.clone(), second.clone()]);
    // one that has ended for want of use comes back as it is known now
    let later = NOW.after(MINUTE * 11);
    let used = Session {
        seen: NOW.after(MINUTE * 9),
        ..first
    };
    assert_eq!(store.get(user, &token("renewed"), later).await.unwrap(), None);
    assert!(
        store
            .put_back(&token("renewed"), &used, ANY_NUMBER, later)
            .await
            .unwrap()
    );
    assert_eq!(store.get(user, &token("renewed"), later).await.unwrap(), Some(used));
}

async fn taken_over(store: &Sessions) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let given: Vec<Session> = (0..1_100).map(|_| session(user(), NOW)).collect();
    let old = Sessions::embedded(&file).await.unwrap();
    let past = session(user(), NOW.before(HOUR));
    admit(&old, "past", &past).await;
    let name = |session: &Session| format!("of {}", session.id);
    for some in given.chunks(100) {
        futures_util::future::join_all(some.iter().map(async |given| admit(&old, &name(given), given).await)).await;
    }
    // those who were here when it was interrupted
    for here in &given[..300] {
        assert!(
            store
                .put_back(&token(&name(here)), here, ANY_NUMBER, NOW)
                .await
                .unwrap()
        );
    }
    assert!(
        store
            .touch(given[0].user, &token(&name(&given[0])), NOW.after(MINUTE))
            .await
            .unwrap()
    );
    let taken = store.take_over(&file, NOW).await.unwrap();
    if store.database().is_some() {
        // an embedded file is nothing that moves
        assert_eq!(taken, None);
        return;
    }
    assert_eq!(taken, Some(1_100));
    assert_eq!(store.take_over(&file, NOW).await.unwrap(), None);
    for given in &given[1..] {
        let found = store.get(given.user, &token(&name(given)), NOW).await.unwrap();
        assert_eq!(found.as_ref(), Some(given));
    }
    let seen = store
        .get(given[0].user, &token(&name(&given[0])), NOW)
        .await
        .unwrap()
        .unwrap()
        .seen;
    assert_eq!(seen, NOW.after(MINUTE), "a use since is not taken back");
    assert!(store.list(past.user, NOW).await.unwrap().is_empty());
    assert!(!file.exists() && ostiary::sessions::taken_over(&file).exists());
}

#[tokio::test]
async fn embedded_sessions_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    let given = session(user(), NOW);
    let before = Sessions::embedded(&path).await.unwrap();
    admit(&before, "kept", &given).await;
    drop(before);
    let after = Sessions::embedded(&path).await.unwrap();
    assert_eq!(after.get(given.user, &token("kept"), NOW).await.unwrap(), Some(given));
}

#[tokio::test]
async fn sweeping_removes_what_has_ended_in_bounded_batches() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sessions::embedded(&directory.path().join("sessions.db")).await.unwrap();
    for number in 0..5 {
        admit(&store, &format!("s{number}"), &session(user(), NOW)).await;
    }
    let later = NOW.after(MINUTE * 10);
    let living = session(user(), later);
    admit(&store, "living", &living).await;
    assert_eq!(store.sweep(later, 3).await.unwrap(), 3);
    assert_eq!(store.sweep(later, 3).await.unwrap(), 2);
    assert_eq!(store.sweep(later, 3).await.unwrap(), 0);
    assert_eq!(store.list(living.user, later).await.unwrap(), [living]);
}

/// SEC-170 and SEC-184: what lies in Redis holds digests only, ends by itself, and is taken for nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_store_injection() {
    if redis_server::quick() {
        return;
    }
    let server = Server::start(&[]).await;
    let store = open(&format!("redis://127.0.0.1:{}", server.port));
    let (victim, thief) = (session(user(), NOW), session(user(), NOW));
    admit(&store, "token-of-the-victim", &victim).await;
    admit(&store, "token-of-the-thief", &thief).await;
    assert!(
        store
            .touch(thief.user, &token("token-of-the-thief"), NOW)
            .await
            .unwrap()
    );
    let keys = server.ask("keys *");
    assert_eq!(
        keys.lines().count(),
        4,
        "of each a session and what is known of its person"
    );
    let (mut of_victim, mut of_thief) = (String::new(), String::new());
    for key in keys.lines() {
        assert!(!key.contains("token-of"), "{key}");
        let seconds: i64 = server.ask(&format!("ttl {key}")).trim().parse().unwrap();
        assert!((1..=661).contains(&seconds), "{key} {seconds}");
        if server.ask(&format!("type {key}")).trim() == "hash" {
            assert!(!server.ask(&format!("hgetall {key}")).contains("token-of"));
            let owner = if key.contains(&victim.user.to_string()) {
                &mut of_victim
            } else {
                &mut of_thief
            };
            key.clone_into(owner);
        }
    }
    server.ask(&format!("copy {of_victim} {of_thief} replace"));
    let found = store.get(thief.user, &token("token-of-the-thief"), NOW).await.unwrap();
    assert_eq!(found, None);
    assert!(store.list(thief.user, NOW).await.unwrap().is_empty());
}

/// SEC-185: what is lost, cut short or of another type is a session less, never somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_store_loss_safe() {
    if redis_server::quick() {
        return;
    }
    let server = Server::start(&[]).await;
    let store = open(&format!("redis://127.0.0.1:{}", server.port));
    let user = user();
    for (number, harm) in [
        "del KEY",
        "hdel KEY seen",
        "hset KEY idle x",
        "hset KEY user x",
        "hset KEY id x",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("harmed{number}");
        admit(&store, &name, &session(user, NOW)).await;
        let keys = server.ask("keys *");
        let key = keys
            .lines()
            .find(|key| server.ask(&format!("type {key}")).trim() == "hash")
            .unwrap();
        server.ask(&harm.replace("KEY", key));
        assert_eq!(store.get(user, &token(&name), NOW).await.unwrap(), None, "{harm}");
        assert!(store.list(user, NOW).await.unwrap().is_empty(), "{harm}");
        server.ask(&format!("del {key}"));
    }
    // a lost hash takes no place
    let next = session(user, NOW);
    let admission = store
        .admit(&token("next"), &next, at_most(1, AtLimit::Refuse), NOW)
        .await
        .unwrap();
    assert_eq!(admission, admitted(Vec::new()));
    server.ask("flushall");
    assert_eq!(store.get(user, &token("next"), NOW).await.unwrap(), None);
    assert!(!store.touch(user, &token("next"), NOW).await.unwrap());
    assert!(store.list(user, NOW).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_redis_is_unavailable_within_a_second() {
    if redis_server::quick() {
        return;
    }
    let server = Server::start(&[]).await;
    let store = open(&format!("redis://127.0.0.1:{}", server.port));
    let given = session(user(), NOW);
    admit(&store, "a", &given).await;
    server.signal("STOP");
    let answer = tokio::time::timeout(Duration::from_secs(1), store.get(given.user, &token("a"), NOW)).await;
    assert!(matches!(answer, Ok(Err(Error::Unavailable))), "{answer:?}");
    server.signal("CONT");
    assert!(store.get(given.user, &token("a"), NOW).await.unwrap().is_some());
}

fn open(url: &str) -> Sessions {
    Sessions::redis(ostiary::ephemeral::RedisConnection::open(url, "ostiary:").unwrap())
}
