//! The first administrator, by a one-time link.

use ostiary::flow::operations::setup;

use super::HOUR;
use crate::support::browser::{Browser, Page};
use crate::support::server::{Server, each_backend};

async fn link(server: &Server) -> String {
    let link = setup::new_link(server.provider(), &server.call()).await.unwrap();
    link.url.expose().to_owned()
}

async fn follow(browser: &Browser, page: &Page, password: &str) -> Page {
    let values = [
        ("email", "ada@example.com"),
        ("username", "ada"),
        ("password", password),
        ("password_again", password),
    ];
    browser.submit(page, page.form_with("password_again"), &values).await
}

const GOOD: &str = "sixty lanterns over water";

#[tokio::test]
async fn a_link_makes_an_administrator_once() {
    each_backend(async |server| {
        let url = link(server).await;
        let browser = Browser::new();
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200);
        let done = follow(&browser, &page, GOOD).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(super::offers(&done, "/login"));
        assert!(!done.body.contains(GOOD));
        let again = follow(&browser, &page, GOOD).await;
        assert_eq!(again.status, 404, "once");
        assert_eq!(browser.get(&url).await.status, 404);
        let signed_in = super::sign_in_with(server, &browser, "ada", GOOD).await;
        assert_eq!(signed_in.status, 303);
        assert!(!setup::is_needed(server.provider()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_taken_is_told_and_the_link_stays_open() {
    let server = Server::start().await;
    let url = link(&server).await;
    let browser = Browser::new();
    let page = browser.get(&url).await;
    for weak in ["", "short", "password123", "ada@example.com"] {
        let answer = follow(&browser, &page, weak).await;
        assert_eq!(answer.status, 422, "{weak}");
        assert!(
            answer.body.contains("value=\"ada@example.com\""),
            "what was typed is still there"
        );
    }
    let form = page.form_with("password_again");
    let values = [
        ("email", "nonsense"),
        ("username", ""),
        ("password", GOOD),
        ("password_again", "other"),
    ];
    let answer = browser.submit(&page, form, &values).await;
    assert_eq!(answer.status, 422);
    assert_eq!(follow(&browser, &page, GOOD).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_link_ends_after_an_hour_and_when_a_newer_one_is_made() {
    let server = Server::start().await;
    let first = link(&server).await;
    let second = link(&server).await;
    let browser = Browser::new();
    assert_eq!(browser.get(&first).await.status, 404);
    assert_eq!(browser.get(&second).await.status, 200);
    server.advance(HOUR);
    assert_eq!(browser.get(&second).await.status, 404);
    assert_eq!(browser.get(&server.url("/setup?token=guess")).await.status, 404);
    server.stop().await;
}
