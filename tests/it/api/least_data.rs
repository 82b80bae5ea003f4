//! Answers hold what was asked for and no more: claims by scope, and never what a secret is made of.

use std::collections::BTreeSet;

use ostiary::http::api::table;
use ostiary::model::{Address, ConsentMode, Scopes};
use serde_json::Value;

use super::conversation::{Caller, client_token, service, somewhere, user_token};
use crate::support::http::plain_http;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, each_backend};

fn names<'v>(object: impl IntoIterator<Item = &'v String>) -> BTreeSet<&'v str> {
    object.into_iter().map(String::as_str).collect()
}

/// SEC-621: userinfo and ID token give what each scope names and nothing else; introspection tells nothing of the person; no list or object
/// of the administration, whatever the right, holds a password, a hash, a secret or a token.
#[tokio::test]
async fn least_data_responses() {
    each_backend(async |server: &Server| {
        let text = |text: &str| Some(text.to_owned());
        let ada = server
            .user_with("ada", |profile| {
                profile.given_name = text("Ada");
                profile.family_name = text("Lovelace");
                profile.birthdate = text("1815-12-10");
                profile.phone_number = text("+33123456789");
                profile.address = Some(Address {
                    country: text("France"),
                    ..Address::default()
                });
            })
            .await;
        let client = server
            .client(|client| {
                client.policy.consent = ConsentMode::Skip;
                client.metadata.scope = Scopes::parse("openid profile email phone address offline_access").unwrap();
            })
            .await;
        let mut party = RelyingParty::new(server, &client);
        for (scope, told) in [
            ("openid", &["sub"][..]),
            ("openid email", &["sub", "email", "email_verified"]),
            ("openid phone", &["sub", "phone_number", "phone_number_verified"]),
            ("openid address", &["sub", "address"]),
        ] {
            party.scope = scope.to_owned();
            let tokens = party.tokens(&ada).await.ok();
            let userinfo = party.userinfo(&tokens.get("access_token")).await.ok().json();
            let told: BTreeSet<&str> = told.iter().copied().collect();
            assert_eq!(names(userinfo.as_object().unwrap().keys()), told, "{scope}");
            // claims of scopes stand in userinfo where there is an access token (Core section 5.4)
            let id_token = claims(&tokens.get("id_token"));
            let protocol = [
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "at_hash",
                "sid",
                "acr",
                "amr",
                "azp",
                "jti",
            ];
            let more: Vec<&str> = names(id_token.keys())
                .into_iter()
                .filter(|name| !protocol.contains(name))
                .collect();
            assert!(more.is_empty(), "{scope}: {more:?}");
            let told = party.introspect(&tokens.get("access_token")).await.ok().json();
            for name in [
                "email",
                "name",
                "given_name",
                "family_name",
                "birthdate",
                "phone_number",
                "address",
            ] {
                assert!(told.get(name).is_none(), "{scope}: {told}");
            }
        }

        // whoever may see everything
        let root = server.user("root").await;
        server.group("administrators", &["admin"], &[&root]).await;
        let token = user_token(server, &root, "admin").await;
        let tokens = party.tokens(&ada).await.ok();
        let hash = server.account(&ada).await.password.map(|hash| hash.expose().to_owned());
        let secrets = [
            ada.password.clone(),
            hash.unwrap(),
            client.secret.clone(),
            tokens.get("access_token"),
            tokens.get("refresh_token"),
            client_token(server, &service(server, "admin:users.read").await).await,
        ];
        let http = plain_http().build().unwrap();
        let api = Caller::with_token(server, &token).await;
        let mut seen = 0;
        for route in table().iter().filter(|route| route.method.as_str() == "GET") {
            let id = ada.id.to_string();
            let paths = [somewhere(route), route.path.replace("{id}", &id)];
            for path in paths.iter().filter(|path| !path.contains('{')) {
                let answer = http.get(server.url(&format!("/api/v1{path}"))).bearer_auth(&api.token);
                let body = answer.send().await.unwrap().text().await.unwrap();
                seen += usize::from(body.contains("\"items\"") || body.contains("\"id\""));
                for secret in &secrets {
                    assert!(!body.contains(secret.as_str()), "{path}: {body}");
                }
                let Ok(read) = serde_json::from_str::<Value>(&body) else {
                    continue;
                };
                assert_no_secret_member(path, &read);
            }
        }
        assert!(seen > 10, "{seen}");
    })
    .await;
}

/// Members that would hold a secret by their name, with a value that could be one.
fn assert_no_secret_member(path: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| assert_no_secret_member(path, item)),
        Value::Object(members) => {
            for (name, member) in members {
                let names_one = ["password_hash", "secret", "client_secret", "private_key", "token"];
                assert!(
                    !(names_one.contains(&name.as_str()) && member.is_string()),
                    "{path}: {name}"
                );
                assert_no_secret_member(path, member);
            }
        }
        _ => {}
    }
}
