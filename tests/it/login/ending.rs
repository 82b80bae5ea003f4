//! A page that is left open says before a session ends that it does, and offers to stay.

use std::time::Duration;

use serde_json::json;

use super::{HOUR, MINUTE, is_signed_in, sign_in};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser, each_backend};

/// Where a page goes on to by itself without scripts, and after how many seconds; `None`: it stays.
fn goes_on(page: &Page) -> Option<(u64, String)> {
    let html = unescape(&page.body);
    let meta = html.split("<noscript><meta http-equiv=\"refresh\" content=\"").nth(1);
    let told = match meta {
        Some(meta) => meta.split('"').next().unwrap().replace(";url=", "; url="),
        None => page.header("refresh").to_owned(),
    };
    let (seconds, url) = told.split_once("; url=")?;
    Some((seconds.parse().unwrap(), url.to_owned()))
}

/// Whether it is so many seconds, or a few less: the time of the test goes on by itself, too.
fn is_about(seconds: u64, expected: u64) -> bool {
    (expected.saturating_sub(20)..=expected).contains(&seconds)
}

async fn open_page(server: &Server, browser: &Browser) -> (u64, String) {
    goes_on(&browser.get(&server.url("/account")).await).expect("a page that warns")
}

async fn look(server: &Server, browser: &Browser, path: &str) -> Page {
    let page = browser.get(&server.url(path)).await;
    assert_eq!(page.status, 200);
    page
}

async fn stay(browser: &Browser, page: &Page) -> Page {
    browser.submit(page, page.form_with("csrf"), &[]).await
}

async fn ada(server: &Server) -> (TestUser, Browser) {
    let (ada, browser) = (server.user("ada").await, Browser::new());
    sign_in(server, &browser, &ada).await;
    (ada, browser)
}

/// Looking is no use: the session ends when it would have ended without.
#[tokio::test]
async fn a_page_left_open_warns_and_looking_at_the_warning_is_no_use() {
    each_backend(async |server| {
        let (_, browser) = ada(server).await;
        let (seconds, path) = open_page(server, &browser).await;
        assert!(is_about(seconds, 8 * 3600 - 60), "{seconds}");
        server.advance(Duration::from_secs(seconds));
        for _ in 0..3 {
            let page = look(server, &browser, &path).await;
            assert!(
                unescape(&page.body).contains("You will be signed out in 1 minute"),
                "{}",
                page.body
            );
            assert!(page.body.contains("Stay signed in"));
            let (again, to) = goes_on(&page).expect("it looks again by itself");
            assert!(is_about(again, 62) && to == path, "{again} {to}");
        }
        server.advance(Duration::from_secs(62));
        let page = look(server, &browser, &path).await;
        assert!(page.body.contains("You have been signed out"), "{}", page.body);
        assert!(
            unescape(&page.body).contains("/login?return_to=%2Faccount"),
            "{}",
            page.body
        );
        assert_eq!(goes_on(&page), None);
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}

#[tokio::test]
async fn the_button_stays_and_so_does_any_other_use() {
    each_backend(async |server| {
        let (_, browser) = ada(server).await;
        let (seconds, path) = open_page(server, &browser).await;
        server.advance(Duration::from_secs(seconds));
        let asking = look(server, &browser, &path).await;
        let stayed = stay(&browser, &asking).await;
        assert_eq!(stayed.location().unwrap().path(), "/account");
        server.advance(HOUR);
        let page = look(server, &browser, &path).await;
        assert!(page.body.contains("You are signed in"), "{}", page.body);
        let (again, to) = goes_on(&page).unwrap();
        assert!(is_about(again, 7 * 3600 - 60) && to == path, "{again} {to}");
        server.advance(Duration::from_secs(again));
        assert!(is_signed_in(server, &browser).await, "home is a use");
        server.advance(7 * HOUR);
        assert!(is_signed_in(server, &browser).await);
        // a form of somebody else, and none
        let other = Browser::new();
        sign_in(server, &other, &server.user("bob").await).await;
        assert_eq!(stay(&other, &asking).await.status, 403, "nobody stays by that");
        assert_eq!(Browser::new().post(&server.url("/login/ending"), &[]).await.status, 403);
    })
    .await;
}

/// Staying is not offered where it is not possible: the lifetime is over, however much the session is used.
#[tokio::test]
async fn a_lifetime_can_not_be_put_off() {
    let server = Server::start().await;
    let (_, browser) = ada(&server).await;
    for _ in 0..3 {
        server.advance(7 * HOUR);
        assert!(is_signed_in(&server, &browser).await);
    }
    let (seconds, path) = open_page(&server, &browser).await;
    assert!(is_about(seconds, 3 * 3600 - 60), "{seconds}");
    server.advance(3 * HOUR - MINUTE);
    let page = look(&server, &browser, &path).await;
    assert!(unescape(&page.body).contains("as old as it may be"), "{}", page.body);
    assert!(!page.body.contains("Stay signed in"));
    server.advance(MINUTE);
    assert!(
        look(&server, &browser, &path)
            .await
            .body
            .contains("You have been signed out")
    );
    server.stop().await;
}

#[tokio::test]
async fn every_page_of_somebody_who_is_signed_in_warns_unless_the_setting_says_never() {
    let server = Server::start().await;
    let (_, browser) = ada(&server).await;
    for path in ["/", "/account", "/logout", "/login?again=1"] {
        let page = browser.get(&server.url(path)).await;
        let (_, to) = goes_on(&page).unwrap_or_else(|| panic!("{path}"));
        let back = url::form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
        assert!(to.ends_with(&format!("return_to={back}")), "{to}");
    }
    assert_eq!(goes_on(&Browser::new().get(&server.url("/login")).await), None);
    server.settings(json!({"session.expiry_warning": "5m"})).await;
    assert!(is_about(open_page(&server, &browser).await.0, 8 * 3600 - 300));
    server.settings(json!({"session.expiry_warning": "0s"})).await;
    assert_eq!(goes_on(&browser.get(&server.url("/account")).await), None);

    // each account of a browser has its own end
    let bob = server.user("bob").await;
    server.settings(json!({"session.expiry_warning": "1m"})).await;
    server.advance(HOUR);
    sign_in(&server, &browser, &bob).await;
    let own = browser.get(&server.url("/account")).await;
    let others = unescape(&own.body);
    let other = others
        .split("href=\"/account?account=")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let page = browser.get(&server.url(&format!("/account?account={other}"))).await;
    assert!(page.body.contains("ada@example.com"));
    assert!(goes_on(&page).unwrap().1.contains(&format!("account={other}")));
    server.stop().await;
}
