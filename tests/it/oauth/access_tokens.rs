//! Access tokens: what a JWT one says (RFC 9068), and that an opaque one is itself and nothing else.

use std::collections::BTreeSet;

use ostiary::model::{AccessTokenFormat, Scopes};
use serde_json::{Value, json};

use super::scene::{Scene, Tokens, assert_invalid_grant, resource, service};
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims, jwt_header};
use crate::support::server::{Server, each_backend};

/// Everything that is nearly this token: shortened, extended, changed in one place.
fn near(token: &str) -> Vec<String> {
    let mut near: Vec<String> = (0..token.len()).map(|end| token[..end].to_owned()).collect();
    near.extend((1..token.len()).map(|start| token[start..].to_owned()));
    for at in 0..token.len() {
        let letter = char::from(token.as_bytes()[at]);
        let other = if letter.is_ascii_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        };
        for replaced in [other, 'A', '_', '%'] {
            near.push(format!("{}{replaced}{}", &token[..at], &token[at + 1..]));
        }
    }
    near.extend(
        ["A", "=", ".", "\u{0}", "/", "%00", "\u{e9}"]
            .iter()
            .flat_map(|more| [format!("{token}{more}"), format!("{more}{token}")]),
    );
    near.push(format!("{token}{token}"));
    near.push(format!("{token} {token}"));
    near.push(format!("{token},{token}"));
    near.push(token.to_uppercase());
    near.push(token.to_lowercase());
    near.push(token.chars().rev().collect());
    near.retain(|near| near != token);
    near
}

/// SEC-064
#[tokio::test(flavor = "multi_thread")]
async fn opaque_token_full_match() {
    each_backend(async |server| {
        let scene = Scene::with(server, |client| {
            client.policy.access_token_format = AccessTokenFormat::Opaque
        })
        .await;
        let party = scene.party();
        let tokens = scene.tokens().await;
        for (token, thin) in [(&tokens.access, 1), (&tokens.refresh, 3)] {
            // an opaque token says nothing: 256 bits and no structure
            assert_eq!(token.len(), 43);
            for (at, near) in near(token).iter().enumerate().filter(|(at, _)| at % thin == 0) {
                let form = [("token", near.as_str())];
                let answer = party.post("/oauth2/introspect", &form).await;
                let told = answer.json();
                assert!(
                    told == json!({"active": false}) || answer.status == 400,
                    "{at}: {near} {told}"
                );
            }
            assert!(scene.counts(token).await);
        }
        for near in near(&tokens.refresh)
            .iter()
            .step_by(11)
            .filter(|near| !near.contains('\0') && !near.is_empty())
        {
            assert_invalid_grant(&party.refresh(near).await);
        }
        party.userinfo(&tokens.access).await.ok();
        party.refresh(&tokens.refresh).await.ok();
    })
    .await;
}

fn names(set: &serde_json::Map<String, Value>) -> BTreeSet<&str> {
    set.keys().map(String::as_str).collect()
}

/// SEC-106
#[tokio::test(flavor = "multi_thread")]
async fn access_token_profile() {
    each_backend(async |server| {
        resource(server, "https://orders.example", &["orders.read"], None).await;
        let scene = Scene::with(server, |client| client.metadata.scope.add("orders.read")).await;
        let party = scene.party_for("openid email orders.read");
        let url = party.authorization_url_with(&[("resource", "https://orders.example")]);
        let arrival = scene.arrive(&url).await;
        let tokens = Tokens::of(&party.redeem(arrival.code()).await);
        let header = jwt_header(&tokens.access);
        assert_eq!(names(&header), ["alg", "kid", "typ"].into());
        assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
        let told = claims(&tokens.access);
        let always = ["iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope"];
        assert_eq!(
            names(&told),
            always.into_iter().chain(["auth_time", "acr", "amr"]).collect()
        );
        assert_eq!(told["iss"], server.issuer());
        assert_eq!(told["sub"], scene.user.subject.as_str());
        assert_eq!(told["aud"], json!(["https://orders.example", server.issuer()]));
        assert_eq!(told["client_id"], scene.client.client_id.as_str());
        assert_eq!(told["scope"], "openid email orders.read");
        assert_eq!(told["amr"], json!(["pwd"]));
        let (issued, expires) = (told["iat"].as_i64().unwrap(), told["exp"].as_i64().unwrap());
        let now = server.call().now.seconds();
        assert!((now - 10..=now).contains(&issued) && expires - issued == 600);
        // every one is another one
        let mut ids = BTreeSet::new();
        let mut refresh = tokens.refresh;
        for _ in 0..5 {
            let next = Tokens::of(&party.refresh(&refresh).await);
            assert!(ids.insert(claims(&next.access)["jti"].as_str().unwrap().to_owned()));
            refresh = next.refresh;
        }
        let own = server.client(service("orders.read")).await;
        let own = RelyingParty::new(server, &own);
        let token = own
            .token(&[("grant_type", "client_credentials")])
            .await
            .ok()
            .get("access_token");
        let told = claims(&token);
        assert_eq!(names(&told), always.into());
        assert_eq!(
            (&told["aud"], &told["scope"]),
            (&json!("https://orders.example"), &json!("orders.read"))
        );
        assert_eq!(jwt_header(&token)["typ"], "at+jwt");
        // whoever verifies it finds the key, and no private part of one
        let set = Browser::new().get(&server.url("/oauth2/jwks")).await.json();
        let keys = set["keys"].as_array().unwrap();
        assert!(
            keys.iter()
                .any(|key| key["kid"] == header["kid"] && key["alg"] == "ES256")
        );
        for key in keys {
            for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
                assert!(key.get(private).is_none(), "{private}");
            }
        }
    })
    .await;
}

/// SEC-106
#[tokio::test(flavor = "multi_thread")]
async fn access_token_profile_follows_the_resource() {
    let server = Server::start().await;
    resource(
        &server,
        "https://opaque.example",
        &["opaque.read"],
        Some(AccessTokenFormat::Opaque),
    )
    .await;
    resource(
        &server,
        "https://jwt.example",
        &["jwt.read"],
        Some(AccessTokenFormat::Jwt),
    )
    .await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = server
            .client(|client| {
                service("opaque.read jwt.read")(client);
                client.policy.access_token_format = format;
                client.metadata.scope = Scopes::parse("opaque.read jwt.read").unwrap();
            })
            .await;
        let party = RelyingParty::new(&server, &client);
        for (scope, dots) in [("opaque.read", 0), ("jwt.read", 2)] {
            let form = [("grant_type", "client_credentials"), ("scope", scope)];
            let token = party.token(&form).await.ok().get("access_token");
            assert_eq!(token.matches('.').count(), dots, "{scope}");
        }
    }
    server.stop().await;
}
