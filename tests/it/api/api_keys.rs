//! Keys of scripts: what they confer, and when they end.

use std::time::Duration;

use ostiary::flow::people::{ChangeSource, deactivate_user};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::conversation::{Caller, user_token};
use crate::support::backend::{Backend, quick};
use crate::support::cli::Terminal;
use crate::support::http::plain_http;
use crate::support::server::{Server, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn made(caller: &Caller<'_>, body: Value) -> (String, String) {
    let made = caller.post("/api-keys", body).await.ok().json();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

/// The status of a request with this bearer token.
async fn asks(server: &Server, token: &str, path: &str) -> StatusCode {
    asks_at(server, server, token, path).await
}

/// The same at a node of the server.
async fn asks_at(server: &Server, node: &Server, token: &str, path: &str) -> StatusCode {
    let request = plain_http().build().unwrap().get(node.url(&format!("/api/v1{path}")));
    let request = request.header("host", server.host()).bearer_auth(token);
    request.send().await.unwrap().status()
}

/// SEC-418: a key is scoped, expires, is revocable and no secret of the store; it acts as whom it was made for, who stands in the
/// events with it, and may do what both may, looked up at each request (SEC-419).
#[tokio::test]
async fn a_key_may_do_what_it_says_and_its_owner_may() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let group = server
            .group("help desk", &["admin:users", "admin:api-keys"], &[&ada])
            .await;
        let caller = Caller::with_token(server, &user_token(server, &ada, "admin").await).await;
        let (id, key) = made(&caller, json!({ "name": "nightly", "scopes": ["admin:users"] })).await;
        assert!(key.starts_with("ostk_") && key.len() == 54, "{}", key.len());
        let told = caller.get(&format!("/api-keys/{id}")).await.ok();
        assert!(!told.body.contains(&key) && told.json()["beginning"] == key[..11]);
        assert!(!caller.get("/api-keys").await.ok().body.contains(&key));
        let script = Caller::with_token(server, &key).await;
        let user = script.post("/users", json!({ "username": "bob" })).await.ok().json();
        let root = Caller::client(server, "admin").await;
        let events = root.get("/events?limit=20").await.ok().json();
        let event = events["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|event| event["user"] == user["id"] && event["kind"] == "user.created")
            .unwrap();
        assert_eq!(
            (&event["actor_id"], &event["facts"]["by_api_key"]),
            (&json!(ada.id.to_string()), &json!(id))
        );
        assert!(caller.get(&format!("/api-keys/{id}")).await.ok().json()["last_used_at"].is_string());
        // neither what it does not say, nor anything beside this interface
        assert_eq!(script.get("/groups").await.status, 403);
        assert_eq!(script.get("/api-keys").await.status, 403);
        assert_eq!(script.ask("GET", "/me").await.status, 401);
        // what its owner loses it loses
        root.patch(
            &format!("/groups/{group}"),
            json!({ "permissions": ["admin:users.read"] }),
        )
        .await
        .ok();
        assert_eq!(script.post("/users", json!({ "username": "eve" })).await.status, 403);
        assert_eq!(script.get("/users").await.status, 200);
        let source = ChangeSource::Command;
        deactivate_user(server.provider(), &server.call(), &source, ada.id, None)
            .await
            .unwrap();
        assert_eq!(script.get("/users").await.status, 401);
    })
    .await;
}

