//! Requests of the protocol, with parameters that are missing, repeated, cut, encoded twice or nonsense.

use std::collections::BTreeMap;

use ostiary::model::{GrantType, Scopes};
use ostiary::protocol::authorization_request::{trust, validate};
use ostiary::protocol::logout;
use ostiary::protocol::parameters::Parameters;
use proptest::prelude::*;
use url::form_urlencoded;

use super::{Inputs, holds, pieces};
use crate::support::http::plain_http;
use crate::support::relying_party::{RelyingParty, basic};
use crate::support::server::Server;

const NAMES: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "acr_values",
    "login_hint",
    "id_token_hint",
    "ui_locales",
    "claims",
    "resource",
    "request",
    "request_uri",
    "response_mode",
    "display",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "token_type_hint",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "post_logout_redirect_uri",
    "logout_hint",
    "username",
    "password",
    "x",
];

const VALUES: &[&str] = &[
    "",
    "code",
    "token",
    "code id_token",
    "none",
    "login",
    "consent",
    "openid",
    "openid profile offline_access",
    "S256",
    "plain",
    "0",
    "-1",
    "99999999999999999999",
    "query",
    "form_post",
    "fragment",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "password",
    "{}",
    "{\"id_token\":{\"sub\":{\"value\":\"x\"}}}",
    "{\"userinfo\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
    "eyJhbGciOiJub25lIn0.e30.",
    "a.b.c",
    "....",
    "https://client.example/callback",
    "https://evil.example/",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "en de fr",
    "+",
    "%2B",
    "%",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
];

const RAW: &[&str] = &[
    "scope",
    "state",
    "resource",
    "client_id",
    "=",
    "=",
    "&",
    "&",
    "%",
    "%00",
    "%0d%0a",
    "%ff",
    "%C3%A9",
    "+",
    "a",
    "b",
    ";",
    "?",
    "#",
];

/// SEC-701, the reader: no panic, and of any bytes it finds the repeated parameters that another reader finds.
#[test]
fn fuzz_oauth_params() {
    holds(6_000, (pieces(RAW, 24), pieces(RAW, 12)), |(query, form)| {
        let Ok(parameters) = Parameters::parse(&[query.as_bytes(), form.as_bytes()]) else {
            return;
        };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for part in [&query, &form] {
            for (name, value) in form_urlencoded::parse(part.as_bytes()) {
                if !value.is_empty() && name != "resource" {
                    *counts.entry(name.into_owned()).or_default() += 1;
                }
            }
        }
        let repeated = counts.values().any(|count| *count > 1);
        assert_eq!(parameters.refuse_repeated().is_err(), repeated, "{query} {form}");
        for (name, count) in counts {
            assert_eq!(parameters.is_repeated(&name), count > 1, "{name}");
            assert!(parameters.get(&name).is_some(), "{name}");
        }
    });
    holds(500, proptest::collection::vec(any::<u8>(), 0..200), |bytes| {
        drop(Parameters::parse(&[&bytes]));
    });
    let twice = "state=a&".repeat(4_096);
    assert!(
        Parameters::parse(&[twice.as_bytes(), b"x=y"]).is_err(),
        "33 KB are too many"
    );
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = prop_oneof![
        8 => proptest::sample::select(VALUES).prop_map(str::to_owned),
        1 => "\\PC{0,30}",
        1 => "[a-z]{1500,4000}",
    ];
    let pair = (proptest::sample::select(NAMES).prop_map(str::to_owned), value);
    proptest::collection::vec(pair, 0..10)
}

/// Whether another reader finds a parameter twice that may not be there twice.
fn repeats(pairs: &[(String, String)]) -> bool {
    let counted = |(name, value): &&(String, String)| !value.is_empty() && name != "resource";
    let names: Vec<&String> = pairs.iter().filter(counted).map(|(name, _)| name).collect();
    names.iter().enumerate().any(|(at, name)| names[..at].contains(name))
}

