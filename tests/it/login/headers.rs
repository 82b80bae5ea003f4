//! What stands in the head of every response: cookies, policies, caching.

use std::collections::BTreeSet;

use ostiary::http::api::route::{Method, Permission};
use ostiary::http::api::table;
use ostiary::model::ConsentMode;
use url::form_urlencoded;

use super::raw::{Raw, send};
use super::{ADDRESSES, HOUR, Proxied, behind_a_proxy, sign_in};
use crate::api::conversation::{client_token, service, somewhere};
use crate::support::backend::backends;
use crate::support::browser::{Browser, Page};
use crate::support::process::{PATIENCE, until};
use crate::support::relying_party::{RelyingParty, basic};
use crate::support::server::{Backend, Server};

fn cookies(page: &Page) -> Vec<&str> {
    let set = page.headers.get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().unwrap()).collect()
}

fn is_html(page: &Page) -> bool {
    page.header("content-type").starts_with("text/html")
}

/// SEC-520: the prefix, Secure, HttpOnly, SameSite; on a loopback http issuer the first two are missing and nothing else.
#[tokio::test]
async fn cookie_attributes() {
    let server = behind_a_proxy().await;
    let user = server.user("ada").await;
    let proxied = Proxied::new(&server);
    let first = proxied.get("/login").await;
    let signed_in = proxied.sign_in(&user, &[]).await;
    let home = proxied.get("/").await;
    assert!(cookies(&home).is_empty(), "a browser that has its cookies gets none");
    for cookie in cookies(&first).into_iter().chain(cookies(&signed_in)) {
        assert!(cookie.starts_with("__Host-ostiary_"), "{cookie}");
        assert!(cookie.len() < 4096);
        let attributes: BTreeSet<&str> = cookie.split("; ").skip(1).collect();
        // made for the script of the frame that other sites ask (Session Management 1.0)
        let wanted = if cookie.starts_with("__Host-ostiary_state=") {
            BTreeSet::from(["SameSite=None", "Secure", "Path=/"])
        } else if cookie.starts_with("__Host-ostiary_device=") {
            BTreeSet::from(["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=34560000"])
        } else {
            BTreeSet::from(["HttpOnly", "SameSite=Lax", "Secure", "Path=/"])
        };
        assert_eq!(attributes, wanted, "{cookie}");
    }
    assert_eq!(cookies(&signed_in).len(), 3);
    server.stop().await;

    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    let first = browser.get(&server.url("/login")).await;
    let signed_in = sign_in(&server, &browser, &user).await;
    let all: Vec<&str> = cookies(&first).into_iter().chain(cookies(&signed_in)).collect();
    assert_eq!(all.len(), 4);
    for cookie in all {
        assert!(cookie.starts_with("ostiary_"), "{cookie}");
        let attributes: BTreeSet<&str> = cookie.split("; ").skip(1).collect();
        let wanted = if cookie.starts_with("ostiary_state=") {
            BTreeSet::from(["SameSite=Lax", "Path=/"])
        } else if cookie.starts_with("ostiary_device=") {
            BTreeSet::from(["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"])
        } else {
            BTreeSet::from(["HttpOnly", "SameSite=Lax", "Path=/"])
        };
        assert_eq!(attributes, wanted, "{cookie}");
    }
    server.stop().await;
}

/// SEC-520: the cookie of eight people is still below the 4096 bytes that every browser keeps.
#[tokio::test]
async fn the_cookie_of_eight_people_fits() {
    let server = Server::start().await;
    let browser = Browser::new();
    for number in 0..9 {
        let user = server.user(&format!("user{number}")).await;
        let page = sign_in(&server, &browser, &user).await;
        assert_eq!(page.status, 303);
        assert!(cookies(&page).iter().all(|cookie| cookie.len() < 4096));
    }
    let value = browser.cookie("ostiary_session").unwrap();
    assert_eq!(value.split('.').count(), 8, "the ninth pushes the first one out");
    server.stop().await;
}

