//! The authorization endpoint from outside: RFC 6749 section 4.1, RFC 9207, RFC 9700, OpenID Connect Core section 3.1.2.

use std::collections::BTreeMap;

use ostiary::model::{ApplicationType, GrantType, Scopes, TokenEndpointAuthMethod};
use reqwest::StatusCode;
use serde_json::json;

use super::redirect_uri::NEAR_MISSES;
use super::steps::{arrival, assert_dead_end, begin, enter, is_plain, outcome, pairs_of, press, refused, skips};
use crate::support::browser::{Arrival, Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

/// SEC-001: RFC 9700 sections 2.1 and 4.1.
#[tokio::test(flavor = "multi_thread")]
async fn authz_redirect_exact_match_over_http() {
    let server = Server::start().await;
    let client = server.client(skips).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    assert!(NEAR_MISSES.len() >= 60);
    for miss in NEAR_MISSES {
        let page = browser
            .get(&party.authorization_url_with(&[("redirect_uri", miss)]))
            .await;
        assert_dead_end(&page, miss);
    }
    assert_eq!(begin(&browser, &party.authorization_url()).await, "/login");
    server.stop().await;
}

/// SEC-001: RFC 8252 section 7.3.
#[tokio::test(flavor = "multi_thread")]
async fn a_native_client_gets_its_answer_at_the_port_it_asks_for() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server
        .public_client(|client| {
            client.metadata.application_type = ApplicationType::Native;
            client.metadata.redirect_uris = vec!["http://127.0.0.1/callback".to_owned()];
        })
        .await;
    let party = RelyingParty::new(&server, &client);
    let url = party.authorization_url_with(&[("redirect_uri", "http://127.0.0.1:49152/callback")]);
    let arrived = Browser::new().sign_in(&url, &user).await;
    assert!(arrived.url.as_str().starts_with("http://127.0.0.1:49152/callback?"));
    for miss in [
        "http://127.0.0.2:49152/callback",
        "http://localhost:49152/callback",
        "http://127.0.0.1:49152/other",
    ] {
        let page = Browser::new()
            .get(&party.authorization_url_with(&[("redirect_uri", miss)]))
            .await;
        assert_dead_end(&page, miss);
    }
    server.stop().await;
}

