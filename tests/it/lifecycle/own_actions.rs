//! Actions of one's own: a signed call to an address with the users who were chosen, its answer shown, and written down with each.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ostiary::crypto;
use serde_json::{Value, json};

use super::{administrator, events};
use crate::api::conversation::Caller;
use crate::support::server::each_backend;

type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// Something of one's own that is called.
async fn elsewhere() -> (String, Heard) {
    async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: String) -> (StatusCode, &'static str) {
        heard.lock().unwrap().push((headers, body));
        (StatusCode::ACCEPTED, "two badges are printed")
    }
    let heard = Heard::default();
    let app = Router::new().route("/badges", post(hear)).with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/badges", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, heard)
}

/// SEC-416, SEC-425: the call is signed with a secret that is told once, names whom it is about, and stands in the audit log of each.
#[tokio::test]
async fn an_action_of_ones_own_calls_its_address_with_whoever_was_chosen() {
    each_backend(async |server| {
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let (address, heard) = elsewhere().await;
        let caller = administrator(server).await;
        let body = json!({"name": "print-badges", "label": "Print badges", "url": address});
        let made = caller.post("/user-actions", body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        let path = format!("/user-actions/{}", made["id"].as_str().unwrap());
        let again = caller.post("/user-actions", body).await;
        assert_eq!(again.json()["errors"][0]["pointer"], "/name", "{}", again.body);
        let told = caller.get("/user-actions").await.json();
        assert_eq!(told["items"][0]["label"], "Print badges");
        assert!(told["items"][0].get("secret").is_none());
        let ids = json!([ada.id.to_string(), bob.id.to_string()]);
        let ran = caller.post(&format!("{path}/run"), json!({"ids": ids})).await;
        assert_eq!(ran.status, 200, "{}", ran.body);
        assert_eq!(ran.json(), json!({"status": 202, "answer": "two badges are printed"}));
        let (headers, said) = heard.lock().unwrap().pop().unwrap();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let secret = made["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap();
        let key = STANDARD.decode(secret).unwrap();
        let signed = format!("{}.{}.{said}", header("webhook-id"), header("webhook-timestamp"));
        let signature = STANDARD.encode(crypto::signature(&key, signed.as_bytes()));
        assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
        let signed_at: i64 = header("webhook-timestamp").parse().unwrap();
        let since = server.call().now.seconds() - signed_at;
        assert!((0..30).contains(&since), "{since}");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["action"], "print-badges");
        let names: Vec<_> = said["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["username"].clone())
            .collect();
        assert_eq!(names, ["ada", "bob"]);
        for user in [&ada, &bob] {
            let kinds = events(server, &json!(user.id.to_string())).await;
            assert_eq!(kinds.iter().filter(|kind| *kind == "user_action.called").count(), 1);
        }
        let changed = caller.patch(&path, json!({"disabled": true})).await.ok().json();
        assert_eq!(changed["disabled"], true);
        assert_eq!(
            caller.post(&format!("{path}/run"), json!({"ids": ids})).await.status,
            409
        );
        caller.patch(&path, json!({"disabled": false})).await.ok();
        let rotated = caller
            .post(&format!("{path}/rotate-secret"), json!({}))
            .await
            .ok()
            .json();
        assert_ne!(rotated["secret"], made["secret"]);
        assert_eq!(caller.delete(&path).await.status, 204);
        assert_eq!(
            caller.post(&format!("{path}/run"), json!({"ids": ids})).await.status,
            404
        );
    })
    .await;
}

/// SEC-414, SEC-500: who runs one names no address, nobody is sent anywhere whom the caller may not act on, and nothing of the inside that
/// the operator does not list is called.
#[tokio::test]
async fn an_action_of_ones_own_is_run_within_what_the_caller_may() {
    each_backend(async |server| {
        let (ada, boss) = (server.user("ada").await, server.user("boss").await);
        server.group("settings", &["admin:settings"], &[&boss]).await;
        let (address, heard) = elsewhere().await;
        let caller = administrator(server).await;
        for (url, name) in [
            ("https://10.0.0.1/badges", "inside"),
            ("file:///etc/passwd", "file"),
            (address.as_str(), "No Word"),
        ] {
            let body = json!({"name": name, "label": "x", "url": url});
            assert_eq!(caller.post("/user-actions", body).await.status, 422, "{url} {name}");
        }
        let body = json!({"name": "badges", "label": "Badges", "url": address});
        let some = Caller::client(server, "admin:users").await;
        assert_eq!(some.post("/user-actions", body.clone()).await.status, 403);
        let made = caller.post("/user-actions", body).await.ok().json();
        let path = format!("/user-actions/{}", made["id"].as_str().unwrap());
        let run = async |ids: Value| {
            some.post(&format!("{path}/run"), json!({"ids": ids}))
                .await
                .status
                .as_u16()
        };
        assert_eq!(run(json!([ada.id.to_string(), boss.id.to_string()])).await, 403);
        assert_eq!(run(json!([])).await, 422);
        assert!(heard.lock().unwrap().is_empty(), "nothing was called");
        assert_eq!(run(json!([ada.id.to_string()])).await, 200);
    })
    .await;
}