/// Only who asks to stay signed in has a cookie that outlives the browser.
#[tokio::test]
async fn only_remembered_sessions_outlive_the_browser() {
    let server = behind_a_proxy().await;
    let user = server.user("ada").await;
    let proxied = Proxied::new(&server);
    let page = proxied.sign_in(&user, &[("remember", "1")]).await;
    assert!(cookies(&page)[0].contains("Max-Age=2592000"), "{:?}", cookies(&page));
    // the other person did not ask, so neither stays
    let other = server.user("grace").await;
    let page = proxied.sign_in(&other, &[]).await;
    assert!(!cookies(&page)[0].contains("Max-Age"));
    server.stop().await;
}

/// SEC-521: each page brings a policy of its own, and no nonce comes twice.
#[tokio::test]
async fn csp_nonce_policy() {
    let server = Server::start().await;
    let browser = Browser::new();
    let mut nonces = BTreeSet::new();
    let mut pages = 0;
    for address in ADDRESSES.iter().chain(ADDRESSES) {
        let page = browser.get(&server.url(address)).await;
        let policy = page.header("content-security-policy").to_owned();
        assert!(policy.contains("default-src 'none'"), "{address}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{address}: {policy}");
        assert!(policy.contains("base-uri 'none'"), "{address}: {policy}");
        assert!(!policy.contains("unsafe"), "{address}: {policy}");
        if !is_html(&page) {
            assert!(!policy.contains("nonce"), "{address}");
            continue;
        }
        pages += 1;
        let directives: Vec<(&str, &str)> = policy.split("; ").map(|it| it.split_once(' ').unwrap()).collect();
        let mut names: BTreeSet<&str> = directives.iter().map(|(name, _)| *name).collect();
        // the script of the page that passkeys are asked for on
        let asks = names.remove("connect-src");
        assert_eq!(asks, page.body.contains("data-ask="), "{address}: {policy}");
        assert!(
            !asks || directives.contains(&("connect-src", "'self'")),
            "{address}: {policy}"
        );
        assert_eq!(
            names,
            BTreeSet::from([
                "default-src",
                "script-src",
                "style-src",
                "img-src",
                "form-action",
                "frame-ancestors",
                "base-uri",
                "report-uri"
            ])
        );
        let (_, scripts) = directives.iter().find(|(name, _)| *name == "script-src").unwrap();
        let nonce = scripts
            .strip_prefix("'nonce-")
            .and_then(|it| it.strip_suffix('\''))
            .unwrap();
        assert!(nonce.len() >= 22, "128 bits");
        assert!(nonces.insert(nonce.to_owned()), "{address}: the nonce comes again");
        assert!(directives.contains(&("form-action", "'self'")), "{address}: {policy}");
        for script in page.body.split("<script").skip(1) {
            assert!(script.contains(&format!("nonce=\"{nonce}\"")), "{address}: {script}");
        }
    }
    assert!(pages > 20, "{pages}");
    server.stop().await;
}

/// Chromium holds the redirect after a form's POST against `form-action`: the client's own origin stands there, no other.
#[tokio::test]
async fn form_action_lets_the_redirect_reach_the_client() {
    let server = Server::start().await;
    for (redirect_uri, source) in [
        ("https://client.example/callback", "https://client.example"),
        ("http://127.0.0.1:9999/callback", "http://127.0.0.1:9999"),
        ("com.example.app:/callback", "com.example.app:"),
    ] {
        let client = server
            .client(|client| {
                client.metadata.redirect_uris = vec![redirect_uri.to_owned()];
                client.metadata.application_type = ostiary::model::ApplicationType::Native;
            })
            .await;
        let browser = Browser::new();
        let page = browser
            .open(&RelyingParty::new(&server, &client).authorization_url())
            .await;
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains(&format!("form-action 'self' {source};")),
            "{redirect_uri}: {policy}"
        );
    }
    server.stop().await;
}

/// What a browser reports is taken, and told nobody.
#[tokio::test]
async fn a_report_about_a_policy_is_taken() {
    let server = Server::start().await;
    let browser = Browser::new();
    let page = browser.post(&server.url("/csp-report"), &[("no", "json")]).await;
    assert_eq!(page.status, 204);
    assert_eq!(page.body, "");
    server.stop().await;
}

