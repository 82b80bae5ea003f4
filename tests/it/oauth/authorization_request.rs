//! What an authorization request may say, from outside: response types and modes, PKCE (RFC 7636, RFC 9700 section 4.8), parameters
//! that are repeated, odd or too large.

use ostiary::model::ResponseMode;
use ostiary::random;
use reqwest::StatusCode;
use serde_json::json;

use super::steps::{assert_dead_end, begin, outcome, pairs_of, reasons, refused, skips};
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

/// SEC-007: RFC 9700 section 2.1.2.
#[tokio::test(flavor = "multi_thread")]
async fn authz_no_token_response_type() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(skips).await;
    let public = server.public_client(skips).await;
    for client in [&client, &public] {
        let party = RelyingParty::new(&server, client);
        let signed_in = Browser::new();
        let arrived = party.sign_in(&signed_in, &user).await;
        for browser in [&signed_in, &Browser::new()] {
            for response_type in [
                "token",
                "id_token",
                "none",
                "token id_token",
                "id_token token",
                "code token",
                "token code",
                "code id_token",
                "id_token code",
                "code id_token token",
                "token code id_token",
            ] {
                let url = party.authorization_url_with(&[("response_type", response_type)]);
                let answer = refused(browser, &url).await;
                assert_eq!(answer["error"], "unsupported_response_type", "{response_type}");
                assert!(!answer.contains_key("access_token") && !answer.contains_key("id_token"));
            }
            for mode in ["fragment", "web_message", "jwt"] {
                let url = party.authorization_url_with(&[("response_mode", mode)]);
                assert_eq!(refused(browser, &url).await["error"], "invalid_request", "{mode}");
            }
        }
        let names: Vec<&str> = arrived.parameters.keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "iss", "session_state", "state"]);
        assert_eq!(arrived.url.fragment(), None);
    }
    server.stop().await;
}

/// SEC-008.
#[tokio::test(flavor = "multi_thread")]
async fn authz_response_mode_limited() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let limited = server
        .client(|client| client.policy.response_modes = vec![ResponseMode::Query])
        .await;
    let party = RelyingParty::new(&server, &limited);
    let page = Browser::new()
        .get(&party.authorization_url_with(&[("response_mode", "form_post")]))
        .await;
    assert_eq!(page.location().unwrap().host_str(), Some("client.example"));
    assert_eq!(outcome(&page), "invalid_request");

    let client = server.client(skips).await;
    let mut party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    party.sign_in(&browser, &user).await;
    for payload in [
        "\"><script>alert(1)</script>",
        "'><img src=x onerror=alert(1)>",
        "</form><form action=https://evil.example>",
        "{{ 7*7 }}{% raw %}",
        "&quot;&lt;&amp;",
        "\u{202e}\u{0}".trim_end_matches('\0'),
    ] {
        payload.clone_into(&mut party.state);
        for changes in [
            &[("response_mode", "form_post")][..],
            &[("response_mode", "form_post"), ("max_age", "x")],
        ] {
            let page = browser.get(&party.authorization_url_with(changes)).await;
            assert_eq!(page.status, StatusCode::OK);
            for raw in ["<script>alert", "<img src=x", "</form><form"] {
                assert!(!page.body.contains(raw), "{payload}: {}", page.body);
            }
            let forms = page.forms();
            assert_eq!(forms.len(), 1, "{payload}");
            assert_eq!(forms[0].action, client.redirect_uri);
            assert_eq!(forms[0].method, "post");
            let state = forms[0].inputs.iter().find(|(name, _)| name == "state").unwrap();
            assert_eq!(state.1, payload);
            let policy = page.header("content-security-policy");
            assert!(policy.contains("script-src 'nonce-"), "{policy}");
            assert!(!policy.contains("unsafe-inline") && !policy.contains('*'), "{policy}");
            let targets = policy
                .split(';')
                .find(|part| part.trim().starts_with("form-action"))
                .unwrap();
            assert!(targets.contains("https://client.example"), "{policy}");
            assert!(
                !targets.contains("https://evil.example") && !targets.contains(" https: "),
                "{policy}"
            );
            assert_eq!(page.header("cache-control"), "no-store");
        }
    }
    server.stop().await;
}

