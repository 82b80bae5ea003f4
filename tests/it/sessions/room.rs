//! Who has to go for one more login: sessions and families of tokens that outlive theirs, counted together, on every store as in
//! a model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ostiary::model::{Digest, Id, Session, Timestamp, User};
use ostiary::sessions::{Admission, AtLimit, Family, Limit, Login, MadeRoom, NOTE, Room, Sessions};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{Going, MINUTE, NOW, backends, session, token, user};

/// Runs a contract on every backend.
macro_rules! on_each {
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
on_each! {
    a_family_is_a_login_like_a_session: family_counts;
    a_family_that_is_being_made_has_its_place_and_keeps_it: being_made;
    who_was_let_go_is_counted_by_nobody_and_named_to_all: let_go;
    those_who_go_first_go_or_nobody_does: go_first;
    a_family_does_not_compete_with_itself: itself;
    nobody_goes_for_a_family_whose_session_was_let_go: begun_in;
    /// SEC-177
    session_limit_race_of_sessions_and_families: race;
}

fn at(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn family(name: &str, started: Timestamp, seen: Timestamp) -> Family {
    Family {
        code: token(name),
        started,
        seen,
    }
}

fn room<'a>(max: u32, at_limit: AtLimit, families: &'a [Family]) -> Room<'a> {
    Room {
        limit: Limit {
            max: Some(max),
            at_limit,
        },
        families,
        ended: &[],
        first: &[],
        begun_in: None,
        asked: None,
    }
}

fn admitted(sessions: &[Id<Session>], families: &[Digest]) -> Going {
    Going {
        sessions: sessions.to_vec(),
        families: families.to_vec(),
    }
}

async fn family_counts(store: &Sessions) {
    let user = user();
    let old = family("old", at(0), at(50));
    let first = session(user, at(10));
    let families = [old];
    let full = room(2, AtLimit::Refuse, &families);
    assert_eq!(
        store.admit(&token("a"), &first, full, at(10)).await.unwrap(),
        admitted(&[], &[])
    );
    let second = session(user, at(20));
    let refused = store.admit(&token("b"), &second, full, at(20)).await.unwrap();
    assert_eq!(refused, Admission::Refused { live: 2 });
    // by its start the family goes, by its use the session
    let least_recent = room(2, AtLimit::EndLeastRecent, &families);
    let admission = store.admit(&token("b"), &second, least_recent, at(60)).await.unwrap();
    assert_eq!(admission, admitted(&[first.id], &[]));
    let oldest = room(2, AtLimit::EndOldest, &families);
    let third = session(user, at(70));
    let admission = store.admit(&token("c"), &third, oldest, at(70)).await.unwrap();
    assert_eq!(admission, admitted(&[], &[old.code]));
}

async fn being_made(store: &Sessions) {
    let user = user();
    let until = at(30);
    let one = room(1, AtLimit::EndOldest, &[]);
    let made = store.reserve(user, &token("made"), until, one, at(0)).await.unwrap();
    assert_eq!(made, admitted(&[], &[]));
    let given = session(user, at(10));
    let refused = store.admit(&token("a"), &given, one, at(10)).await.unwrap();
    assert_eq!(refused, Admission::Refused { live: 1 }, "nobody can end it yet");
    // once SQL names it, it is one like any other
    let families = [family("made", at(0), at(0))];
    let named = room(2, AtLimit::Refuse, &families);
    assert_eq!(
        store.admit(&token("a"), &given, named, at(10)).await.unwrap(),
        admitted(&[], &[])
    );
    store.end(user, given.id).await.unwrap();
    // it lapses, or is given back
    let later = session(user, until);
    assert_eq!(
        store.admit(&token("b"), &later, one, until).await.unwrap(),
        admitted(&[], &[])
    );
    store.end(user, later.id).await.unwrap();
    store.reserve(user, &token("back"), at(90), one, at(40)).await.unwrap();
    store.release(user, &token("back")).await.unwrap();
    let again = session(user, at(41));
    assert_eq!(
        store.admit(&token("c"), &again, one, at(41)).await.unwrap(),
        admitted(&[], &[])
    );
}