/// SEC-418, SEC-413: nobody makes a key that may do more than they, nor one for somebody who may; a key makes none that may do more
/// than it, or outlives it.
#[tokio::test]
async fn a_key_confers_nothing_that_its_maker_does_not_hold() {
    let server = Server::start().await;
    let (ada, root) = (server.user("ada").await, server.user("root").await);
    server
        .group("desk", &["admin:users.read", "admin:api-keys"], &[&ada])
        .await;
    server.group("administrators", &["admin"], &[&root]).await;
    let caller = Caller::with_token(&server, &user_token(&server, &ada, "admin").await).await;
    for scope in ["admin", "admin:users", "admin:keys.read"] {
        let refused = caller
            .post("/api-keys", json!({ "name": "x", "scopes": [scope] }))
            .await;
        assert_eq!(refused.status, 403, "{scope}");
    }
    let for_root = json!({ "name": "x", "scopes": ["admin:users.read"], "user": root.id.to_string() });
    assert_eq!(caller.post("/api-keys", for_root.clone()).await.status, 403);
    for wrong in [
        json!({ "name": "x", "scopes": [] }),
        json!({ "name": "x", "scopes": ["orders.read"] }),
        json!({ "name": " ", "scopes": ["admin:users.read"] }),
        json!({ "name": "x", "scopes": ["admin:users.read"], "life": "400d" }),
    ] {
        assert_eq!(caller.post("/api-keys", wrong.clone()).await.status, 422, "{wrong}");
    }
    let body = json!({ "name": "x", "scopes": ["admin:api-keys", "admin:users.read"], "life": "10d" });
    let (_, key) = made(&caller, body).await;
    let script = Caller::with_token(&server, &key).await;
    let more = json!({ "name": "y", "scopes": ["admin:users"], "life": "1d" });
    assert_eq!(script.post("/api-keys", more).await.status, 403);
    assert_eq!(script.post("/api-keys", for_root).await.status, 403);
    let longer = json!({ "name": "y", "scopes": ["admin:users.read"], "life": "11d" });
    assert_eq!(script.post("/api-keys", longer).await.status, 422);
    made(
        &script,
        json!({ "name": "y", "scopes": ["admin:users.read"], "life": "9d" }),
    )
    .await;
    // a proof of long ago makes none
    server.advance(Duration::from_secs(6 * 60));
    let stale = caller
        .post("/api-keys", json!({ "name": "z", "scopes": ["admin:users.read"] }))
        .await;
    assert_eq!(stale.status, 401);
    server.stop().await;
}

/// A key ends by itself, and when it is revoked: at every node.
#[tokio::test]
async fn a_key_that_ended_counts_nowhere() {
    let backend = if quick() {
        Backend::Embedded
    } else {
        Backend::PostgresRedis
    };
    let server = Server::start_with(backend).await;
    let caller = Caller::client(&server, "admin").await;
    let (id, key) = made(&caller, json!({ "name": "x", "scopes": ["admin:users.read"] })).await;
    let (_, short) = made(
        &caller,
        json!({ "name": "y", "scopes": ["admin:users.read"], "life": "1d" }),
    )
    .await;
    assert_eq!(asks(&server, &key, "/users").await, 200);
    let node = if quick() { None } else { Some(server.node().await) };
    if let Some(node) = &node {
        assert_eq!(asks_at(&server, node, &key, "/users").await, 200);
    }
    caller.delete(&format!("/api-keys/{id}")).await.ok();
    assert_eq!(caller.delete(&format!("/api-keys/{id}")).await.status, 404);
    for node in std::iter::once(&server).chain(&node) {
        assert_eq!(asks_at(&server, node, &key, "/users").await, 401);
        assert_eq!(asks_at(&server, node, &short, "/users").await, 200);
    }
    server.advance(DAY);
    assert_eq!(asks(&server, &short, "/users").await, 401);
    if let Some(node) = node {
        node.stop().await;
    }
    server.stop().await;
}

/// Guesses have a budget, by address; keys that count go on.
#[tokio::test]
async fn guessing_at_keys_is_hopeless() {
    let server = Server::start().await;
    server.settings(json!({ "guess.account_budget": 5 })).await;
    let caller = Caller::client(&server, "admin").await;
    let (_, key) = made(&caller, json!({ "name": "x", "scopes": ["admin:users.read"] })).await;
    for number in 0..6 {
        let status = asks(&server, &format!("ostk_{}", ostiary::random::token()), "/users").await;
        assert_eq!(status.as_u16(), if number < 5 { 401 } else { 429 });
    }
    assert_eq!(asks(&server, &key, "/users").await, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_and_revoked_at_a_terminal() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    server.user("ada").await;
    let terminal = Terminal::at(server.folder());
    let made = terminal
        .run(&[
            "api-keys",
            "create",
            "nightly",
            "--user",
            "ada",
            "--scope",
            "admin:users.read",
            "--json",
        ])
        .await
        .json();
    let key = made["key"].as_str().unwrap();
    // ada may do nothing, and so her key may not
    assert_eq!(asks(&server, key, "/users").await, 403);
    let listed = terminal.run(&["api-keys", "list"]).await.ok();
    assert!(listed.contains("nightly") && listed.contains(&key[..11]) && !listed.contains(key));
    terminal
        .run(&["api-keys", "revoke", made["id"].as_str().unwrap()])
        .await
        .ok();
    assert_eq!(asks(&server, key, "/users").await, 401);
    let nobodys = terminal.run(&["api-keys", "create", "x", "--scope", "admin"]).await;
    assert_eq!(nobodys.code, 2, "{nobodys:?}");
    server.stop().await;
}