/// SEC-009.
#[tokio::test(flavor = "multi_thread")]
async fn pkce_s256_required() {
    let server = Server::start().await;
    let public = server.public_client(skips).await;
    let strict = server
        .client(|client| {
            skips(client);
            client.policy.require_pkce = true;
        })
        .await;
    let browser = Browser::new();
    for client in [&public, &strict] {
        let party = RelyingParty::new(&server, client);
        let challenge = party.code_challenge();
        let long = format!("{challenge}A");
        let foreign = format!("{}+", &challenge[1..]);
        for changes in [
            &[("code_challenge", ""), ("code_challenge_method", "")][..],
            &[("code_challenge", "")],
            &[("code_challenge_method", "")],
            &[("code_challenge_method", "plain")],
            &[("code_challenge_method", "s256")],
            &[("code_challenge_method", "S512")],
            &[("code_challenge", &challenge[1..])],
            &[("code_challenge", &long)],
            &[("code_challenge", &foreign)],
        ] {
            let answer = refused(&browser, &party.authorization_url_with(changes)).await;
            assert_eq!(answer["error"], "invalid_request", "{changes:?}");
        }
        assert_eq!(begin(&browser, &party.authorization_url()).await, "/login");
    }
    let metadata = browser
        .get(&server.url("/.well-known/openid-configuration"))
        .await
        .json();
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    server.stop().await;
}

/// SEC-010: RFC 9700 section 4.8.
#[tokio::test(flavor = "multi_thread")]
async fn pkce_no_downgrade() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(skips).await;
    let browser = Browser::new();
    for challenged in [true, false] {
        for verifier in ["right", "none", "wrong", "challenge"] {
            let party = RelyingParty::new(&server, &client);
            let without: &[(&str, &str)] = if challenged {
                &[]
            } else {
                &[("code_challenge", ""), ("code_challenge_method", "")]
            };
            let arrived = browser.sign_in(&party.authorization_url_with(without), &user).await;
            let challenge = party.code_challenge();
            let other = random::token();
            let sent = match verifier {
                "right" => party.code_verifier.as_str(),
                "wrong" => &other,
                "challenge" => &challenge,
                _ => "",
            };
            let answer = party
                .token(&[
                    ("grant_type", "authorization_code"),
                    ("code", arrived.code()),
                    ("redirect_uri", &client.redirect_uri),
                    ("code_verifier", sent),
                ])
                .await;
            let expected = matches!((challenged, verifier), (true, "right") | (false, "none"));
            assert_eq!(
                answer.status.is_success(),
                expected,
                "{challenged} {verifier}: {}",
                answer.body
            );
            if !expected {
                assert_eq!(answer.error(), "invalid_grant");
            }
        }
    }
    server.stop().await;
}

/// SEC-011: RFC 9700 section 2.1.1.
#[tokio::test(flavor = "multi_thread")]
async fn pkce_constant_challenge_detected() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(skips).await;
    let other = server.client(skips).await;
    let repeated = "authorization success pkce.challenge_repeated".to_owned();
    let browser = Browser::new();
    let mut party = RelyingParty::new(&server, &client);
    party.sign_in(&browser, &user).await.code();
    assert!(!reasons(&server, client.id).await.contains(&repeated));
    // another client may come upon the same, this one may not
    let mut elsewhere = RelyingParty::new(&server, &other);
    elsewhere.code_verifier.clone_from(&party.code_verifier);
    elsewhere.sign_in(&browser, &user).await.code();
    assert!(!reasons(&server, other.id).await.contains(&repeated));
    party.sign_in(&browser, &user).await.code();
    assert_eq!(
        reasons(&server, client.id)
            .await
            .iter()
            .filter(|reason| **reason == repeated)
            .count(),
        1
    );
    party.code_verifier = random::token();
    party.sign_in(&browser, &user).await.code();
    assert_eq!(
        reasons(&server, client.id)
            .await
            .iter()
            .filter(|reason| **reason == repeated)
            .count(),
        1
    );
    server.stop().await;
}

