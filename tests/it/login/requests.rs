//! Which requests are served at all: hosts, proxies, methods, sizes.

use super::raw::send;
use super::{ADDRESSES, Proxied, behind_a_proxy, sign_in_with};
use crate::support::browser::Browser;
use crate::support::server::{Backend, Server};

/// SEC-568: by header, by the absolute form, by what proxies claim: no host but the issuer's is served.
#[tokio::test]
async fn host_allowlist() {
    let server = Server::start().await;
    let port = server.address().port();
    let own = format!("host: localhost:{port}");
    let upper = format!("host: LOCALHOST:{port}");
    let absolute = format!("GET http://localhost:{port}/login HTTP/1.1");
    for lines in [
        vec!["GET /login HTTP/1.1", &own],
        vec!["GET /login HTTP/1.1", &upper],
        vec![&absolute, &own],
        // what a proxy claims is not read, so it changes nothing
        vec!["GET /login HTTP/1.1", &own, "x-forwarded-host: evil.example"],
        vec!["GET /login HTTP/1.1", &own, "forwarded: host=evil.example"],
    ] {
        let answer = send(&server, &lines, "").await;
        assert_eq!(answer.status, 200, "{lines:?}");
        assert!(!answer.body.contains("evil"));
    }
    let numbers = format!("host: 127.0.0.1:{port}");
    let longer = format!("host: localhost:{port}.evil.example");
    let user = format!("host: evil@localhost:{port}");
    let dot = format!("host: localhost.:{port}");
    let absolute_foreign = format!("GET http://evil.example:{port}/login HTTP/1.1");
    for lines in [
        vec!["GET /login HTTP/1.1", "host: evil.example"],
        vec!["GET /login HTTP/1.1", "host: localhost"],
        vec!["GET /login HTTP/1.1", "host: localhost:1"],
        vec!["GET /login HTTP/1.1", "host: "],
        vec!["GET /login HTTP/1.1"],
        vec!["GET /login HTTP/1.0"],
        vec!["GET /login HTTP/1.1", &numbers],
        vec!["GET /login HTTP/1.1", &longer],
        vec!["GET /login HTTP/1.1", &user],
        vec!["GET /login HTTP/1.1", &dot],
        vec!["GET /login HTTP/1.1", &own, "host: evil.example"],
        vec![&absolute_foreign, &own],
        vec![&absolute, "host: evil.example"],
        vec![
            "GET /login HTTP/1.1",
            "host: evil.example",
            "x-forwarded-host: localhost",
        ],
    ] {
        let answer = send(&server, &lines, "").await;
        assert!([400, 421].contains(&answer.status), "{lines:?}: {}", answer.status);
        assert_eq!(answer.header("set-cookie"), "", "{lines:?}");
    }
    // whoever watches over the machine does not know the name
    let answer = send(&server, &["GET /healthz HTTP/1.1", "host: 10.0.0.1"], "").await;
    assert_eq!(answer.status, 200);
    server.stop().await;
}

/// The address of the last wrong password, as the audit log has it.
async fn noted_address(server: &Server) -> String {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let events = store.list_events(None, 1).await.unwrap();
    assert_eq!(events[0].kind, "sign_in");
    events[0].address.clone().unwrap_or_default()
}

/// Wrong guesses are not what is tested.
async fn patient(server: &Server) {
    let settings = serde_json::json!({"guess.account_budget": 1000, "guess.source_budget": 1000});
    server.settings(settings).await;
}

async fn fail_with(server: &Server, headers: &[(&str, &str)]) -> String {
    let browser = Browser::new();
    let page = browser.get(&server.url("/login")).await;
    let form = page
        .form_with("password")
        .filled(&[("username", "nobody"), ("password", "wrong")]);
    let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let answer = browser.post_with(&server.url("/login"), &fields, headers).await;
    assert_eq!(answer.status, 422);
    // events are ordered by their ids' milliseconds
    server.advance(std::time::Duration::from_millis(5));
    noted_address(server).await
}

