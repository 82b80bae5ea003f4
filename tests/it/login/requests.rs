//! Which requests are served at all: hosts, proxies, methods, sizes.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::config::Config;
use ostiary::model::ConsentMode;
use ostiary::sql::{Database, Durability};

use super::raw::send;
use super::{ADDRESSES, Proxied, behind_a_proxy, sign_in_with};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
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

/// SEC-232: who guesses from where is counted by the address that the audit log has: what an untrusted caller says of itself opens no
/// fresh budget, and what a trusted proxy says keeps callers apart.
#[tokio::test]
async fn client_ip_trust() {
    let few = serde_json::json!({"guess.account_budget": 1000, "guess.source_budget": 5});
    // whether anybody is told to wait, of nine who say that they come from elsewhere each
    let is_bounded = async |server: &Server, address: fn(usize) -> String| {
        let mut waits = false;
        for number in 0..9 {
            let browser = Browser::new();
            let page = browser.get(&server.url("/login")).await;
            let name = format!("nobody{number}");
            let form = page
                .form_with("password")
                .filled(&[("username", &name), ("password", "wrong")]);
            let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let from = address(number);
            let headers = [("x-forwarded-for", from.as_str()), ("x-real-ip", from.as_str())];
            waits |= browser.post_with(&server.url("/login"), &fields, &headers).await.status == 429;
        }
        waits
    };
    let stranger = Server::start().await;
    stranger.settings(few.clone()).await;
    assert!(is_bounded(&stranger, |number| format!("203.0.113.{number}")).await);
    stranger.stop().await;

    let trusting = Server::start_configured(Backend::Embedded, |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    trusting.settings(few).await;
    assert!(!is_bounded(&trusting, |number| format!("203.0.113.{number}")).await);
    // what the caller wrote before the proxy's own word counts for nothing
    assert!(is_bounded(&trusting, |number| format!("203.0.113.{number}, 198.51.100.7")).await);
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

/// SEC-526: every address that answers to GET is asked, and every page of what waits, by whom it belongs to, by a stranger and
/// by somebody else who is signed in. Every table, every counter and everything that waits is the same afterwards; what is new
/// are the requests that GET itself begins, as the protocols want it.
#[tokio::test]
async fn safe_methods_safe() {
    let server = Server::start_with(Backend::Embedded).await;
    let ada = server.user("ada").await;
    let grace = server.user("grace").await;
    let client = server.client(|_| ()).await;
    let trusted = server.client(|client| client.policy.consent = ConsentMode::Skip).await;
    let owner = Browser::new();
    let party = RelyingParty::new(&server, &client);
    let login = owner.open(&party.authorization_url()).await;
    // a wrong guess, so that a counter is not whole
    let wrong = [("username", ada.username.as_str()), ("password", "wrong")];
    let login = owner.submit(&login, login.form_with("password"), &wrong).await;
    assert_eq!(login.status, 422);
    let right = [("username", ada.username.as_str()), ("password", ada.password.as_str())];
    let consent = owner.submit(&login, login.form_with("password"), &right).await;
    let consent = owner.follow(consent).await;
    assert!(consent.body.contains("value=\"allow\""));
    // a code that waits, an account to be chosen, a sign-out to be confirmed, somebody who has not signed in yet
    let waiting = RelyingParty::new(&server, &trusted);
    let code = owner.get(&waiting.authorization_url()).await.location().unwrap();
    let choice = owner
        .open(&party.authorization_url_with(&[("prompt", "select_account")]))
        .await;
    let leaving = owner.open(&server.url("/oauth2/end_session")).await;
    let other = Browser::new();
    sign_in_with(&server, &other, &grace.username, &grace.password).await;
    let stranger = Browser::new();
    let unknown = stranger.open(&party.authorization_url()).await;
    let flows: BTreeSet<String> = [&consent, &choice, &leaving, &unknown]
        .map(|page| {
            page.url
                .query()
                .unwrap_or_else(|| panic!("{} waits", page.url))
                .to_owned()
        })
        .into();
    assert_eq!(flows.len(), 4, "{flows:?}");
    let mut live: Vec<String> = ADDRESSES.iter().map(|&address| address.to_owned()).collect();
    for flow in &flows {
        live.extend(
            ["/login", "/login/account", "/login/consent", "/login/leave", "/logout"].map(|at| format!("{at}?{flow}")),
        );
    }
    live.extend(["/console/doctor", "/api/docs", "/metrics", "/.well-known/security.txt"].map(str::to_owned));

    let mut before = None;
    let server = server
        .restart_after(async |config| before = Some(Contents::read(config).await))
        .await;
    let own = format!("host: {}", server.host());
    for address in &live {
        for browser in [&owner, &other, &stranger, &Browser::new()] {
            browser.get(&server.url(address)).await;
            let names = browser.cookie_names();
            let pairs: Vec<String> = names
                .iter()
                .map(|name| format!("{name}={}", browser.cookie(name).unwrap()))
                .collect();
            let cookies = format!("cookie: {}", pairs.join("; "));
            for method in ["HEAD", "OPTIONS"] {
                send(&server, &[&format!("{method} {address} HTTP/1.1"), &own, &cookies], "").await;
            }
        }
    }
    assert!(super::is_signed_in(&server, &owner).await && super::is_signed_in(&server, &other).await);
    let mut after = None;
    let server = server
        .restart_after(async |config| after = Some(Contents::read(config).await))
        .await;
    before.unwrap().assert_kept(&after.unwrap());

    // and what waited can go on
    let form = consent.form_with_button("decision", "allow");
    let done = owner.submit(&consent, form, &[("decision", "allow")]).await;
    assert!(done.location().unwrap().query().unwrap().contains("code="));
    let (_, code) = code.query_pairs().find(|(name, _)| name == "code").unwrap();
    let mut party = RelyingParty::new(&server, &trusted);
    party.code_verifier.clone_from(&waiting.code_verifier);
    party.redeem(&code).await.ok();
    server.stop().await;
}

/// Everything in the files of an embedded server that is stopped: rows as text, by table.
struct Contents {
    store: BTreeMap<String, BTreeSet<String>>,
    ephemeral: BTreeMap<String, BTreeSet<String>>,
    sessions: BTreeMap<String, BTreeSet<String>>,
}

impl Contents {
    async fn read(config: &Config) -> Self {
        let file = |name: &str| format!("sqlite:{}", config.data_dir.join(name).display());
        Self {
            store: rows(config.database_url.expose()).await,
            ephemeral: rows(&file("ephemeral.db")).await,
            sessions: rows(&file("sessions.db")).await,
        }
    }

    fn assert_kept(&self, after: &Self) {
        // notes about requests, not changes that they make
        let notes = ["events", "traces"];
        assert!(self.store.len() > 30, "{:?}", self.store.keys());
        for (table, rows) in &self.store {
            if !notes.contains(&table.as_str()) {
                assert_eq!(&after.store[table], rows, "{table}");
            }
        }
        assert_eq!(after.sessions, self.sessions);
        assert!(self.sessions.values().any(|rows| !rows.is_empty()), "who is signed in");
        assert!(!self.ephemeral["counter"].is_empty(), "a wrong guess was counted");
        let (counted, counts) = (&self.ephemeral["counter"], &after.ephemeral["counter"]);
        assert!(counts.is_superset(counted), "{counted:?} became {counts:?}");
        for begun in counts.difference(counted) {
            // a setup link that is guessed at is a guess, by GET too
            assert!(begun.contains("'recovery'"), "{begun}");
        }
        let (waited, waits) = (&self.ephemeral["entry"], &after.ephemeral["entry"]);
        assert!(waited.len() >= 5, "{waited:?}");
        let gone: Vec<_> = waited.difference(waits).collect();
        assert!(gone.is_empty(), "gone or changed: {gone:?}");
        for begun in waits.difference(waited) {
            let known = ["interaction", "error_redirect", "logout"];
            assert!(known.iter().any(|kind| begun.contains(&format!("'{kind}'"))), "{begun}");
        }
    }
}

/// Every row of every table of a SQLite file.
async fn rows(url: &str) -> BTreeMap<String, BTreeSet<String>> {
    let database = Database::open(url, Durability::Full).await.unwrap();
    let mut all = BTreeMap::new();
    for table in database.tables().await.unwrap() {
        let mut store = database.read().await.unwrap();
        let columns = "select name from pragma_table_info($1) order by name";
        let columns: Vec<String> = store.sql(columns).bind(table.clone()).all().await.unwrap();
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
        let select = format!("select {} from \"{table}\"", quoted.join(" || ' ' || "));
        let rows: Vec<String> = store.sql_built(select).all().await.unwrap();
        all.insert(table, rows.into_iter().collect());
    }
    database.close().await;
    all
}
