//! What was changed, before and after: in the audit log and in the history of each thing.

use serde_json::{Value, json};

use super::conversation::Caller;
use crate::support::server::each_backend;

/// The changes of the newest event of this kind.
fn changes<'a>(page: &'a Value, kind: &str) -> &'a Value {
    let items = page["items"].as_array().unwrap();
    &items.iter().find(|event| event["kind"] == kind).unwrap()["changes"]
}

fn kinds(page: &Value) -> Vec<&str> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect()
}

/// SEC-425: who, what, before and after; each thing has its history, and a person's values go with the person.
#[tokio::test]
async fn admin_audit_complete() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        let made = caller
            .post("/users", json!({ "username": "ada", "nickname": "Lady" }))
            .await
            .ok()
            .json();
        let id = made["id"].as_str().unwrap();
        caller
            .patch(
                &format!("/users/{id}"),
                json!({ "nickname": "Countess", "given_name": "Ada" }),
            )
            .await
            .ok();
        let path = format!("/users/{id}/history");
        let history = caller.get(&path).await.ok().json();
        assert_eq!(kinds(&history), ["user.changed", "user.created"]);
        assert_eq!(
            changes(&history, "user.changed"),
            &json!([
                { "field": "given_name", "after": "Ada" },
                { "field": "nickname", "before": "Lady", "after": "Countess" },
            ])
        );
        let first = caller.get(&format!("{path}?limit=1")).await.ok().json();
        let next = first["next"].as_str().unwrap();
        let second = caller.get(&format!("{path}?limit=1&after={next}")).await.ok().json();
        assert_eq!(kinds(&second), ["user.created"]);
        // who may read the log and not the accounts sees that, and not what
        let reader = Caller::client(server, "admin:events.read").await;
        let seen = reader.get(&path).await.ok();
        assert!(!seen.body.contains("Countess") && kinds(&seen.json()).len() == 2);
        // values that somebody has tampered with are not told
        let group = caller.post("/groups", json!({ "name": "staff" })).await.ok().json();
        let group = format!("/groups/{}", group["id"].as_str().unwrap());
        caller
            .patch(&group, json!({ "name": "crew", "permissions": ["orders.read"] }))
            .await
            .ok();
        let history = caller.get(&format!("{group}/history")).await.ok().json();
        let renamed = json!({ "field": "name", "before": "staff", "after": "crew" });
        assert_eq!(changes(&history, "group.changed")[0], renamed);
        server
            .behind("update event_values set changes = '[]' where changes like '%crew%'")
            .await;
        let history = caller.get(&format!("{group}/history")).await.ok().json();
        assert!(changes(&history, "group.changed").is_null() && changes(&history, "group.created").is_array());
        caller.delete(&group).await.ok();
        assert_eq!(
            kinds(&caller.get(&format!("{group}/history")).await.ok().json())[0],
            "group.deleted"
        );
        let client = json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"], "scope": "openid" });
        let client = caller.post("/clients", client).await.ok();
        let secret = client.json()["client_secret"].as_str().unwrap().to_owned();
        let client = format!("/clients/{}", client.json()["id"].as_str().unwrap());
        caller.patch(&client, json!({ "client_name": "Store" })).await.ok();
        let history = caller.get(&format!("{client}/history")).await.ok();
        assert!(!history.body.contains(&secret));
        let renamed = json!([{ "field": "client_name", "before": "Shop", "after": "Store" }]);
        assert_eq!(changes(&history.json(), "client.changed"), &renamed);
        caller.delete(&format!("/users/{id}?erase=true")).await.ok();
        let history = caller.get(&path).await.ok();
        assert!(history.body.contains("user.deleted") && !history.body.contains("Countess"));
    })
    .await;
}

