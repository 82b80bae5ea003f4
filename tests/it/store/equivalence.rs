//! The two engines next to each other: the same operations, chosen at random, get the same answers.

use ostiary::model::{Client, Consent, Grant, Id, Scopes, Session, User};
use ostiary::store::{Error, SessionRow, Store};
use uuid::Uuid;

use super::{
    MINUTE, NOW, Opened, digest, sample_access, sample_client, sample_grant, sample_refresh, sample_session,
    sample_user,
};
use crate::oauth::scene::Dice;
use crate::support::backend::{Backend, backends};

const NAMES: usize = 3;
const STEPS: usize = 400;

/// An id that is the same in both stores.
fn id<T>(kind: u128, number: usize) -> Id<T> {
    Id::from_uuid(Uuid::from_u128(kind << 64 | u128::try_from(number).unwrap()))
}

fn user(number: usize) -> User {
    User {
        id: id(1, number),
        ..sample_user(&format!("user-{number}"))
    }
}

fn client(number: usize) -> Client {
    Client {
        id: id(2, number),
        ..sample_client(&format!("client-{number}"))
    }
}

fn session(number: usize) -> SessionRow {
    let user: Id<User> = id(1, number);
    SessionRow {
        id: id(3, number),
        ..sample_session(user)
    }
}

fn grant(number: usize, code: usize, scope: &str) -> Grant {
    let session: Id<Session> = id(3, number);
    Grant {
        id: id(4, code * 10 + number),
        ..sample_grant(id(2, number), id(1, number), session, &format!("code-{code}"), scope)
    }
}

/// An answer in words that are the same on both engines.
fn told<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        // which of several is named is the engine's to choose
        Err(Error::Taken(_)) => "taken".to_owned(),
        Err(Error::Missing) => "missing".to_owned(),
        Err(other) => panic!("{other:?}"),
    }
}

/// One step in a transaction of its own: what it answered, and what a look at the whole says afterwards.
async fn step(store: &Store, dice: &mut Dice) -> String {
    let (kind, at, other) = (dice.below(18), dice.below(NAMES), dice.below(NAMES));
    let moment = NOW.after(MINUTE * u32::try_from(dice.below(90)).unwrap());
    let scope = ["openid", "openid offline_access"][dice.below(2)];
    let keep = dice.below(5) > 0;
    let refresh = format!("refresh-{other}");
    let mut tx = store.write().await.unwrap();
    let said = match kind {
        0 => told(tx.add_user(&user(at)).await),
        1 => told(tx.add_client(&client(at)).await),
        2 => told(tx.add_session(&session(at)).await),
        3 => told(tx.redeem_code(&grant(at, other, scope), 1).await),
        4 => told(
            tx.add_refresh_token(&sample_refresh(id(4, other * 10 + at), &refresh))
                .await,
        ),
        5 => {
            tx.spend_refresh_token(&digest(&refresh), moment);
            "later".to_owned()
        }
        6 => told(tx.end_grant(id(4, other * 10 + at), moment, "test").await),
        7 => told(tx.end_grants_of_session(id(3, at), moment, "test").await),
        8 => told(tx.end_grants_of_user(id(1, at), moment, "test").await),
        9 => told(tx.end_session(id(3, at), moment, "test").await),
        10 => told(tx.spend_proof(["one", "two"][at % 2], &digest(&refresh), moment).await),
        11 => told(tx.sweep_proofs(moment, 100).await),
        12 => told(tx.sweep_grants(moment, 2).await),
        13 => {
            let scope = Scopes::parse(scope).unwrap();
            let consent = Consent {
                user: id(1, at),
                client: id(2, other),
                scope,
                claims: Vec::new(),
                given_at: moment,
            };
            told(tx.give_consent(&consent).await)
        }
        14 => told(tx.withdraw_consent(id(1, at), id(2, other)).await),
        15 => told(tx.delete_user(id(1, at)).await),
        16 => {
            let token = sample_access(id(2, at), Some(id(4, other * 10 + at)), &refresh);
            told(tx.add_access_token(&token).await)
        }
        _ => told(tx.hold_session(id(3, at), moment).await),
    };
    let failed = said == "taken" || said == "missing";
    if failed || !keep {
        drop(tx);
        return format!("{kind} {at} {other} {keep}: {said}");
    }
    // what a statement did not judge, the commit does
    let committed = told(tx.commit().await);
    format!("{kind} {at} {other} {keep}: {said}, {committed}")
}

/// What stands in the store, as far as the steps can have touched it.
async fn look(store: &Store) -> String {
    let mut read = store.read().await.unwrap();
    let mut seen = Vec::new();
    for at in 0..NAMES {
        seen.push(format!(
            "{:?}",
            read.find_user(id(1, at))
                .await
                .unwrap()
                .map(|user| (user.username, user.version))
        ));
        seen.push(format!(
            "{:?}",
            read.find_session(id(3, at))
                .await
                .unwrap()
                .map(|session| session.ended_at)
        ));
        seen.push(format!(
            "{:?}",
            read.find_access_token(&digest(&format!("refresh-{at}"))).await.unwrap()
        ));
        seen.push(format!(
            "{:?}",
            read.find_refresh_token(&digest(&format!("refresh-{at}")))
                .await
                .unwrap()
        ));
        let grant = read.find_grant_by_code(&digest(&format!("code-{at}"))).await.unwrap();
        seen.push(format!(
            "{:?}",
            grant.map(|grant| (grant.id, grant.terms.scope, grant.ended_at))
        ));
        for other in 0..NAMES {
            let consent = read.find_consent(id(1, at), id(2, other)).await.unwrap();
            seen.push(format!(
                "{:?}",
                consent.map(|consent| (consent.scope, consent.given_at))
            ));
        }
    }
    seen.join("\n")
}

/// SEC-756
#[tokio::test(flavor = "multi_thread")]
async fn prop_backend_equiv() {
    let mut all = Vec::new();
    for backend in backends() {
        all.push(Opened::on(backend).await);
    }
    let mut dice: Vec<Dice> = all.iter().map(|_| Dice::seeded(20_260)).collect();
    let mut history: Vec<String> = Vec::new();
    for at in 0..STEPS {
        let mut answers = Vec::new();
        for (opened, dice) in all.iter().zip(&mut dice) {
            let said = step(&opened.store, dice).await;
            let seen = if at % 8 == 0 {
                look(&opened.store).await
            } else {
                String::new()
            };
            answers.push((said, seen));
        }
        history.push(answers[0].0.clone());
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{}\n{answers:#?}",
            history.join("\n")
        );
    }
    // the walk went somewhere
    let says = |said: &str, word: &str| said.split([':', ',']).any(|part| part.trim() == word);
    let count = |word: &str| history.iter().filter(|said| says(said, word)).count();
    assert!(
        count("true") > 20 && count("false") > 20 && count("missing") > 5,
        "{}",
        history.join("\n")
    );
    assert!(
        all.iter()
            .any(|opened| opened.place.backend == Backend::Embedded && opened.store.is_embedded())
    );
    for opened in all {
        assert!(opened.config.data_dir.exists());
        opened.close().await;
    }
}
