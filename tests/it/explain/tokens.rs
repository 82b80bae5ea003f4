//! `explain token`: where each claim comes from, and why a wanted one is absent.

use std::time::Duration;

use ostiary::flow::token::standing;
use ostiary::model::{AccessTokenFormat, Secret, SubjectType};
use serde_json::{Value, json};

use super::reader;
use crate::api::conversation::{client_token, service};
use crate::oauth::scene::Scene;
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, each_backend};

async fn explain(server: &Server, token: &str) -> Value {
    let answer = reader(server)
        .await
        .post("/traces/token", json!({ "token": token }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn member<'a>(explained: &'a Value, list: &str, name: &str) -> &'a Value {
    let all = explained[list].as_array().unwrap();
    let found = all.iter().find(|each| each["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} among {list}: {explained}"))
}

fn source(explained: &Value, name: &str) -> String {
    member(explained, "claims", name)["source"].as_str().unwrap().to_owned()
}

fn reason(explained: &Value, name: &str) -> String {
    member(explained, "absent", name)["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_claim_of_an_id_token_has_its_source() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let party = scene.party_for("openid profile");
        let wanted =
            json!({"id_token": {"email": null, "nickname": {"essential": true}, "shoe_size": null}}).to_string();
        let arrival = scene
            .arrive(&party.authorization_url_with(&[("claims", &wanted)]))
            .await;
        let token = party.redeem(arrival.code()).await.ok().get("id_token");
        let told = explain(server, &token).await;
        assert_eq!((&told["kind"], &told["counts"]), (&json!("id_token"), &json!(true)));
        assert_eq!(told["client"]["name"], scene.client.client_id.as_str());
        assert_eq!(told["user"]["id"], scene.user.id.to_string());
        assert_eq!(told["lifetime"]["key"], "token.id_lifetime");
        for (name, part) in [
            ("iss", "public URL"),
            ("sub", "account's subject"),
            ("aud", "client_id"),
            ("exp", "token.id_lifetime, now 10m (built in)"),
            ("iat", "made"),
            ("auth_time", "proved"),
            ("acr", "password"),
            ("amr", "RFC 8176"),
            ("azp", "client_id"),
            ("sid", "session"),
            ("nonce", "authorization request"),
            ("at_hash", "hash"),
            (
                "email",
                "the account's email, because the application asked for it by name",
            ),
        ] {
            assert!(source(&told, name).contains(part), "{name}: {}", source(&told, name));
        }
        for (name, value) in claims(&token) {
            let told = member(&told, "claims", &name);
            assert_eq!(told["value"], value, "{name}");
            assert!(told.get("now").is_none(), "nothing has changed: {told}");
        }
        assert_eq!(reason(&told, "nickname"), "the account has none");
        assert_eq!(reason(&told, "shoe_size"), "this server knows no such claim");
        assert!(reason(&told, "name").contains("userinfo"));
        assert!(reason(&told, "phone_number").contains("did not ask for it"));

        // it came from an authorization request that can be explained, too
        let journey = told["journey"].as_str().unwrap();
        assert_eq!(
            super::explained(server, journey).await["client"]["name"],
            scene.client.client_id.as_str()
        );

        // as of now: after a change, and after its end
        server.advance(Duration::from_secs(3600));
        let mut store = server.provider().store.write().await.unwrap();
        let mut user = store.find_user(scene.user.id).await.unwrap().unwrap();
        user.profile.email = Some("new@example.com".to_owned());
        assert!(store.change_user(&user).await.unwrap());
        store.commit().await.unwrap();
        let told = explain(server, &token).await;
        assert_eq!(
            (&told["counts"], &told["rule"]),
            (&json!(false), &json!("id_token.expired"))
        );
        assert_eq!(member(&told, "claims", "email")["now"], "new@example.com");
    })
    .await;
}

