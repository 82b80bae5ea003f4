//! Whoever waits at a consent has no place yet: many tabs that say yes at once, at one node and another, and the number of logins.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::at_node::AtNode;
use crate::api::conversation::Caller;
use crate::login;
use crate::oauth::steps::{arrival, outcome};
use crate::support::backend::{Backend, backends};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser};

const MOST: usize = 4;

async fn nodes(server: &Server, backend: Backend) -> Vec<Server> {
    match backend {
        Backend::PostgresRedis => vec![server.node().await, server.node().await],
        Backend::Embedded => Vec::new(),
    }
}

/// Sessions, and applications that stay connected.
async fn logins(server: &Server, person: &TestUser) -> (usize, usize) {
    let call = server.call();
    let sessions = server.provider().sessions.list(person.id, call.now).await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let families = store.list_offline_families_of(person.id, call.now, 100).await.unwrap();
    (sessions.len(), families.len())
}

async fn allow(node: AtNode<'_>, browser: &Browser, consent: &Page) -> Page {
    let form = consent.form_with_button("decision", "allow");
    node.submit(browser, consent, form, &[("decision", "allow")]).await
}

async fn race_of_consents(server: &Server, others: &[Server], at_limit: &str) {
    server
        .settings(json!({"session.max_concurrent": 50, "session.at_limit": at_limit}))
        .await;
    let person = server.user(&format!("ada-{at_limit}")).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.client(|_| ()).await);
    }
    let browsers = [Browser::new(), Browser::new()];
    let mut tabs = Vec::new();
    for browser in &browsers {
        login::sign_in(server, browser, &person).await;
        for client in &clients {
            let mut party = RelyingParty::new(server, client);
            party.scope = "openid offline_access".to_owned();
            let consent = browser.open(&party.authorization_url()).await;
            assert!(consent.url.path().ends_with("/consent"), "{}", consent.url);
            tabs.push((browser, party, consent));
        }
    }
    let mut strangers = Vec::new();
    for _ in 0..3 {
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        strangers.push((browser, page));
    }
    assert_eq!(logins(server, &person).await, (2, 0), "who waits has no place");
    server.settings(json!({"session.max_concurrent": MOST})).await;
    let all: Vec<AtNode<'_>> = std::iter::once(server)
        .chain(others)
        .map(|node| AtNode::new(server, node))
        .collect();
    for node in others {
        node.provider().refresh_memory().await.unwrap();
    }
    let at = |number: usize| all[number % all.len()];
    let values = [
        ("username", person.username.as_str()),
        ("password", person.password.as_str()),
    ];
    let consents = tabs
        .iter()
        .enumerate()
        .map(|(number, (browser, _, consent))| allow(at(number), browser, consent));
    let sign_ins = strangers
        .iter()
        .enumerate()
        .map(|(number, (browser, page))| at(number + 1).submit(browser, page, page.form_with("password"), &values));
    let (answers, _) = tokio::join!(join_all(consents), join_all(sign_ins));
    let codes: Vec<(usize, String)> = answers
        .iter()
        .enumerate()
        .filter_map(|(number, page)| Some((number, arrival(page)?.parameters.get("code")?.clone())))
        .collect();
    let (sessions, _) = logins(server, &person).await;
    assert!(sessions + codes.len() <= MOST, "{sessions} and {} codes", codes.len());
    // one more try of those that were refused, while the others redeem what they have got
    let refused: Vec<usize> = (0..tabs.len())
        .filter(|number| codes.iter().all(|(admitted, _)| admitted != number))
        .collect();
    let again = refused.iter().map(|&number| {
        let (browser, _, consent) = &tabs[number];
        allow(at(number + 1), browser, consent)
    });
    let redeemed = codes.iter().map(|(number, code)| tabs[*number].1.redeem(code));
    let (redeemed, again) = tokio::join!(join_all(redeemed), join_all(again));
    for answer in redeemed {
        answer.ok();
    }
    for page in &again {
        assert_ne!(outcome(page), "code", "{at_limit}");
    }
    let (sessions, families) = logins(server, &person).await;
    assert_eq!(families, codes.len(), "{at_limit}");
    assert_eq!(
        sessions + families,
        MOST,
        "{at_limit}: every place is taken, and none twice"
    );
    server.advance(Duration::from_secs(120));
    let (sessions, families) = logins(server, &person).await;
    assert_eq!(sessions + families, MOST, "{at_limit}: nothing came after");
}

/// SEC-177, SEC-647: ten tabs of two browsers wait at the consent of applications that want to stay connected, and say yes at once, beside three
/// sign-ins, on three nodes: together they get the places that there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consents_that_wait_get_no_more_places_than_there_are() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let others = nodes(&server, backend).await;
        for at_limit in ["refuse", "ask"] {
            race_of_consents(&server, &others, at_limit).await;
        }
        for node in others {
            node.stop().await;
        }
        server.stop().await;
    }
}

/// SEC-177: a session was ended while its tab waited at the consent, and others have its place: the yes brings nobody back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_waited_does_not_bring_back_its_session() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let others = nodes(&server, backend).await;
        server
            .settings(json!({"session.max_concurrent": 2, "session.at_limit": "refuse"}))
            .await;
        let person = server.user("ada").await;
        let client = server.client(|_| ()).await;
        for node in &others {
            node.provider().refresh_memory().await.unwrap();
        }
        let waiting = Browser::new();
        login::sign_in(&server, &waiting, &person).await;
        let mut tabs = Vec::new();
        for scope in ["openid", "openid offline_access"] {
            let mut party = RelyingParty::new(&server, &client);
            party.scope = scope.to_owned();
            let consent = waiting.open(&party.authorization_url()).await;
            assert!(consent.url.path().ends_with("/consent"), "{}", consent.url);
            tabs.push(consent);
        }
        let caller = Caller::client(&server, "admin:sessions").await;
        let listed = caller.get(&format!("/users/{}/sessions", person.id)).await.ok().json();
        let session = listed["items"][0]["id"].as_str().unwrap();
        caller.delete(&format!("/sessions/{session}")).await.ok();
        let inside = [Browser::new(), Browser::new()];
        for browser in &inside {
            assert_eq!(login::sign_in(&server, browser, &person).await.status, 303);
        }
        for node in others.iter().chain([&server]) {
            node.provider().refresh_memory().await.unwrap();
        }
        let all: Vec<AtNode<'_>> = others
            .iter()
            .chain([&server])
            .map(|node| AtNode::new(&server, node))
            .collect();
        let answers = tabs
            .iter()
            .enumerate()
            .map(|(number, consent)| allow(all[number % all.len()], &waiting, consent));
        for answer in join_all(answers).await {
            assert_ne!(outcome(&answer), "code");
        }
        assert_eq!(login::sign_in(&server, &waiting, &person).await.status, 403);
        assert_eq!(logins(&server, &person).await, (2, 0));
        for browser in &inside {
            assert!(login::is_signed_in(&server, browser).await);
        }
        for node in others {
            node.stop().await;
        }
        server.stop().await;
    }
}
