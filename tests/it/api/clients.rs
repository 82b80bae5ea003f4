//! Clients by the API: their secrets are told once, and managing them confers nothing.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::flow::operations::export::{Secrets, export};
use ostiary::flow::people::permissions;
use ostiary::http::api::route::{Method, Permission, Route};
use ostiary::http::api::table;
use ostiary::model::{ConsentMode, Secret};
use serde_json::{Value, json};

use super::conversation::{Caller, service};
use crate::support::browser::Browser;
use crate::support::http::plain_http;
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

/// An installation in which everything that is secret is known to the test.
struct Canaries<'a> {
    server: &'a Server,
    /// What no answer that reads may hold, by name.
    secrets: Vec<(String, String)>,
    /// What stands in the place of a path's parameters, by the path's beginning.
    ids: Vec<(&'static str, String)>,
}

impl<'a> Canaries<'a> {
    async fn laid(server: &'a Server) -> Self {
        let settings = json!({"client_registration.mode": "token"});
        server.settings(settings).await;
        let boss = Caller::client(server, "admin").await;
        let mut secrets: Vec<(String, String)> = Vec::new();
        let mut lay = |name: &str, secret: String| {
            assert!(secret.len() > 15, "{name}: {secret:?}");
            secrets.push((name.to_owned(), secret));
        };
        // people: a password, and every token of a sign-on with its session
        let password = "canary in the coal mine";
        boss.post("/users", json!({"username": "ada", "password": password}))
            .await
            .ok();
        lay("password", password.to_owned());
        let person = server.user("grace").await;
        lay("password of a person", person.password.clone());
        let group = boss.post("/groups", json!({"name": "crew"})).await.ok();
        let member = format!("/groups/{}/members/{}", group.get("id"), person.id);
        boss.send("PUT", &member, None, &[]).await.ok();
        let first = server.client(|client| client.policy.consent = ConsentMode::Ask).await;
        lay("seeded client secret", first.secret.clone());
        let party = RelyingParty::new(server, &first);
        let browser = Browser::new();
        let code = party.sign_in(&browser, &person).await.code().to_owned();
        let tokens = party.redeem(&code).await.ok();
        lay("code", code);
        for name in ["access_token", "refresh_token", "id_token"] {
            lay(name, tokens.get(name));
        }
        for name in browser.cookie_names() {
            lay(&name, browser.cookie(&name).unwrap());
        }
        // clients: secrets that were made, chosen and kept for HMAC, and tokens by which clients are registered
        let made = boss.post("/clients", sample()).await.ok();
        lay("client secret", made.get("client_secret"));
        let path = format!("/clients/{}", made.get("id"));
        let rotated = boss.send("POST", &format!("{path}/secrets"), None, &[]).await.ok();
        lay("second client secret", rotated.get("client_secret"));
        let mut by_hmac = sample();
        by_hmac["token_endpoint_auth_method"] = json!("client_secret_jwt");
        lay(
            "secret for HMAC",
            boss.post("/clients", by_hmac).await.ok().get("client_secret"),
        );
        let question = json!({"name": "everybody", "shared": true, "filter": "username pr"});
        let segment = boss.post("/segments", question).await.ok();
        let body = json!({"name": "tests", "uses": 2});
        let registration = boss.post("/registration-tokens", body).await.ok();
        lay("initial access token", registration.get("token"));
        let http = plain_http().build().unwrap();
        let registered = http
            .post(server.url("/oauth2/register"))
            .bearer_auth(registration.get("token"))
            .header("content-type", "application/json")
            .body(r#"{"redirect_uris": ["https://other.example/callback"]}"#)
            .send()
            .await
            .unwrap();
        let registered: Value = serde_json::from_str(&registered.text().await.unwrap()).unwrap();
        for name in ["client_secret", "registration_access_token"] {
            lay(
                name,
                registered[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("{registered}"))
                    .to_owned(),
            );
        }
        let resource = boss
            .post("/resources", json!({"identifier": "https://orders.example"}))
            .await
            .ok();
        boss.patch("/settings", json!({"token.access_lifetime": "6m"}))
            .await
            .ok();
        lay("token of an administrator", boss.token.clone());
        // a refusal, so that there is a trace
        party.refresh("x".repeat(43).as_str()).await;
        server.provider().write_noted_events().await.unwrap();
        let ids = vec![
            ("/users/", person.id.to_string()),
            ("/groups/", group.get("id")),
            ("/clients/", made.get("id")),
            ("/resources/", resource.get("id")),
            ("/registration-tokens/", registration.get("id")),
            ("/segments/", segment.get("id")),
        ];
        let mut canaries = Self { server, secrets, ids };
        canaries.add_what_is_stored().await;
        canaries
    }

    /// What the store holds in the place of secrets is nobody's to read either: hashes, digests and what is sealed.
    async fn add_what_is_stored(&mut self) {
        let mut store = self.server.provider().store.database().read().await.unwrap();
        let hashes: Vec<String> = store
            .sql("select password_hash from users where password_hash is not null")
            .all()
            .await
            .unwrap();
        let mut blobs: Vec<Vec<u8>> = Vec::new();
        for text in [
            "select digest from client_secrets",
            "select sealed from client_secrets where sealed is not null",
            "select digest from registration_tokens",
            "select digest from refresh_tokens",
            "select registration_token from clients where registration_token is not null",
            "select sealed from signing_keys",
        ] {
            let found: Vec<Vec<u8>> = store.sql(text).all().await.unwrap();
            assert!(!found.is_empty(), "{text}");
            blobs.extend(found);
        }
        drop(store);
        self.secrets
            .extend(hashes.into_iter().map(|hash| ("password hash".to_owned(), hash)));
        for blob in blobs {
            self.secrets
                .push(("stored bytes".to_owned(), URL_SAFE_NO_PAD.encode(&blob)));
            self.secrets
                .push(("stored bytes in hex".to_owned(), ostiary::crypto::hex(&blob)));
        }
    }

    /// The path of a route, of something that is there.
    fn path(&self, route: &Route) -> String {
        let known = self.ids.iter().find(|(begins, _)| route.path.starts_with(begins));
        let path = known.map_or_else(|| route.path.to_owned(), |(_, id)| route.path.replace("{id}", id));
        let path = path.replace("{number}", "1");
        path.replace("{kind}", "welcome").replace("{locale}", "en")
    }

    fn assert_absent(&self, what: &str, text: &str) {
        for (name, secret) in &self.secrets {
            assert!(!text.contains(secret.as_str()), "{what} tells the {name}");
        }
        for word in [
            "argon2",
            "\"d\":",
            "\"p\":",
            "\"sealed\"",
            "\"digest\"",
            "password_hash",
        ] {
            assert!(!text.contains(word), "{what} says {word}");
        }
    }
}

/// SEC-416, SEC-141: what is secret is in no answer that reads, whoever reads: lists, nested objects, single things, pages and
/// exports, for every right that there is.
#[tokio::test]
async fn secrets_write_only() {
    let server = Server::start().await;
    let canaries = Canaries::laid(&server).await;
    assert!(canaries.secrets.len() > 25, "{:?}", canaries.secrets);
    let mut reading: Vec<Route> = table()
        .into_iter()
        .filter(|route| route.method == Method::Get)
        .collect();
    reading.retain(|route| route.permission != Permission::Open);
    assert!(reading.len() > 20, "{}", reading.len());
    let mut roles: Vec<String> = permissions::scopes().iter().map(str::to_owned).collect();
    roles.push("account".to_owned());
    let mut read = BTreeSet::new();
    for role in &roles {
        let caller = Caller::client(&server, role).await;
        for route in &reading {
            let path = canaries.path(route);
            let answer = caller.get(&path).await;
            // the names of the columns that a file may have, and nobody's values
            let body = match path.as_str() {
                "/imports/template" => answer.body.replacen("password_hash", "", 1),
                _ => answer.body.clone(),
            };
            canaries.assert_absent(&format!("{path} for {role}"), &body);
            if answer.status == 200 {
                read.insert((role.clone(), route.path));
            }
        }
    }
    // whoever may everything was told something by nearly each: some are asked by ids that nothing has here
    let by_admin = read.iter().filter(|(role, _)| role == "admin").count();
    assert!(
        by_admin * 4 >= reading.len() * 3,
        "{by_admin} of {}: {read:?}",
        reading.len()
    );
    assert!(read.len() > by_admin * 2, "others read too: {read:?}");
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    canaries.assert_absent("the export", &exported.to_string());
    let passphrase = Secret::new("a passphrase of the test");
    let exported = export(server.provider(), Secrets::Sealed(passphrase))
        .await
        .unwrap()
        .to_string();
    assert!(
        exported.contains("\"sealed\""),
        "what is sealed is there, and not in clear"
    );
    for (name, secret) in &canaries.secrets {
        assert!(
            !exported.contains(secret.as_str()),
            "the sealed export tells the {name}"
        );
    }
    let browser = Browser::new();
    for page in ["/", "/api/docs", "/api/v1/openapi.json", "/oauth2/jwks", "/readyz"] {
        let page = browser.get(&server.url(page)).await;
        for (name, secret) in &canaries.secrets {
            assert!(!page.body.contains(secret.as_str()), "{} tells the {name}", page.url);
        }
    }
    server.stop().await;
}