/// SEC-701, at the endpoints: no request makes the server fail, and none with a repeated parameter is answered with anything
/// but a refusal.
#[tokio::test]
async fn fuzz_oauth_params_over_http() {
    let server = Server::start().await;
    let client = server
        .client(|client| {
            client.metadata.grant_types = vec![
                GrantType::AuthorizationCode,
                GrantType::RefreshToken,
                GrantType::ClientCredentials,
            ];
        })
        .await;
    let party = RelyingParty::new(&server, &client);
    let http = plain_http()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let authorization = basic(&client.client_id, &client.secret);
    let mut inputs = Inputs::new();
    let mut accepted = 0;
    let good: Vec<(String, String)> = url::Url::parse(&party.authorization_url())
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    for turn in 0..400 {
        let mut sent = inputs.draw(&pairs());
        if inputs.below(3) > 0 {
            // what would be right otherwise
            let begun = good.clone();
            let missing = begun
                .into_iter()
                .filter(|(name, _)| !sent.iter().any(|(known, _)| known == name));
            let missing: Vec<_> = missing.collect();
            sent.extend(missing);
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&sent)
            .finish();
        let path = inputs.one(&[
            "/oauth2/authorize",
            "/oauth2/authorize",
            "/oauth2/token",
            "/oauth2/token",
            "/oauth2/introspect",
            "/oauth2/revoke",
            "/oauth2/end_session",
            "/oauth2/userinfo",
        ]);
        let browsers = ["/oauth2/authorize", "/oauth2/end_session"].contains(&path);
        let mut request = if browsers && turn % 2 == 0 {
            http.get(format!("{}?{query}", server.url(path)))
        } else {
            http.post(server.url(path))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(query.clone())
        };
        if !browsers && inputs.below(4) > 0 {
            request = request.header("authorization", &authorization);
        }
        let mut answer = request.send().await.unwrap();
        if let Some(again) = answer.headers().get("location")
            && again.to_str().unwrap().starts_with(path)
        {
            // a form from another site goes on as an address of ours, which is judged
            let again = server.url(again.to_str().unwrap());
            answer = http.get(again).send().await.unwrap();
        }
        let status = answer.status().as_u16();
        let location = answer
            .headers()
            .get("location")
            .map(|location| location.to_str().unwrap().to_owned());
        assert!(status < 500, "{path} {query}: {status}");
        if repeats(&sent) {
            let told = location.as_deref().is_some_and(|to| to.contains("error="));
            assert!(
                (400..500).contains(&status) || told,
                "{path} {query}: {status} {location:?}"
            );
        } else {
            accepted += usize::from(status < 400);
        }
    }
    assert!(accepted > 20, "only {accepted} requests got anywhere");
    server.stop().await;
}

/// SEC-701: what judges an authorization or a logout request answers, whatever is asked.
#[tokio::test]
async fn fuzz_authorization_and_logout_parameters() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let grantable = Scopes::parse("openid profile").unwrap();
    holds(1_500, pairs(), |mut sent| {
        sent.retain(|(name, _)| name != "client_id" && name != "redirect_uri");
        let duplicate = repeats(&sent);
        sent.push(("client_id".to_owned(), client.client_id.clone()));
        sent.push(("redirect_uri".to_owned(), client.redirect_uri.clone()));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&sent)
            .finish();
        let Ok(parameters) = Parameters::parse(&[query.as_bytes()]) else {
            return;
        };
        let answerable = trust(&parameters, Some(&client.client)).unwrap();
        assert_eq!(answerable.redirect_uri, client.redirect_uri);
        if let Ok(request) = validate(&parameters, &client.client, answerable, &grantable) {
            assert!(!duplicate, "{query}");
            assert_eq!(parameters.get("response_type"), Some("code"), "{query}");
            let scope = request.scope.to_string();
            assert!(
                scope.split(' ').all(|word| ["openid", "profile", ""].contains(&word)),
                "{scope}"
            );
        }
        if let Ok(Some(back)) = logout::return_address(&parameters, Some(&client.client)) {
            let registered = &client.client.metadata.post_logout_redirect_uris;
            assert!(registered.contains(&back.uri), "{query}");
        }
    });
    server.stop().await;
}
