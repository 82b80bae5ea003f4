//! The bin: what is deleted lets nobody in from that moment, keeps its names, and comes back whole until its time is over.

use std::time::Duration;

use ostiary::flow::operations::apply::{Difference, Document, PruneUsers, apply};
use ostiary::flow::operations::export::{Secrets, export};
use ostiary::flow::people;
use ostiary::model::{ConsentMode, Timestamp};
use serde_json::{Value, json};

use super::{administrator, events, is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn names(server: &Server, path: &str) -> Vec<String> {
    let listed = administrator(server).await.get(path).await;
    assert_eq!(listed.status, 200, "{path}: {}", listed.body);
    let items = listed.json()["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|item| item["username"].as_str().unwrap().to_owned())
        .collect()
}

async fn work(server: &Server) {
    let call = server.call();
    while people::delete_those_who_are_due(server.provider(), &call)
        .await
        .unwrap()
    {}
}

/// SEC-428, SEC-304: with the deletion every session, token and code ends; the names stay taken, nothing about the account changes, and
/// it stands in no list but that of the bin.
#[tokio::test]
async fn what_is_deleted_lets_nobody_in_and_comes_back_whole() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        server.user("bob").await;
        server.group("staff", &["orders.read"], &[&ada]).await;
        let client = server.client(|client| client.policy.consent = ConsentMode::Ask).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let browser = Browser::new();
        let arrival = party.sign_in(&browser, &ada).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let path = format!("/users/{}", ada.id);
        let caller = administrator(server).await;
        assert_eq!(caller.delete(&path).await.status, 204);
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(party.userinfo(&tokens.get("access_token")).await.status, 401);
        assert_eq!(
            party.refresh(&tokens.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(sign_in(server, &Browser::new(), "ada", &ada.password).await.status, 403);
        let told = caller.get(&path).await.json();
        assert_eq!(
            (&told["status"], &told["state"]),
            (&json!("deleted"), &json!("deleted"))
        );
        let goes = Timestamp::parse(told["deletion_at"].as_str().unwrap()).unwrap();
        let now = server.call().now;
        assert!(now.after(DAY * 30 - DAY) < goes && goes <= now.after(DAY * 30));
        // in no list, unless asked
        for list in [
            "/users",
            "/users?sort=-created_at",
            "/users?sort=username",
            "/users?q=a",
        ] {
            assert!(!names(server, list).await.contains(&"ada".to_owned()), "{list}");
        }
        assert_eq!(
            names(server, "/users?filter=status%20eq%20%22deleted%22").await,
            ["ada"]
        );
        let all = caller.get("/users?count=true").await.json()["count"].as_i64().unwrap();
        assert_eq!(all, names(server, "/users").await.len() as i64);
        let file = export(server.provider(), Secrets::Omitted).await.unwrap();
        assert!(
            !file["users"]
                .as_array()
                .unwrap()
                .iter()
                .any(|user| user["username"] == "ada")
        );
        // its names are taken, and nothing changes there
        for body in [json!({"username": "ADA"}), json!({"username": "x", "email": ada.email})] {
            assert_eq!(caller.post("/users", body.clone()).await.status, 422, "{body}");
        }
        for (route, body) in [
            ("deactivate", json!({})),
            ("reactivate", json!({})),
            ("send-invitation", json!({})),
            ("reset-password", json!({})),
        ] {
            let refused = caller.post(&format!("{path}/{route}"), body).await;
            assert_eq!(refused.status, 409, "{route}: {}", refused.body);
        }
        assert_eq!(caller.patch(&path, json!({"given_name": "Ada"})).await.status, 409);
        assert_eq!(caller.delete(&path).await.status, 409, "it is there already");

        let back = caller.post(&format!("{path}/restore"), json!({})).await.ok().json();
        assert_eq!((&back["status"], back.get("deletion_at")), (&json!("active"), None));
        assert_eq!(caller.post(&format!("{path}/restore"), json!({})).await.status, 409);
        let groups = caller.get(&format!("{path}/groups")).await.json();
        assert_eq!(groups["items"][0]["name"], "staff");
        assert_eq!(
            party.refresh(&tokens.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        let again = Browser::new();
        let arrival = party.sign_in(&again, &ada).await;
        assert_eq!(party.redeem(arrival.code()).await.ok().get("token_type"), "Bearer");
        let consents = caller.get(&format!("{path}/consents")).await.json();
        assert_eq!(consents["items"].as_array().unwrap().len(), 1, "consents come back");
        let kinds = events(server, &told["id"]).await;
        let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
        assert_eq!(
            (count("user.binned"), count("user.restored"), count("user.deleted")),
            (1, 1, 0)
        );
    })
    .await;
}

/// SEC-427: when the time is over, or at once if asked, the account is gone for good, and whoever has its name then inherits nothing.
#[tokio::test]
async fn what_has_been_in_the_bin_for_long_enough_is_gone() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let bob = server.user("bob").await;
        let eve = server.user("eve").await;
        let caller = administrator(server).await;
        let path = |id| format!("/users/{id}");
        caller
            .post(&format!("{}/deactivate", path(bob.id)), json!({}))
            .await
            .ok();
        for user in [&ada, &bob, &eve] {
            assert_eq!(caller.delete(&path(user.id)).await.status, 204);
        }
        assert_eq!(
            caller.delete(&format!("{}?erase=true", path(eve.id))).await.status,
            204,
            "out of the bin"
        );
        assert_eq!(caller.get(&path(eve.id)).await.status, 404);
        server.advance(DAY * 30 - Duration::from_secs(1));
        work(server).await;
        let caller = administrator(server).await;
        // what was deactivated comes back deactivated
        let back = caller
            .post(&format!("{}/restore", path(bob.id)), json!({}))
            .await
            .ok()
            .json();
        assert_eq!(back["status"], "inactive");
        server.advance(Duration::from_secs(1));
        // nobody has come round to it, and it is gone all the same
        assert_eq!(
            caller
                .post(&format!("{}/restore", path(ada.id)), json!({}))
                .await
                .status,
            404
        );
        work(server).await;
        assert_eq!(caller.get(&path(ada.id)).await.status, 404);
        assert_eq!(caller.get(&path(bob.id)).await.status, 200);
        let subject = json!({"username": "ada", "subject": ada.subject});
        assert_eq!(
            caller.post("/users", subject).await.status,
            422,
            "nobody is known by it again"
        );
        assert_eq!(caller.post("/users", json!({"username": "ada"})).await.status, 201);
        // where there is no bin, what is deleted is gone
        server.settings(json!({"account.bin": "0s"})).await;
        assert_eq!(caller.delete(&path(bob.id)).await.status, 204);
        assert_eq!(caller.get(&path(bob.id)).await.status, 404);
    })
    .await;
}

