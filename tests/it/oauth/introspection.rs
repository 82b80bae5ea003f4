//! Introspection (RFC 7662): who may look, and how little everybody else is told.

use std::collections::BTreeSet;

use ostiary::model::{AccessTokenFormat, GrantType, Scopes};

use super::scene::{MINUTE, Scene, active, assert_refused, resource, service};
use crate::support::relying_party::{Answer, RelyingParty, basic, claims};
use crate::support::server::each_backend;

const ORDERS: &str = "https://orders.example";

/// Fails unless the answer says that the token does not count, and nothing more.
#[track_caller]
fn assert_inactive(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, r#"{"active":false}"#)
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
}

fn members(answer: &Answer) -> BTreeSet<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

/// SEC-054
#[tokio::test(flavor = "multi_thread")]
async fn introspection_audience_and_minimal() {
    each_backend(async |server| {
        resource(server, ORDERS, &["orders.read"], None).await;
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(server, |client| {
                client.policy.access_token_format = format;
                client.metadata.scope.add("orders.read");
            })
            .await;
            let party = scene.party_for("openid email offline_access orders.read");
            let serving = |serves: &str| {
                let serves = vec![serves.to_owned()];
                move |client: &mut ostiary::model::Client| {
                    client.policy.serves = serves;
                    client.metadata.grant_types = vec![GrantType::ClientCredentials];
                }
            };
            let orders = server.client(serving(ORDERS)).await;
            let almost = server.client(serving("https://orders.example/")).await;
            let nobody = server.client(|_| ()).await;
            let [orders, almost, nobody] = [&orders, &almost, &nobody].map(|client| RelyingParty::new(server, client));
            let tokens = scene.tokens_of(&party).await;

            // its own client, and the API it is for
            for caller in [&party, &orders] {
                let answer = caller.introspect(&tokens.access).await.ok();
                assert_eq!(answer.header("cache-control"), "no-store");
                let told = [
                    "active",
                    "iss",
                    "sub",
                    "aud",
                    "client_id",
                    "token_type",
                    "exp",
                    "iat",
                    "jti",
                    "scope",
                    "username",
                ];
                assert_eq!(members(&answer), told.map(str::to_owned).into());
                let answer = answer.json();
                assert_eq!(answer["iss"], server.issuer());
                assert_eq!(answer["sub"], scene.user.subject.as_str());
                assert_eq!(answer["client_id"], scene.client.client_id.as_str());
                assert_eq!(answer["scope"], "openid email offline_access orders.read");
                assert_eq!(answer["aud"], serde_json::json!([ORDERS, server.issuer()]));
                assert_eq!(answer["exp"].as_i64().unwrap() - answer["iat"].as_i64().unwrap(), 600);
            }
            // a refresh token is nobody's but its client's
            assert!(active(&party.introspect(&tokens.refresh).await));
            assert_inactive(&orders.introspect(&tokens.refresh).await);
            // for everybody else there is nothing
            for caller in [&almost, &nobody] {
                assert_inactive(&caller.introspect(&tokens.access).await);
                assert_inactive(&caller.introspect(&tokens.refresh).await);
            }
            let code = scene.code(&party).await;
            let cut = &tokens.access[..tokens.access.len() - 1];
            for stranger in [
                "x",
                "a.b.c",
                "..",
                "\u{fffd}",
                &ostiary::random::token(),
                cut,
                &tokens.id,
                &code,
            ] {
                assert_inactive(&party.introspect(stranger).await);
            }
            // a wrong hint is no reason to find nothing (RFC 7662 section 2.1)
            let form = [("token", tokens.access.as_str()), ("token_type_hint", "refresh_token")];
            assert!(active(&party.post("/oauth2/introspect", &form).await));
            // signed answers (RFC 9701) are not made: asked for one, it stays with JSON, to nobody more
            let authorization = basic(&nobody.client.client_id, &nobody.client.secret);
            let headers = [
                ("authorization", authorization.as_str()),
                ("accept", "application/token-introspection+jwt"),
            ];
            assert_inactive(&nobody.post_as("/oauth2/introspect", &form, &headers).await);

            // revoked, expired
            let revoked = scene.tokens_of(&party).await;
            party.revoke(&revoked.access).await.ok();
            for caller in [&party, &orders] {
                assert_inactive(&caller.introspect(&revoked.access).await);
            }
            server.advance(10 * MINUTE);
            for caller in [&party, &orders] {
                assert_inactive(&caller.introspect(&tokens.access).await);
            }
        }
    })
    .await;
}

/// SEC-054
#[tokio::test(flavor = "multi_thread")]
async fn introspection_audience_and_minimal_for_whom_it_answers() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let public = server.public_client(|_| ()).await;
        let tokens = scene.tokens().await;
        let form = [("token", tokens.access.as_str())];
        let party = scene.party();
        // a client that proves nothing is not answered, not even about its own tokens
        assert_refused(
            &RelyingParty::new(server, &public).introspect(&tokens.access).await,
            401,
            "invalid_client",
        );
        assert_refused(
            &party.post_as("/oauth2/introspect", &form, &[]).await,
            401,
            "invalid_client",
        );
        let wrong = basic(&party.client.client_id, "wrong");
        let answer = party
            .post_as("/oauth2/introspect", &form, &[("authorization", &wrong)])
            .await;
        assert_refused(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
        // a bearer token is no client
        let bearer = format!("Bearer {}", tokens.access);
        let answer = party
            .post_as("/oauth2/introspect", &form, &[("authorization", &bearer)])
            .await;
        assert!(!answer.status.is_success());
        assert_refused(&party.post("/oauth2/introspect", &[]).await, 400, "invalid_request");
        let pairwise = Scene::with(server, |client| {
            client.metadata.subject_type = ostiary::model::SubjectType::Pairwise;
            client.metadata.scope = Scopes::parse("openid").unwrap();
        })
        .await;
        // nobody is told a subject that was made for somebody else
        let tokens = pairwise.tokens_for("openid").await;
        let answer = pairwise.party().introspect(&tokens.access).await;
        assert_eq!(answer.get("sub"), claims(&tokens.id)["sub"].as_str().unwrap());
        assert_ne!(answer.get("sub"), pairwise.user.subject);

        let own = server.client(service("admin")).await;
        let own = RelyingParty::new(server, &own);
        let token = own
            .token(&[("grant_type", "client_credentials")])
            .await
            .ok()
            .get("access_token");
        assert_eq!(own.introspect(&token).await.get("username"), "");
    })
    .await;
}
