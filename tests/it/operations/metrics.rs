//! `/metrics`: who sees it, what it shows, and that what it shows is true and bounded.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::http::api::table;
use ostiary::model::Secret;
use reqwest::StatusCode;

use crate::api::conversation::{client_token, service, somewhere};
use crate::support::backend::quick;
use crate::support::browser::{Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Backend, Server};
use crate::support::sources::texts;

const TOKEN: &str = "a-token-of-the-configuration";

async fn with_listener() -> Server {
    Server::start_configured(Backend::Embedded, |config| {
        config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await
}

async fn with_token() -> Server {
    Server::start_configured(Backend::Embedded, |config| {
        config.metrics.token = Some(Secret::new(TOKEN));
    })
    .await
}

async fn ask(url: &str, token: Option<&str>) -> Page {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    Browser::new().get_with(url, &headers).await
}

/// Every path that the sources route, with something in the place of parameters.
fn routed() -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = table()
        .iter()
        .map(|route| format!("/api/v1{}", somewhere(route)))
        .collect();
    for (_, text) in texts("src/http", &["rs"]) {
        for rest in text.split(".route(").skip(1) {
            if let Some(rest) = rest.trim_start().strip_prefix('"') {
                let path = rest.split('"').next().unwrap();
                paths.insert(path.split("/{").next().unwrap().to_owned());
            }
        }
    }
    paths
}

/// SEC-569: with a listener of their own the numbers are there and nowhere else, and nothing else is there; without one they
/// need a credential. Health says up or not, the API's description needs no secret and shows none.
#[tokio::test(flavor = "multi_thread")]
async fn ops_listener_separate() {
    let routes = routed();
    for known in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/oauth2/token",
        "/login",
        "/api/v1/openapi.json",
    ] {
        assert!(routes.contains(known), "{known} is not in the inventory: {routes:?}");
    }
    let server = with_listener().await;
    let operators = format!("http://{}", server.metrics_address().unwrap());
    for path in &routes {
        let there = ask(&format!("{operators}{path}"), None).await;
        let here = ask(&server.url(path), None).await;
        match path.as_str() {
            "/metrics" => assert_eq!((there.status.as_u16(), here.status.as_u16()), (200, 404)),
            "/healthz" | "/readyz" => assert_eq!((there.status.as_u16(), here.status.as_u16()), (200, 200)),
            _ => assert_eq!(there.status, StatusCode::NOT_FOUND, "{path} at the operators' listener"),
        }
    }
    for base in [&operators, server.issuer()] {
        let (alive, ready) = (
            ask(&format!("{base}/healthz"), None).await,
            ask(&format!("{base}/readyz"), None).await,
        );
        assert_eq!((alive.body.as_str(), ready.body.as_str()), ("ok\n", "ready\n"));
        assert_eq!(alive.header("server"), "");
    }
    server.provider().store.close().await;
    for base in [&operators, server.issuer()] {
        assert_eq!(ask(&format!("{base}/healthz"), None).await.body, "ok\n");
        let ready = ask(&format!("{base}/readyz"), None).await;
        assert_eq!((ready.status.as_u16(), ready.body.as_str()), (503, "not ready\n"));
    }
    server.stop().await;

    let server = with_token().await;
    let url = server.url("/metrics");
    for wrong in [None, Some(""), Some("wrong"), Some("a-token-of-the-configuratioN")] {
        let refused = ask(&url, wrong).await;
        assert_eq!(refused.status, 401, "{wrong:?}: {}", refused.body);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        assert!(!refused.body.contains("ostiary_"));
    }
    assert_eq!(ask(&url, Some(TOKEN)).await.status, 200);
    for (scope, status) in [("admin:users.read", 403), ("admin:metrics.read", 200), ("admin", 200)] {
        let token = client_token(&server, &service(&server, scope).await).await;
        assert_eq!(ask(&url, Some(&token)).await.status.as_u16(), status, "{scope}");
    }
    for path in ["/api/docs", "/api/v1/openapi.json"] {
        let page = ask(&server.url(path), None).await;
        assert_eq!(page.status, 200, "{path}");
        for secret in [TOKEN, server.folder().to_str().unwrap(), "sqlite:", "master.key"] {
            assert!(!page.body.contains(secret), "{path} shows {secret}");
        }
    }
    server.stop().await;
}