/// SEC-414, SEC-422: who holds less deletes and restores nobody who holds more, and the last administrator stays.
#[tokio::test]
async fn nobody_bins_or_restores_whoever_holds_more() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let bob = server.user("bob").await;
        server.group("administrators", &["admin"], &[&ada, &bob]).await;
        let some = Caller::client(server, "admin:users").await;
        let caller = administrator(server).await;
        let path = |id| format!("/users/{id}");
        assert_eq!(some.delete(&path(ada.id)).await.status, 403);
        assert_eq!(caller.delete(&path(ada.id)).await.status, 204);
        assert_eq!(
            some.post(&format!("{}/restore", path(ada.id)), json!({})).await.status,
            403
        );
        assert_eq!(some.delete(&format!("{}?erase=true", path(ada.id))).await.status, 403);
        let last = caller.delete(&path(bob.id)).await;
        assert_eq!(last.status, 409, "{}", last.body);
    })
    .await;
}

/// A file that names nobody any more bins them, one that names them again has them back.
#[tokio::test]
async fn a_file_bins_and_restores() {
    each_backend(async |server| {
        let said = async |file: Value| -> Difference {
            let document = Document::read(&file, None).unwrap();
            apply(server.provider(), &server.call(), &document, PruneUsers::Yes)
                .await
                .unwrap()
        };
        let whole = json!({"version": 1, "users": [{"username": "grace", "given_name": "Grace"}]});
        said(whole.clone()).await;
        let id = {
            let mut store = server.provider().store.read().await.unwrap();
            store.find_user_by_username("grace").await.unwrap().unwrap().id
        };
        let path = format!("/users/{id}");
        let without = json!({"version": 1, "users": [], "prune": ["users"]});
        assert!(!said(without.clone()).await.is_empty());
        let status = async || administrator(server).await.get(&path).await.json()["status"].clone();
        assert_eq!(status().await, "deleted");
        assert!(said(without).await.is_empty(), "once");
        assert!(!said(whole.clone()).await.is_empty());
        assert_eq!(status().await, "active");
        assert!(said(whole).await.is_empty());
    })
    .await;
}
