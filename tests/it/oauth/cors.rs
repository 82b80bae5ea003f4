//! Which pages of other origins may read what: the Fetch standard, section 3.2.

use ostiary::model::{ApplicationType, TokenEndpointAuthMethod};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};

use super::steps::skips;
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

/// Whom an endpoint lets read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Readers {
    Anyone,
    OriginsOfTheClient,
    Nobody,
}

const ENDPOINTS: &[(&str, &str, Readers)] = &[
    ("GET", "/.well-known/openid-configuration", Readers::Anyone),
    ("GET", "/.well-known/oauth-authorization-server", Readers::Anyone),
    ("GET", "/oauth2/jwks", Readers::Anyone),
    ("POST", "/oauth2/token", Readers::OriginsOfTheClient),
    ("POST", "/oauth2/revoke", Readers::OriginsOfTheClient),
    ("GET", "/oauth2/userinfo", Readers::OriginsOfTheClient),
    ("POST", "/oauth2/introspect", Readers::Nobody),
    ("GET", "/oauth2/authorize", Readers::Nobody),
    ("GET", "/oauth2/end_session", Readers::Nobody),
    ("GET", "/login", Readers::Nobody),
    ("GET", "/", Readers::Nobody),
    ("GET", "/nowhere", Readers::Nobody),
];

/// Origins that are not the client's, however alike.
const STRANGERS: &[&str] = &[
    "https://evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "https://sub.app.example",
    "https://APP.example",
    "https://app.example/",
    "https://app.example, https://evil.example",
    "https://evil.example https://app.example",
    "null",
    "*",
    "file://",
    "com.example.app://callback",
    "chrome-extension://abcdef",
    "app.example",
    "",
];

fn allowed(headers: &HeaderMap) -> Option<String> {
    let origins: Vec<_> = headers.get_all("access-control-allow-origin").iter().collect();
    assert!(origins.len() <= 1);
    // never with cookies
    assert!(!headers.contains_key("access-control-allow-credentials"));
    origins.first().map(|origin| origin.to_str().unwrap().to_owned())
}

fn varies(headers: &HeaderMap) -> bool {
    headers
        .get_all("vary")
        .iter()
        .any(|vary| vary.to_str().unwrap().to_lowercase().contains("origin"))
}

/// SEC-524.
#[tokio::test(flavor = "multi_thread")]
async fn cors_matrix() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server
        .client(|client| {
            skips(client);
            client.metadata.application_type = ApplicationType::Native;
            client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
            client.metadata.redirect_uris = vec![
                "https://app.example/callback".to_owned(),
                "com.example.app:/callback".to_owned(),
            ];
            client.metadata.allowed_cors_origins = vec!["https://pages.example".to_owned()];
        })
        .await;
    let party = RelyingParty::new(&server, &client);
    let signed_in = Browser::new();
    let arrived = party.sign_in(&signed_in, &user).await;
    let tokens = party.redeem(arrived.code()).await.ok();
    let access = format!("Bearer {}", tokens.get("access_token"));
    let http = plain_http()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let own = ["https://app.example", "https://pages.example"];
    for (method, path, readers) in ENDPOINTS {
        for origin in own.iter().chain(STRANGERS) {
            let method: Method = method.parse().unwrap();
            let mut request = http.request(method.clone(), server.url(path)).header("origin", *origin);
            if method == Method::POST {
                request = request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!(
                        "client_id={}&token=x&grant_type=refresh_token&refresh_token=x",
                        client.client_id
                    ));
            }
            if *path == "/oauth2/userinfo" {
                request = request.header("authorization", &access);
            }
            let response = request.send().await.unwrap();
            let expected = match readers {
                Readers::Anyone => Some("*".to_owned()),
                Readers::OriginsOfTheClient if own.contains(origin) => Some((*origin).to_owned()),
                _ => None,
            };
            assert_eq!(allowed(response.headers()), expected, "{method} {path} {origin}");
            if *readers == Readers::OriginsOfTheClient {
                assert!(varies(response.headers()), "{path} {origin}");
            }

            let preflight = http
                .request(Method::OPTIONS, server.url(path))
                .header("origin", *origin)
                .header("access-control-request-method", method.as_str())
                .header("access-control-request-headers", "authorization")
                .send()
                .await
                .unwrap();
            let answer = allowed(preflight.headers());
            match readers {
                Readers::Anyone => assert_eq!(answer.as_deref(), Some("*"), "{path} {origin}"),
                Readers::Nobody => {
                    assert_eq!(answer, None, "{path} {origin}");
                    assert!(!preflight.status().is_success(), "{path}");
                }
                // it does not say which client asks: asking is free to origins of the web, reading is not
                Readers::OriginsOfTheClient => {
                    assert!(varies(preflight.headers()), "{path}");
                    assert!(
                        answer.is_none() || answer.as_deref() == Some(*origin),
                        "{path} {origin}"
                    );
                    if own.contains(origin) {
                        assert_eq!(answer.as_deref(), Some(*origin), "{path}");
                    }
                    if ["null", "*", "", "file://", "chrome-extension://abcdef"].contains(origin) {
                        assert_eq!(answer, None, "{path} {origin}");
                    }
                    assert_ne!(answer.as_deref(), Some("*"));
                }
            }
        }
        let plain = http
            .request(method.parse().unwrap(), server.url(path))
            .send()
            .await
            .unwrap();
        if *readers != Readers::Anyone {
            assert_eq!(allowed(plain.headers()), None, "{path} without an origin");
        }
    }
    // a token that counts for nobody says nothing about any client
    let request = http.get(server.url("/oauth2/userinfo")).header("origin", own[0]);
    let answer = request.header("authorization", "Bearer x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(allowed(answer.headers()), None);
    // another client's origin is no reader of this client's answers
    let other = server
        .public_client(|client| client.metadata.redirect_uris = vec!["https://other.example/".to_owned()])
        .await;
    let request = http
        .post(server.url("/oauth2/token"))
        .header("origin", own[0])
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "client_id={}&grant_type=refresh_token&refresh_token=x",
            other.client_id
        ));
    assert_eq!(allowed(request.send().await.unwrap().headers()), None);
    server.stop().await;
}

/// The two documents are answered before the routes; whatever is unusual about a request goes the usual way, and is told the
/// same.
#[tokio::test]
async fn what_is_kept_ready_is_what_the_route_answers() {
    let server = Server::start().await;
    let browser = Browser::new();
    for (_, path, _) in ENDPOINTS.iter().filter(|(_, _, readers)| *readers == Readers::Anyone) {
        let ready = browser.get(&server.url(path)).await;
        let routed = browser.get(&server.url(&format!("{path}?"))).await;
        let asked_more = browser.get(&server.url(&format!("{path}?anything=1"))).await;
        for other in [&routed, &asked_more] {
            assert_eq!(ready.status, other.status, "{path}");
            assert_eq!(ready.body, other.body, "{path}");
            let told = |headers: &HeaderMap| {
                let mut told: Vec<(String, Vec<u8>)> = headers
                    .iter()
                    .filter(|(name, _)| *name != "date")
                    .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                    .collect();
                told.sort();
                told
            };
            assert_eq!(told(&ready.headers), told(&other.headers), "{path}");
        }
    }
}
