//! `apply` and `export`: a file says how it is to be, a second time it changes nothing, and what it does not name stays.

use ostiary::flow::Error;
use ostiary::flow::operations::apply::users::PROFILE;
use ostiary::flow::operations::apply::{Difference, Document, PruneUsers, apply, difference};
use ostiary::flow::operations::export::{Secrets, export};
use ostiary::flow::people::{self, UserKey};
use ostiary::model::{ClientMetadata, ClientPolicy, Profile, RequiredAction, User};
use ostiary::protocol::client_registration::{METADATA_MEMBERS as METADATA, POLICY_MEMBERS as POLICY};
use serde_json::{Value, json};

use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, each_backend};

pub(super) async fn run(server: &Server, file: &Value) -> Result<Difference, Error> {
    run_pruning(server, file, PruneUsers::No).await
}

pub(super) async fn run_pruning(server: &Server, file: &Value, prune: PruneUsers) -> Result<Difference, Error> {
    let document = Document::read(file, None)?;
    apply(server.provider(), &server.call(), &document, prune).await
}

pub(super) async fn mistakes(server: &Server, file: &Value) -> Vec<(String, &'static str)> {
    match run(server, file).await {
        Err(Error::Invalid(fields)) => fields.into_iter().map(|field| (field.pointer, field.code)).collect(),
        other => panic!("{other:?}"),
    }
}

