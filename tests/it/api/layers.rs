//! What groups, users and clients say about settings, by the API; and what counts in the end.

use serde_json::{Value, json};

use super::conversation::Caller;
use crate::support::server::{Server, each_backend};

fn effective<'a>(settings: &'a Value, key: &str) -> &'a Value {
    let items = settings["items"].as_array().unwrap();
    items.iter().find(|item| item["key"] == key).unwrap()
}

#[tokio::test]
async fn a_users_effective_settings_name_their_source_on_every_store() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin:users admin:groups admin:settings admin:sessions").await;
        let ada = server.user("ada").await;
        let gold = server.group("gold", &[], &[&ada]).await;
        let path = format!("/users/{}/effective-settings", ada.id);
        let before = caller.get(&path).await.ok().json();
        assert_eq!(effective(&before, "session.max_concurrent")["source"], "built in");

        let said = caller
            .patch(
                &format!("/groups/{gold}/settings"),
                json!({"session": {"max_concurrent": 7}}),
            )
            .await
            .ok()
            .json();
        assert_eq!(said, json!({"session.max_concurrent": 7}));
        let number = caller.get(&path).await.ok().json();
        let number = effective(&number, "session.max_concurrent");
        assert_eq!(number["value"], 7);
        let source = number["source"].as_str().unwrap();
        assert!(source.ends_with("group gold"), "{source}");

        caller
            .patch(
                &format!("/users/{}/settings", ada.id),
                json!({"session.max_concurrent": 2}),
            )
            .await
            .ok();
        let number = caller.get(&path).await.ok().json();
        let number = effective(&number, "session.max_concurrent");
        assert_eq!((&number["value"], &number["source"]), (&json!(2), &json!("user")));
        assert_eq!(number["contenders"][0]["value"], 7);

        caller
            .patch(
                &format!("/users/{}/settings", ada.id),
                json!({"session.max_concurrent": null}),
            )
            .await
            .ok();
        let said = caller.get(&format!("/users/{}/settings", ada.id)).await.ok().json();
        assert_eq!(said, json!({}));
    })
    .await;
}

#[tokio::test]
async fn a_layer_takes_only_what_it_has_a_say_in() {
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin:users admin:clients").await;
    let ada = server.user("ada").await;
    let path = format!("/users/{}/settings", ada.id);
    let refused = caller
        .patch(
            &path,
            json!({"key.rotation_interval": "10d", "session.idle_timeout": "1s", "sesion.x": 1}),
        )
        .await;
    assert_eq!(refused.status, 422);
    let codes: Vec<Value> = refused.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["code"].clone())
        .collect();
    assert_eq!(codes, ["not_here", "invalid", "unknown"].map(Value::from));
    assert_eq!(caller.get(&path).await.ok().json(), json!({}), "nothing was changed");
    let client = server.client(|_| ()).await;
    let path = format!("/clients/{}/settings", client.client.id);
    assert_eq!(
        caller
            .patch(&path, json!({"session.known_devices_only": true}))
            .await
            .status,
        422,
        "a client has no say in that"
    );
    caller.patch(&path, json!({"session.max_concurrent": 1})).await.ok();
    assert_eq!(
        caller.get(&path).await.ok().json(),
        json!({"session.max_concurrent": 1})
    );
    server.stop().await;
}

/// Whoever lacks the rights that a group or person carries does not change what counts for them.
#[tokio::test]
async fn a_layer_of_administrators_is_not_changed_by_who_has_less() {
    let server = Server::start().await;
    let root = server.user("root").await;
    let group = server.group("administrators", &["admin"], &[&root]).await;
    let caller = Caller::client(&server, "admin:users admin:groups").await;
    for path in [
        format!("/users/{}/settings", root.id),
        format!("/groups/{group}/settings"),
    ] {
        let answer = caller.patch(&path, json!({"session.max_concurrent": 1})).await;
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(caller.get(&path).await.ok().json(), json!({}));
    }
    server.stop().await;
}