/// SEC-522: a year, with subdomains, on every response of an https issuer; on a loopback http issuer on none.
#[tokio::test]
async fn hsts_everywhere() {
    let server = behind_a_proxy().await;
    let proxied = Proxied::new(&server);
    for address in ADDRESSES {
        let page = proxied.get(address).await;
        assert_eq!(
            page.header("strict-transport-security"),
            "max-age=31536000; includeSubDomains",
            "{address}"
        );
    }
    server.stop().await;
    let server = Server::start().await;
    let page = Browser::new().get(&server.url("/login")).await;
    assert_eq!(page.header("strict-transport-security"), "");
    server.stop().await;
}

/// SEC-523: on all responses, refusals and files included.
#[tokio::test]
async fn security_headers() {
    let server = Server::start().await;
    let browser = Browser::new();
    for address in ADDRESSES {
        let page = browser.get(&server.url(address)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), value, "{address}");
        }
        assert!(page.header("permissions-policy").contains("camera=()"), "{address}");
        let resource_policy = page.header("cross-origin-resource-policy");
        if is_html(&page) || address.starts_with("/assets/") {
            assert_eq!(resource_policy, "same-origin", "{address}");
        } else {
            assert!(["same-origin", "cross-origin"].contains(&resource_policy), "{address}");
        }
    }
    server.stop().await;
}

/// SEC-530: nothing personal is kept by a cache; files that everybody gets are.
#[tokio::test]
async fn no_store_sensitive() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &user).await;
    for address in ADDRESSES {
        let page = browser.get(&server.url(address)).await;
        let public = ["/assets/tokens.css", "/assets/ostiary.css", "/favicon.ico"].contains(address)
            || address.starts_with("/.well-known/openid")
            || *address == "/oauth2/jwks";
        let caching = page.header("cache-control");
        assert_eq!(caching.contains("public"), public, "{address}: {caching}");
        assert!(public || caching.contains("no-store"), "{address}: {caching}");
        assert!(!public || cookies(&page).is_empty(), "{address}");
    }
    server.stop().await;
}

/// A file that a browser has is not sent again.
#[tokio::test]
async fn a_known_file_is_not_sent_again() {
    let server = Server::start().await;
    let browser = Browser::new();
    let url = server.url("/assets/ostiary.css");
    let first = browser.get(&url).await;
    assert_eq!(first.status, 200);
    let again = browser.get_with(&url, &[("if-none-match", first.header("etag"))]).await;
    assert_eq!(again.status, 304);
    assert_eq!(again.body, "");
    server.stop().await;
}

/// SEC-014: no page of ours is framed, and none is read by scripts of other origins.
#[tokio::test]
async fn authz_pages_not_framable_no_cors() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let browser = Browser::new();
    let party = RelyingParty::new(&server, &client);
    let login = browser.open(&party.authorization_url()).await;
    let form = login.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let consent = browser.submit(&login, form, &values).await;
    let consent = browser.follow(consent).await;
    assert!(consent.body.contains("value=\"allow\""));
    let mut pages = vec![login.url.to_string(), consent.url.to_string()];
    pages.extend(
        ADDRESSES
            .iter()
            .filter(|it| !it.starts_with("/oauth2/") && !it.starts_with("/.well-known") || it.contains("authorize"))
            .map(|it| server.url(it)),
    );
    for url in pages {
        let page = browser.get_with(&url, &[("origin", "https://evil.example")]).await;
        assert!(!page.headers.contains_key("access-control-allow-origin"), "{url}");
        assert!(!page.headers.contains_key("access-control-allow-credentials"), "{url}");
        assert_eq!(page.header("x-frame-options"), "DENY", "{url}");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{url}"
        );
    }
    server.stop().await;
}

/// SEC-570: an address that looks like a file's shows no page of a person, and is not kept.
#[tokio::test]
async fn cache_deception() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &user).await;
    for page in [
        "/login",
        "/logout",
        "/logout/done",
        "/login/account",
        "/oauth2/authorize",
        "/oauth2/userinfo",
    ] {
        for suffix in [
            "/x.css",
            ".css",
            "/a.js",
            "%2fx.css",
            ";x.css",
            "%00.css",
            "//x.png",
            "/../assets/x.css",
        ] {
            let url = server.url(&format!("{page}{suffix}"));
            let answer = browser.get(&url).await;
            assert_eq!(answer.status, 404, "{url}");
            assert!(answer.header("cache-control").contains("no-store"), "{url}");
            assert!(!answer.body.contains(&user.email), "{url}");
        }
    }
    for address in [
        "/x.css",
        "/index.html",
        "/favicon.ico/x",
        "/assets/../login",
        "/assets/..%2flogin",
        "/assets/",
    ] {
        let answer = browser.get(&server.url(address)).await;
        assert!(!answer.body.contains(&user.email), "{address}");
        assert!(!answer.header("cache-control").contains("public"), "{address}");
    }
    server.stop().await;
}