/// Whoever asked SQL before a family was written down counts it by its place; whoever asks afterwards does not count it twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_that_was_written_down_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sessions::embedded(&directory.path().join("sessions.db")).await.unwrap();
    let user = user();
    let asking = |max: u32| Room {
        asked: Some(ostiary::clock::monotonic()),
        ..room(max, AtLimit::Refuse, &[])
    };
    let reserving = async |name: &str, room: Room<'_>| {
        store
            .reserve(user, &token(name), NOW.after(NOTE), room, NOW)
            .await
            .unwrap()
    };
    assert_eq!(reserving("one", asking(1)).await, admitted(&[], &[]));
    let before = asking(1);
    assert_eq!(reserving("two", before).await, Admission::Refused { live: 1 });
    store.written(user, &token("one")).await;
    assert_eq!(reserving("two", before).await, Admission::Refused { live: 1 });
    // SQL names it, and whoever asked has left room for it
    assert_eq!(reserving("two", asking(1)).await, admitted(&[], &[]));
    let refused = reserving("three", room(1, AtLimit::Refuse, &[])).await;
    assert_eq!(refused, Admission::Refused { live: 2 }, "when SQL was asked is unknown");
}

async fn let_go(store: &Sessions) {
    let user = user();
    let families = [family("old", at(0), at(0))];
    let one = room(1, AtLimit::EndOldest, &families);
    let first = session(user, at(1));
    let admission = store.admit(&token("a"), &first, one, at(1)).await.unwrap();
    assert_eq!(admission, admitted(&[], &[families[0].code]));
    // SQL does not say so yet: it is not counted again, and whoever relies on that ends it too
    let second = session(user, at(2));
    let admission = store.admit(&token("b"), &second, one, at(2)).await.unwrap();
    assert_eq!(admission, admitted(&[first.id], &[families[0].code]));
    // SQL says so: no note is left
    let gone = [families[0].code];
    let said = Room {
        families: &[],
        ended: &gone,
        ..one
    };
    let third = session(user, at(3));
    assert_eq!(
        store.admit(&token("c"), &third, said, at(3)).await.unwrap(),
        admitted(&[second.id], &[])
    );
    // SQL never said so: after a while it counts again
    let other = [family("other", at(0), at(0))];
    let rival = room(1, AtLimit::EndOldest, &other);
    let fourth = session(user, at(4));
    let admission = store.admit(&token("d"), &fourth, rival, at(4)).await.unwrap();
    assert_eq!(admission, admitted(&[third.id], &[other[0].code]));
    store.end(user, fourth.id).await.unwrap();
    let now = at(4).after(NOTE);
    let refusing = room(1, AtLimit::Refuse, &other);
    let refused = store
        .admit(&token("e"), &session(user, now), refusing, now)
        .await
        .unwrap();
    assert_eq!(refused, Admission::Refused { live: 1 });
}

async fn go_first(store: &Sessions) {
    let user = user();
    let (first, second) = (session(user, at(1)), session(user, at(2)));
    let families = [family("stays", at(0), at(0)), family("goes", at(3), at(3))];
    let open = room(9, AtLimit::Refuse, &families);
    store.admit(&token("a"), &first, open, at(1)).await.unwrap();
    store.admit(&token("b"), &second, open, at(2)).await.unwrap();
    let chosen = [Login::Family(token("goes")), Login::Session(second.id)];
    let newcomer = session(user, at(4));
    // one of the two is enough, and it is the one named first
    let choosing = Room {
        first: &chosen,
        ..room(4, AtLimit::Refuse, &families)
    };
    let admission = store.admit(&token("c"), &newcomer, choosing, at(4)).await.unwrap();
    assert_eq!(admission, admitted(&[], &[token("goes")]));
    // both are not enough: nobody goes
    let last = session(user, at(5));
    let strangers = [Login::Session(Id::new(at(9))), Login::Session(second.id)];
    let choosing = Room {
        first: &strangers,
        ..room(3, AtLimit::Refuse, &families[..1])
    };
    let refused = store.admit(&token("d"), &last, choosing, at(5)).await.unwrap();
    assert_eq!(refused, Admission::Refused { live: 4 });
    assert_eq!(store.list(user, at(5)).await.unwrap().len(), 3);
}