/// A server that anyone may register clients at, and one registration.
async fn register(server: &Server, metadata: &serde_json::Value) -> (StatusCode, String) {
    let http = plain_http().build().unwrap();
    let request = http
        .post(server.url("/oauth2/register"))
        .header("content-type", "application/json");
    let response = request.body(metadata.to_string()).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// SEC-002: RFC 9700 section 4.1.3.
#[tokio::test(flavor = "multi_thread")]
async fn client_redirect_pattern_refused_over_http() {
    let server = Server::start().await;
    server.settings(json!({"client_registration": {"mode": "open"}})).await;
    let good = "https://shop.example/callback";
    for pattern in [
        "https://*.shop.example/callback",
        "https://shop.example/*",
        "https://shop.example/callback*",
        "https://shop.example/callback?x=*",
        "https://shop.example/%2a",
        "https://shop.example/.+",
        "https://shop.example/(a|b)",
        "https://shop.example/[a-z]",
        "https://shop.example/callback$",
        "^https://shop.example/callback",
        "https://shop.example/{id}",
        "shop.example",
        "*",
    ] {
        let (status, body) = register(&server, &json!({"redirect_uris": [good, pattern]})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{pattern}: {body}");
        assert!(body.contains("invalid_redirect_uri"), "{pattern}: {body}");
        let after_logout = json!({"redirect_uris": [good], "post_logout_redirect_uris": [pattern]});
        let (status, body) = register(&server, &after_logout).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{pattern}: {body}");
    }
    let (status, body) = register(&server, &json!({"redirect_uris": [good]})).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    server.stop().await;
}

/// SEC-004: RFC 9700 section 2.6.
#[tokio::test(flavor = "multi_thread")]
async fn url_scheme_allowlist_everywhere_over_http() {
    let server = Server::start().await;
    server.settings(json!({"client_registration": {"mode": "open"}})).await;
    let good = "https://shop.example/callback";
    let spellings = [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "javascript%3Aalert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://shop.example/x",
        "about:blank",
        "ftp://shop.example/",
        "http://shop.example/",
        "//shop.example/",
    ];
    for field in [
        "redirect_uris",
        "post_logout_redirect_uris",
        "logo_uri",
        "client_uri",
        "policy_uri",
        "tos_uri",
        "initiate_login_uri",
    ] {
        for spelling in spellings {
            let mut metadata = json!({"redirect_uris": [good]});
            metadata[field] = if field.ends_with('s') {
                json!([spelling])
            } else {
                json!(spelling)
            };
            let (status, body) = register(&server, &metadata).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{field} {spelling}: {body}");
        }
    }
    server.stop().await;
}

/// SEC-003: RFC 6749 section 4.1.2.1.
#[tokio::test(flavor = "multi_thread")]
async fn authz_bad_client_no_redirect() {
    let server = Server::start().await;
    let client = server.client(skips).await;
    let disabled = server
        .client(|client| client.disabled_at = Some(client.created_at))
        .await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let evil = "https://evil.example/callback";
    for changes in [
        &[("client_id", "")][..],
        &[("client_id", "nobody")],
        &[("client_id", "nobody"), ("redirect_uri", evil)],
        &[("client_id", &client.client_id.to_uppercase())],
        &[("client_id", &disabled.client_id)],
        &[("redirect_uri", "")],
        &[("redirect_uri", evil)],
        &[("redirect_uri", evil), ("response_type", "token")],
        &[("redirect_uri", evil), ("prompt", "none")],
        &[("redirect_uri", evil), ("response_mode", "form_post")],
        &[("redirect_uri", "javascript:alert(1)")],
        &[("client_id", ""), ("redirect_uri", "")],
    ] {
        let url = party.authorization_url_with(changes);
        assert_dead_end(&browser.get(&url).await, &url);
        // the same as a form, which goes on as an address of ours
        let pairs = pairs_of(&url);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let posted = browser.post(&server.url("/oauth2/authorize"), &pairs).await;
        assert_dead_end(&browser.follow(posted).await, &url);
    }
    let plain = party.authorization_url();
    for twice in [
        format!("{plain}&client_id={}", client.client_id),
        format!("{plain}&redirect_uri=https%3A%2F%2Fclient.example%2Fcallback"),
        format!("{plain}&redirect_uri=https%3A%2F%2Fevil.example%2F"),
    ] {
        assert_dead_end(&browser.get(&twice).await, &twice);
    }
    assert_dead_end(&browser.get(&server.url("/oauth2/authorize")).await, "nothing at all");
    server.stop().await;
}

/// SEC-005: RFC 9700 section 4.12.
#[tokio::test(flavor = "multi_thread")]
async fn authz_redirect_status_303() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let mut redirects = 0;
    let mut note = |page: &Page| {
        if page.status.is_redirection() {
            redirects += 1;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.url);
        }
    };
    for decision in ["deny", "allow"] {
        let begun = browser.get(&party.authorization_url_with(&[("prompt", "login")])).await;
        note(&begun);
        let login = browser.get(begun.location().unwrap().as_str()).await;
        let entered = enter(&browser, &login, &user).await;
        note(&entered);
        let consent = browser.follow(entered).await;
        let decided = press(&browser, &consent, "decision", decision).await;
        note(&decided);
        assert_eq!(
            outcome(&decided),
            if decision == "allow" { "code" } else { "access_denied" }
        );
    }
    let begun = browser.get(&party.authorization_url_with(&[("prompt", "login")])).await;
    let login = browser.follow(begun).await;
    let cancelled = press(&browser, &login, "intent", "cancel").await;
    note(&cancelled);
    assert_eq!(outcome(&cancelled), "access_denied");
    assert!(redirects >= 6, "{redirects}");
    server.stop().await;
}

