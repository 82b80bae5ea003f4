//! One person signs in everywhere at once, on three nodes and on one.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;
use ostiary::flow::session::{self, NotBegun, Proof};
use ostiary::flow::{Call, Provider};
use ostiary::model::User;
use serde_json::json;

use crate::api::conversation::Caller;
use crate::oauth::steps::skips;
use crate::support::backend::{Backend, backends};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

const RACERS: usize = 200;
const MOST: usize = 3;

/// One sign-in at a node; whether it was admitted. Never are there more than there may be.
async fn race(provider: Provider, call: Call, user: Arc<User>) -> bool {
    let mut browser = session::recognize(&provider, &call, None, None).await.unwrap();
    let begun = session::begin(&provider, &call, &mut browser, &user, Proof::password(false)).await;
    let live = provider.sessions.list(user.id, call.now).await.unwrap().len();
    assert!(live <= MOST, "{live}");
    match begun {
        Ok(_) => true,
        Err(NotBegun::Full(_)) => false,
        Err(refused @ (NotBegun::Device(_) | NotBegun::Factor(_) | NotBegun::Action(_) | NotBegun::Changed)) => {
            panic!("{refused:?}")
        }
        Err(NotBegun::Failed(error)) => panic!("{error}"),
    }
}

async fn side_by_side(servers: &[&Server], at_limit: &str) {
    let first = servers[0];
    first
        .settings(json!({"session.max_concurrent": MOST, "session.at_limit": at_limit}))
        .await;
    for server in servers {
        server.provider().refresh_memory().await.unwrap();
    }
    let person = first.user(&format!("ada-{at_limit}")).await;
    let mut store = first.provider().store.read().await.unwrap();
    let user = Arc::new(store.find_user(person.id).await.unwrap().unwrap());
    drop(store);
    // a few at a time wait for the database, as many as the nodes let
    let mut admitted = 0;
    for wave in 0..RACERS / 50 {
        let racers = (0..50).map(|number| {
            let server = servers[(wave + number) % servers.len()];
            tokio::spawn(race(server.provider().clone(), server.call(), user.clone()))
        });
        for raced in join_all(racers).await {
            admitted += usize::from(raced.unwrap());
        }
    }
    let refuses = ["refuse", "ask"].contains(&at_limit);
    assert_eq!(admitted, if refuses { MOST } else { RACERS });
    let call = first.call();
    let held: HashSet<_> = first
        .provider()
        .sessions
        .list(user.id, call.now)
        .await
        .unwrap()
        .iter()
        .map(|session| session.id)
        .collect();
    assert_eq!(held.len(), MOST);
    let mut store = first.provider().store.read().await.unwrap();
    let rows = store.list_live_sessions_of(user.id, call.now, 500).await.unwrap();
    let live: HashSet<_> = rows.iter().map(|row| row.id).collect();
    assert!(held.is_subset(&live), "whoever is admitted is written down");
    let besides = live.difference(&held).count();
    assert_eq!(besides, 0, "whoever was pushed out is written down as such");
}

/// SEC-177: 200 logins of one person on three nodes never exceed the number by one, whatever happens above it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_limit_race_on_three_nodes() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let mut nodes = Vec::new();
        if backend == Backend::PostgresRedis {
            nodes.push(server.node().await);
            nodes.push(server.node().await);
        }
        let servers: Vec<&Server> = std::iter::once(&server).chain(&nodes).collect();
        for at_limit in ["refuse", "end_oldest", "end_least_recent", "ask"] {
            side_by_side(&servers, at_limit).await;
        }
        for node in nodes {
            node.stop().await;
        }
        server.stop().await;
    }
}