/// A request by hand, and what came of it; a session's cookies, a bearer token or a client's credentials as headers.
async fn ask(server: &Server, method: &str, path: &str, headers: &[&str], body: &str) -> Raw {
    let line = format!("{method} {path} HTTP/1.1");
    let own = format!("host: {}", server.host());
    let lines: Vec<&str> = [line.as_str(), own.as_str()]
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    send(server, &lines, body).await
}

/// SEC-617: what failed inside is told by a sentence and a reference, in the form its reader understands: on every route of the
/// interface, of the protocol and of the pages.
#[tokio::test]
async fn generic_errors() {
    for backend in backends() {
        every_route_fails(backend).await;
    }
}

async fn every_route_fails(backend: Backend) {
    const FORM: &str = "content-type: application/x-www-form-urlencoded";
    let server = Server::start_with(backend).await;
    let user = server.user("ada").await;
    let client = server.client(|client| client.policy.consent = ConsentMode::Skip).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let code = party.sign_in(&browser, &user).await.code().to_owned();
    let tokens = party.redeem(&code).await.ok();
    let another = RelyingParty::new(&server, &client);
    let code = browser.get(&another.authorization_url()).await.location().unwrap();
    let (_, code) = code.query_pairs().find(|(name, _)| name == "code").unwrap();
    let machine = service(&server, "admin").await;
    let administrator = format!("authorization: Bearer {}", client_token(&server, &machine).await);
    let bearer = format!("authorization: Bearer {}", tokens.get("access_token"));
    let credentials = format!("authorization: {}", basic(&client.client_id, &client.secret));
    let stranger = Browser::new();
    let login = stranger.open(&party.authorization_url()).await;
    let own_login = stranger.get(&server.url("/login")).await;
    let url = party.authorization_url();
    let query = url.split_once('?').unwrap().1.to_owned();
    // memory that has to be read again meets a store that is gone
    let mut changing = server.provider().store.write().await.unwrap();
    changing.raise_client_generation().await.unwrap();
    changing.commit().await.unwrap();
    server.provider().store.close().await;
    until(PATIENCE, "memory is not trusted any more", async || {
        server.provider().settings().await.is_err()
    })
    .await;

    let code_form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", code.as_ref()),
            ("redirect_uri", client.redirect_uri.as_str()),
            ("code_verifier", another.code_verifier.as_str()),
        ])
        .finish();
    let refresh_form = format!("grant_type=refresh_token&refresh_token={}", tokens.get("refresh_token"));
    let token_form = format!("token={}", tokens.get("access_token"));
    let registration = r#"{"redirect_uris": ["https://client.example/callback"]}"#;
    let json = "content-type: application/json";
    let of_client: &[&str] = &[FORM, &credentials];
    let mut requests: Vec<(&str, String, Vec<&str>, &str)> = vec![
        ("GET", format!("/oauth2/authorize?{query}"), vec![], ""),
        ("POST", "/oauth2/authorize".to_owned(), vec![FORM], query.as_str()),
        (
            "POST",
            "/oauth2/token".to_owned(),
            of_client.to_vec(),
            code_form.as_str(),
        ),
        (
            "POST",
            "/oauth2/token".to_owned(),
            of_client.to_vec(),
            refresh_form.as_str(),
        ),
        (
            "POST",
            "/oauth2/token".to_owned(),
            of_client.to_vec(),
            "grant_type=client_credentials",
        ),
        (
            "POST",
            "/oauth2/introspect".to_owned(),
            of_client.to_vec(),
            token_form.as_str(),
        ),
        (
            "POST",
            "/oauth2/revoke".to_owned(),
            of_client.to_vec(),
            token_form.as_str(),
        ),
        ("GET", "/oauth2/userinfo".to_owned(), vec![bearer.as_str()], ""),
        (
            "POST",
            "/oauth2/userinfo".to_owned(),
            vec![bearer.as_str(), FORM],
            "a=b",
        ),
        ("POST", "/oauth2/register".to_owned(), vec![json], registration),
        ("GET", "/oauth2/register/somebody".to_owned(), vec![bearer.as_str()], ""),
        (
            "PUT",
            "/oauth2/register/somebody".to_owned(),
            vec![bearer.as_str(), json],
            registration,
        ),
        (
            "DELETE",
            "/oauth2/register/somebody".to_owned(),
            vec![bearer.as_str()],
            "",
        ),
        ("GET", "/metrics".to_owned(), vec![administrator.as_str()], ""),
        ("GET", "/readyz".to_owned(), vec![], ""),
    ];
    let table = table();
    for route in table.iter().filter(|route| route.permission != Permission::Open) {
        let path = format!("/api/v1{}", somewhere(route));
        let headers = match route.method {
            Method::Get | Method::Delete => vec![administrator.as_str()],
            _ => vec![administrator.as_str(), json],
        };
        let body = if headers.len() == 1 { "" } else { "{}" };
        requests.push((route.method.as_str(), path, headers, body));
    }
    assert!(requests.len() > 60, "{}", requests.len());
    for (method, path, headers, body) in &requests {
        let answer = ask(&server, method, path, headers, body).await;
        assert!(
            answer.status >= 500,
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        told_nothing(&server.url(path), answer.status, answer.header("server"), &answer.body);
    }
    // people in the middle of it
    let right = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    for page in [&login, &own_login] {
        let answer = stranger.submit(page, page.form_with("password"), &right).await;
        assert!(answer.status.is_server_error(), "{}: {}", answer.url, answer.status);
        page_told_nothing(&answer);
    }
    for address in [url.clone(), server.url("/console/doctor")] {
        let answer = browser.get(&address).await;
        assert!(answer.status.is_server_error(), "{address}: {}", answer.status);
        page_told_nothing(&answer);
    }
    // whether these need the store depends on what they are asked; none tells of it
    for address in ADDRESSES {
        for browser in [&browser, &stranger] {
            page_told_nothing(&browser.get(&server.url(address)).await);
        }
    }
    for (address, fields) in [
        ("/setup", &[("token", "x"), ("password", "y")][..]),
        ("/login/consent?flow=x", &[("decision", "allow")]),
        ("/login/account?flow=x", &[("intent", "other_account")]),
        ("/login/leave?flow=x", &[("decision", "go")]),
        ("/logout", &[("decision", "sign_out")]),
        ("/oauth2/end_session", &[("id_token_hint", "x")]),
    ] {
        let answer = browser.post(&server.url(address), fields).await;
        assert!(!answer.status.is_success(), "{address}: {}", answer.status);
        page_told_nothing(&answer);
    }
    for (address, content_type) in [
        ("/nothing", "text/html"),
        ("/oauth2/nothing", "application/json"),
        ("/api/v1/nothing", "application/problem+json"),
    ] {
        let answer = browser.get(&server.url(address)).await;
        assert_eq!(answer.status, 404);
        assert!(answer.header("content-type").starts_with(content_type), "{address}");
        page_told_nothing(&answer);
    }
    server.advance(HOUR);
    server.stop().await;
}

fn page_told_nothing(answer: &Page) {
    told_nothing(
        answer.url.as_str(),
        answer.status.as_u16(),
        answer.header("server"),
        &answer.body,
    );
}

/// No word about the inside, and a reference where there is a body to speak of.
fn told_nothing(url: &str, status: u16, server: &str, body: &str) {
    for word in [
        "sqlx",
        "sqlite",
        "postgres",
        "panicked",
        ".rs",
        "/src/",
        "ostiary 0.",
        "redis",
        "backtrace",
    ] {
        assert!(!body.to_lowercase().contains(word), "{url}: {word} in {body}");
    }
    assert_eq!(server, "");
    if status < 400 || url.ends_with("/readyz") || url.ends_with("/metrics") {
        return;
    }
    let has_reference = body.contains("class=\"trace\"") || body.contains("\"trace_id\":\"");
    assert!(has_reference, "{url}: {body}");
}
