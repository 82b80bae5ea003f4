//! What the log says: no secret and no person, whatever comes; one line for one event, whatever is in it; and what went wrong.

use ostiary::random;
use reqwest::header::HeaderValue;
use serde_json::Value;

use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::process::{Installation, Node};
use crate::support::relying_party::RelyingParty;
use crate::support::stage::Stage;
use crate::support::wire::Wire;

/// A node that tells everything that the program can tell, in this form.
async fn talkative(installation: &Installation, format: &str) -> Node {
    let plan = installation.plan().at(installation.front);
    let plan = plan
        .with("OSTIARY_LOG", "info,ostiary=trace")
        .with("OSTIARY_LOG_FORMAT", format);
    plan.with("OSTIARY_SETTINGS__REGISTRATION__MODE", "open").start().await
}

/// SEC-612, SEC-611: whatever secret comes along, in whatever place of whatever request, none of it stands in the log, and no name or address
/// of a person does.
#[tokio::test(flavor = "multi_thread")]
async fn log_canary_scan() {
    for format in ["json", "text"] {
        let installation = Installation::make(Backend::Embedded).await;
        let node = talkative(&installation, format).await;
        let url = |path: &str| format!("{}{path}", installation.issuer());
        let stage = Stage::set(&installation).await;
        let party = RelyingParty::at(&installation.issuer(), &installation.host(), &stage.client);
        let canary = format!("canary{}", random::hex_id());
        let mut wire = Wire::to(node.address);
        let code = stage.code(&mut wire).await;
        let tokens = wire.exchange(&stage.redeem(&code)).await.unwrap();
        let refreshed = wire
            .exchange(&stage.refresh(&tokens.get("refresh_token")))
            .await
            .unwrap();
        for answer in [&tokens, &refreshed] {
            party.introspect(&answer.get("access_token")).await;
            party.userinfo(&answer.get("access_token")).await;
        }
        wire.exchange(&stage.redeem(&code)).await.unwrap();
        party.revoke(&refreshed.get("refresh_token")).await;

        let browser = Browser::new();
        for name in [
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "nonce",
            "prompt",
            "login_hint",
            "id_token_hint",
        ] {
            browser.get(&party.authorization_url_with(&[(name, &canary)])).await;
        }
        for path in [
            format!("/{canary}"),
            format!("/?q={canary}"),
            format!("/setup?token={canary}"),
            format!("/register/new?token={canary}"),
            format!("/login/recover?token={canary}"),
            format!("/api/v1/users/{canary}"),
            format!("/api/v1/users?q={canary}&after={canary}"),
        ] {
            let headers = [
                ("authorization", format!("Bearer {canary}")),
                ("cookie", format!("ostiary_session={canary}; ostiary_browser={canary}")),
                ("user-agent", canary.clone()),
                ("referer", url(&format!("/{canary}"))),
                ("x-request-id", canary.clone()),
            ];
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Browser::new().get_with(&url(&path), &headers).await;
        }
        for (username, password) in [(canary.as_str(), canary.as_str()), (&stage.user.username, &canary)] {
            let page = browser.get(&url("/login")).await;
            let values = [("username", username), ("password", password)];
            browser.submit(&page, page.form_with("password"), &values).await;
        }
        for path in ["/login/forgot", "/register"] {
            let page = browser.get(&url(path)).await;
            for form in page.forms() {
                let field = ["identifier", "email", "username"]
                    .into_iter()
                    .find(|name| form.has(name));
                if let Some(field) = field {
                    browser.submit(&page, form, &[(field, &stage.user.email)]).await;
                }
            }
        }
        let http = plain_http().build().unwrap();
        for (path, body) in [
            ("/oauth2/token", format!("grant_type={canary}&client_secret={canary}")),
            ("/oauth2/register", format!("{{\"client_name\":\"{canary}\"")),
            ("/api/v1/registration", format!("{{\"email\":\"{canary}\"}}")),
        ] {
            let request = http.post(url(path)).basic_auth(&canary, Some(&canary));
            drop(
                request
                    .header("content-type", "application/json")
                    .body(body)
                    .send()
                    .await,
            );
        }

        let session = stage_cookies(&stage, &installation).await;
        let plan = node.stop().await;
        let log = plan.log();
        assert!(log.lines().count() > 40, "{}", log.lines().count());
        let mut secrets = vec![
            canary,
            stage.user.password.clone(),
            stage.user.username.clone(),
            stage.user.email.clone(),
            stage.client.secret.clone(),
            party.code_verifier.clone(),
            code,
        ];
        for answer in [&tokens, &refreshed] {
            secrets.extend(["access_token", "refresh_token", "id_token"].map(|name| answer.get(name)));
        }
        secrets.extend(session);
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{format}: {line:?}");
        }
        for mark in ["$argon2id$", "eyJ"] {
            let line = log.lines().find(|line| line.contains(mark));
            assert!(line.is_none(), "{format}: {line:?}");
        }
        installation.remove().await;
    }
}

