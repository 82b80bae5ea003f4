//! A page that is left open says that the session is about to end: in place with scripts, on a page of its own without.

use serde_json::json;

use crate::support::server::Server;
use crate::support::webdriver::{Chromium, wanted};

/// A server whose sessions end after ten minutes, and say so after some seconds; and a browser that is signed in.
async fn about_to_end() -> (Server, Chromium) {
    let server = Server::start().await;
    server
        .settings(json!({"session.idle_timeout": "10m", "session.expiry_warning": "597s"}))
        .await;
    let ada = server.user("ada").await;
    let browser = Chromium::start().await;
    browser.open(&server.url("/login?return_to=%2Faccount")).await;
    browser.type_into("#username", &ada.username).await;
    browser.type_into("#password", &ada.password).await;
    browser.click("button.primary").await;
    browser.arrives_at(&server.url("/account")).await;
    (server, browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_in_place_that_the_session_is_about_to_end() {
    if !wanted() {
        return;
    }
    let (server, browser) = about_to_end().await;
    for _ in 0..600 {
        if browser.find("#session-ending").await.is_visible().await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(browser.find("#session-ending").await.is_visible().await);
    assert!(browser.source().await.contains("You are about to be signed out"));
    assert_eq!(browser.url().await.path(), "/account", "what stands on the page stays");
    browser.click("#session-ending button").await;
    browser.arrives_at(&server.url("/account")).await;
    browser.shows("Where you are signed in").await;
    let lines = browser.console().await;
    assert!(lines.is_empty(), "{lines:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_browser_goes_to_a_page_that_says_so() {
    if !wanted() {
        return;
    }
    let (server, browser) = about_to_end().await;
    browser.without_scripts().await;
    browser.open(&server.url("/account")).await;
    browser.arrives_at(&server.url("/login/ending")).await;
    browser.shows("You will be signed out in 10 minutes").await;
    // the page that it comes back to is not to go on again
    server.settings(json!({"session.expiry_warning": "0s"})).await;
    browser.click("button.primary").await;
    browser.arrives_at(&server.url("/account")).await;
    server.stop().await;
}