fn encoded(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// SEC-012: RFC 6749 sections 3.1 and 3.2.
#[tokio::test(flavor = "multi_thread")]
async fn params_duplicate_refused() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(skips).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    party.sign_in(&browser, &user).await;
    let whole = pairs_of(&party.authorization_url_with(&[
        ("prompt", "none"),
        ("max_age", "100"),
        ("login_hint", "ada"),
        ("unknown", "x"),
    ]));
    assert_eq!(
        begin(&browser, &server.url(&format!("/oauth2/authorize?{}", encoded(&whole)))).await,
        "code"
    );
    for (name, value) in &whole {
        for copy in [value.clone(), "other".to_owned()] {
            let twice = [whole.clone(), vec![(name.clone(), copy)]].concat();
            let in_query = browser
                .get(&server.url(&format!("/oauth2/authorize?{}", encoded(&twice))))
                .await;
            let (last, rest) = twice.split_last().unwrap();
            let rest: Vec<(&str, &str)> = rest.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mixed = server.url(&format!("/oauth2/authorize?{}", encoded(std::slice::from_ref(last))));
            let mixed = browser.post(&mixed, &rest).await;
            for page in [in_query, mixed] {
                if ["client_id", "redirect_uri"].contains(&name.as_str()) {
                    assert_dead_end(&page, name);
                } else {
                    assert_eq!(outcome(&page), "invalid_request", "{name}");
                }
            }
        }
    }
    let audiences = "resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example";
    let url = server.url(&format!("/oauth2/authorize?{}&{audiences}", encoded(&whole)));
    // RFC 8707: it may repeat; here both are unknown
    assert_eq!(begin(&browser, &url).await, "invalid_target");

    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("scope", "openid"),
        ("code", "x"),
        ("redirect_uri", "https://client.example/callback"),
        ("code_verifier", "x"),
        ("token", "x"),
        ("token_type_hint", "access_token"),
        ("unknown", "x"),
    ];
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
        for (name, value) in form {
            let twice: Vec<_> = form.iter().copied().chain([(name, value)]).collect();
            let answer = party.post(path, &twice).await;
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (StatusCode::BAD_REQUEST, "invalid_request"),
                "{path} {name}"
            );
            let mixed = party.post(&format!("{path}?{name}=x"), &form).await;
            assert_eq!(
                (mixed.status, mixed.error().as_str()),
                (StatusCode::BAD_REQUEST, "invalid_request"),
                "{path} {name}"
            );
        }
        // where parameters of this endpoint never belong
        let in_query = party.post(&format!("{path}?other=x"), &form).await;
        assert_eq!(in_query.error(), "invalid_request", "{path}");
    }
    for name in [
        "id_token_hint",
        "client_id",
        "post_logout_redirect_uri",
        "state",
        "ui_locales",
    ] {
        let page = browser
            .get(&server.url(&format!("/oauth2/end_session?{name}=a&{name}=b")))
            .await;
        assert_dead_end(&page, name);
    }
    server.stop().await;
}

/// SEC-013.
#[tokio::test(flavor = "multi_thread")]
async fn params_encoding_and_size() {
    let server = Server::start().await;
    let client = server.client(skips).await;
    let http = plain_http()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let send = async |path: &str, body: Vec<u8>| {
        let request = http
            .post(server.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        request.send().await.unwrap().status()
    };
    let good = format!(
        "client_id={}&redirect_uri=https%3A%2F%2Fclient.example%2Fcallback&response_type=code",
        client.client_id
    );
    let endpoints = [
        "/oauth2/authorize",
        "/oauth2/token",
        "/oauth2/revoke",
        "/oauth2/introspect",
        "/oauth2/userinfo",
        "/oauth2/end_session",
        "/login",
        "/login/account",
        "/login/consent",
    ];
    let mut bodies: Vec<Vec<u8>> = [
        "&state=%ff",
        "&state=%00",
        "&state=%0a",
        "&state=%",
        "&%ff=x",
        "&state=a\nb",
        "&state=a\r\nSet-Cookie:x",
        "&state=é",
        "&=",
        "&&&&",
        "=",
        "%",
        "&scope=%22",
        "&state=\u{0}",
        "&nonce=%f0%9f%98%80",
        "&max_age=-1",
    ]
    .iter()
    .map(|tail| format!("{good}{tail}").into_bytes())
    .collect();
    bodies.extend((0..64).map(|_| random::bytes::<48>().to_vec()));
    bodies.extend((0..32).map(|_| [good.as_bytes(), b"&state=", &random::bytes::<24>()].concat()));
    for path in endpoints {
        for body in &bodies {
            let status = send(path, body.clone()).await;
            assert!(
                !status.is_server_error(),
                "{path} {status} {:?}",
                String::from_utf8_lossy(body)
            );
        }
        let large = format!("{good}&state={}", "a".repeat(100_000)).into_bytes();
        let status = send(path, large).await;
        assert!(status.is_client_error(), "{path} {status}");
    }
    for size in [9_000, 20_000, 40_000] {
        let url = server.url(&format!("/oauth2/authorize?{good}&state={}", "a".repeat(size)));
        if let Ok(response) = http.get(&url).send().await {
            let status = response.status();
            assert!(status.is_redirection() || status.is_client_error(), "{size}: {status}");
        }
        let status = send(
            "/oauth2/authorize",
            format!("{good}&state={}", "a".repeat(size)).into_bytes(),
        )
        .await;
        assert!(status.is_redirection() || status.is_client_error(), "{size}: {status}");
    }
    // malformed requests are refused, not half understood
    for tail in ["&state=%ff", "&state=%00", "&nonce=%0d%0a"] {
        let status = http
            .get(server.url(&format!("/oauth2/authorize?{good}{tail}")))
            .send()
            .await
            .unwrap()
            .status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{tail}");
    }
    server.stop().await;
}