#[tokio::test]
async fn an_absent_mail_address_says_whether_scope_or_account_lacks_it() {
    each_backend(async |server: &Server| {
        let client = server.client(|_| ()).await;
        let narrow = server
            .client(|client| client.metadata.scope = ostiary::model::Scopes::parse("openid profile").unwrap())
            .await;
        let with = server.user("ada").await;
        let without = server
            .user_with("bob", |profile| {
                profile.email = None;
                profile.email_verified = false;
            })
            .await;
        let access = async |client, user, scope: &str| {
            let mut party = RelyingParty::new(server, client);
            scope.clone_into(&mut party.scope);
            let arrival = party.sign_in(&Browser::new(), user).await;
            party.redeem(arrival.code()).await.ok().get("access_token")
        };
        let told = explain(server, &access(&client, &with, "openid email").await).await;
        assert_eq!((&told["kind"], &told["counts"]), (&json!("access_token"), &json!(true)));
        let email = member(&told, "userinfo", "email");
        assert_eq!(email["value"], "ada@example.com");
        assert!(email["source"].as_str().unwrap().contains("scope email was granted"));
        assert!(source(&told, "aud").contains("openid"));
        assert!(source(&told, "scope").contains("asked for"));
        assert!(source(&told, "exp").contains("token.access_lifetime"));
        assert!(source(&told, "jti").contains("random"));
        assert!(source(&told, "client_id").contains("client"));

        let told = explain(server, &access(&client, &without, "openid email").await).await;
        assert_eq!(reason(&told, "email"), "the account has none");
        let told = explain(server, &access(&client, &with, "openid profile").await).await;
        assert!(reason(&told, "email").contains("the application did not ask for it"));
        let told = explain(server, &access(&narrow, &with, "openid profile email").await).await;
        assert!(reason(&told, "email").contains("the client may not have it"));
    })
    .await;
}

#[tokio::test]
async fn opaque_pairwise_and_own_tokens_are_explained_and_others_refused() {
    each_backend(async |server: &Server| {
        let scene = Scene::with(server, |client| {
            client.policy.access_token_format = AccessTokenFormat::Opaque;
            client.metadata.subject_type = SubjectType::Pairwise;
        })
        .await;
        let tokens = scene.tokens().await;
        let told = explain(server, &tokens.access).await;
        assert_eq!((&told["format"], &told["counts"]), (&json!("opaque"), &json!(true)));
        assert!(source(&told, "sub").contains("pairwise"));
        assert_eq!(member(&told, "claims", "sub")["value"], claims(&tokens.id)["sub"]);
        assert!(
            told["claims"]
                .as_array()
                .unwrap()
                .iter()
                .all(|claim| claim["name"] != "jti")
        );
        scene.party().revoke(&tokens.refresh).await;
        assert!(
            reader(server)
                .await
                .post("/traces/token", json!({ "token": tokens.access }))
                .await
                .status
                .is_client_error(),
            "an opaque token that was revoked is not there any more"
        );

        let own = client_token(server, &service(server, "admin").await).await;
        let told = explain(server, &own).await;
        assert!(source(&told, "sub").contains("client_credentials"));
        assert!(told.get("user").is_none());

        let reader = reader(server).await;
        for foreign in ["", "x", "a.b.c", &tokens.refresh] {
            let refused = reader.post("/traces/token", json!({ "token": foreign })).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
        }
        assert_eq!(
            crate::api::conversation::Caller::client(server, "admin:traces.read")
                .await
                .post("/traces/token", json!({ "token": own }))
                .await
                .status,
            403
        );
    })
    .await;
}

#[tokio::test]
async fn a_token_that_ended_says_by_what() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let party = scene.party_for("openid");
        let tokens = scene.tokens_of(&party).await;
        party.revoke(&tokens.refresh).await;
        let told = explain(server, &tokens.access).await;
        assert_eq!(
            (&told["counts"], &told["rule"]),
            (&json!(false), &json!("access_token.grant_ended"))
        );
        // at a refresh the nonce is left out
        let tokens = scene.tokens_of(&party).await;
        let refreshed = party.refresh(&tokens.refresh).await.ok().get("id_token");
        assert!(reason(&explain(server, &refreshed).await, "nonce").contains("refresh"));
    })
    .await;
}

/// Looking into a token needs one reader at a time: those who do so at once don't wait for each other's.
#[tokio::test(flavor = "multi_thread")]
async fn looking_into_a_token_takes_one_reader() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let token = Secret::new(scene.tokens().await.access);
    let provider = server.provider();
    let mut held = Vec::new();
    for _ in 1..provider.store.connections() {
        held.push(provider.store.read().await.unwrap());
    }
    // memory has to be read anew
    let mut tx = provider.store.write().await.unwrap();
    tx.raise_client_generation().await.unwrap();
    tx.commit().await.unwrap();
    let found = standing::find(provider, server.call().now, &token).await.unwrap();
    assert!(found.is_some_and(|standing| standing.signed.is_some() && standing.refused.is_none()));
    drop(held);
    server.stop().await;
}