/// SEC-561: the header counts from trusted peers alone, is read from the right, and one that is no address ends the reading.
#[tokio::test]
async fn forwarded_header_trust() {
    let stranger = Server::start().await;
    patient(&stranger).await;
    for headers in [
        &[("x-forwarded-for", "203.0.113.7")][..],
        &[("forwarded", "for=203.0.113.7")],
        &[("x-real-ip", "203.0.113.7")],
    ] {
        assert_eq!(fail_with(&stranger, headers).await, "127.0.0.1", "{headers:?}");
    }
    stranger.stop().await;

    let trusting = Server::start_configured(Backend::Embedded, |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    })
    .await;
    patient(&trusting).await;
    for (value, expected) in [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("203.0.113.7,10.1.2.3,\t10.9.9.9", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        // everybody on the way is trusted: the farthest one that is told
        ("10.0.0.1", "10.0.0.1"),
        // no addresses
        ("203.0.113.7:4711", "127.0.0.1"),
        ("[2001:db8::7]", "127.0.0.1"),
        ("203.0.113.007", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("unknown", "127.0.0.1"),
        ("203.0.113.7, evil, 10.1.2.3", "10.1.2.3"),
        ("", "127.0.0.1"),
    ] {
        assert_eq!(
            fail_with(&trusting, &[("x-forwarded-for", value)]).await,
            expected,
            "{value}"
        );
    }
    for headers in [
        &[("x_forwarded_for", "203.0.113.7")][..],
        &[("forwarded", "for=203.0.113.7")],
        &[("x-real-ip", "203.0.113.7")],
        &[("x-client-ip", "203.0.113.7")],
    ] {
        assert_eq!(fail_with(&trusting, headers).await, "127.0.0.1", "{headers:?}");
    }
    trusting.stop().await;
}

/// SEC-560, the part of it that lies here: plain http is sent to https if it is a page, refused if not; a proxy counts only
/// if it is trusted.
#[tokio::test]
async fn plain_http_is_sent_to_https_or_refused() {
    let server = behind_a_proxy().await;
    let proxied = Proxied::new(&server);
    let browser = Browser::new();
    let plain = [("host", proxied.host.as_str()), ("x-forwarded-proto", "http")];
    let page = browser.get_with(&proxied.url("/login?return_to=/x"), &plain).await;
    assert_eq!(page.status, 308);
    assert_eq!(
        page.header("location"),
        format!("{}/login?return_to=/x", server.issuer())
    );
    let silent = browser
        .get_with(&proxied.url("/login"), &[("host", &proxied.host)])
        .await;
    assert_eq!(silent.status, 308);
    for path in ["/oauth2/jwks", "/oauth2/userinfo", "/api/v1/users"] {
        let answer = browser.get_with(&proxied.url(path), &plain).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("location"), "");
    }
    let post = browser
        .post_with(&proxied.url("/login"), &[("password", "x")], &plain)
        .await;
    assert_eq!(post.status, 400, "a password that was sent in the clear is not taken");
    let odd = [("host", proxied.host.as_str()), ("x-forwarded-proto", "https, http")];
    assert_eq!(browser.get_with(&proxied.url("/login"), &odd).await.status, 308);
    assert_eq!(browser.get(&proxied.url("/healthz")).await.status, 200);
    server.stop().await;

    let trusting_nobody = Server::start_configured(Backend::Embedded, |config| {
        config.public_url = "https://id.example".parse().unwrap();
    })
    .await;
    let proxied = Proxied::new(&trusting_nobody);
    let page = proxied.get("/login").await;
    assert_eq!(page.status, 400, "no circle of redirects");
    assert!(page.body.contains("OSTIARY_TRUSTED_PROXIES"));
    trusting_nobody.stop().await;
}

