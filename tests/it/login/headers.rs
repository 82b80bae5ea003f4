//! What stands in the head of every response: cookies, policies, caching.

use std::collections::BTreeSet;

use super::{ADDRESSES, HOUR, Proxied, behind_a_proxy, sign_in};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

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
        } else {
            BTreeSet::from(["HttpOnly", "SameSite=Lax", "Secure", "Path=/"])
        };
        assert_eq!(attributes, wanted, "{cookie}");
    }
    assert_eq!(cookies(&signed_in).len(), 2);
    server.stop().await;

    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    let first = browser.get(&server.url("/login")).await;
    let signed_in = sign_in(&server, &browser, &user).await;
    let all: Vec<&str> = cookies(&first).into_iter().chain(cookies(&signed_in)).collect();
    assert_eq!(all.len(), 3);
    for cookie in all {
        assert!(cookie.starts_with("ostiary_"), "{cookie}");
        let attributes: BTreeSet<&str> = cookie.split("; ").skip(1).collect();
        let wanted = if cookie.starts_with("ostiary_state=") {
            BTreeSet::from(["SameSite=Lax", "Path=/"])
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
        let names: BTreeSet<&str> = directives.iter().map(|(name, _)| *name).collect();
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

/// SEC-617: what failed inside is told by a sentence and a reference, in the form its reader understands.
#[tokio::test]
async fn generic_errors() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let url = RelyingParty::new(&server, &client).authorization_url();
    // memory is trusted for two seconds; what is asked first afterwards meets a store that is gone
    server.provider().store.close().await;
    let browser = Browser::new();
    let mut troubles = 0;
    for address in [
        url,
        server.url("/login?flow=x"),
        server.url("/setup?token=x"),
        server.url("/readyz"),
    ] {
        let answer = browser.get(&address).await;
        troubles += usize::from(answer.status.is_server_error());
        told_nothing(&answer);
    }
    assert!(troubles >= 2, "{troubles}");
    for (address, content_type) in [
        ("/nothing", "text/html"),
        ("/oauth2/nothing", "application/json"),
        ("/api/v1/nothing", "application/problem+json"),
    ] {
        let answer = browser.get(&server.url(address)).await;
        assert_eq!(answer.status, 404);
        assert!(answer.header("content-type").starts_with(content_type), "{address}");
        told_nothing(&answer);
    }
    server.advance(HOUR);
    server.stop().await;
}

/// No word about the inside, and a reference where there is a body to speak of.
fn told_nothing(answer: &Page) {
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
        assert!(
            !answer.body.to_lowercase().contains(word),
            "{}: {word} in {}",
            answer.url,
            answer.body
        );
    }
    assert_eq!(answer.header("server"), "");
    if answer.status.is_success() || answer.url.path() == "/readyz" || answer.status.is_redirection() {
        return;
    }
    let body = &answer.body;
    let has_reference = body.contains("class=\"trace\"") || body.contains("\"trace_id\":\"");
    assert!(has_reference, "{}: {body}", answer.url);
}