async fn itself(store: &Sessions) {
    let user = user();
    let one = room(1, AtLimit::Refuse, &[]);
    for _ in 0..2 {
        let made = store.reserve(user, &token("made"), at(60), one, at(0)).await.unwrap();
        assert_eq!(made, admitted(&[], &[]));
    }
    let families = [family("made", at(0), at(0))];
    let named = room(1, AtLimit::Refuse, &families);
    let made = store.reserve(user, &token("made"), at(60), named, at(1)).await.unwrap();
    assert_eq!(made, admitted(&[], &[]));
}

/// What SQL would say, as the racers read and write it.
#[derive(Default)]
struct Sql {
    live: Vec<Family>,
    ended: Vec<Digest>,
}

async fn begun_in(store: &Sessions) {
    let user = user();
    let (old, new) = (session(user, at(1)), session(user, at(2)));
    let admitting = async |session: &Session, name: &str| {
        let room = room(1, AtLimit::EndOldest, &[]);
        store.admit(&token(name), session, room, at(3)).await.unwrap()
    };
    assert_eq!(admitting(&old, "old").await, admitted(&[], &[]));
    assert_eq!(admitting(&new, "new").await, admitted(&[old.id], &[]));
    let made_in = |session: &Session, max: u32| Room {
        begun_in: Some(session.id),
        ..room(max, AtLimit::EndOldest, &[])
    };
    let reserving = async |room: Room<'_>| {
        let until = at(60);
        store.reserve(user, &token("family"), until, room, at(3)).await.unwrap()
    };
    assert_eq!(reserving(made_in(&old, 1)).await, Admission::Refused { live: 1 });
    assert_eq!(store.list(user, at(3)).await.unwrap().len(), 1);
    // where there is room nobody has to go for it
    assert_eq!(reserving(made_in(&old, 2)).await, admitted(&[], &[]));
    store.release(user, &token("family")).await.unwrap();
    assert_eq!(reserving(made_in(&new, 1)).await, admitted(&[new.id], &[]));
}

async fn race(store: &Sessions) {
    for at_limit in [AtLimit::Refuse, AtLimit::EndOldest, AtLimit::EndLeastRecent] {
        let user = user();
        let sql = std::sync::Arc::new(std::sync::Mutex::new(Sql::default()));
        let racers: Vec<_> = (0..120)
            .map(|number: u64| {
                let (store, sql) = (store.clone(), sql.clone());
                tokio::spawn(async move { run(&store, user, number, at_limit, &sql).await })
            })
            .collect();
        for racer in racers {
            racer.await.unwrap();
        }
        let sessions = store.list(user, NOW).await.unwrap().len();
        let families = sql.lock().unwrap().live.len();
        assert!(sessions + families <= 3, "{sessions} and {families} with {at_limit:?}");
        assert!(sessions + families > 0);
    }
}

/// One login: a reading of SQL, the admission, the commit.
async fn run(store: &Sessions, user: Id<User>, number: u64, at_limit: AtLimit, sql: &std::sync::Mutex<Sql>) {
    let (live, ended) = {
        let sql = sql.lock().unwrap();
        (sql.live.clone(), sql.ended.clone())
    };
    let room = Room {
        ended: &ended,
        ..room(3, at_limit, &live)
    };
    tokio::task::yield_now().await;
    let name = token(&format!("racer{number}"));
    let is_family = number.is_multiple_of(2);
    let admission = if is_family {
        store.reserve(user, &name, NOW.after(NOTE), room, NOW).await.unwrap()
    } else {
        store.admit(&name, &session(user, NOW), room, NOW).await.unwrap()
    };
    let Admission::Admitted(MadeRoom { families, .. }) = admission else {
        return;
    };
    tokio::task::yield_now().await;
    let mut sql = sql.lock().unwrap();
    sql.live.retain(|family| !families.contains(&family.code));
    sql.ended.extend(families);
    if is_family {
        let code = name;
        sql.live.push(Family {
            code,
            started: NOW,
            seen: NOW,
        });
    }
}

