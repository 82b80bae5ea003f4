//! `ostiary sessions` and `ostiary devices`: where and with what people are signed in, and its end, from a terminal beside a
//! running server.

use serde_json::json;

use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_seen_and_ended_from_a_terminal() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let terminal = Terminal::at(server.folder());
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    server.group("staff", &[], &[&ada]).await;
    let client = server.client(|_| ()).await;
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid offline_access".to_owned();
    let browsers = [Browser::new(), Browser::new(), Browser::new()];
    let mut tokens = Vec::new();
    for (browser, user) in browsers.iter().zip([&ada, &ada, &bob]) {
        let arrival = party.sign_in(browser, user).await;
        tokens.push(party.redeem(arrival.code()).await.ok().get("refresh_token"));
    }
    let count = async |arguments: &[&str]| {
        let words = [&["sessions", "list", "--json"], arguments].concat();
        terminal.run(&words).await.json().as_array().unwrap().len()
    };
    assert_eq!(count(&[]).await, 3);
    assert_eq!(count(&["--user", "ada"]).await, 2);
    assert_eq!(count(&["--client", &client.client_id]).await, 3);
    assert_eq!(count(&["--address", "127.0.0.1"]).await, 3);
    assert_eq!(count(&["--group", "staff"]).await, 2);
    let listed = terminal
        .run(&["sessions", "list", "--user", "bob", "--json"])
        .await
        .json();
    assert_eq!(listed[0]["user"], "bob");
    assert_eq!(listed[0]["address"], "127.0.0.1");
    assert!(terminal.run(&["sessions", "list"]).await.ok().contains("bob"));

    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(
        terminal.run(&["sessions", "end", id, "--json"]).await.json(),
        json!({"ended": 1})
    );
    assert!(
        terminal
            .run(&["sessions", "end", id])
            .await
            .refused()
            .contains("no session")
    );
    assert_eq!(browsers[2].get(&server.url("/account")).await.status, 303);
    tokens[2] = party.refresh(&tokens[2]).await.ok().get("refresh_token");
    let ended = terminal
        .run(&["sessions", "end", "--user", "ada", "--with-offline", "--json"])
        .await;
    assert_eq!(ended.json(), json!({"ended": 2}));
    assert_eq!(party.refresh(&tokens[0]).await.error(), "invalid_grant");

    assert_eq!(
        terminal.run(&["sessions", "end"]).await.code,
        2,
        "nothing is ended by leaving something out"
    );
    assert_eq!(terminal.run(&["sessions", "end", id, "--all"]).await.code, 2);
    party.sign_in(&browsers[0], &ada).await;
    assert!(
        terminal
            .run(&["sessions", "end", "--all"])
            .await
            .ok()
            .contains("every session")
    );
    assert_eq!(count(&[]).await, 0);
    party.refresh(&tokens[2]).await.ok();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_blocked_let_in_and_forgotten_from_a_terminal() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let terminal = Terminal::at(server.folder());
    let ada = server.user("ada").await;
    let first = server.signed_in(&ada).await;
    let listed = terminal.run(&["devices", "list", "ada", "--json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["state"], "known");
    let id = listed[0]["id"].as_str().unwrap();
    let live = async || {
        server
            .provider()
            .sessions
            .list(ada.id, server.call().now)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(live().await, 1);
    let told = terminal
        .run(&["devices", "block", "ada", id, "--with-offline"])
        .await
        .ok();
    assert_eq!(told, "the device of ada is blocked\n");
    assert_eq!(live().await, 0);
    assert!(terminal.run(&["devices", "list", "ada"]).await.ok().contains("blocked"));
    assert!(
        terminal
            .run(&["devices", "admit", "ada", id])
            .await
            .refused()
            .contains("blocked")
    );
    terminal.run(&["devices", "unblock", "ada", id]).await.ok();
    terminal
        .run(&["settings", "set", "session.known_devices_only", "true", "--user", "ada"])
        .await
        .ok();
    let user = server.account(&ada).await;
    let mut another = first.clone();
    another.device = None;
    another.accounts.clear();
    let proof = ostiary::flow::session::Proof::password(false);
    ostiary::flow::session::begin(server.provider(), &server.call(), &mut another, &user, proof)
        .await
        .unwrap_err();
    let listed = terminal.run(&["devices", "list", "ada", "--json"]).await.json();
    let waiting = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["state"] == "waiting")
        .unwrap();
    terminal
        .run(&["devices", "admit", "ada", waiting["id"].as_str().unwrap()])
        .await
        .ok();
    terminal.run(&["devices", "forget", "ada", id]).await.ok();
    assert!(
        !terminal
            .run(&["devices", "forget", "ada", id])
            .await
            .refused()
            .is_empty()
    );
    assert_eq!(terminal.run(&["devices", "forget", "ada", "nothing"]).await.code, 2);
    let listed = terminal.run(&["devices", "list", "ada", "--json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["state"], "known");
    server.stop().await;
}
