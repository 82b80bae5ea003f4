//! Each secret of an installation is changed while it runs, by the procedure that docs/operations.md gives.

use std::collections::BTreeSet;

use ostiary::model::ConsentMode;
use serde_json::json;

use crate::oauth::scene::Scene;
use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::http::plain_http;
use crate::support::relying_party::{RelyingParty, jwt_header};
use crate::support::server::{Server, TestClient};

/// The first cells of the table of secrets.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let section = text.split("## Secrets and their rotation\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next().map(str::to_owned))
        .filter(|cell| cell != "secret" && !cell.starts_with("---"))
        .collect()
}

/// SEC-589: each secret has a documented time and way of changing it, and the way works beside a running server.
#[tokio::test(flavor = "multi_thread")]
async fn secret_rotation_drill() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    server.settings(json!({"client_registration": {"mode": "token"}})).await;
    let terminal = Terminal::at(server.folder());
    let mut done = BTreeSet::new();
    let scene = Scene::with(&server, |client| client.policy.consent = ConsentMode::Skip).await;
    let tokens = scene.tokens().await;

    let before = server.provider().master.current();
    terminal.run(&["keys", "reseal"]).await.ok();
    assert_ne!(server.provider().master.current(), before);
    let tokens = crate::oauth::scene::Tokens::of(&scene.party().refresh(&tokens.refresh).await);
    done.insert("master key");

    terminal.run(&["keys", "rotate", "--now"]).await.ok();
    assert!(scene.counts(&tokens.access).await);
    let renewed = crate::oauth::scene::Tokens::of(&scene.party().refresh(&tokens.refresh).await);
    assert_ne!(jwt_header(&renewed.id)["kid"], jwt_header(&tokens.id)["kid"]);
    done.insert("signing keys");

    let name = scene.client.client_id.as_str();
    let made = terminal.run(&["clients", "rotate-secret", name, "--json"]).await.json();
    let with = |secret: &str| TestClient {
        secret: secret.to_owned(),
        ..scene.client.clone()
    };
    let (old, new) = (scene.client.clone(), with(made["client_secret"].as_str().unwrap()));
    for client in [&old, &new] {
        RelyingParty::new(&server, client)
            .introspect(&renewed.access)
            .await
            .ok();
    }
    server.advance(std::time::Duration::from_secs(8 * 24 * 3600));
    let refused = RelyingParty::new(&server, &old).introspect(&renewed.access).await;
    assert_eq!(refused.status, 401);
    RelyingParty::new(&server, &new).introspect(&renewed.access).await.ok();
    done.insert("client secrets");

    let token = async || {
        terminal
            .run(&["clients", "registration-token", "create", "for the drill", "--json"])
            .await
            .json()
    };
    let register = async |token: &str| {
        plain_http()
            .build()
            .unwrap()
            .post(server.url("/oauth2/register"))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(json!({"redirect_uris": ["https://shop.example/callback"]}).to_string())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let (old, new) = (token().await, token().await);
    let text = |made: &serde_json::Value, names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| made[*name].as_str())
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    };
    let plain = |made: &serde_json::Value| text(made, ["token", "registration_token"]);
    assert_eq!(register(&plain(&old)).await, 201);
    terminal
        .run(&["clients", "registration-token", "revoke", &text(&old, ["id", "id"])])
        .await
        .ok();
    assert_eq!(register(&plain(&old)).await, 401);
    assert_eq!(register(&plain(&new)).await, 201);
    done.insert("initial access tokens");

    let scene = Scene::on(&server).await;
    let tokens = scene.tokens().await;
    let password = "another word for the door";
    terminal
        .run_with(
            &["users", "set-password", &scene.user.username, "--password", "stdin"],
            &format!("{password}\n"),
        )
        .await
        .ok();
    assert!(scene.sessions().await.is_empty() && !scene.counts(&tokens.access).await);
    let person = crate::support::server::TestUser {
        password: password.to_owned(),
        ..scene.user.clone()
    };
    RelyingParty::new(&server, &scene.client)
        .sign_in(&Browser::new(), &person)
        .await
        .code();
    done.insert("administrators' passwords");

    let link = terminal.run(&["setup", "--json"]).await;
    if link.code == 0 {
        let (first, second) = (link.json(), terminal.run(&["setup", "--json"]).await.json());
        let status = async |link: &serde_json::Value| Browser::new().open(link["url"].as_str().unwrap()).await.status;
        assert_ne!(status(&first).await, 200);
        assert_eq!(status(&second).await, 200);
    }
    done.insert("setup link");
    server.stop().await;

    // changed in the configuration of a node, or in another program, or in tests of their own
    let elsewhere = [
        "database passwords",
        "Redis password",
        "mail server's password",
        "listener's certificate",
        "backup passphrase",
        "API keys",
        "secrets of webhooks",
    ];
    let all: BTreeSet<String> = done.into_iter().chain(elsewhere).map(str::to_owned).collect();
    assert_eq!(all, documented());
}