/// What may happen to somebody's logins.
#[derive(Clone, Debug)]
enum Deed {
    SignIn,
    Connect,
    Touch(usize),
    EndSession(usize),
    EndFamily(usize),
    Choose(usize),
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => Just(Deed::SignIn),
        4 => Just(Deed::Connect),
        2 => (0..8usize).prop_map(Deed::Touch),
        1 => (0..8usize).prop_map(Deed::EndSession),
        1 => (0..8usize).prop_map(Deed::EndFamily),
        2 => (0..8usize).prop_map(Deed::Choose),
        2 => (1..400u64).prop_map(Deed::Wait),
    ];
    proptest::collection::vec(deed, 1..24)
}

/// A login of the model.
#[derive(Clone, Copy, Debug)]
struct Known {
    login: Login,
    started: Timestamp,
    seen: Timestamp,
}

/// Sessions end ten minutes after they were last seen, families when they are told to.
struct Model {
    user: Id<User>,
    max: u32,
    at_limit: AtLimit,
    now: Timestamp,
    logins: Vec<Known>,
    tokens: BTreeMap<Id<Session>, Digest>,
    ended: Vec<Digest>,
    number: u32,
}

impl Model {
    fn pick(&self, place: usize) -> Option<Known> {
        (!self.logins.is_empty()).then(|| self.logins[place % self.logins.len()])
    }

    fn families(&self) -> Vec<Family> {
        let of = |known: &Known| match known.login {
            Login::Family(code) => Some(Family {
                code,
                started: known.started,
                seen: known.seen,
            }),
            Login::Session(_) => None,
        };
        self.logins.iter().filter_map(of).collect()
    }

    fn lapse(&mut self) {
        let now = self.now;
        self.logins.retain(|known| match known.login {
            Login::Session(_) => now < known.seen.after(MINUTE * 10).min(known.started.after(MINUTE * 60)),
            Login::Family(_) => true,
        });
    }

    /// Who goes for one more; nothing: it is refused.
    fn judge(&self, first: &[Login]) -> Option<BTreeSet<Login>> {
        let over = (self.logins.len() + 1).saturating_sub(self.max as usize);
        let mut order: Vec<Known> = self.logins.clone();
        let mut going: Vec<Login> = first
            .iter()
            .copied()
            .filter(|login| order.iter().any(|known| known.login == *login))
            .collect();
        match self.at_limit {
            AtLimit::Refuse => order.clear(),
            AtLimit::EndOldest => order.sort_by_key(|known| known.started),
            AtLimit::EndLeastRecent => order.sort_by_key(|known| known.seen),
        }
        going.extend(order.iter().map(|known| known.login));
        let mut distinct = Vec::new();
        for login in going {
            if !distinct.contains(&login) {
                distinct.push(login);
            }
        }
        (distinct.len() >= over).then(|| distinct.into_iter().take(over).collect())
    }