/// The example of the documentation.
pub(super) fn whole() -> Value {
    json!({
        "version": 1,
        "settings": {"session": {"idle_timeout": "30m"}, "client_registration": {"mode": "token"}},
        "resources": [{"identifier": "https://api.shop.example", "scopes": ["orders.read", "orders.write"], "access_token_format": "jwt"}],
        "clients": [{
            "client_id": "shop", "client_name": "Shop", "client_secret": "a-client-secret-of-forty-characters-and-3",
            "redirect_uris": ["https://shop.example/callback"], "post_logout_redirect_uris": ["https://shop.example/"],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic", "scope": "openid profile email offline_access",
            "consent": "skip"}],
        "groups": [{"name": "staff", "external_id": "ou=staff", "permissions": ["orders.read"]}],
        "users": [{"username": "ada", "email": "ada@example.com", "email_verified": true, "given_name": "Ada",
            "family_name": "Lovelace", "password": "Correct-Horse-Battery-1729", "groups": ["staff"], "primary_group": "staff"}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_makes_everything_and_a_second_time_nothing() {
    each_backend(async |server| {
        let document = Document::read(&whole(), None).unwrap();
        let planned = difference(server.provider(), &server.call(), &document, PruneUsers::No)
            .await
            .unwrap();
        let done = run(server, &whole()).await.unwrap();
        assert_eq!(planned, done);
        let sections: Vec<_> = done.changes.iter().map(|change| change.section).collect();
        assert_eq!(
            sections,
            ["settings", "settings", "resources", "groups", "clients", "users"]
        );
        assert!(!done.to_string().contains("Correct-Horse") && !done.to_string().contains("a-client-secret"));
        let again = run(server, &whole()).await.unwrap();
        assert!(again.is_empty(), "{again}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let server = Server::start().await;
    let before = export(server.provider(), Secrets::Omitted).await.unwrap();
    let document = Document::read(&whole(), None).unwrap();
    let planned = difference(server.provider(), &server.call(), &document, PruneUsers::No)
        .await
        .unwrap();
    assert_eq!(planned.changes.len(), 6);
    assert_eq!(export(server.provider(), Secrets::Omitted).await.unwrap(), before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_the_file_works_and_a_changed_one_replaces_it() {
    let server = Server::start().await;
    let mut file = whole();
    file["clients"][0]["grant_types"] = json!(["authorization_code", "refresh_token", "client_credentials"]);
    run(&server, &file).await.unwrap();
    let works = async |secret: &str| {
        let client = server.provider().client("shop").await.unwrap().unwrap();
        let client = TestClient {
            id: client.id,
            client_id: "shop".to_owned(),
            secret: secret.to_owned(),
            redirect_uri: String::new(),
            client: client.as_ref().clone(),
        };
        let party = RelyingParty::new(&server, &client);
        party.token(&[("grant_type", "client_credentials")]).await.status == 200
    };
    assert!(works("a-client-secret-of-forty-characters-and-3").await);
    file["clients"][0]["client_secret"] = json!("another-client-secret-of-forty-characters");
    let changed = run(&server, &file).await.unwrap();
    assert_eq!(changed.changes.len(), 1);
    assert!(works("another-client-secret-of-forty-characters").await);
    // the old one counts for the overlap of the settings
    assert!(works("a-client-secret-of-forty-characters-and-3").await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_does_not_name_is_left_alone() {
    let server = Server::start().await;
    run(&server, &whole()).await.unwrap();
    let file = json!({"version": 1, "users": [{"username": "ada", "nickname": "Countess"}]});
    let done = run(&server, &file).await.unwrap();
    assert_eq!(done.changes.len(), 1);
    assert_eq!(done.changes[0].fields.len(), 1);
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    let ada = &exported["users"][0];
    assert_eq!(ada["given_name"], "Ada");
    assert_eq!(ada["nickname"], "Countess");
    assert_eq!(ada["groups"], json!(["staff"]));
    // null takes a field back
    let file = json!({"version": 1, "users": [{"username": "ada", "nickname": null}]});
    run(&server, &file).await.unwrap();
    assert!(
        export(server.provider(), Secrets::Omitted).await.unwrap()["users"][0]
            .get("nickname")
            .is_none()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_counts_at_creation_only() {
    let server = Server::start().await;
    run(&server, &whole()).await.unwrap();
    let mut file = whole();
    file["users"][0]["password"] = json!("Another-Horse-Battery-1729");
    assert!(run(&server, &file).await.unwrap().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_mail_address_is_not_verified_by_the_old_one() {
    let server = Server::start().await;
    run(&server, &whole()).await.unwrap();
    let file = json!({"version": 1, "users": [{"username": "ada", "email": "countess@example.com"}]});
    run(&server, &file).await.unwrap();
    assert!(
        export(server.provider(), Secrets::Omitted).await.unwrap()["users"][0]
            .get("email_verified")
            .is_none()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_with_their_place_before_anything_changes() {
    let server = Server::start().await;
    for (file, pointer, code) in [
        (json!({}), "/version", "required"),
        (json!({"version": 2}), "/version", "unsupported"),
        (json!({"version": 1, "clinets": []}), "/clinets", "unknown"),
        (
            json!({"version": 1, "clients": [{"client_id": "a", "redirect_uri": "x"}]}),
            "/clients/0/redirect_uri",
            "unknown",
        ),
        (
            json!({"version": 1, "clients": [{"client_name": "a"}]}),
            "/clients/0/client_id",
            "required",
        ),
        (
            json!({"version": 1, "clients": [{"client_id": "a", "grant_types": ["magic"]}]}),
            "/clients/0/grant_types",
            "invalid",
        ),
        (
            json!({"version": 1, "users": [{"username": "a", "groups": ["ghosts"]}]}),
            "/users/0/groups/0",
            "unknown",
        ),
        (
            json!({"version": 1, "users": [{"username": "a"}, {"username": "A"}]}),
            "/users/1",
            "twice",
        ),
        (
            json!({"version": 1, "users": [{"username": "a", "status": "asleep"}]}),
            "/users/0/status",
            "invalid",
        ),
        (
            json!({"version": 1, "settings": {"session": {"idle_timeot": "30m"}}}),
            "/settings/session/idle_timeot",
            "unknown",
        ),
        (
            json!({"version": 1, "settings": {"session": {"idle_timeout": "1s"}}}),
            "/settings/session/idle_timeout",
            "invalid",
        ),
        (
            json!({"version": 1, "resources": [{"identifier": "shop"}]}),
            "/resources/0/identifier",
            "malformed",
        ),
        (json!({"version": 1, "prune": ["settings"]}), "/prune/0", "unknown"),
    ] {
        let found = mistakes(&server, &file).await;
        assert!(found.contains(&(pointer.to_owned(), code)), "{file} {found:?}");
    }
    // a mistake at the end keeps the beginning from happening
    let mut file = whole();
    file["users"][0]["groups"] = json!(["ghosts"]);
    mistakes(&server, &file).await;
    assert!(server.provider().client("shop").await.unwrap().is_none());
    // and every entry is judged, what only the store can tell included
    server.user("taken").await;
    let own = server.issuer().to_owned();
    let file = json!({
        "version": 1,
        "settings": {"session": {"idle_timeout": "30m"}},
        "resources": [{"identifier": "https://api.example", "scopes": ["orders"]}],
        "groups": [{"name": "good"}, {"name": "bad\u{0}"}],
        "clients": [
            {"client_id": "fine", "client_secret": "a-client-secret-of-forty-characters-and-3",
                "redirect_uris": ["https://fine.example/cb"]},
            {"client_id": "weak", "client_secret": "short", "redirect_uris": ["https://weak.example/cb"]},
            {"client_id": "none", "redirect_uris": ["https://none.example/cb"]},
        ],
        "users": [
            {"username": "good"},
            {"username": "weak", "password": "password"},
            {"username": "clash", "email": "TAKEN@example.com"},
            {"username": "taken@example.com"},
            {"username": "one", "email": "same@example.com"},
            {"username": "two", "email": "Same@example.com"},
        ],
    });
    let mut found = mistakes(&server, &file).await;
    found.sort();
    let at = |pointer: &str, code| (pointer.to_owned(), code);
    assert_eq!(
        found.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(),
        [
            "/clients/1/client_secret",
            "/clients/2/client_secret",
            "/groups/1/name",
            "/users/1/password",
            "/users/2/email",
            "/users/3/username",
            "/users/5/email",
        ]
    );
    assert!(
        found.contains(&at("/users/5/email", "taken")) && found.contains(&at("/clients/2/client_secret", "required"))
    );
    for reserved in [
        json!({"identifier": own}),
        json!({"identifier": "https://api.example", "scopes": ["admin"]}),
    ] {
        let file = json!({"version": 1, "resources": [reserved]});
        assert_eq!(mistakes(&server, &file).await[0].1, "reserved");
    }
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    assert_eq!((&exported["clients"], &exported["groups"]), (&json!([]), &json!([])));
    assert_eq!(
        (&exported["resources"], &exported["settings"]),
        (&json!([]), &json!({}))
    );
    assert_eq!(exported["users"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_secrets_need_to_be_accepted() {
    let server = Server::start().await;
    let client = |weak: bool| {
        json!({"version": 1, "clients": [{"client_id": "old", "client_secret": "short", "accept_weak": weak,
            "redirect_uris": ["https://old.example/cb"]}]})
    };
    assert_eq!(mistakes(&server, &client(false)).await[0].0, "/clients/0/client_secret");
    run(&server, &client(true)).await.unwrap();
    let user =
        |weak: bool| json!({"version": 1, "users": [{"username": "bo", "password": "password", "accept_weak": weak}]});
    assert_eq!(mistakes(&server, &user(false)).await[0].0, "/users/0/password");
    run(&server, &user(true)).await.unwrap();
    let bo = find(&server, "bo").await;
    assert_eq!(bo.required_actions, [RequiredAction::ChangePassword], "for now only");
    server.stop().await;
}

async fn find(server: &Server, username: &str) -> User {
    let key = UserKey::Username(username.to_owned());
    people::find_user(server.provider(), &key).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_required_of_a_user_is_said_when_the_file_makes_it() {
    let server = Server::start().await;
    let file = |actions: &[&str]| json!({"version": 1, "users": [{"username": "bo", "password": "an owl on the old oak", "required_actions": actions}]});
    assert_eq!(
        mistakes(&server, &file(&["dance"])).await[0].0,
        "/users/0/required_actions"
    );
    run(&server, &file(&["enrol_factor", "change_password"])).await.unwrap();
    let required = async || find(&server, "bo").await;
    let both = [RequiredAction::ChangePassword, RequiredAction::EnrolFactor];
    assert_eq!(required().await.required_actions, both);
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    assert_eq!(
        exported["users"][0]["required_actions"],
        json!(["change_password", "enrol_factor"])
    );
    // what the person has done since is not undone by the same file
    let mut store = server.provider().store.write().await.unwrap();
    store
        .complete_action(required().await.id, RequiredAction::ChangePassword)
        .await
        .unwrap();
    store.commit().await.unwrap();
    run(&server, &file(&["enrol_factor", "change_password"])).await.unwrap();
    assert_eq!(required().await.required_actions, [RequiredAction::EnrolFactor]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_removes_what_an_earlier_file_made_and_nothing_else() {
    let server = Server::start().await;
    server.user("by-hand").await;
    server.client(|client| client.client_id = "by-hand".to_owned()).await;
    run(&server, &whole()).await.unwrap();
    let file = json!({"version": 1, "prune": ["clients", "groups", "resources"]});
    // the group is somebody's primary one
    assert_eq!(mistakes(&server, &file).await, [("/prune".to_owned(), "conflict")]);
    let file = json!({"version": 1, "users": [{"username": "ada", "groups": []}],
        "prune": ["clients", "groups", "resources"]});
    run(&server, &file).await.unwrap();
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    assert_eq!(exported["clients"].as_array().unwrap().len(), 1);
    assert_eq!(exported["groups"], json!([]));
    assert_eq!(exported["resources"], json!([]));
    assert_eq!(exported["users"].as_array().unwrap().len(), 2);
    let file = json!({"version": 1, "prune": ["users"]});
    assert_eq!(mistakes(&server, &file).await[0].1, "prune_users");
    run_pruning(&server, &file, PruneUsers::Yes).await.unwrap();
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    assert_eq!(exported["users"].as_array().unwrap().len(), 1);
    assert_eq!(exported["users"][0]["username"], "by-hand");
    server.stop().await;
}

#[test]
fn every_field_of_a_client_and_user_stands_in_the_file() {
    // a name that is not a member would be ignored instead of refused here
    fn knows<T: serde::de::DeserializeOwned>(name: &str) -> bool {
        let strange = json!({"strange": [{}]});
        let read = serde_json::from_value::<T>(json!({ name: strange.clone() }));
        read.is_err() || name == "jwks" || name == "jwks_uri"
    }
    for name in METADATA {
        assert!(knows::<ClientMetadata>(name), "{name}");
    }
    for name in POLICY {
        assert!(knows::<ClientPolicy>(name), "{name}");
    }
    for name in PROFILE {
        assert!(
            knows::<Profile>(name) || ["address", "properties"].contains(name),
            "{name}"
        );
    }
    // and whatever a full one writes is among the names
    let source = |file: &str, item: &str| {
        let text = std::fs::read_to_string(format!("{}/src/model/{file}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let body = text
            .split(&format!("pub struct {item} {{"))
            .nth(1)
            .unwrap()
            .split("\n}")
            .next()
            .unwrap()
            .to_owned();
        body.lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(source("client", "ClientMetadata"), METADATA);
    assert_eq!(source("client", "ClientPolicy"), POLICY);
    assert_eq!(source("user", "Profile"), PROFILE);
}

/// What groups, users and clients say about settings comes with them: shown before it is done, done once, given back.
#[tokio::test(flavor = "multi_thread")]
async fn settings_of_groups_users_and_clients_stand_in_the_file() {
    let server = Server::start().await;
    let file = json!({
        "version": 1,
        "groups": [{"name": "gold", "settings": {"session": {"max_concurrent": 5}}}],
        "users": [{"username": "ada", "groups": ["gold"], "settings": {"session.at_limit": "ask"}}],
        "clients": [{
            "client_id": "player",
            "redirect_uris": ["https://player.example/cb"],
            "token_endpoint_auth_method": "none",
            "settings": {"session": {"max_concurrent": 1, "idle_timeout": "5m"}},
        }],
    });
    let told = run(&server, &file).await.unwrap().to_string();
    for line in [
        "settings.session.max_concurrent: 5",
        "settings.session.at_limit: \"ask\"",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert_eq!(told.matches("groups gold").count(), 1, "one thing is told once: {told}");
    assert!(run(&server, &file).await.unwrap().is_empty());
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    assert_eq!(
        exported["groups"][0]["settings"],
        json!({"session": {"max_concurrent": 5}})
    );
    assert_eq!(
        exported["users"][0]["settings"],
        json!({"session": {"at_limit": "ask"}})
    );
    assert_eq!(
        exported["clients"][0]["settings"],
        json!({"session": {"idle_timeout": "5m", "max_concurrent": 1}})
    );
    assert!(run(&server, &exported).await.unwrap().is_empty());
    let other = Server::start().await;
    run(&other, &exported).await.unwrap();
    assert_eq!(export(other.provider(), Secrets::Omitted).await.unwrap(), exported);
    other.stop().await;
    // the rest stays, null takes back
    let less =
        json!({"version": 1, "clients": [{"client_id": "player", "settings": {"session": {"idle_timeout": null}}}]});
    let told = run(&server, &less).await.unwrap().to_string();
    assert!(
        told.contains("settings.session.idle_timeout: \"5m\" -> nothing"),
        "{told}"
    );
    let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
    assert_eq!(
        exported["clients"][0]["settings"],
        json!({"session": {"max_concurrent": 1}})
    );
    let wrong = json!({
        "version": 1,
        "groups": [{"name": "gold", "settings": {"key.rotation_interval": "10d"}}, {"name": "new", "settings": {"session": {"max_concurrent": 0}}}],
        "users": [{"username": "ada", "settings": 3}],
    });
    assert_eq!(
        mistakes(&server, &wrong).await,
        [("/users/0/settings".to_owned(), "type")]
    );
    let wrong = json!({"version": 1, "groups": wrong["groups"]});
    assert_eq!(
        mistakes(&server, &wrong).await,
        [
            ("/groups/0/settings/key/rotation_interval".to_owned(), "not_here"),
            ("/groups/1/settings/session/max_concurrent".to_owned(), "invalid"),
        ]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_in_groups_roles_and_access_travel_in_the_file() {
    each_backend(async |server| {
        let file = json!({
            "version": 1,
            "resources": [{"identifier": "https://api.shop.example", "scopes": ["orders"]}],
            "permissions": [{"name": "orders.read", "description": "May read", "resource": "https://api.shop.example"}],
            "roles": [{"name": "clerk", "resource": "https://api.shop.example", "permissions": ["orders.read"]}],
            "clients": [{"client_id": "shop", "client_secret": "a-client-secret-of-forty-characters-and-3",
                "redirect_uris": ["https://shop.example/callback"], "users": "assigned",
                "access_groups": ["staff"], "access_users": ["ada"]}],
            "groups": [{"name": "night", "groups": ["staff"]}, {"name": "staff", "roles": ["clerk"]}, {"name": "later"}],
            "users": [{"username": "ada", "groups": ["night", "later"], "roles": ["clerk"],
                "group_terms": {"later": {"starts_at": "2999-01-01T00:00:00Z"}}}],
        });
        run(server, &file).await.unwrap();
        let ada = {
            let mut store = server.provider().store.read().await.unwrap();
            store.find_user_by_username("ada").await.unwrap().unwrap().id
        };
        let person = server.provider().person(ada, server.call().now).await.unwrap().unwrap();
        assert_eq!((person.groups.clone(), person.permissions.clone()), (
            vec!["night".to_owned(), "staff".to_owned()],
            vec!["orders.read".to_owned()]
        ));
        assert_eq!(run(server, &file).await.unwrap().changes.len(), 0, "once more changes nothing");
        let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
        assert_eq!(exported["roles"], json!([{"name": "clerk", "resource": "https://api.shop.example", "permissions": ["orders.read"]}]));
        let user = &exported["users"][0];
        assert_eq!(user["group_terms"], json!({"later": {"starts_at": "2999-01-01T00:00:00Z"}}));
        assert_eq!(user["roles"], json!(["clerk"]));
        let client = &exported["clients"][0];
        assert_eq!((&client["access_groups"], &client["access_users"]), (&json!(["staff"]), &json!(["ada"])));
        assert_eq!(run(server, &exported).await.unwrap().changes.len(), 0, "what was written changes nothing");
        // a file takes away what it does not name any more
        let file = json!({"version": 1, "groups": [{"name": "night", "groups": []}, {"name": "staff", "roles": []}],
            "users": [{"username": "ada", "roles": []}], "prune": ["roles", "permissions"]});
        run(server, &file).await.unwrap();
        let person = server.provider().person(ada, server.call().now).await.unwrap().unwrap();
        assert_eq!((person.groups.clone(), person.permissions.is_empty()), (vec!["night".to_owned()], true));
        let exported = export(server.provider(), Secrets::Omitted).await.unwrap();
        assert!(exported.get("roles").is_none() && exported.get("permissions").is_none());
    })
    .await;
}