/// SEC-006: RFC 9207 section 2.
#[tokio::test(flavor = "multi_thread")]
async fn authz_response_has_iss() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let metadata = Browser::new()
        .get(&server.url("/.well-known/openid-configuration"))
        .await
        .json();
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["issuer"], server.issuer());
    let has_iss = |arrival: &Arrival| {
        assert_eq!(arrival.get("iss"), server.issuer(), "{:?}", arrival.parameters);
        assert_eq!(arrival.get("state"), party.state);
    };
    for mode in ["query", "form_post"] {
        for (changes, error) in [
            (&[("response_type", "token")][..], "unsupported_response_type"),
            (&[("response_type", "")], "invalid_request"),
            (&[("scope", "nonsense")], "invalid_scope"),
            (&[("request", "x")], "request_not_supported"),
            (
                &[("request_uri", "https://client.example/r")],
                "request_uri_not_supported",
            ),
            (&[("registration", "{}")], "registration_not_supported"),
            (&[("prompt", "none")], "login_required"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("resource", "https://nobody.example")], "invalid_target"),
            (&[("max_age", "x")], "invalid_request"),
            (&[("claims", "[]")], "invalid_request"),
            (&[("id_token_hint", "x")], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
        ] {
            let changes: Vec<_> = changes.iter().copied().chain([("response_mode", mode)]).collect();
            let page = Browser::new().get(&party.authorization_url_with(&changes)).await;
            let arrival = arrival(&page).unwrap_or_else(|| panic!("{changes:?}: {}", page.body));
            assert_eq!(arrival.get("error"), error, "{changes:?}");
            has_iss(&arrival);
        }
        let browser = Browser::new();
        let url = party.authorization_url_with(&[("response_mode", mode), ("prompt", "consent")]);
        let login = browser.open(&url).await;
        let entered = enter(&browser, &login, &user).await;
        let consent = browser.follow(entered).await;
        let denied = arrival(&press(&browser, &consent, "decision", "deny").await).unwrap();
        assert_eq!(denied.get("error"), "access_denied");
        has_iss(&denied);
        let allowed = browser.sign_in(&url, &user).await;
        allowed.code();
        has_iss(&allowed);
    }
    server.stop().await;
}

/// SEC-014: RFC 9700 sections 2.6 and 4.16.
#[tokio::test(flavor = "multi_thread")]
async fn authz_pages_not_framable_no_cors() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let first = server.client(skips).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let origin = [("origin", "https://client.example")];
    let mut pages = Vec::new();
    let begun = browser.get_with(&party.authorization_url(), &origin).await;
    let login = begun.location().unwrap();
    pages.push(begun);
    let page = browser.get_with(login.as_str(), &origin).await;
    let entered = enter(&browser, &page, &user).await;
    pages.push(page);
    let consent = entered.location().unwrap();
    pages.push(entered);
    pages.push(browser.get_with(consent.as_str(), &origin).await);
    RelyingParty::new(&server, &first).sign_in(&browser, &user).await;
    let chooser = browser
        .get(&party.authorization_url_with(&[("prompt", "select_account")]))
        .await;
    pages.push(browser.get_with(chooser.location().unwrap().as_str(), &origin).await);
    let form_post = party.authorization_url_with(&[("response_mode", "form_post"), ("max_age", "x")]);
    for url in [
        party.authorization_url_with(&[("client_id", "nobody")]),
        party.authorization_url_with(&[("redirect_uri", "https://evil.example")]),
        party.authorization_url_with(&[("prompt", "none")]),
        form_post,
        server.url("/login?flow=nonsense"),
        server.url("/login/consent?flow=nonsense"),
        server.url("/login/account?flow=nonsense"),
        server.url("/login"),
        server.url("/"),
        server.url("/nowhere"),
        server.url("/oauth2/end_session"),
        server.url("/oauth2/end_session?post_logout_redirect_uri=https%3A%2F%2Fevil.example"),
    ] {
        pages.push(browser.get_with(&url, &origin).await);
    }
    for page in &pages {
        for name in page.headers.keys() {
            assert!(!name.as_str().starts_with("access-control-"), "{}: {name}", page.url);
        }
        assert_eq!(page.header("x-frame-options"), "DENY", "{}", page.url);
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{}: {policy}", page.url);
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{}", page.url);
    }
    server.stop().await;
}

