//! Revocation (RFC 7009): whose tokens, what goes along, what is said.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::model::{AccessTokenFormat, Scopes};

use super::scene::{Scene, Tokens, assert_invalid_grant, assert_refused, service, trusted};
use crate::support::relying_party::{Answer, RelyingParty, basic};
use crate::support::server::{Server, each_backend};

/// Fails unless the answer is an empty success.
#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
}

/// SEC-053
#[tokio::test(flavor = "multi_thread")]
async fn revocation_semantics() {
    each_backend(async |server| {
        for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
            let scene = Scene::with(server, |client| client.policy.access_token_format = format).await;
            let other = trusted(server).await;
            let stranger = RelyingParty::new(server, &other);
            let party = scene.party();
            let first = scene.tokens().await;
            let second = Tokens::of(&party.refresh(&first.refresh).await);

            // what is unknown, malformed or another's is answered like the rest and changes nothing
            let mangled = format!("{}x", second.access);
            for token in ["x", "a.b.c", &ostiary::random::token(), &mangled, &second.id] {
                assert_done(&party.revoke(token).await);
            }
            for token in [&first.access, &second.access, &second.refresh] {
                assert_done(&stranger.revoke(token).await);
                let wrong = basic(&party.client.client_id, "wrong");
                let form = [("token", token.as_str())];
                let answer = party
                    .post_as("/oauth2/revoke", &form, &[("authorization", &wrong)])
                    .await;
                assert_refused(&answer, 401, "invalid_client");
                assert_refused(
                    &party.post_as("/oauth2/revoke", &form, &[]).await,
                    401,
                    "invalid_client",
                );
            }
            assert_refused(&party.post("/oauth2/revoke", &[]).await, 400, "invalid_request");
            for token in [&first.access, &second.access, &second.refresh] {
                assert!(scene.counts(token).await);
            }

            // an access token goes alone, whatever the hint says
            let form = [("token", first.access.as_str()), ("token_type_hint", "refresh_token")];
            assert_done(&party.post("/oauth2/revoke", &form).await);
            assert!(!scene.counts(&first.access).await);
            assert_refused(&party.userinfo(&first.access).await, 401, "invalid_token");
            assert!(scene.counts(&second.access).await && scene.counts(&second.refresh).await);

            // a refresh token takes its family along, and a used one of it does, too
            let used = scene.tokens().await;
            let newest = Tokens::of(&party.refresh(&used.refresh).await);
            for (revoked, dead) in [(&second.refresh, &second), (&used.refresh, &newest)] {
                assert_done(
                    &party
                        .post("/oauth2/revoke", &[("token", revoked), ("token_type_hint", "no_such")])
                        .await,
                );
                assert!(!scene.counts(&dead.access).await && !scene.counts(&dead.refresh).await);
                assert_invalid_grant(&party.refresh(&dead.refresh).await);
                assert_refused(&party.userinfo(&dead.access).await, 401, "invalid_token");
                // once more is no error
                assert_done(&party.revoke(revoked).await);
            }
        }
    })
    .await;
}

/// SEC-053
#[tokio::test(flavor = "multi_thread")]
async fn revocation_semantics_for_clients_without_people_or_secrets() {
    let server = Server::start().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = server
            .client(|client| {
                service("admin")(client);
                client.policy.access_token_format = format;
            })
            .await;
        let party = RelyingParty::new(&server, &client);
        let token = party
            .token(&[("grant_type", "client_credentials")])
            .await
            .ok()
            .get("access_token");
        assert!(party.introspect(&token).await.json()["active"].as_bool().unwrap());
        assert_done(&party.revoke(&token).await);
        assert!(!party.introspect(&token).await.json()["active"].as_bool().unwrap());
    }
    let scene = Scene::with(&server, |client| {
        client.metadata.token_endpoint_auth_method = ostiary::model::TokenEndpointAuthMethod::None;
        client.metadata.scope = Scopes::parse("openid offline_access").unwrap();
    })
    .await;
    let party = scene.party();
    let tokens = scene.tokens_for("openid offline_access").await;
    assert_done(&party.revoke(&tokens.refresh).await);
    assert_invalid_grant(&party.refresh(&tokens.refresh).await);
    assert_refused(&party.userinfo(&tokens.access).await, 401, "invalid_token");
    server.stop().await;
}

/// The order of the group of P-256, big endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other valid signature of the same ES256 token, which anybody can make: the order minus `s` in place of `s`.
fn respelled(jwt: &str) -> String {
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(signature.len(), 64);
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(ORDER[at]) - i32::from(signature[32 + at]) - borrow;
        borrow = i32::from(difference < 0);
        signature[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// SEC-053, SEC-754: a JWT can be spelled in two ways that both verify; what is revoked is the token, not its spelling.
#[tokio::test(flavor = "multi_thread")]
async fn revocation_semantics_hold_for_every_spelling_of_a_signature() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let tokens = scene.tokens().await;
        let other = respelled(&tokens.access);
        assert_ne!(other, tokens.access);
        assert!(scene.counts(&tokens.access).await);
        assert_done(&party.revoke(&tokens.access).await);
        for spelling in [&tokens.access, &other] {
            assert_refused(&party.userinfo(spelling).await, 401, "invalid_token");
            assert!(!scene.counts(spelling).await);
        }
        // and the other way round
        let tokens = scene.tokens().await;
        assert_done(&party.revoke(&respelled(&tokens.access)).await);
        assert!(!scene.counts(&tokens.access).await);
    })
    .await;
}
