//! Settings, keys, resources, members, sessions and events by the API.

use serde_json::{Value, json};

use super::conversation::{Caller, user_token};
use crate::support::server::Server;

fn value<'a>(settings: &'a Value, key: &str) -> &'a Value {
    let items = settings["items"].as_array().unwrap();
    items.iter().find(|item| item["key"] == key).unwrap()
}

#[tokio::test]
async fn settings_are_told_with_their_source_changed_by_patch_and_brought_back() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:settings").await;
    let before = caller.get("/settings").await.ok().json();
    assert_eq!(value(&before, "session.idle_timeout")["source"], "built in");
    let changed = caller
        .patch("/settings", json!({"session": {"idle_timeout": "30m"}, "locale": "de"}))
        .await
        .ok();
    assert_eq!(changed.json()["items"].as_array().unwrap().len(), 2);
    let after = caller.get("/settings").await.ok().json();
    let idle = value(&after, "session.idle_timeout");
    assert_eq!((&idle["value"], &idle["source"]), (&json!("30m"), &json!("everyone")));
    let refused = caller
        .patch(
            "/settings",
            json!({"session": {"idle_timeout": "1s"}, "sesion.lifetime": "1h"}),
        )
        .await;
    assert_eq!(refused.status, 422);
    caller.patch("/settings", json!({"locale": null})).await.ok();
    assert_eq!(
        value(&caller.get("/settings").await.json(), "locale")["source"],
        "built in"
    );
    let revisions = caller.get("/settings/revisions?limit=1").await.ok().json();
    assert_eq!(
        (&revisions["items"][0]["number"], &revisions["items"][0]["source"]),
        (&json!(2), &json!("api"))
    );
    let next = revisions["next"].as_str().unwrap();
    let older = caller
        .get(&format!("/settings/revisions?after={next}"))
        .await
        .ok()
        .json();
    assert_eq!(older["items"][0]["number"], 1);
    caller
        .send("POST", "/settings/revisions/0/rollback", None, &[])
        .await
        .ok();
    assert_eq!(caller.get("/settings").await.ok().json(), before);
    assert_eq!(
        caller
            .send("POST", "/settings/revisions/99/rollback", None, &[])
            .await
            .status,
        404
    );
    server.stop().await;
}

#[tokio::test]
async fn keys_are_listed_and_rotated() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:keys").await;
    let before = caller.get("/keys").await.ok().json()["items"].as_array().unwrap().len();
    assert_eq!(caller.post("/keys/rotate", json!({"how": "slowly"})).await.status, 422);
    assert_eq!(
        caller.post("/keys/rotate", json!({"how": "announced"})).await.status,
        204
    );
    assert_eq!(caller.send("POST", "/keys/rotate", None, &[]).await.status, 409);
    let after = caller.get("/keys?limit=200").await.ok().json();
    assert!(after["items"].as_array().unwrap().len() > before);
    let first = caller.get("/keys?limit=1").await.ok().json();
    let next = first["next"].as_str().unwrap();
    let rest = caller.get(&format!("/keys?after={next}")).await.ok().json();
    assert_eq!(
        rest["items"].as_array().unwrap().len() + 1,
        after["items"].as_array().unwrap().len()
    );
    server.stop().await;
}

