//! Guessing is hopeless, on every path and from everywhere together; and it tells nobody who has an account.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use ostiary::flow::call::Origin;
use ostiary::flow::people::{ChangeSource, deactivate_user};
use ostiary::flow::session::{self, Purpose};
use ostiary::flow::sign_in::password::{Attempt, Refused, sign_in as enter};
use ostiary::flow::{Call, Error};
use ostiary::model::Secret;
use serde_json::json;

use super::{sign_in, sign_in_with};
use crate::api::conversation::{Caller, user_token};
use crate::support::backend::backends;
use crate::support::browser::{Browser, Page};
use crate::support::server::{Backend, Server, each_backend};
use crate::support::sources::texts;

/// What came of a wrong password, sent to a node from some address.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    LookedAt,
    TurnedAway,
}

async fn guess_at(server: &Server, identifier: &str, address: u32) -> Came {
    let call = Call {
        origin: Origin {
            address: Some(IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + address))),
            user_agent: None,
        },
        ..server.call()
    };
    let mut browser = session::recognize(server.provider(), &call, None, None).await.unwrap();
    let attempt = Attempt {
        known: None,
        identifier: identifier.to_owned(),
        password: Secret::new("wrong"),
        remember: false,
        purpose: Purpose::default(),
    };
    loop {
        match enter(server.provider(), &call, &mut browser, attempt.clone()).await {
            Err(Refused::Wrong) => return Came::LookedAt,
            Err(Refused::Failed(Error::Throttled { .. })) => return Came::TurnedAway,
            // too many hashes at once: it was not looked at, and comes again
            Err(Refused::Failed(Error::Busy { .. } | Error::Unavailable(_))) => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    }
}

/// SEC-216: of 500 guesses at once on three nodes no more are looked at than the account bears, nor than a network does.
#[tokio::test(flavor = "multi_thread")]
async fn bruteforce_parallel_budget() {
    for backend in backends() {
        let first = Server::start_with(backend).await;
        let mut nodes = vec![first];
        if backend != Backend::Embedded {
            for _ in 0..2 {
                let node = nodes[0].node().await;
                nodes.push(node);
            }
        }
        nodes[0]
            .settings(json!({"guess": {"account_budget": 7, "source_budget": 9}}))
            .await;
        for node in &nodes {
            node.provider().refresh_memory().await.unwrap();
        }
        nodes[0].user("ada").await;
        let count = async |guesses: Vec<(usize, String, u32)>| {
            let sent = guesses
                .iter()
                .map(|(node, name, address)| guess_at(&nodes[*node], name, *address));
            let came = join_all(sent).await;
            came.into_iter().filter(|came| *came == Came::LookedAt).count()
        };
        let at = |number: u32| usize::try_from(number).unwrap() % nodes.len();
        let on_one: Vec<_> = (0..500).map(|number| (at(number), "ada".to_owned(), number)).collect();
        assert_eq!(count(on_one).await, 7, "the account's");
        let from_one: Vec<_> = (0..500)
            .map(|number| (at(number), format!("nobody-{number}"), 100_000))
            .collect();
        assert_eq!(count(from_one).await, 9, "the network's");
        while let Some(node) = nodes.pop() {
            node.stop().await;
        }
    }
}

/// SEC-217: every way to write the name, and every path on which the password is asked for, drains one budget.
#[tokio::test]
async fn bruteforce_single_bucket() {
    each_backend(async |server| {
        server.settings(json!({"guess": {"account_budget": 8}})).await;
        let ada = server.user("Ada.Lovelace").await;
        let token = user_token(server, &ada, "account").await;
        let caller = Caller::with_token(server, &token).await;
        let email = ada.email.to_uppercase();
        let spellings = [
            "ada.lovelace",
            "ADA.LOVELACE",
            " Ada.Lovelace ",
            "\tada.LOVELACE",
            &email,
            &format!(" {} ", ada.email),
        ];
        for (number, spelling) in (0..).zip(spellings) {
            assert_eq!(guess_at(server, spelling, number).await, Came::LookedAt, "{spelling}");
        }
        for _ in 0..2 {
            let body = json!({"current_password": "wrong", "password": "an otter under the old bridge"});
            assert_eq!(caller.post("/me/password", body).await.status, 422);
        }
        for (number, spelling) in (10..).zip(spellings) {
            assert_eq!(guess_at(server, spelling, number).await, Came::TurnedAway, "{spelling}");
        }
        let body = json!({"current_password": ada.password, "password": "an otter under the old bridge"});
        assert_eq!(caller.post("/me/password", body).await.status, 429);
    })
    .await;
}

