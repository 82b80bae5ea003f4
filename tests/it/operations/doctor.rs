//! The doctor: beside a running server and without one, from the terminal, on the page and by the API; each red item comes
//! with the line to change.

use std::os::unix::fs::PermissionsExt;

use axum::Router;
use axum::routing::get;
use futures_util::future::join_all;
use ostiary::egress::read_pem;
use serde_json::{Value, json};

use crate::ephemeral::redis_server;
use crate::explain::{explained, fact, shown_id};
use crate::support::browser::Browser;
use crate::support::certificates::Certificates;
use crate::support::cli::Terminal;
use crate::support::server::{Server, TestUser};
use crate::support::services::Postgres;
use crate::support::smtp_sink::SmtpSink;

/// What was found: code, verdict and line.
pub(super) async fn findings(terminal: &Terminal, words: &[&str]) -> (i32, Vec<(String, String, String)>) {
    let mut command = vec!["doctor", "--json"];
    command.extend(words);
    let ran = terminal.run(&command).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<(String, String, String)> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let detail = text(finding, "detail");
            assert!(!detail.is_empty() && !detail.starts_with("doctor_"), "{finding}");
            assert!(!detail.contains('{') && !detail.contains("  "), "{detail}");
            (text(finding, "code"), text(finding, "verdict"), text(finding, "line"))
        })
        .collect();
    let is_wrong = rows.iter().any(|(_, verdict, _)| verdict == "wrong");
    assert_eq!(ran.code, i32::from(is_wrong), "{ran:?}");
    assert_eq!(is_wrong, told["verdict"] == "wrong");
    for (code, verdict, line) in &rows {
        assert_eq!(
            line.is_empty(),
            verdict == "good" || ["db_missing", "config_refused"].contains(&code.as_str()),
            "{code}: {line}"
        );
    }
    (ran.code, rows)
}