/// A token of the configuration guards the operators' listener too.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_guards_the_operators_listener_too() {
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
        config.metrics.token = Some(Secret::new(TOKEN));
    })
    .await;
    let url = format!("http://{}/metrics", server.metrics_address().unwrap());
    assert_eq!(ask(&url, None).await.status, 401);
    assert_eq!(ask(&url, Some("wrong")).await.status, 401);
    assert_eq!(ask(&url, Some(TOKEN)).await.status, 200);
    server.stop().await;
}

/// The numbers by their line without the value: `name{labels}`.
async fn numbers(server: &Server) -> BTreeMap<String, f64> {
    let page = ask(&server.url("/metrics"), Some(TOKEN)).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let lines = page.body.lines().filter(|line| !line.starts_with('#'));
    let mut numbers = BTreeMap::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let twice = numbers.insert(name.to_owned(), value.parse().unwrap());
        assert!(twice.is_none(), "{name} is there twice");
    }
    numbers
}

fn of(numbers: &BTreeMap<String, f64>, name: &str) -> f64 {
    numbers
        .get(name)
        .copied()
        .unwrap_or_else(|| panic!("no {name} in {numbers:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let server = with_token().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let tokens = party.tokens(&user).await.ok();
    party.refresh(&tokens.get("refresh_token")).await.ok();
    let refused = party.redeem("no-such-code").await;
    assert_eq!(refused.status, 400);
    let browser = Browser::new();
    let page = browser.get(&server.url("/login")).await;
    let values = [("username", "ada"), ("password", "wrong")];
    browser.submit(&page, page.form_with("password"), &values).await;
    let numbers = numbers(&server).await;
    assert_eq!(of(&numbers, "ostiary_sign_ins_total{outcome=\"success\"}"), 1.0);
    assert_eq!(of(&numbers, "ostiary_sign_ins_total{outcome=\"wrong\"}"), 1.0);
    assert_eq!(of(&numbers, "ostiary_tokens_total{grant=\"authorization_code\"}"), 1.0);
    assert_eq!(of(&numbers, "ostiary_tokens_total{grant=\"refresh_token\"}"), 1.0);
    let rules = numbers
        .iter()
        .filter(|(name, _)| name.starts_with("ostiary_refusals_total{rule="));
    assert!(rules.map(|(_, count)| count).sum::<f64>() >= 1.0);
    let route = "route=\"/oauth2/token\",method=\"POST\"";
    assert_eq!(
        of(
            &numbers,
            &format!("ostiary_http_requests_total{{{route},status=\"2xx\"}}")
        ),
        2.0
    );
    assert_eq!(
        of(
            &numbers,
            &format!("ostiary_http_requests_total{{{route},status=\"4xx\"}}")
        ),
        1.0
    );
    assert_eq!(
        of(&numbers, &format!("ostiary_http_request_seconds_count{{{route}}}")),
        3.0
    );
    assert_eq!(
        of(
            &numbers,
            &format!("ostiary_http_request_seconds_bucket{{{route},le=\"+Inf\"}}")
        ),
        3.0
    );
    assert!(of(&numbers, &format!("ostiary_http_request_seconds_sum{{{route}}}")) > 0.0);
    // the running one is this very request
    assert_eq!(of(&numbers, "ostiary_http_requests_running"), 1.0);
    assert!(of(&numbers, "ostiary_http_connections") >= 1.0);
    assert_eq!(of(&numbers, "ostiary_password_hash_seconds_count"), 3.0);
    assert_eq!(of(&numbers, "ostiary_password_hashes_waiting"), 0.0);
    assert!(
        of(
            &numbers,
            "ostiary_sql_statement_seconds_count{database=\"store\",place=\"read\"}"
        ) > 0.0
    );
    assert!(of(&numbers, "ostiary_sql_group_size_count{database=\"store\"}") > 0.0);
    assert!(of(&numbers, "ostiary_sql_commit_seconds_count{database=\"ephemeral\"}") > 0.0);
    assert_eq!(
        of(&numbers, "ostiary_sql_connections{database=\"store\",state=\"most\"}"),
        4.0
    );
    assert!(of(&numbers, "ostiary_memory_age_seconds") < 60.0);
    assert!(of(&numbers, "ostiary_signing_key_age_seconds{algorithm=\"ES256\"}") < 3600.0);
    assert_eq!(of(&numbers, "ostiary_outbox_waiting"), 0.0);
    assert_eq!(of(&numbers, "ostiary_logouts_waiting"), 0.0);
    assert!(of(&numbers, "process_resident_memory_bytes") > 1e6);
    assert!(of(&numbers, "process_open_fds") > 3.0);
    assert!(of(&numbers, "process_cpu_seconds_total") > 0.0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        of(&numbers, &format!("ostiary_build_info{{version=\"{version}\"}}")),
        1.0
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_postgres_are_counted() {
    if quick() {
        return;
    }
    let server = Server::start_with(Backend::PostgresRedis).await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    RelyingParty::new(&server, &client).tokens(&user).await.ok();
    let token = client_token(&server, &service(&server, "admin:metrics.read").await).await;
    let page = ask(&server.url("/metrics"), Some(&token)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let line = |name: &str| {
        let line = page.body.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {}", page.body));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert!(line("ostiary_redis_call_seconds_count") > 0.0);
    assert_eq!(line("ostiary_redis_breaker_open"), 0.0);
    assert_eq!(line("ostiary_redis_failures_total{reason=\"unavailable\"}"), 0.0);
    assert!(line("ostiary_sql_commit_seconds_count{database=\"store\"}") > 0.0);
    assert!(!page.body.contains("database=\"sessions\""));
    assert_eq!(line("ostiary_sql_connections{database=\"store\",state=\"most\"}"), 16.0);
    server.stop().await;
}

/// Whatever is asked for, the number of series stays what it is, and no text of a request is among them.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_makes_a_series() {
    let server = with_token().await;
    let ask_oddly = async |round: usize| {
        for path in ["/nothing", "/oauth2/nothing", "/assets/nothing", "/api/v1/users"] {
            let url = server.url(&format!("{path}/chosen-by-a-stranger-{round}?x=chosen-by-a-stranger"));
            Browser::new().get(&url).await;
        }
        let odd = reqwest::Method::from_bytes(b"STRANGE").unwrap();
        let http = plain_http().build().unwrap();
        http.request(odd, server.url("/login")).send().await.unwrap();
    };
    ask_oddly(0).await;
    // this very route too
    numbers(&server).await;
    let before: Vec<String> = numbers(&server).await.into_keys().collect();
    for round in 1..5 {
        ask_oddly(round).await;
    }
    let after: Vec<String> = numbers(&server).await.into_keys().collect();
    assert_eq!(before, after);
    assert!(
        !after
            .iter()
            .any(|name| name.contains("stranger") || name.contains("STRANGE"))
    );
    assert!(after.iter().any(|name| name.contains("route=\"none\"")));
    assert!(after.iter().any(|name| name.contains("method=\"other\"")));
    server.stop().await;
}

/// The table of docs/operations.md is what the program shows.
#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_lists_every_number() {
    let server = with_token().await;
    let page = ask(&server.url("/metrics"), Some(TOKEN)).await;
    server.stop().await;
    let mut shown = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for line in page.body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, sentence) = help.split_once(' ').unwrap();
            assert!(
                shown.insert(name.to_owned(), sentence.to_owned()).is_none(),
                "{name} twice"
            );
            assert!(sentence.ends_with('.'), "{name}: {sentence}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            kinds.insert(name.to_owned(), kind.to_owned());
        }
    }
    let documentation = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = std::fs::read_to_string(documentation).unwrap();
    let rows: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with("| `ostiary_") || line.starts_with("| `process_"))
        .map(str::to_owned)
        .collect();
    let expected: BTreeSet<String> = shown
        .iter()
        .map(|(name, sentence)| format!("| `{name}` | {} | {sentence} |", kinds[name]))
        .collect();
    assert_eq!(rows, expected, "the table of metrics in docs/operations.md is another");
}
