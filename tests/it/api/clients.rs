//! Clients by the API: their secrets are told once, and managing them confers nothing.

use serde_json::{Value, json};

use super::conversation::{Caller, service};
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

fn sample() -> Value {
    json!({"client_name": "Shop", "redirect_uris": ["https://shop.example/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile", "consent": "skip"})
}

#[tokio::test]
async fn a_client_is_made_changed_disabled_and_deleted() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:clients").await;
    let mut body = sample();
    body["client_id"] = json!("shop");
    let made = caller.post("/clients", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        (made.get("client_id"), made.get("consent")),
        ("shop".to_owned(), "skip".to_owned())
    );
    assert_eq!(caller.post("/clients", body).await.status, 409);
    let path = format!("/clients/{}", made.get("id"));
    let changed = caller
        .patch(&path, json!({"client_name": null, "require_pkce": true}))
        .await
        .ok();
    assert_eq!(
        (&changed.json()["client_name"], &changed.json()["require_pkce"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(
        changed.json()["redirect_uris"],
        json!(["https://shop.example/callback"]),
        "it stays"
    );
    let refused = caller
        .patch(
            &path,
            json!({"redirect_uris": ["javascript:alert(1)"], "no_such": null}),
        )
        .await;
    assert_eq!(refused.status, 422);
    let disabled = caller.send("POST", &format!("{path}/disable"), None, &[]).await.ok();
    assert_eq!(disabled.get("status"), "disabled");
    assert_eq!(
        caller
            .send("POST", &format!("{path}/enable"), None, &[])
            .await
            .ok()
            .get("status"),
        "active"
    );
    let listed = caller.get("/clients?filter=client_id+eq+%22shop%22").await.ok().json();
    assert_eq!(listed["items"][0]["client_id"], "shop");
    assert_eq!(
        caller.get("/clients?sort=-created_at&limit=1").await.ok().json()["items"][0]["client_id"],
        "shop"
    );
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(caller.get(&path).await.status, 404);
    server.stop().await;
}

/// SEC-141: a client's secret is in the answer that made it and in no other.
#[tokio::test]
async fn client_secret_not_readable() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let made = caller.post("/clients", sample()).await.ok();
    let path = format!("/clients/{}", made.get("id"));
    let first = made.get("client_secret");
    let second = caller
        .send("POST", &format!("{path}/secrets"), None, &[])
        .await
        .ok()
        .get("client_secret");
    let token = caller
        .post("/registration-tokens", json!({"name": "tests", "uses": 2}))
        .await
        .ok();
    assert!(first.len() >= 43 && second.len() >= 43 && first != second);
    let secrets = [first, second, token.get("token")];
    for read in [
        path.as_str(),
        "/clients",
        &format!("{path}/secrets"),
        "/registration-tokens",
        "/events",
        "/settings",
    ] {
        let answer = caller.get(read).await.ok();
        for secret in &secrets {
            assert!(!answer.body.contains(secret.as_str()), "{read}");
        }
    }
    let changed = caller.patch(&path, json!({"client_name": "Other"})).await.ok();
    assert_eq!(changed.json().get("client_secret"), None);
    let listed = caller.get(&format!("{path}/secrets")).await.json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let oldest = items.iter().find(|secret| secret["expires_at"].is_string()).unwrap();
    let gone = caller
        .delete(&format!("{path}/secrets/{}", oldest["id"].as_str().unwrap()))
        .await;
    assert_eq!(gone.status, 204);
    let weak = caller
        .post(&format!("{path}/secrets"), json!({"client_secret": "short"}))
        .await;
    assert_eq!(weak.status, 422);
    let revoked = caller
        .delete(&format!("/registration-tokens/{}", token.get("id")))
        .await;
    assert_eq!(revoked.status, 204);
    server.stop().await;
}

/// SEC-140: whoever manages clients gains nothing by it: not by scopes of a new client, nor those of an old one, nor its secret,
/// nor by waking it up, nor by a resource or group that would carry the name of a right.
#[tokio::test]
async fn client_manager_no_escalation() {
    let server = Server::start().await;
    let boss = Caller::client(&server, "admin").await;
    let body = json!({"grant_types": ["client_credentials"], "scope": "admin"});
    let strong = boss.post("/clients", body).await.ok().get("id");
    let own = service(&server, "admin:clients").await;
    let caller = Caller::client(&server, "admin:clients admin:resources admin:groups").await;
    let machine = |scope: &str| json!({"grant_types": ["client_credentials"], "scope": scope});
    for scope in [
        "admin",
        "admin:users",
        "admin:keys.read",
        "admin:clients admin:settings",
        "scim",
    ] {
        let made = caller.post("/clients", machine(scope)).await;
        assert_eq!(made.status, 403, "{scope}: {}", made.body);
    }
    let harmless = caller.post("/clients", sample()).await.ok();
    let path = format!("/clients/{}", harmless.get("id"));
    let raised =
        json!({"grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [], "scope": "admin"});
    assert_eq!(caller.patch(&path, raised).await.status, 403);
    let path = format!("/clients/{strong}");
    assert_eq!(
        caller.send("POST", &format!("{path}/secrets"), None, &[]).await.status,
        403
    );
    assert_eq!(caller.patch(&path, json!({"client_name": "Mine"})).await.status, 403);
    assert_eq!(caller.patch(&path, json!({"scope": ""})).await.status, 403);
    for (method, act) in [("POST", "/disable"), ("DELETE", "")] {
        let answer = caller.send(method, &format!("{path}{act}"), None, &[]).await;
        assert_eq!(answer.status, 403, "{act}");
    }
    boss.send("POST", &format!("{path}/disable"), None, &[]).await.ok();
    assert_eq!(
        caller.send("POST", &format!("{path}/enable"), None, &[]).await.status,
        403
    );
    for identifier in [server.url("/api/v1"), server.issuer().to_owned(), server.url("/")] {
        let made = caller.post("/resources", json!({"identifier": identifier})).await;
        assert_eq!(made.status, 422, "{identifier}");
    }
    let scopes = json!({"identifier": "https://mine.example", "scopes": ["admin", "admin:users", "openid", "account"]});
    let made = caller.post("/resources", scopes).await;
    assert_eq!(
        (made.status.as_u16(), made.json()["errors"].as_array().unwrap().len()),
        (422, 4)
    );
    let group = caller
        .post("/groups", json!({"name": "mine", "permissions": ["admin"]}))
        .await;
    assert_eq!(group.status, 403);
    // what it holds it may pass on, and the other client gets just that
    let equal = caller.post("/clients", machine("admin:clients")).await;
    assert_eq!(equal.status, 201, "{}", equal.body);
    let party = RelyingParty::new(&server, &own);
    let more = party
        .token(&[
            ("grant_type", "client_credentials"),
            ("scope", "admin:clients admin:users"),
        ])
        .await;
    if more.status.is_success() {
        let caller = Caller::with_token(&server, &more.get("access_token")).await;
        assert_eq!(caller.get("/users").await.status, 403);
    }
    server.stop().await;
}

/// SEC-416: what is secret is in no answer that reads, whoever reads.
#[tokio::test]
async fn secrets_write_only() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let user = caller
        .post(
            "/users",
            json!({"username": "ada", "password": "canary in the coal mine"}),
        )
        .await
        .ok();
    let body = [
        user.body,
        caller.get("/users").await.ok().body,
        caller
            .get(&format!("/users/{}", server_user(&caller).await))
            .await
            .ok()
            .body,
        caller.get("/keys").await.ok().body,
        caller.get("/events").await.ok().body,
        caller.get("/settings").await.ok().body,
    ]
    .concat();
    for canary in ["canary", "argon2", "sealed", "\"d\":", "\"p\":"] {
        assert!(!body.contains(canary), "{canary}");
    }
    server.stop().await;
}

async fn server_user(caller: &Caller<'_>) -> String {
    let users = caller.get("/users").await.json();
    users["items"][0]["id"].as_str().unwrap().to_owned()
}