#[track_caller]
pub(super) fn found(rows: &[(String, String, String)], code: &str, verdict: &str, line: &str) {
    let row = rows.iter().find(|(found, _, _)| found == code);
    let (_, judged, change) = row.unwrap_or_else(|| panic!("no {code} in {rows:?}"));
    assert_eq!(judged, verdict, "{code}");
    assert!(change.contains(line), "{code}: {change}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_server_that_is_well_nothing_is_red() {
    let server = Server::start().await;
    let terminal = Terminal::at(server.folder()).with("OSTIARY_PUBLIC_URL", server.issuer());
    let (code, rows) = findings(&terminal, &[]).await;
    assert_eq!(code, 0, "{rows:?}");
    for well in [
        "config_ok",
        "url_ok",
        "proxy_none",
        "clock_own",
        "db_ok",
        "redis_embedded",
        "keys_ok",
        "key_file_ok",
        "tls_none",
    ] {
        found(&rows, well, "good", "");
    }
    found(&rows, "cookies_loopback", "warning", "OSTIARY_PUBLIC_URL=https://");
    found(&rows, "mail_none", "warning", "OSTIARY_SMTP_URL=");
    let told = terminal.run(&["doctor"]).await;
    assert_eq!(told.code, 0);
    assert!(told.out.contains("good     database"), "{}", told.out);
    assert!(told.out.contains("-> OSTIARY_SMTP_URL=smtp://"), "{}", told.out);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_it_says_so_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path()).with("OSTIARY_PUBLIC_URL", "http://localhost:1");
    // and with a store but no server
    let second = tempfile::tempdir().unwrap();
    let with_store = Terminal::at(second.path()).with("OSTIARY_PUBLIC_URL", "http://localhost:1");
    with_store.run(&["users", "create", "ada"]).await.ok();
    // each waits for the public address, so they do at once
    let ((code, rows), told, (_, beside_store)) = tokio::join!(
        findings(&terminal, &[]),
        terminal.run(&["doctor"]),
        findings(&with_store, &[])
    );
    assert_eq!(code, 1);
    found(
        &rows,
        "url_unreachable",
        "wrong",
        "OSTIARY_PUBLIC_URL=http://localhost:1",
    );
    found(&rows, "db_missing", "warning", "");
    assert!(!folder.path().join("data").exists() && !folder.path().join("keys").exists());
    assert_eq!(told.code, 1);
    assert!(told.out.contains("WRONG    public_url"), "{}", told.out);
    found(&beside_store, "db_ok", "good", "");
    found(&beside_store, "keys_ok", "good", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_red_with_the_line_to_change() {
    let folder = tempfile::tempdir().unwrap();
    // somebody answers there, so that nobody is waited for
    let terminal = Terminal::at(folder.path()).with("OSTIARY_PUBLIC_URL", &impostor(String::new()).await);
    terminal.run(&["users", "create", "ada"]).await.ok();
    let open =
        |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let (key, store) = (
        folder.path().join("keys/master.key"),
        folder.path().join("data/ostiary.db"),
    );
    for path in [&key, &store] {
        open(path, 0o644);
    }
    let (_, rows) = findings(&terminal, &[]).await;
    found(
        &rows,
        "key_file_readable",
        "wrong",
        &format!("chmod 600 {}", key.display()),
    );
    found(&rows, "db_readable", "wrong", &format!("chmod 600 {}", store.display()));
    for path in [&key, &store] {
        open(path, 0o600);
    }
    let cases = [
        (
            "OSTIARY_REDIS_URL",
            "redis://127.0.0.1:1",
            "redis_unreachable",
            "OSTIARY_REDIS_URL=",
        ),
        (
            "OSTIARY_SMTP_URL",
            "smtp://127.0.0.1:1",
            "mail_unreachable",
            "OSTIARY_SMTP_URL=",
        ),
        (
            "OSTIARY_DATABASE_URL",
            "postgres://127.0.0.1:1/none",
            "db_unreachable",
            "OSTIARY_DATABASE_URL=postgres://USER:PASSWORD@HOST/DATABASE",
        ),
        ("OSTIARY_LISTN", "1", "config_refused", ""),
        ("OSTIARY_PUBLIC_URL", "http://elsewhere.example", "config_refused", ""),
    ];
    let judged = cases.map(async |(name, value, code, line)| {
        let (_, rows) = findings(&terminal.clone().with(name, value), &[]).await;
        found(&rows, code, "wrong", line);
    });
    join_all(judged).await;
    // keys of another installation
    let another = folder.path().join("another");
    std::fs::create_dir_all(&another).unwrap();
    Terminal::at(&another).run(&["users", "list"]).await.ok();
    std::fs::copy(another.join("keys/master.key"), &key).unwrap();
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "key_not_opened", "wrong", "OSTIARY_KEYS_DIR=");
    std::fs::remove_dir_all(folder.path().join("keys")).unwrap();
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "key_folder_missing", "wrong", "OSTIARY_KEYS_DIR=");
    assert!(!folder.path().join("keys").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_asked_for_and_not_named_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path()).with("OSTIARY_PUBLIC_URL", &impostor(String::new()).await);
    for wanted in ["proof_of_work", "captcha"] {
        terminal
            .run(&["settings", "set", "registration.challenge", wanted])
            .await
            .ok();
        let (_, rows) = findings(&terminal, &[]).await;
        let is_told = rows.iter().any(|(code, _, _)| code == "config_captcha");
        assert_eq!(is_told, wanted == "captcha", "{rows:?}");
    }
    let (_, rows) = findings(&terminal, &[]).await;
    found(&rows, "config_captcha", "warning", "OSTIARY_CAPTCHA__PROVIDER=");
    let named = terminal
        .clone()
        .with("OSTIARY_CAPTCHA__PROVIDER", "turnstile")
        .with("OSTIARY_CAPTCHA__SITE_KEY", "key")
        .with("OSTIARY_CAPTCHA__SECRET", "secret");
    let (_, rows) = findings(&named, &[]).await;
    assert!(!rows.iter().any(|(code, _, _)| code == "config_captcha"), "{rows:?}");
}