/// SEC-022: RFC 6749 section 3.3.
#[tokio::test(flavor = "multi_thread")]
async fn scope_never_exceeds_client() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server
        .client(|client| {
            skips(client);
            client.metadata.scope = Scopes::from_tokens(["openid", "email", "offline_access"]);
        })
        .await;
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid profile email phone groups offline_access admin admin:users orders.read".to_owned();
    let answer = party.tokens(&user).await;
    assert_eq!(answer.get("scope"), "openid email offline_access");
    let userinfo = party.userinfo(&answer.get("access_token")).await.ok().json();
    assert!(userinfo.get("email").is_some() && userinfo.get("preferred_username").is_none());
    let wider = party
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &answer.get("refresh_token")),
            ("scope", "openid profile"),
        ])
        .await;
    assert_eq!(wider.error(), "invalid_scope");
    let refreshed = party.refresh(&answer.get("refresh_token")).await.ok();
    let granted = Scopes::parse(&refreshed.get("scope")).unwrap_or_default();
    assert!(granted.is_within(&client.client.metadata.scope));

    let service = server
        .client(|client| {
            client.metadata.grant_types = vec![GrantType::ClientCredentials];
            client.metadata.scope = Scopes::from_tokens(["admin:users.read"]);
        })
        .await;
    let party = RelyingParty::new(&server, &service);
    for scope in [
        "",
        "admin:users.read",
        "admin:users.read admin",
        "admin:users.read admin:users openid",
    ] {
        let answer = party
            .token(&[("grant_type", "client_credentials"), ("scope", scope)])
            .await;
        if answer.status.is_success() {
            let granted = Scopes::parse(&answer.get("scope")).unwrap_or_default();
            assert!(granted.is_within(&service.client.metadata.scope), "{scope}: {granted}");
        } else {
            assert_eq!(answer.error(), "invalid_scope", "{scope}");
        }
    }
    let answer = party
        .token(&[("grant_type", "client_credentials"), ("scope", "admin")])
        .await;
    assert_eq!(answer.error(), "invalid_scope");
    server.stop().await;
}

/// SEC-024: RFC 6749 section 4.1.2.1.
#[tokio::test(flavor = "multi_thread")]
async fn error_output_escaped() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let payloads = [
        "\"><img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "</title><svg onload=alert(1)>",
        "javascript:alert(1)",
        "\u{7f}\u{85}\u{2028}\u{202e}é",
        "{{ 7919*7907 }}",
    ];
    for payload in payloads {
        for name in [
            "client_id",
            "redirect_uri",
            "response_type",
            "scope",
            "nonce",
            "code_challenge",
            "code_challenge_method",
            "response_mode",
            "prompt",
            "max_age",
            "ui_locales",
            "login_hint",
            "id_token_hint",
            "acr_values",
            "claims",
            "resource",
            "request",
            "request_uri",
            "registration",
            "display",
            payload,
        ] {
            let mut shown = vec![browser.open(&party.authorization_url_with(&[(name, payload)])).await];
            let twice = format!("{}&{name}=a&{name}=b", party.authorization_url());
            if let Ok(url) = url::Url::parse(&twice) {
                shown.push(browser.open(url.as_str()).await);
            }
            for page in shown {
                assert!(!page.status.is_server_error(), "{name} {payload}");
                for raw in [
                    "<img src=x",
                    "<script>alert",
                    "<svg onload",
                    "href=\"javascript",
                    "62615533",
                ] {
                    assert!(!page.body.contains(raw), "{name} {payload}: {}", page.body);
                }
                if let Some(arrival) = arrival(&page) {
                    assert!(
                        is_plain(arrival.get("error_description")),
                        "{name} {payload}: {:?}",
                        arrival.parameters
                    );
                    let known: BTreeMap<_, _> = [("error", ()), ("error_description", ()), ("state", ()), ("iss", ())]
                        .into_iter()
                        .collect();
                    assert!(arrival.parameters.keys().all(|name| known.contains_key(name.as_str())));
                }
            }
        }
    }
    server.stop().await;
}