    /// One more login, on the store and here.
    async fn enter(&mut self, store: &Sessions, first: &[Login], is_family: bool) {
        self.number += 1;
        let name = token(&format!("{} {}", self.user, self.number));
        let families = self.families();
        let room = Room {
            ended: &self.ended,
            first,
            ..room(self.max, self.at_limit, &families)
        };
        let given = session(self.user, self.now);
        let (login, admission) = if is_family {
            let until = self.now.after(NOTE);
            let admission = store.reserve(self.user, &name, until, room, self.now).await.unwrap();
            (Login::Family(name), admission)
        } else {
            let admission = store.admit(&name, &given, room, self.now).await.unwrap();
            (Login::Session(given.id), admission)
        };
        let expected = self.judge(first);
        let going: Option<BTreeSet<Login>> = match &admission {
            Admission::Refused { live } => {
                assert_eq!(*live as usize, self.logins.len());
                None
            }
            Admission::Admitted(made_room) => {
                let going = Going::from(made_room);
                let sessions = going.sessions.iter().map(|id| Login::Session(*id));
                Some(
                    sessions
                        .chain(going.families.iter().map(|code| Login::Family(*code)))
                        .collect(),
                )
            }
        };
        assert_eq!(going, expected, "{:?} {:?}", self.at_limit, self.logins);
        let Some(going) = going else { return };
        self.logins.retain(|known| !going.contains(&known.login));
        self.ended.extend(going.iter().filter_map(|login| match login {
            Login::Family(code) => Some(*code),
            Login::Session(_) => None,
        }));
        let known = Known {
            login,
            started: self.now,
            seen: self.now,
        };
        self.logins.push(known);
        if let Login::Session(id) = login {
            self.tokens.insert(id, name);
        }
        assert!(self.logins.len() <= self.max as usize);
    }

    async fn step(&mut self, store: &Sessions, deed: &Deed) {
        // no two logins have a moment in common: which of them goes first is not for the model to say
        self.now = self.now.after(Duration::from_secs(1));
        self.lapse();
        match deed {
            Deed::SignIn => self.enter(store, &[], false).await,
            Deed::Connect => self.enter(store, &[], true).await,
            Deed::Choose(place) => {
                let chosen: Vec<Login> = self.pick(*place).map(|known| known.login).into_iter().collect();
                self.enter(store, &chosen, place.is_multiple_of(2)).await;
            }
            Deed::Touch(place) => {
                let Some(known) = self.pick(*place) else { return };
                if let Login::Session(id) = known.login {
                    assert!(store.touch(self.user, &self.tokens[&id], self.now).await.unwrap());
                }
                let now = self.now;
                let mut all = self.logins.iter_mut();
                all.find(|other| other.login == known.login).unwrap().seen = now;
            }
            Deed::EndSession(place) => {
                let Some(known) = self.pick(*place) else { return };
                if let Login::Session(id) = known.login {
                    assert!(store.end(self.user, id).await.unwrap());
                    self.logins.retain(|other| other.login != known.login);
                }
            }
            Deed::EndFamily(place) => {
                let Some(known) = self.pick(*place) else { return };
                if let Login::Family(code) = known.login {
                    self.ended.push(code);
                    self.logins.retain(|other| other.login != known.login);
                }
            }
            Deed::Wait(seconds) => {
                self.now = self.now.after(Duration::from_secs(*seconds));
                self.lapse();
            }
        }
        let mut live: Vec<Id<Session>> = Vec::new();
        for session in store.list(self.user, self.now).await.unwrap() {
            live.push(session.id);
        }
        live.sort();
        let mut expected: Vec<Id<Session>> = self
            .logins
            .iter()
            .filter_map(|known| match known.login {
                Login::Session(id) => Some(id),
                Login::Family(_) => None,
            })
            .collect();
        expected.sort();
        assert_eq!(live, expected);
    }
}

/// SEC-177, SEC-742: whatever happens in whatever order, each store counts and chooses as the model does; the model's sessions
/// never exceed the limit and never come back.
#[test]
fn every_store_admits_as_the_model_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (stores, _directory) = runtime.block_on(backends());
    let modes = prop_oneof![
        Just(AtLimit::Refuse),
        Just(AtLimit::EndOldest),
        Just(AtLimit::EndLeastRecent)
    ];
    let config = ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let tried = runner.run(&(1..5u32, modes, deeds()), |(max, at_limit, deeds)| {
        for store in &stores {
            let mut model = Model {
                user: user(),
                max,
                at_limit,
                now: NOW,
                logins: Vec::new(),
                tokens: BTreeMap::new(),
                ended: Vec::new(),
                number: 0,
            };
            runtime.block_on(async {
                for deed in &deeds {
                    model.step(store, deed).await;
                }
            });
        }
        Ok(())
    });
    tried.unwrap();
}