/// A server that answers discovery with this text.
pub(super) async fn impostor(text: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let router = Router::new().route("/.well-known/openid-configuration", get(async || text));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn who_else_answers_at_the_public_address_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal.run(&["users", "create", "ada"]).await.ok();
    let foreign = impostor("<p>It works".to_owned()).await;
    let (_, rows) = findings(&terminal.clone().with("OSTIARY_PUBLIC_URL", &foreign), &[]).await;
    found(&rows, "url_foreign", "wrong", &foreign);
    let other = impostor(json!({ "issuer": "https://id.example.com" }).to_string()).await;
    let (_, rows) = findings(&terminal.clone().with("OSTIARY_PUBLIC_URL", &other), &[]).await;
    found(
        &rows,
        "url_other_issuer",
        "wrong",
        "OSTIARY_PUBLIC_URL=https://id.example.com",
    );
    // another installation of the same address
    let server = Server::start().await;
    let (_, rows) = findings(&terminal.clone().with("OSTIARY_PUBLIC_URL", server.issuer()), &[]).await;
    found(&rows, "url_stranger", "wrong", "OSTIARY_KEYS_DIR=");
    // which answers the question of nobody but its own
    for question in ["", "?probe=", "?probe=1.00", "?probe=x"] {
        let answer = Browser::new()
            .get(&server.url(&format!("/doctor/seen{question}")))
            .await;
        assert_eq!(answer.status, 404);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_server_is_tried_and_written_to_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let sink = SmtpSink::start_asking("ostiary", "a-right-password").await;
    let public_url = impostor(String::new()).await;
    let with = |password: &str| {
        let url = format!("smtp://ostiary:{password}@{}", sink.address());
        Terminal::at(folder.path())
            .with("OSTIARY_PUBLIC_URL", &public_url)
            .with("OSTIARY_SMTP_URL", &url)
            .with("OSTIARY_MAIL_FROM", "id@example.com")
    };
    let (_, rows) = findings(&with("a-right-password"), &[]).await;
    found(&rows, "mail_ok", "good", "");
    assert_eq!(sink.mails().len(), 0);
    let (_, rows) = findings(&with("a-right-password"), &["--send-to", "ada@example.com"]).await;
    found(&rows, "mail_sent", "good", "");
    assert_eq!(sink.mails().len(), 1);
    let (_, rows) = findings(&with("a-wrong-password"), &[]).await;
    found(&rows, "mail_credentials", "wrong", "OSTIARY_SMTP_URL=");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgets_is_told_of() {
    if redis_server::quick() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let redis = redis_server::Server::start(&[
        "--maxmemory",
        "100mb",
        "--maxmemory-policy",
        "allkeys-lru",
        "--save",
        "",
    ])
    .await;
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let (_, rows) = findings(&Terminal::at(folder.path()).with("OSTIARY_REDIS_URL", &url), &[]).await;
    found(&rows, "redis_ok", "good", "");
    found(&rows, "redis_evicts", "wrong", "maxmemory-policy noeviction");
    found(&rows, "redis_forgets", "warning", "appendonly yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_may_forget_only_follows_or_has_another_time_is_told_of() {
    if redis_server::quick() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let judged = async |postgres: &Postgres| {
        let url = postgres.url(postgres.address);
        let terminal = Terminal::at(folder.path()).with("OSTIARY_DATABASE_URL", &url);
        findings(&terminal, &[]).await.1
    };
    let postgres = Postgres::start_with(&["fsync=off"]).await;
    found(
        &judged(&postgres).await,
        "db_unsafe",
        "wrong",
        "alter system set fsync = on;",
    );
    let replica = postgres.replica(postgres.address, &[]).await;
    let address = "OSTIARY_DATABASE_URL=postgres://";
    found(&judged(&replica).await, "db_standby", "wrong", address);
    // a real server whose clock is another: what it is asked for is found in this schema first
    for text in [
        "create schema elsewhere",
        "create function elsewhere.clock_timestamp() returns timestamptz language sql
         as $$select pg_catalog.clock_timestamp() - interval '30 seconds'$$",
        "alter role postgres set search_path = elsewhere, pg_catalog, public",
    ] {
        postgres.run(text).await;
    }
    found(
        &judged(&postgres).await,
        "clock_off",
        "wrong",
        "timedatectl set-ntp true",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_judged_by_names_dates_and_order() {
    let certificates = Certificates::make();
    let server = certificates.server().await;
    let terminal = Terminal::at(server.folder())
        .with("OSTIARY_PUBLIC_URL", server.issuer())
        .with("OSTIARY_TLS__CERT", certificates.file("cert.pem").to_str().unwrap())
        .with("OSTIARY_TLS__KEY", certificates.file("key.pem").to_str().unwrap());
    let whole = std::fs::read_to_string(certificates.file("cert.pem")).unwrap();
    let authority = std::fs::read_to_string(certificates.file("ca.pem")).unwrap();
    let chain = read_pem(&format!("{whole}\n{authority}"));
    assert_eq!(chain.len(), 2);
    assert!(chain[0].covers("localhost") && chain[0].covers("LOCALHOST") && !chain[0].covers("id.example.com"));
    assert!(chain[0].is_followed_by(&chain[1]) && !chain[1].is_followed_by(&chain[0]));
    assert!(chain[1].is_own_issuer() && !chain[0].is_own_issuer());
    // the last moment of 2040 is at most a day away
    assert!((2_240_524_800 - chain[0].not_after).abs() <= 24 * 60 * 60, "{chain:?}");
    assert!(read_pem("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----").is_empty());
    certificates.renew(2020);
    let over = std::fs::read_to_string(certificates.file("cert.pem")).unwrap();
    certificates.renew(2040);
    let cases = [
        ("tls_empty", String::new()),
        ("tls_order", format!("{authority}\n{whole}")),
        ("tls_names", authority.clone()),
        ("tls_over", format!("{over}\n{authority}")),
    ];
    // this machine does not know the test's authority: each waits for the public address, so they all do at once
    let as_served = async {
        let (_, rows) = findings(&terminal, &[]).await;
        found(&rows, "url_unreachable", "wrong", "");
        found(&rows, "tls_alone", "warning", "OSTIARY_TLS__CERT=");
    };
    let judged = cases.map(async |(code, text)| {
        let file = certificates.file(&format!("{code}.pem"));
        std::fs::write(&file, text).unwrap();
        let terminal = terminal.clone().with("OSTIARY_TLS__CERT", file.to_str().unwrap());
        found(&findings(&terminal, &[]).await.1, code, "wrong", &format!("{code}.pem"));
    });
    tokio::join!(as_served, join_all(judged));
    server.stop().await;
}

async fn signed_in(server: &Server, user: &TestUser) -> Browser {
    let browser = Browser::new();
    let page = browser.open(&server.url("/console/doctor")).await;
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let page = browser.submit(&page, page.form_with("password"), &values).await;
    assert!(page.status.is_redirection(), "{}", page.body);
    assert_eq!(page.location().unwrap().path(), "/console/doctor");
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_administrators_alone() {
    let server = Server::start().await;
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    server.group("administrators", &["admin"], &[&ada]).await;
    let stranger = Browser::new().get(&server.url("/console/doctor")).await;
    assert_eq!(stranger.location().unwrap().path(), "/login");
    let browser = signed_in(&server, &bob).await;
    let refused = browser.get(&server.url("/console/doctor")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("no access here"), "{}", refused.body);
    assert!(
        !browser
            .get(&server.url("/"))
            .await
            .body
            .contains("How this server stands")
    );

    let browser = signed_in(&server, &ada).await;
    assert!(
        browser
            .get(&server.url("/"))
            .await
            .body
            .contains("How this server stands")
    );
    for (language, title) in [
        ("en", "How this server stands"),
        ("de", "Wie dieser Server dasteht"),
        ("fr", "L’état de ce serveur"),
    ] {
        let page = browser
            .get(&server.url(&format!("/console/doctor?ui_locales={language}")))
            .await;
        assert_eq!(page.status, 200);
        let body = &page.body;
        assert!(body.contains(title), "{body}");
        for shown in [
            server.issuer(),
            &server.host(),
            "ostiary_session",
            "OSTIARY_SMTP_URL=",
            "data-server=",
        ] {
            assert!(body.contains(shown), "{shown}: {body}");
        }
        // a cookie's name is shown, its value never
        assert!(!page.body.contains(&browser.cookie("ostiary_session").unwrap()));
    }
    // what a proxy sends is judged and shown
    let headers = [
        ("x-forwarded-for", "192.0.2.9"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "192.0.2.9"),
    ];
    let page = browser.get_with(&server.url("/console/doctor"), &headers).await;
    for shown in ["OSTIARY_TRUSTED_PROXIES=127.0.0.1", "192.0.2.9", "x-real-ip"] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    server.stop().await;
}

/// The sandbox's clock is ahead of everybody's, and that is no illness.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_moved_on_purpose_is_well() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    server.group("administrators", &["admin"], &[&ada]).await;
    server.advance(std::time::Duration::from_secs(3 * 86_400));
    let browser = signed_in(&server, &ada).await;
    let page = browser.get(&server.url("/console/doctor")).await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("behind the public address differ"), "{}", page.body);
    // but for the line that the browser's own clock would be put right by, which stands there hidden
    assert_eq!(page.body.matches("timedatectl").count(), 1, "{}", page.body);
    assert!(
        page.body.contains("data-state=\"wrong\" hidden>timedatectl"),
        "{}",
        page.body
    );
    // what the browser compares its own clock with
    let (_, after) = page.body.split_once("data-server=\"").unwrap();
    let shown: i64 = after.split_once('"').unwrap().0.parse().unwrap();
    let here = ostiary::clock::Clock::default().micros() / 1000;
    assert!((here - shown).abs() < 60_000, "{here} {shown}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_account_of_the_browser_that_may_sees_the_page() {
    let server = Server::start().await;
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    server.group("administrators", &["admin"], &[&ada]).await;
    let browser = signed_in(&server, &ada).await;
    let login = browser.get(&server.url("/login")).await;
    let values = [("username", bob.username.as_str()), ("password", bob.password.as_str())];
    browser.submit(&login, login.form_with("password"), &values).await;
    let home = browser.get(&server.url("/")).await;
    assert!(home.body.contains(&bob.email), "the last who signed in comes first");
    assert!(home.body.contains("How this server stands"), "{}", home.body);
    let page = browser.get(&server.url("/console/doctor")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_see_the_page_is_told_and_so_is_the_administrator_they_ask() {
    let server = Server::start().await;
    let bob = server.user("bob").await;
    let browser = signed_in(&server, &bob).await;
    let refused = browser.get(&server.url("/console/doctor")).await;
    assert_eq!(refused.status, 403);
    let told = explained(&server, &shown_id(&refused.body)).await;
    assert_eq!(told["rule"], "api.permission");
    assert_eq!(fact(&told, "permission"), "admin:operations.read");
    assert_eq!(told["user"]["id"], bob.id.to_string(), "{told}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_judged_by_what_it_says() {
    let trust = |config: &mut ostiary::config::Config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = Server::start_configured(crate::support::backend::Backend::Embedded, trust).await;
    let ada = server.user("ada").await;
    server.group("administrators", &["admin"], &[&ada]).await;
    let browser = signed_in(&server, &ada).await;
    let url = server.url("/console/doctor");
    let well = [("x-forwarded-for", "192.0.2.9"), ("x-forwarded-proto", "http")];
    let page = browser.get_with(&url, &well).await;
    assert!(
        page.body.contains("Requests arrive by the trusted proxy 127.0.0.1"),
        "{}",
        page.body
    );
    let page = browser.get_with(&url, &[("x-forwarded-proto", "http")]).await;
    assert!(page.body.contains("$proxy_add_x_forwarded_for"), "{}", page.body);
    server.stop().await;
}
