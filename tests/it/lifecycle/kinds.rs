//! What an account is for: a person's, one of a person who administers, and a server's, whose client goes where the account goes.

use ostiary::flow::operations::apply::{Difference, Document, PruneUsers, apply};
use ostiary::flow::operations::export::{Secrets, export};
use serde_json::{Value, json};

use super::{administrator, mails_to, sign_in, with_commands};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::http::plain_http;
use crate::support::server::{Server, each_backend};

/// What the token endpoint says to a client that asks for a token of its own.
async fn token(server: &Server, made: &Value) -> (u16, Value) {
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let request = plain_http().build().unwrap().post(server.url("/oauth2/token"));
    let answer = request
        .basic_auth(text("client_id"), Some(text("client_secret")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials&scope=admin%3Ausers.read")
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// A server of these words, and what was told when it was made.
async fn robot(server: &Server) -> (String, Value) {
    let caller = administrator(server).await;
    let body = json!({"username": "robot", "type": "server", "scope": "admin:users.read"});
    let made = caller.post("/users", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    (format!("/users/{}", made["id"].as_str().unwrap()), made)
}

/// SEC-428: the client of a server's account gets tokens while the account may be used, and not a moment longer.
#[tokio::test]
async fn a_servers_client_may_be_used_while_its_account_may() {
    each_backend(async |server| {
        let (path, made) = robot(server).await;
        assert_eq!(
            (&made["type"], &made["has_password"]),
            (&json!("server"), &json!(false))
        );
        let caller = administrator(server).await;
        let told = caller.get(&path).await.json();
        assert_eq!(told["client"], made["client"]);
        assert!(told.get("client_secret").is_none(), "its secret is told once");
        let (status, answer) = token(server, &made).await;
        assert_eq!(status, 200, "{answer}");
        caller.post(&format!("{path}/deactivate"), json!({})).await.ok();
        let (status, answer) = token(server, &made).await;
        assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")));
        caller.post(&format!("{path}/reactivate"), json!({})).await.ok();
        assert_eq!(token(server, &made).await.0, 200);
        let end = server.call().now.after(std::time::Duration::from_secs(60));
        let term = json!({"expires_at": server.call().now.after(std::time::Duration::from_secs(60)).rfc3339()});
        caller.patch(&path, term).await.ok();
        server.advance(std::time::Duration::from_secs(61));
        let call = server.call();
        assert!(call.now > end);
        while ostiary::flow::people::end_expired(server.provider(), &call)
            .await
            .unwrap()
        {}
        server.provider().refresh_memory().await.unwrap();
        assert_eq!(token(server, &made).await.0, 401);
        let caller = administrator(server).await;
        caller.patch(&path, json!({"expires_at": null})).await.ok();
        assert_eq!(token(server, &made).await.0, 200);
        assert_eq!(caller.delete(&path).await.status, 204);
        assert_eq!(token(server, &made).await.0, 401);
    })
    .await;
}

/// Nobody signs in to it, whatever they hold.
#[tokio::test]
async fn nobody_signs_in_to_a_servers_account() {
    each_backend(async |server| {
        let (path, _) = robot(server).await;
        let caller = administrator(server).await;
        for (route, body) in [
            (
                "reset-password",
                json!({"password": "a long walk by the river at noon"}),
            ),
            ("reset-password", json!({})),
            ("send-invitation", json!({})),
        ] {
            let refused = caller.post(&format!("{path}/{route}"), body).await;
            assert_eq!(refused.status, 409, "{route}: {}", refused.body);
        }
        for (patch, pointer) in [
            (json!({"email": "robot@example.com"}), "/email"),
            (json!({"type": "default"}), "/type"),
            (json!({"starts_at": "2030-01-01T00:00:00Z"}), "/starts_at"),
        ] {
            let refused = caller.patch(&path, patch).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.body);
        }
        for (body, pointer) in [
            (
                json!({"username": "x", "type": "server", "email": "x@example.com"}),
                "/email",
            ),
            (
                json!({"username": "x", "type": "server", "generate_password": true}),
                "/password",
            ),
            (json!({"username": "x", "type": "nonsense"}), "/type"),
            (json!({"username": "x", "scope": "orders.read"}), "/type"),
        ] {
            let refused = caller.post("/users", body.clone()).await;
            assert_eq!(refused.status, 422, "{body}: {}", refused.body);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.body);
        }
        assert_eq!(sign_in(server, &Browser::new(), "robot", "").await.status, 422);
        assert!(mails_to(server, "robot@example.com").await.is_empty());
    })
    .await;
}

/// SEC-413, SEC-414: who may not make clients makes no servers, none whose client may more than they, and no administrators.
#[tokio::test]
async fn a_kind_confers_nothing_that_the_caller_does_not_hold() {
    each_backend(async |server| {
        let people = Caller::client(server, "admin:users").await;
        let robot = json!({"username": "robot", "type": "server"});
        assert_eq!(people.post("/users", robot).await.status, 403);
        let both = Caller::client(server, "admin:users admin:clients").await;
        let more = json!({"username": "robot", "type": "server", "scope": "admin:settings"});
        assert_eq!(both.post("/users", more).await.status, 403);
        let less = json!({"username": "robot", "type": "server", "scope": "admin:users.read"});
        let made = both.post("/users", less).await;
        assert_eq!(made.status, 201, "{}", made.body);
        // who holds less than the client neither stops it nor lets it go on
        let path = format!("/users/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(
            people
                .post("/users", json!({"username": "eve", "type": "admin"}))
                .await
                .status,
            403
        );
        let eve = people.post("/users", json!({"username": "eve"})).await.ok().json();
        let eve = format!("/users/{}", eve["id"].as_str().unwrap());
        assert_eq!(people.patch(&eve, json!({"type": "admin"})).await.status, 403);
        let caller = administrator(server).await;
        let told = caller.patch(&eve, json!({"type": "admin"})).await.ok().json();
        assert_eq!(told["type"], "admin");
        // what is asked of administrators is asked of whoever is to be one
        let short = caller
            .post(&format!("{eve}/reset-password"), json!({"password": "bridge-walk7"}))
            .await;
        assert_eq!(short.status, 422, "{}", short.body);
        caller.patch(&eve, json!({"type": "default"})).await.ok();
        let enough = caller
            .post(&format!("{eve}/reset-password"), json!({"password": "bridge-walk7"}))
            .await;
        assert_eq!(enough.status, 200, "{}", enough.body);
        assert_eq!(caller.delete(&path).await.status, 204);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_and_a_terminal_know_what_an_account_is_for() {
    let server = with_commands().await;
    let terminal = Terminal::at(server.folder());
    let made = terminal
        .run(&["users", "create", "robot", "--type", "server", "--json"])
        .await
        .json();
    assert_eq!(made["type"], "server");
    assert!(made["client_secret"].as_str().unwrap().len() >= 32);
    terminal.run(&["users", "create", "ada", "--type", "admin"]).await.ok();
    server.provider().refresh_memory().await.unwrap();
    let file = export(server.provider(), Secrets::Omitted).await.unwrap();
    let users = file["users"].as_array().unwrap();
    let robot = users.iter().find(|user| user["username"] == "robot").unwrap();
    assert_eq!(
        (&robot["type"], &robot["client_id"]),
        (&json!("server"), &made["client_id"])
    );
    let ada = users.iter().find(|user| user["username"] == "ada").unwrap();
    assert_eq!(ada["type"], "admin");
    let document = Document::read(&file, None).unwrap();
    let again: Difference = apply(server.provider(), &server.call(), &document, PruneUsers::No)
        .await
        .unwrap();
    assert!(again.is_empty(), "{again:?}");
    server.stop().await;
}