#[tokio::test]
async fn events_are_filtered_by_what_they_are_about_and_when() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        caller.patch("/settings", json!({ "locale": "de" })).await.ok();
        let moment = server.call().now.rfc3339();
        server.advance(std::time::Duration::from_secs(60));
        caller.patch("/settings", json!({ "locale": "fr" })).await.ok();
        let ask = async |filter: &str| {
            let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            caller.get(&format!("/events?filter={filter}")).await
        };
        let both = ask("kind eq \"settings.changed\"").await.ok().json();
        assert_eq!(kinds(&both).len(), 2);
        assert_eq!(
            changes(&both, "settings.changed"),
            &json!([{ "field": "locale", "before": "de", "after": "fr" }])
        );
        let later = ask(&format!("kind eq \"settings.changed\" and at gt \"{moment}\""))
            .await
            .ok()
            .json();
        assert_eq!(kinds(&later).len(), 1);
        let earlier = ask(&format!("at lt \"{moment}\" and kind eq \"settings.changed\""))
            .await
            .ok()
            .json();
        assert_eq!(kinds(&earlier).len(), 1);
        let actor = later["items"][0]["actor_id"].as_str().unwrap();
        let done = ask(&format!("actor eq \"{actor}\"")).await.ok().json();
        assert_eq!(kinds(&done), ["settings.changed", "settings.changed"]);
        assert!(kinds(&ask("outcome eq \"refused\"").await.ok().json()).is_empty());
        for wrong in [
            "outcome eq \"success\"",
            "kind eq \"a\" and user eq \"00000000-0000-0000-0000-000000000000\"",
            "at gt \"yesterday\"",
            "user eq \"ada\"",
            "name eq \"x\"",
        ] {
            assert_eq!(ask(wrong).await.status, 400, "{wrong}");
        }
    })
    .await;
}

/// A resource's tokens end when it says, and no later than the settings do; at a terminal as by the interface.
#[tokio::test(flavor = "multi_thread")]
async fn a_resource_says_how_long_its_tokens_are_good_for() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let backend = crate::support::backend::Backend::Embedded;
    let server = crate::support::server::Server::start_fully(backend, |_| (), commands).await;
    let terminal = crate::support::cli::Terminal::at(server.folder());
    let identifier = "https://api.shop.example";
    let command = [
        "resources",
        "create",
        identifier,
        "--scope",
        "orders.read",
        "--access-token-lifetime",
        "2m",
    ];
    terminal.run(&command).await.ok();
    let listed = terminal.run(&["resources", "list", "--json"]).await.json();
    assert_eq!(listed[0]["access_token_lifetime"], "2m");
    let client = server
        .client(|client| {
            client.metadata.grant_types = vec![ostiary::model::GrantType::ClientCredentials];
            client.metadata.scope = ostiary::model::Scopes::from_tokens(["orders.read"]);
        })
        .await;
    let lives = async || {
        let party = crate::support::relying_party::RelyingParty::new(&server, &client);
        let form = [("grant_type", "client_credentials"), ("scope", "orders.read")];
        party.post("/oauth2/token", &form).await.ok().json()["expires_in"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(lives().await, 120);
    terminal
        .run(&["resources", "change", identifier, "--access-token-lifetime", "12h"])
        .await
        .ok();
    assert_eq!(lives().await, 600, "what the settings say bounds it");
    terminal
        .run(&["resources", "change", identifier, "--access-token-lifetime", "1s"])
        .await
        .refused();
    let caller = Caller::client(&server, "admin").await;
    let id = caller.get("/resources").await.ok().json()["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    caller
        .patch(&format!("/resources/{id}"), json!({ "access_token_lifetime": null }))
        .await
        .ok();
    let found = format!("object eq \"{id}\"");
    let found: String = url::form_urlencoded::byte_serialize(found.as_bytes()).collect();
    let events = caller.get(&format!("/events?filter={found}")).await.ok().json();
    assert_eq!(
        changes(&events, "resource.changed"),
        &json!([{ "field": "access_token_lifetime", "before": "12h" }])
    );
    terminal.run(&["resources", "delete", identifier]).await.ok();
    server.stop().await;
}