/// SEC-567: a route serves the methods it declares; TRACE, CONNECT and inventions are refused everywhere.
#[tokio::test]
async fn method_allowlist() {
    let server = Server::start().await;
    let own = format!("host: localhost:{}", server.address().port());
    for address in ADDRESSES {
        let path = address.split('?').next().unwrap();
        for method in ["TRACE", "TRACK", "DEBUG", "PROPFIND", "PATCH", "get"] {
            let line = format!("{method} {path} HTTP/1.1");
            let answer = send(&server, &[&line, &own], "").await;
            assert!([400, 404, 405].contains(&answer.status), "{line}: {}", answer.status);
            if answer.status == 405 {
                let allowed = answer.header("allow");
                assert!(!allowed.is_empty(), "{line}");
                assert!(!allowed.split(',').any(|it| it == method), "{line}: {allowed}");
            }
        }
    }
    for (method, path) in [
        ("POST", "/"),
        ("PUT", "/login"),
        ("DELETE", "/login/consent"),
        ("POST", "/logout/done"),
        ("POST", "/healthz"),
        ("GET", "/csp-report"),
        ("GET", "/oauth2/token"),
        ("DELETE", "/oauth2/jwks"),
        ("OPTIONS", "/login"),
    ] {
        let line = format!("{method} {path} HTTP/1.1");
        assert_eq!(send(&server, &[&line, &own], "").await.status, 405, "{line}");
    }
    server.stop().await;
}

/// SEC-563, the part of it that lies here: what is too large is refused before it is read, in the form its reader knows.
#[tokio::test]
async fn oversized_bodies_are_refused() {
    let server = Server::start().await;
    let own = format!("host: localhost:{}", server.address().port());
    let form = "content-type: application/x-www-form-urlencoded";
    for path in ["/login", "/setup", "/oauth2/token", "/oauth2/register"] {
        let line = format!("POST {path} HTTP/1.1");
        // announced, and never sent
        let huge = [line.as_str(), &own, form, "content-length: 99999999999"];
        let answer = send(&server, &huge, "").await;
        assert_eq!(answer.status, 413, "{path}");
        assert!(!answer.body.is_empty());
    }
    let large = format!("password={}", "x".repeat(100 * 1024));
    let answer = send(&server, &["POST /login HTTP/1.1", &own, form], &large).await;
    assert_eq!(answer.status, 413);
    assert!(answer.header("content-type").starts_with("text/html"));
    let other = [("POST /login HTTP/1.1"), own.as_str(), "content-type: application/json"];
    assert_eq!(send(&server, &other, "{}").await.status, 415);
    server.stop().await;
}

/// SEC-526: every address that answers to GET is asked, signed in and not; the store is the same afterwards.
#[tokio::test]
async fn safe_methods_safe() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    sign_in_with(&server, &browser, &user.username, &user.password).await;
    let before = contents(&server).await;
    for address in ADDRESSES {
        for browser in [&browser, &Browser::new()] {
            browser.get(&server.url(address)).await;
        }
        for method in ["HEAD", "OPTIONS"] {
            let line = format!("{method} {address} HTTP/1.1");
            let own = format!("host: localhost:{}", server.address().port());
            send(&server, &[&line, &own], "").await;
        }
    }
    assert!(super::is_signed_in(&server, &browser).await);
    assert_eq!(before, contents(&server).await);
    server.stop().await;
}

/// Everything in the store that requests can change.
async fn contents(server: &Server) -> String {
    let mut store = server.provider().store.read().await.unwrap();
    let now = server.call().now;
    let users = store.list_users(None, 100).await.unwrap();
    let mut all = format!("{users:?} {:?}", store.list_groups(None, 100).await.unwrap());
    for user in users {
        all.push_str(&format!(
            "{:?}",
            store.list_live_sessions_of(user.id, now, 100).await.unwrap()
        ));
    }
    // an audit event is a note about a request, not a change that it makes
    all.push_str(&format!("{:?}", store.list_settings().await.unwrap()));
    all.push_str(&format!("{:?}", store.get_generations().await.unwrap()));
    all
}