/// Where something that can be guessed is compared with what is stored, and which file counts the guesses at it.
const VERIFIERS: &[(&str, &str)] = &[
    ("src/flow/sign_in/password.rs", "src/flow/sign_in/password.rs"),
    ("src/flow/people/own_password.rs", "src/flow/people/own_password.rs"),
    // compared with former ones of somebody who has proved the one they have
    ("src/flow/people/passwords.rs", ""),
    ("src/flow/people/recovery.rs", "src/flow/people/recovery.rs"),
    ("src/flow/people/guess_wait.rs", "src/flow/people/guess_wait.rs"),
    ("src/flow/people/locking.rs", "src/flow/people/locking.rs"),
    ("src/flow/people/own_email.rs", "src/flow/people/own_email.rs"),
    ("src/flow/people/registration.rs", "src/flow/people/registration.rs"),
    ("src/flow/people/stranger.rs", "src/flow/people/stranger.rs"),
    ("src/flow/operations/setup.rs", "src/flow/operations/setup.rs"),
    ("src/flow/factor/check.rs", "src/flow/sign_in/factor.rs"),
    ("src/flow/factor/sent.rs", "src/flow/sign_in/factor.rs"),
    ("src/flow/sign_in/code.rs", "src/flow/sign_in/code.rs"),
    ("src/flow/sign_in/link.rs", "src/flow/sign_in/link.rs"),
    ("src/flow/people/own_phone.rs", "src/flow/people/own_phone.rs"),
    // whoever sets one up shows that they have it: nothing is opened by it
    ("src/flow/factor/own.rs", ""),
    ("src/flow/factor/at_sign_in.rs", ""),
    (
        "src/flow/token/client_authentication.rs",
        "src/flow/token/client_authentication.rs",
    ),
];

/// SEC-219: whatever verifies something that can be guessed counts the guesses. A verifier that is not named above fails this test.
#[test]
fn guess_counters_complete() {
    const SIGNS: [&str; 9] = [
        "passwords.verify(",
        ".passwords\n        .verify(",
        ".step_of(",
        "digest_recovery_code(",
        "short_code::judge(",
        "sign_in_link::find(",
        "find_action_link(",
        "is_setup_link_open(",
        "find_device_alert(",
    ];
    let sources: BTreeMap<String, String> = texts("src", &["rs"]).into_iter().collect();
    let verifying: BTreeSet<&str> = sources
        .iter()
        .filter(|(path, text)| path.starts_with("src/flow/") && SIGNS.iter().any(|sign| text.contains(sign)))
        .map(|(path, _)| path.as_str())
        .collect();
    let named: BTreeSet<&str> = VERIFIERS.iter().map(|(path, _)| *path).collect();
    let unnamed: Vec<_> = verifying.difference(&named).collect();
    assert!(unnamed.is_empty(), "who counts the guesses of these? {unnamed:?}");
    for (path, counting) in VERIFIERS {
        assert!(sources.contains_key(*path), "{path} is gone");
        let counts = counting.is_empty() || sources[*counting].contains("guess::look(");
        assert!(counts, "{counting} counts no guesses");
    }
}

/// SEC-220: one's own success forgives nothing to a network, nor to another account.
#[tokio::test]
async fn bruteforce_reset_rule() {
    each_backend(async |server| {
        server
            .settings(json!({"guess": {"account_budget": 5, "source_budget": 30}}))
            .await;
        let (ada, mallory) = (server.user("ada").await, server.user("mallory").await);
        let mut looked_at = 0;
        for _ in 0..10 {
            looked_at += u32::from(sign_in_with(server, &Browser::new(), "ada", "wrong").await.status == 422);
            assert_eq!(sign_in(server, &Browser::new(), &mallory).await.status, 303);
        }
        assert_eq!(looked_at, 5, "the account's budget, whatever the guesser's own success");
        // and the network's
        let mut of_network = 0;
        for number in 0..40 {
            let name = format!("nobody-{number}");
            of_network += u32::from(sign_in_with(server, &Browser::new(), &name, "wrong").await.status == 422);
            if number % 5 == 0 && number < 25 {
                assert_eq!(sign_in(server, &Browser::new(), &mallory).await.status, 303);
            }
        }
        assert_eq!(of_network + looked_at, 30);
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 429);
    })
    .await;
}

/// What a stranger sees of an answer, without what is drawn anew for each.
fn seen(page: &Page) -> (u16, BTreeSet<String>, usize) {
    let names = page.headers.keys().map(ToString::to_string).collect();
    // the name that was typed stands in the form again
    (page.status.as_u16(), names, page.body.matches('<').count())
}

/// SEC-221: whoever does not know the password can't tell accounts that are there, missing, deactivated, without a password or waiting
/// apart, nor can they tell by the number of hashes.
#[tokio::test]
async fn no_user_enumeration() {
    let server = Server::start().await;
    server
        .settings(json!({"guess": {"source_budget": 100_000, "account_budget": 1_000, "account_day_budget": 10_000}}))
        .await;
    server.user("there").await;
    let gone = server.user("gone").await;
    let open = server.user("without").await;
    deactivate_user(server.provider(), &server.call(), &ChangeSource::Command, gone.id, None)
        .await
        .unwrap();
    server
        .behind(&format!(
            "update users set password_hash = null where username = '{}'",
            open.username
        ))
        .await;
    let long = "x".repeat(5_000);
    let cases = [
        "there",
        "gone",
        "without",
        "missing",
        "there@example.com",
        "missing@example.com",
        &long,
    ];
    let browser = Browser::new();
    let mut answers = BTreeMap::new();
    for round in 0..12 {
        for name in cases {
            let before = server.provider().passwords.computed();
            let answer = sign_in_with(&server, &browser, name, "a wrong one").await;
            let hashes = server.provider().passwords.computed() - before;
            answers
                .entry((seen(&answer), hashes))
                .or_insert_with(Vec::new)
                .push((round, name.len()));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // an empty password is none, whoever's
    let empty: BTreeSet<_> = join_all(cases.map(|name| {
        let server = &server;
        async move { seen(&sign_in_with(server, &Browser::new(), name, "").await) }
    }))
    .await
    .into_iter()
    .collect();
    assert_eq!(empty.len(), 1, "{empty:?}");
    server.stop().await;
}
