//! What changes on one node, or by the command line, holds on all within a second.

use std::time::Duration;

use ostiary::clock;
use ostiary::model::{GrantType, Scopes};
use serde_json::{Value, json};

use super::{Cluster, HOLDS_WITHIN};
use crate::support::backend::quick;
use crate::support::ledger::token_request;
use crate::support::process::Node;
use crate::support::stage::Stage;
use crate::support::wire::{Wire, WireAnswer, request};

/// Asks every node until all of them answer as wanted: how long that took after the change was acknowledged.
async fn everywhere(nodes: &[Node], what: &str, request: &[u8], wanted: impl Fn(&WireAnswer) -> bool) -> Duration {
    let changed = clock::monotonic();
    for node in nodes {
        let mut wire = Wire::to(node.address);
        loop {
            let answer = wire.exchange(request).await.unwrap();
            if wanted(&answer) {
                break;
            }
            assert!(
                changed.elapsed() < HOLDS_WITHIN,
                "{what}, still: {} {}",
                answer.status,
                answer.body
            );
        }
    }
    // and nobody falls back
    for node in nodes {
        let answer = Wire::to(node.address).exchange(request).await.unwrap();
        assert!(wanted(&answer), "{what}, again: {} {}", answer.status, answer.body);
    }
    changed.elapsed()
}

/// An administrator's token, and requests with it at one node.
struct Administrator {
    host: String,
    token: String,
}

impl Administrator {
    async fn of(cluster: &Cluster) -> Self {
        let client = cluster
            .installation
            .client(|client| {
                client.metadata.grant_types = vec![GrantType::ClientCredentials];
                client.metadata.redirect_uris.clear();
                client.metadata.scope = Scopes::parse("admin").unwrap();
            })
            .await;
        let host = cluster.installation.host();
        let asked = token_request(
            &host,
            &client,
            &[("grant_type", "client_credentials"), ("scope", "admin")],
        );
        let answer = Wire::to(cluster.nodes[0].address).exchange(&asked).await.unwrap();
        assert!(answer.is_success(), "{}", answer.body);
        Self {
            token: answer.get("access_token"),
            host,
        }
    }

