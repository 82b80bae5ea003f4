//! The userinfo endpoint (OpenID Connect Core section 5.3, RFC 6750): which tokens it takes, and from where.

use ostiary::model::{AccessTokenFormat, SigningAlgorithm};
use serde_json::json;

use super::scene::{Scene, assert_refused, resource, service};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::each_backend;

/// SEC-055
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_token_rules() {
    each_backend(async |server| {
        let path = "/oauth2/userinfo";
        resource(server, "https://orders.example", &["orders.read"], None).await;
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(server, |client| {
                client.policy.access_token_format = format;
                client.metadata.scope.add("orders.read");
            })
            .await;
            let party = scene.party();
            let code = scene.code(&party).await;
            let tokens = scene.tokens_for("openid email").await;
            let token = tokens.access.as_str();
            let (bearer, lower) = (format!("Bearer {token}"), format!("bearer {token}"));
            let form = [("access_token", token)];

            // in the header, in the body
            let told = json!({"sub": scene.user.subject, "email": scene.user.email, "email_verified": true});
            for answer in [
                party.userinfo(token).await,
                party.post_as(path, &[], &[("authorization", &bearer)]).await,
                party.post_as(path, &[], &[("authorization", &lower)]).await,
                party.post_as(path, &form, &[]).await,
            ] {
                assert_eq!(answer.ok().json(), told);
            }
            // never in the address, never in two places
            let in_query = format!("{path}?access_token={token}");
            assert_refused(&party.post_as(&in_query, &[], &[]).await, 400, "invalid_request");
            assert_refused(&party.get(&in_query, token).await, 400, "invalid_request");
            let page = Browser::new().get(&server.url(&in_query)).await;
            assert_eq!(page.status, 400);
            let both = party.post_as(path, &form, &[("authorization", &bearer)]).await;
            assert_refused(&both, 400, "invalid_request");
            let twice = party.post_as(path, &[form[0], form[0]], &[]).await;
            assert_refused(&twice, 400, "invalid_request");

            // no other kind of token, no other scheme
            for stranger in [
                &tokens.id,
                &tokens.refresh,
                &code,
                &scene.client.secret,
                &format!("{token}x"),
            ] {
                let answer = party.userinfo(stranger).await;
                assert_refused(&answer, 401, "invalid_token");
                assert!(
                    answer
                        .header("www-authenticate")
                        .starts_with("Bearer error=\"invalid_token\"")
                );
                assert_refused(
                    &party.post_as(path, &[("access_token", stranger)], &[]).await,
                    401,
                    "invalid_token",
                );
            }
            for scheme in [
                format!("Basic {token}"),
                format!("Token {token}"),
                token.to_owned(),
                "Bearer".to_owned(),
            ] {
                let answer = party.post_as(path, &[], &[("authorization", &scheme)]).await;
                assert_refused(&answer, 401, "invalid_token");
                // nothing was brought: nothing is said but the scheme (RFC 6750 section 3.1)
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }

            // without the scope openid; for another audience; of a client for itself
            let without = scene.tokens_for("profile").await;
            let answer = party.userinfo(&without.access).await;
            assert_refused(&answer, 403, "insufficient_scope");
            assert!(
                answer
                    .header("www-authenticate")
                    .starts_with("Bearer error=\"insufficient_scope\"")
            );
            let elsewhere = scene.tokens_for("orders.read").await;
            assert_refused(&party.userinfo(&elsewhere.access).await, 401, "invalid_token");
            let own = server.client(service("admin")).await;
            let own = RelyingParty::new(server, &own);
            let own_token = own
                .token(&[("grant_type", "client_credentials")])
                .await
                .ok()
                .get("access_token");
            assert_refused(&own.userinfo(&own_token).await, 401, "invalid_token");
        }
    })
    .await;
}

/// SEC-055
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_token_rules_hold_for_signed_answers() {
    each_backend(async |server| {
        let scene = Scene::with(server, |client| {
            client.metadata.userinfo_signed_response_alg = Some(SigningAlgorithm::Es256);
        })
        .await;
        let party = scene.party();
        let tokens = scene.tokens().await;
        let answer = party.userinfo(&tokens.access).await.ok();
        assert_eq!(answer.header("content-type"), "application/jwt");
        assert_eq!(answer.header("cache-control"), "no-store");
        // the signed answer is no token
        assert_refused(&party.userinfo(&answer.body).await, 401, "invalid_token");
        assert_refused(&party.userinfo(&tokens.id).await, 401, "invalid_token");
    })
    .await;
}