/// The cookies of a new sign-in.
async fn stage_cookies(stage: &Stage, installation: &Installation) -> Vec<String> {
    let browser = Browser::new();
    let party = RelyingParty::at(&installation.issuer(), &installation.host(), &stage.client);
    party.sign_in(&browser, &stage.user).await;
    let names = browser.cookie_names();
    names.iter().filter_map(|name| browser.cookie(name)).collect()
}

/// SEC-615: what comes with a request makes no line of its own, no field of its own, and no sign that a terminal obeys.
#[tokio::test(flavor = "multi_thread")]
async fn log_injection() {
    const CORPUS: [&str; 8] = [
        "\n2026-01-01T00:00:00.000000Z  INFO ostiary: forged",
        "\r\n{\"level\":\"INFO\",\"forged\":true}",
        "\",\"forged\":\"yes",
        "\u{1b}[2K\u{1b}[31mforged",
        "forged\u{85}forged\u{2028}forged",
        "forged=true",
        "\0\u{8}\u{7f}forged",
        "%0aforged%0d",
    ];
    for format in ["json", "text"] {
        let installation = Installation::make(Backend::Embedded).await;
        let user = installation.user("ada").await;
        let client = installation.client(|_| ()).await;
        let node = talkative(&installation, format).await;
        let url = |path: &str| format!("{}{path}", installation.issuer());
        let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
        let browser = Browser::new();
        let http = plain_http().build().unwrap();
        for forged in CORPUS {
            let encoded: String = url::form_urlencoded::byte_serialize(forged.as_bytes()).collect();
            for name in [
                "client_id",
                "redirect_uri",
                "scope",
                "state",
                "prompt",
                "claims",
                "ui_locales",
                "acr_values",
            ] {
                browser.get(&party.authorization_url_with(&[(name, forged)])).await;
            }
            for (username, password) in [(forged, forged), (user.username.as_str(), forged)] {
                let page = browser.get(&url("/login")).await;
                let values = [("username", username), ("password", password)];
                browser.submit(&page, page.form_with("password"), &values).await;
            }
            for path in [
                format!("/{encoded}"),
                format!("/api/v1/users/{encoded}?filter={encoded}"),
            ] {
                let mut request = http.get(url(&path)).basic_auth(forged, Some(forged));
                for name in [
                    "user-agent",
                    "x-request-id",
                    "traceparent",
                    "x-forwarded-for",
                    "accept-language",
                    "origin",
                ] {
                    if let Ok(value) = HeaderValue::from_bytes(forged.as_bytes()) {
                        request = request.header(name, value);
                    }
                }
                drop(request.send().await);
            }
            let body = format!("grant_type={encoded}&client_id={encoded}&client_secret={encoded}&token={encoded}");
            for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
                let request = http
                    .post(url(path))
                    .header("content-type", "application/x-www-form-urlencoded");
                drop(request.body(body.clone()).send().await);
            }
        }
        let plan = node.stop().await;
        let log = plan.log();
        assert!(log.lines().count() > 100, "{}", log.lines().count());
        for line in log.split('\n').filter(|line| !is_of_the_start(line)) {
            assert!(
                !line.chars().any(|sign| sign.is_control() || sign == '\u{2028}'),
                "{format}: {line:?}"
            );
            if format == "json" {
                let said: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
                assert!(said["timestamp"].is_string() && said["level"].is_string(), "{line}");
                assert!(said.get("forged").is_none(), "{line}");
            } else {
                assert!(line.starts_with("20") && line.get(10..11) == Some("T"), "{line}");
                assert!(!line.contains("INFO ostiary: forged"), "{line}");
            }
        }
        installation.remove().await;
    }
}

/// What whoever started it is told on standard output.
fn is_of_the_start(line: &str) -> bool {
    line.is_empty() || line.starts_with("Make an administrator's account here") || line.trim_start().starts_with("http")
}