    async fn send(&self, node: &Node, method: &str, path: &str, body: Value) -> WireAnswer {
        let authorization = format!("Bearer {}", self.token);
        let kind = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let headers = [("authorization", authorization.as_str()), ("content-type", kind)];
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request(method, &self.host, &format!("/api/v1{path}"), &headers, &text);
        let answer = Wire::to(node.address).exchange(&request).await.unwrap();
        assert!(
            answer.is_success(),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        answer
    }
}

fn key_ids(document: &WireAnswer) -> Vec<String> {
    let document = document.json();
    let keys = document["keys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_node_holds_on_all_within_a_second() {
    if quick() {
        return;
    }
    let cluster = Cluster::of_three().await;
    let stage = Stage::set(&cluster.installation).await;
    let nodes = &cluster.nodes;
    let host = &stage.host;
    let administrator = Administrator::of(&cluster).await;
    let metadata = request("GET", host, "/.well-known/openid-configuration", &[], "");
    let mut slowest = Duration::ZERO;
    let mut took = |time: Duration| slowest = slowest.max(time);

    // a setting
    administrator
        .send(
            &nodes[1],
            "PATCH",
            "/settings",
            json!({ "client_registration.mode": "open" }),
        )
        .await;
    let opened = |answer: &WireAnswer| !answer.get("registration_endpoint").is_empty();
    took(everywhere(nodes, "registration is open", &metadata, opened).await);

    // the keys
    let jwks = request("GET", host, "/oauth2/jwks", &[], "");
    let before = key_ids(&Wire::to(nodes[0].address).exchange(&jwks).await.unwrap());
    let rotated = cluster.installation.command(&["keys", "rotate", "--now"]).await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let known = |answer: &WireAnswer| key_ids(answer).len() > before.len();
    took(everywhere(nodes, "the new keys are published", &jwks, known).await);

    // tokens, revoked at one node
    let mut wire = Wire::to(nodes[0].address);
    let tokens = async |wire: &mut Wire| {
        let code = stage.code(wire).await;
        wire.exchange(&stage.redeem(&code)).await.unwrap()
    };
    let first = tokens(&mut wire).await;
    let userinfo = stage.userinfo(&first.get("access_token"));
    everywhere(nodes, "the token counts", &userinfo, WireAnswer::is_success).await;
    let revoked = wire.exchange(&stage.revoke(&first.get("refresh_token"))).await.unwrap();
    assert!(revoked.is_success());
    took(everywhere(nodes, "the token is over", &userinfo, |answer| answer.status == 401).await);
    let refresh = stage.refresh(&first.get("refresh_token"));
    took(
        everywhere(nodes, "the family is over", &refresh, |answer| {
            answer.get("error") == "invalid_grant"
        })
        .await,
    );

    // a person, deactivated by a command
    let second = tokens(&mut wire).await;
    let userinfo = stage.userinfo(&second.get("access_token"));
    everywhere(nodes, "the token counts", &userinfo, WireAnswer::is_success).await;
    let name = &stage.user.username;
    let done = cluster.installation.command(&["users", "deactivate", name]).await;
    assert_eq!(done.code, 0, "{done:?}");
    took(everywhere(nodes, "the person is out", &userinfo, |answer| answer.status == 401).await);
    let refresh = stage.refresh(&second.get("refresh_token"));
    took(
        everywhere(nodes, "the person is out", &refresh, |answer| {
            answer.get("error") == "invalid_grant"
        })
        .await,
    );

    // a client, disabled by a command
    let unknown = stage.introspect("unknown");
    everywhere(nodes, "the client is one", &unknown, WireAnswer::is_success).await;
    let done = cluster
        .installation
        .command(&["clients", "disable", &stage.client.client_id])
        .await;
    assert_eq!(done.code, 0, "{done:?}");
    took(everywhere(nodes, "the client is none", &unknown, |answer| answer.status == 401).await);
    println!("everything held on all nodes within {slowest:?}");
    cluster.end().await;
}

/// REL-54: keys rotate under load, announced and at once, and every token verifies with what is published when it is given.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_verify_while_the_keys_rotate() {
    if quick() {
        return;
    }
    let cluster = Cluster::of_three().await;
    let stage = std::sync::Arc::new(Stage::set(&cluster.installation).await);
    let ledger = std::sync::Arc::new(crate::support::ledger::Ledger::default());
    let load = super::Load::begin(&cluster, &stage, &ledger);
    let rounds = if crate::crash::full_length() { 100 } else { 4 };
    for _ in 0..rounds {
        let rotated = cluster.installation.command(&["keys", "rotate", "--now"]).await;
        assert_eq!(rotated.code, 0, "{rotated:?}");
        clock::sleep(Duration::from_millis(200)).await;
    }
    load.end().await;
    // retiring keys stay published: what the first of them signed still verifies
    ledger.assert_verified(&cluster.nodes[2], &stage.host).await;
    ledger.assert_allowed(&[200], Duration::from_secs(30));
    ledger.assert_identity();
    println!("{rounds} rotations, {} operations", ledger.len());

    // REL-55: a key that others may have is refused everywhere at once, and other keys sign
    let mut wire = Wire::to(cluster.nodes[0].address);
    let code = stage.code(&mut wire).await;
    let old = wire.exchange(&stage.redeem(&code)).await.unwrap();
    let userinfo = stage.userinfo(&old.get("access_token"));
    everywhere(&cluster.nodes, "the token counts", &userinfo, WireAnswer::is_success).await;
    let rotated = cluster.installation.command(&["keys", "rotate", "--compromised"]).await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    everywhere(&cluster.nodes, "the old key is out", &userinfo, |answer| {
        answer.status == 401
    })
    .await;
    for node in &cluster.nodes {
        let mut wire = Wire::to(node.address);
        let code = stage.code(&mut wire).await;
        let new = wire.exchange(&stage.redeem(&code)).await.unwrap();
        let userinfo = stage.userinfo(&new.get("access_token"));
        everywhere(&cluster.nodes, "new tokens count", &userinfo, WireAnswer::is_success).await;
    }
    cluster.end().await;
}
