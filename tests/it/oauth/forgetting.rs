//! What is remembered is forgotten: what ends or changes on one node, or by a command beside the server, holds on every node
//! within a second; and whoever asks for many different things does not make memory grow.

use std::time::{Duration, Instant};

use ostiary::flow::clients::{self, Authority};
use ostiary::flow::operations::keys::{self, Rotation};
use ostiary::flow::token::verify;
use ostiary::model::setting;
use ostiary::model::{AccessTokenFormat, Secret, UserStatus};
use ostiary::server::Options;

use super::scene::{Scene, active, service};
use crate::support::backend::Backend;
use crate::support::cli::Terminal;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

/// Three times what is promised: machines that run tests are slow.
const BOUND: Duration = Duration::from_secs(3);

/// Fails unless it is so within the bound.
async fn soon(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(
            began.elapsed() < BOUND,
            "{what} is not known after {:?}",
            began.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Two nodes of one installation; on SQLite there is one, twice.
async fn on_two_nodes(test: impl AsyncFn(&Server, &Server)) {
    each_backend(async |server| {
        if server.provider().store.is_embedded() {
            test(server, server).await;
            return;
        }
        let other = server.node().await;
        test(server, &other).await;
        other.stop().await;
    })
    .await;
}

/// The same client at another node.
fn at<'a>(node: &Server, scene: &'a Scene<'_>) -> RelyingParty<'a> {
    RelyingParty::new(node, &scene.client)
}

/// Both nodes know the token and remember it.
async fn warm(one: &Server, other: &Server, scene: &Scene<'_>, token: &str) {
    for node in [one, other, one, other] {
        assert!(active(&at(node, scene).introspect(token).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_counts_nowhere_within_a_second() {
    on_two_nodes(async |one, other| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(one, |client| client.policy.access_token_format = format).await;
            let tokens = scene.tokens().await;
            warm(one, other, &scene, &tokens.access).await;
            at(one, &scene).revoke(&tokens.access).await.ok();
            // where it was revoked it is known at once
            assert!(!active(&at(one, &scene).introspect(&tokens.access).await));
            soon("the revoked token", async || {
                !active(&at(other, &scene).introspect(&tokens.access).await)
            })
            .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_family_takes_its_remembered_access_tokens_along() {
    on_two_nodes(async |one, other| {
        let scene = Scene::on(one).await;
        let tokens = scene.tokens().await;
        warm(one, other, &scene, &tokens.access).await;
        at(one, &scene).revoke(&tokens.refresh).await.ok();
        assert!(!active(&at(one, &scene).introspect(&tokens.access).await));
        // a family that is remembered rotates nothing once it has ended, not even before the news has come
        assert_eq!(
            at(other, &scene).refresh(&tokens.refresh).await.error(),
            "invalid_grant"
        );
        soon("the ended family", async || {
            !active(&at(other, &scene).introspect(&tokens.access).await)
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_ends_its_remembered_tokens() {
    on_two_nodes(async |one, other| {
        let scene = Scene::on(one).await;
        let tokens = scene.tokens_for("openid profile").await;
        warm(one, other, &scene, &tokens.access).await;
        scene.end_sessions().await;
        assert!(!active(&at(one, &scene).introspect(&tokens.access).await));
        soon("the ended session", async || {
            !active(&at(other, &scene).introspect(&tokens.access).await)
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_person_and_changed_claims_are_known_to_every_node() {
    on_two_nodes(async |one, other| {
        let scene = Scene::on(one).await;
        let tokens = scene.tokens().await;
        warm(one, other, &scene, &tokens.access).await;
        let told = async |node: &Server| at(node, &scene).userinfo(&tokens.access).await.json()["nickname"].clone();
        assert!(told(other).await.is_null());
        let mut tx = one.provider().store.write().await.unwrap();
        let mut user = tx.find_user(scene.user.id).await.unwrap().unwrap();
        user.profile.nickname = Some("Lovelace".to_owned());
        assert!(tx.change_user(&user).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(told(one).await, "Lovelace");
        soon("the new name", async || told(other).await == "Lovelace").await;
        scene.set_status(UserStatus::Inactive).await;
        assert!(!active(&at(one, &scene).introspect(&tokens.access).await));
        soon("the deactivation", async || {
            !active(&at(other, &scene).introspect(&tokens.access).await)
        })
        .await;
        assert_eq!(at(other, &scene).userinfo(&tokens.access).await.status, 401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_was_taken_away_is_held_nowhere() {
    on_two_nodes(async |one, other| {
        let scene = Scene::with(one, |client| client.metadata.scope.add("admin:users")).await;
        let name = format!("helpers-{}", scene.user.id);
        let group = one.group(&name, &["admin:users"], &[&scene.user]).await;
        let tokens = scene.tokens_for("openid admin:users").await;
        let token = Secret::new(tokens.access.clone());
        let held = async |node: &Server| {
            let verified = verify::find(node.provider(), &node.call(), &token).await.unwrap();
            verified.unwrap().permissions.contains("admin:users")
        };
        assert!(held(one).await && held(other).await);
        let mut tx = one.provider().store.write().await.unwrap();
        assert!(tx.remove_member(group, scene.user.id).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!held(one).await);
        soon("the permission", async || !held(other).await).await;
        // and by the group's change, for everybody in it
        let mut tx = one.provider().store.write().await.unwrap();
        assert!(tx.add_member(group, scene.user.id, one.call().now).await.unwrap());
        tx.commit().await.unwrap();
        soon("the membership", async || held(one).await && held(other).await).await;
        let mut tx = one.provider().store.write().await.unwrap();
        let mut changed = tx.find_group(group).await.unwrap().unwrap();
        changed.permissions.clear();
        assert!(tx.change_group(&changed).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!held(one).await);
        soon("the group's permissions", async || !held(other).await).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_client_and_a_replaced_secret_are_known_to_every_node() {
    on_two_nodes(async |one, other| {
        one.settings(serde_json::json!({"client.secret_overlap": "0s"})).await;
        let scene = Scene::on(one).await;
        let tokens = scene.tokens().await;
        warm(one, other, &scene, &tokens.access).await;
        // the secret was shown a moment ago at both nodes
        let provider = one.provider();
        let (call, authority) = (one.call(), Authority::Operator);
        let rotated = clients::rotate_secret(provider, &call, &authority, (scene.client.id, None), None);
        rotated.await.unwrap();
        assert_eq!(at(one, &scene).introspect(&tokens.access).await.status, 401);
        soon("the replaced secret", async || {
            at(other, &scene).introspect(&tokens.access).await.status == 401
        })
        .await;

        let scene = Scene::on(one).await;
        let tokens = scene.tokens().await;
        warm(one, other, &scene, &tokens.access).await;
        clients::disable(provider, &one.call(), &Authority::Operator, scene.client.id, None)
            .await
            .unwrap();
        assert_eq!(at(one, &scene).userinfo(&tokens.access).await.status, 401);
        soon("the disabled client", async || {
            at(other, &scene).userinfo(&tokens.access).await.status == 401
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_removed_key_counts_nowhere() {
    on_two_nodes(async |one, other| {
        let scene = Scene::on(one).await;
        let tokens = scene.tokens().await;
        warm(one, other, &scene, &tokens.access).await;
        keys::rotate(one.provider(), &one.call(), Rotation::Emergency)
            .await
            .unwrap();
        assert!(!active(&at(one, &scene).introspect(&tokens.access).await));
        soon("the removed key", async || {
            !active(&at(other, &scene).introspect(&tokens.access).await)
        })
        .await;
    })
    .await;
}

/// REL-20: a store that lost its latest changes counts its generations again from where it stands. What a node knew of later
/// ones holds up nothing that comes then, neither what others change nor what it changes itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_was_lost_hides_no_later_change() {
    each_backend(async |server| {
        let provider = server.provider();
        let scene = Scene::on(server).await;
        let tokens = scene.tokens().await;
        server.behind("update generations set number = number + 5").await;
        provider.refresh_memory().await.unwrap();
        warm(server, server, &scene, &tokens.access).await;
        let kids = async || -> Vec<String> {
            let published = scene.party().get("/oauth2/jwks", &tokens.access).await.json();
            let keys = published["keys"].as_array().unwrap().iter();
            keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
        };
        let before = kids().await;

        // the store as it was, in another epoch
        server.behind("update generations set number = number - 5").await;
        server.behind("update installation set epoch = epoch + 1").await;
        // what another changes there
        server
            .behind("insert into settings (key, value) values ('token.access_lifetime', '\"77s\"')")
            .await;
        server
            .behind("update generations set number = number + 1 where kind = 'setting'")
            .await;
        soon("the setting", async || {
            let settings = provider.settings().await.unwrap();
            settings.duration(setting::ACCESS_TOKEN_LIFETIME) == Duration::from_secs(77)
        })
        .await;
        // what it changes itself
        keys::rotate(provider, &server.call(), Rotation::Emergency)
            .await
            .unwrap();
        let after = kids().await;
        assert!(!before.iter().any(|kid| after.contains(kid)), "{after:?}");
        super::scene::resource(server, "https://later.example", &["later"], None).await;
        let resources = provider.resources().await.unwrap();
        assert!(
            resources
                .iter()
                .any(|resource| resource.identifier == "https://later.example")
        );
        let (call, authority) = (server.call(), Authority::Operator);
        clients::disable(provider, &call, &authority, scene.client.id, None)
            .await
            .unwrap();
        assert_eq!(scene.party().introspect(&tokens.access).await.status, 401);
    })
    .await;
}

/// A change whose outcome is not known makes a node read again before it decides anything. What it publishes decides nothing,
/// and goes on through the outage that hid the outcome.
#[tokio::test(flavor = "multi_thread")]
async fn keys_and_metadata_go_on_when_the_store_goes_away_with_a_change() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let party = scene.party();
    assert_eq!(party.get("/oauth2/jwks", "none").await.status, 200);
    let mut tx = server.provider().store.write().await.unwrap();
    tx.raise_client_generation().await.unwrap();
    tx.commit().await.unwrap();
    server.provider().store.close().await;
    assert!(server.provider().settings().await.is_err());
    for path in ["/oauth2/jwks", "/.well-known/openid-configuration"] {
        assert_eq!(party.get(path, "none").await.status, 200, "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_beside_the_server_is_known_to_it_at_once() {
    let commands = |options: &mut Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let scene = Scene::on(&server).await;
    let tokens = scene.tokens().await;
    warm(&server, &server, &scene, &tokens.access).await;
    let terminal = Terminal::at(server.folder());
    terminal.run(&["users", "deactivate", &scene.user.username]).await.ok();
    assert!(!active(&scene.party().introspect(&tokens.access).await));
    server.stop().await;
}

/// SEC-642: whoever brings many different tokens fills no more than what memory may hold, and a token that does not count is
/// not remembered at all.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_count_is_not_remembered() {
    let server = Server::start().await;
    let scene = Scene::with(&server, service("")).await;
    let remembered = || {
        let sizes = server.provider().memory.sizes();
        sizes.iter().map(|(_, number)| number).sum::<usize>()
    };
    assert!(!scene.counts("no.such.token").await);
    let before = remembered();
    for number in 0..200 {
        assert!(!scene.counts(&format!("{number}.a.b")).await);
        assert!(!scene.counts(&format!("opaque-{number}")).await);
    }
    assert!(remembered() <= before + 1, "{} after {before}", remembered());
    server.stop().await;
}