/// SEC-026: what is kept of a request while people are asked is bounded, over HTTP as in the rule.
#[tokio::test(flavor = "multi_thread")]
async fn authz_hint_params_bounded_over_http() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let long = "a".repeat(513);
    let names = (0..61)
        .map(|index| format!("\"c{index}\":null"))
        .collect::<Vec<_>>()
        .join(",");
    let many_claims = format!("{{\"userinfo\":{{{names}}}}}");
    for (name, value) in [
        ("login_hint", &long),
        ("ui_locales", &long),
        ("acr_values", &long),
        ("prompt", &long),
        ("state", &"a".repeat(4097)),
        ("nonce", &"a".repeat(4097)),
        ("claims", &many_claims),
    ] {
        let answer = refused(&browser, &party.authorization_url_with(&[(name, value)])).await;
        assert_eq!(answer["error"], "invalid_request", "{name}");
    }
    // languages that nobody speaks are no error and choose none
    for locales in ["tlh xx-YY zz", "../../etc/passwd", "de-CH-x-private en"] {
        let page = browser
            .open(&party.authorization_url_with(&[("ui_locales", locales)]))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{locales}");
    }
    server.stop().await;
}

/// SEC-030: RFC 8252 section 8.6, OAuth 2.1 section 7.3.
#[tokio::test(flavor = "multi_thread")]
async fn authz_auto_repeat_limited() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let scheme = server
        .public_client(|client| {
            client.metadata.application_type = ApplicationType::Native;
            client.metadata.redirect_uris = vec!["com.example.app:/callback".to_owned()];
        })
        .await;
    let web = server.public_client(|_| ()).await;
    let proven = server
        .client(|client| client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretPost)
        .await;
    for (client, again, silently) in [
        (&scheme, "/login/consent", "consent_required"),
        (&web, "code", "code"),
        (&proven, "code", "code"),
    ] {
        let party = RelyingParty::new(&server, client);
        let browser = Browser::new();
        let login = browser.open(&party.authorization_url()).await;
        let entered = enter(&browser, &login, &user).await;
        let consent = browser.follow(entered).await;
        assert_eq!(outcome(&press(&browser, &consent, "decision", "allow").await), "code");
        assert_eq!(
            begin(&browser, &party.authorization_url()).await,
            again,
            "{}",
            client.redirect_uri
        );
        let silent = party.authorization_url_with(&[("prompt", "none")]);
        assert_eq!(begin(&browser, &silent).await, silently, "{}", client.redirect_uri);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_come_as_a_form() {
    // OpenID Connect Core section 3.1.2.1
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(skips).await;
    let party = RelyingParty::new(&server, &client);
    let pairs = pairs_of(&party.authorization_url());
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let browser = Browser::new();
    // from another site it comes without cookies, and with them at the second step
    let begun = browser.post(&server.url("/oauth2/authorize"), &pairs).await;
    let arrived = browser.walk(begun, &user).await;
    assert_eq!(arrived.get("state"), party.state);
    party.redeem(arrived.code()).await.ok();
    let again = browser.post(&server.url("/oauth2/authorize"), &pairs).await;
    assert_eq!(outcome(&browser.follow(again).await), "code");
    server.stop().await;
}