#[tokio::test]
async fn a_resource_keeps_its_identifier_and_changes_the_rest() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:resources").await;
    let body =
        json!({"identifier": "https://api.shop.example", "scopes": ["orders.read"], "access_token_format": "opaque"});
    let made = caller.post("/resources", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(caller.post("/resources", body).await.status, 422);
    for identifier in ["", "shop", "https://a.example/#x", "/relative"] {
        assert_eq!(
            caller
                .post("/resources", json!({"identifier": identifier}))
                .await
                .status,
            422,
            "{identifier}"
        );
    }
    let path = format!("/resources/{}", made.get("id"));
    let changed = caller
        .patch(
            &path,
            json!({"access_token_format": null, "scopes": ["orders.read", "orders.write"]}),
        )
        .await
        .ok();
    assert_eq!(changed.json()["scopes"], json!(["orders.read", "orders.write"]));
    assert_eq!(changed.json().get("access_token_format"), None);
    assert_eq!(
        caller
            .patch(&path, json!({"identifier": "https://b.example"}))
            .await
            .status,
        422
    );
    assert_eq!(
        caller.get("/resources").await.ok().json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(caller.delete(&path).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn members_are_put_and_taken_and_seen_by_name_only_by_those_who_read_users() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let group = server.group("staff", &[], &[]).await;
    let caller = Caller::client(&server, "admin:groups").await;
    let member = format!("/groups/{group}/members/{}", ada.id);
    assert_eq!(caller.send("PUT", &member, None, &[]).await.status, 204);
    assert_eq!(
        caller
            .send("PUT", &member, Some(json!({"primary": true})), &[])
            .await
            .status,
        204
    );
    let members = caller.get(&format!("/groups/{group}/members")).await.ok().json();
    let only = &members["items"][0];
    assert_eq!((&only["id"], only.get("username")), (&json!(ada.id.to_string()), None));
    let both = Caller::client(&server, "admin:groups.read admin:users.read").await;
    let members = both.get(&format!("/groups/{group}/members")).await.ok().json();
    assert_eq!(members["items"][0]["username"], "ada");
    let groups = both.get(&format!("/users/{}/groups", ada.id)).await.ok().json();
    assert_eq!(
        (&groups["items"][0]["name"], &groups["items"][0]["primary"]),
        (&json!("staff"), &json!(true))
    );
    assert_eq!(caller.delete(&member).await.status, 204);
    assert_eq!(caller.delete(&member).await.status, 404);
    server.stop().await;
}

/// SEC-175, the administrator's part: sessions are seen and ended, one or all, and what hung on them ends too.
#[tokio::test]
async fn session_management_ui_api() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let token = user_token(&server, &ada, "openid account").await;
    let other = user_token(&server, &ada, "openid account").await;
    let caller = Caller::client(&server, "admin:sessions").await;
    let list = format!("/users/{}/sessions", ada.id);
    let sessions = caller.get(&list).await.ok().json();
    let items = sessions["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let newest = items[0]["id"].as_str().unwrap();
    assert_eq!(caller.delete(&format!("/sessions/{newest}")).await.status, 204);
    assert_eq!(caller.delete(&format!("/sessions/{newest}")).await.status, 404);
    // a token that counts but allows nothing here is told so; one that has ended does not count
    let standing = async |token: &str| {
        Caller::with_token(&server, token)
            .await
            .get("/users")
            .await
            .status
            .as_u16()
    };
    assert_eq!((standing(&token).await, standing(&other).await), (403, 401));
    assert_eq!(caller.delete(&list).await.status, 204);
    assert_eq!(standing(&token).await, 401);
    assert_eq!(caller.get(&list).await.ok().json()["items"], json!([]));
    server.stop().await;
}

/// SEC-425: every change leaves one event that says who, what and by what way; a refusal leaves one too.
#[tokio::test]
async fn admin_audit_complete() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let user = caller.post("/users", json!({"username": "ada"})).await.ok().get("id");
    caller
        .patch(&format!("/users/{user}"), json!({"name": "Ada"}))
        .await
        .ok();
    let group = caller.post("/groups", json!({"name": "staff"})).await.ok().get("id");
    caller
        .send("PUT", &format!("/groups/{group}/members/{user}"), None, &[])
        .await
        .ok();
    caller
        .post("/resources", json!({"identifier": "https://api.example"}))
        .await
        .ok();
    caller.patch("/settings", json!({"locale": "fr"})).await.ok();
    caller
        .send("POST", &format!("/users/{user}/reset-password"), None, &[])
        .await
        .ok();
    let reader = Caller::client(&server, "admin:users.read").await;
    assert_eq!(reader.delete(&format!("/users/{user}")).await.status, 403);
    server.provider().write_noted_events().await.unwrap();
    let events = caller.get("/events?limit=50").await.ok().json();
    let events = events["items"].as_array().unwrap();
    for kind in [
        "user.created",
        "user.changed",
        "group.created",
        "group.changed",
        "resource.changed",
        "settings.changed",
        "password.changed",
        "api.refused",
    ] {
        let found: Vec<&Value> = events.iter().filter(|event| event["kind"] == kind).collect();
        assert_eq!(found.len(), 1, "{kind}");
        assert_eq!(found[0]["actor_kind"], "client", "{kind}");
        assert_eq!(found[0]["trace_id"].as_str().unwrap().len(), 32, "{kind}");
        assert!(found[0]["address"].is_string(), "{kind}");
    }
    let created = events.iter().find(|event| event["kind"] == "user.created").unwrap();
    assert_eq!(
        (&created["user"], &created["facts"]["source"]),
        (&json!(user), &json!("api"))
    );
    server.stop().await;
}