/// SEC-177: sessions and applications that stay connected, at once and at different nodes, are together no more than the number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connected_applications_and_sessions_race_for_the_same_places() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let node = if backend == Backend::PostgresRedis {
            Some(server.node().await)
        } else {
            None
        };
        for at_limit in ["refuse", "end_oldest", "end_least_recent"] {
            server
                .settings(json!({"session.max_concurrent": 4, "session.at_limit": "end_oldest"}))
                .await;
            let person = server.user(&format!("ada-{at_limit}")).await;
            let client = server.client(skips).await;
            // codes of two sessions, made before the number matters
            let mut parties = Vec::new();
            for _ in 0..2 {
                let browser = Browser::new();
                for _ in 0..5 {
                    let mut party = RelyingParty::new(&server, &client);
                    party.scope = "openid offline_access".to_owned();
                    let code = party.sign_in(&browser, &person).await.code().to_owned();
                    parties.push((party, code));
                }
            }
            server.settings(json!({"session.at_limit": at_limit})).await;
            let mut store = server.provider().store.read().await.unwrap();
            let user = Arc::new(store.find_user(person.id).await.unwrap().unwrap());
            drop(store);
            let other = node.as_ref().unwrap_or(&server);
            other.provider().refresh_memory().await.unwrap();
            let redemptions = parties.iter().map(|(party, code)| party.redeem(code));
            let sign_ins = (0..10).map(|_| {
                let (provider, call, user) = (other.provider().clone(), other.call(), user.clone());
                async move {
                    let mut browser = session::recognize(&provider, &call, None, None).await.unwrap();
                    session::begin(&provider, &call, &mut browser, &user, Proof::password(false))
                        .await
                        .is_ok()
                }
            });
            tokio::join!(join_all(redemptions), join_all(sign_ins));
            let call = server.call();
            let sessions = server.provider().sessions.list(user.id, call.now).await.unwrap().len();
            let mut store = server.provider().store.read().await.unwrap();
            let families = store.list_offline_families_of(user.id, call.now, 100).await.unwrap();
            let together = sessions + families.len();
            // those that come at the same moment push out each other, and never to the last
            assert!(
                (1..=4).contains(&together),
                "{sessions} and {} with {at_limit}",
                families.len()
            );
        }
        if let Some(node) = node {
            node.stop().await;
        }
        server.stop().await;
    }
}

/// SEC-177, SEC-647: what a client allows holds while its codes are redeemed at two nodes at once, and sessions go that they began in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_a_client_holds_while_sessions_come_and_go() {
    const AT_ONCE: usize = 24;
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let node = if backend == Backend::PostgresRedis {
            Some(server.node().await)
        } else {
            None
        };
        let other = node.as_ref().unwrap_or(&server);
        for at_limit in ["refuse", "end_oldest"] {
            let person = server.user(&format!("ada-{at_limit}")).await;
            let client = server.client(skips).await;
            let mut scenes = Vec::new();
            for number in 0..AT_ONCE {
                let base = if number % 2 == 0 { &server } else { other };
                let mut party = RelyingParty::at(&base.url(""), &server.host(), &client);
                party.scope = "openid offline_access".to_owned();
                let browser = Browser::new();
                let mut asking = RelyingParty::new(&server, &client);
                asking.scope.clone_from(&party.scope);
                asking.code_verifier.clone_from(&party.code_verifier);
                let code = asking.sign_in(&browser, &person).await.code().to_owned();
                scenes.push((number, party, browser, code));
            }
            let caller = Caller::client(&server, "admin:clients").await;
            let limit = json!({"session": {"max_concurrent": MOST, "at_limit": at_limit}});
            let path = format!("/clients/{}/settings", client.client.id);
            caller.patch(&path, limit).await.ok();
            other.provider().refresh_memory().await.unwrap();
            let coming_and_going = scenes.iter().map(async |(number, party, browser, code)| {
                party.redeem(code).await;
                if number % 3 > 0 {
                    let page = browser.get(&server.url("/logout")).await;
                    let form = page.form_with_button("decision", "sign_out");
                    browser.submit(&page, form, &[("decision", "sign_out")]).await;
                }
            });
            join_all(coming_and_going).await;
            let call = server.call();
            let mut store = server.provider().store.read().await.unwrap();
            let served = store.list_served_clients_of(person.id, call.now, 500).await.unwrap();
            let families = store.list_offline_families_of(person.id, call.now, 500).await.unwrap();
            let mut logins: HashSet<_> = families.iter().map(|family| family.session).collect();
            logins.extend(
                served
                    .iter()
                    .filter(|one| one.client == client.client.id)
                    .map(|one| one.session),
            );
            assert!((1..=MOST).contains(&logins.len()), "{} with {at_limit}", logins.len());
        }
        if let Some(node) = node {
            node.stop().await;
        }
        server.stop().await;
    }
}
