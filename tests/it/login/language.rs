//! The language that somebody chose at a page's foot: it stays while the browser is open, and a refusal is not asked again for it.

use super::{Proxied, behind_a_proxy, sign_in, switch};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

#[track_caller]
fn speaks(page: &Page, tag: &str) {
    let html = format!("<html lang=\"{tag}\"");
    assert!(page.body.contains(&html), "{tag}: {} {}", page.status, page.body);
}

#[tokio::test]
async fn a_language_that_was_chosen_stays_until_another_is() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    // the application's wish counts as long as the person says nothing else
    let login = browser
        .open(&party.authorization_url_with(&[("ui_locales", "fr")]))
        .await;
    speaks(&login, "fr");
    let login = browser.get(switch(&login, "de").unwrap().as_str()).await;
    speaks(&login, "de");
    let wrong = [("username", user.username.as_str()), ("password", "wrong")];
    let refused = browser.submit(&login, login.form_with("password"), &wrong).await;
    assert_eq!(refused.status, 422);
    speaks(&refused, "de");
    let right = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let answer = browser.submit(&refused, refused.form_with("password"), &right).await;
    let consent = browser.follow(answer).await;
    assert_eq!(consent.url.path(), "/login/consent");
    speaks(&consent, "de");
    for path in ["/", "/logout", "/nothing", "/oauth2/authorize?client_id=nobody"] {
        speaks(&browser.get(&server.url(path)).await, "de");
    }
    let home = browser.get(&server.url("/?ui_locales=en")).await;
    speaks(&home, "en");
    speaks(&browser.get(&server.url("/logout")).await, "en");
    // a page that tells of a refusal is a page too
    let nothing = browser.get(&server.url("/nothing")).await;
    speaks(&browser.get(switch(&nothing, "fr").unwrap().as_str()).await, "fr");
    speaks(&browser.get(&server.url("/")).await, "fr");
    speaks(&Browser::new().get(&server.url("/")).await, "en");
    server.stop().await;
}

#[tokio::test]
async fn a_person_is_refused_in_their_own_language() {
    let server = Server::start().await;
    let user = server
        .user_with("ada", |profile| profile.locale = Some("de".to_owned()))
        .await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let french = [("accept-language", "fr")];
    let wrong = server.url("/oauth2/authorize?client_id=nobody");
    speaks(&browser.get_with(&wrong, &french).await, "fr");
    party.sign_in(&browser, &user).await;
    for path in [
        "/oauth2/authorize?client_id=nobody",
        "/oauth2/end_session?id_token_hint=x",
    ] {
        let refused = browser.get_with(&server.url(path), &french).await;
        assert!(refused.status.is_client_error(), "{path}");
        speaks(&refused, "de");
    }
    // what somebody chose comes first
    browser.get(&server.url("/?ui_locales=en")).await;
    speaks(&browser.get_with(&wrong, &french).await, "en");
    server.stop().await;
}

/// Somebody else's link shows a page in a language, and chooses none for the next.
#[tokio::test]
async fn only_our_own_pages_choose() {
    let server = Server::start().await;
    let browser = Browser::new();
    let foreign = [("sec-fetch-site", "cross-site")];
    speaks(
        &browser.get_with(&server.url("/login?ui_locales=de"), &foreign).await,
        "de",
    );
    speaks(&browser.get(&server.url("/login")).await, "en");
    // nor does an application, nor what is no language of ours
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let own = [("sec-fetch-site", "same-origin")];
    let url = party.authorization_url_with(&[("ui_locales", "de")]);
    browser.get_with(&url, &own).await;
    browser.get(&server.url("/login?ui_locales=tlh")).await;
    assert_eq!(browser.cookie("ostiary_language"), None);
    speaks(&browser.get(&server.url("/login")).await, "en");
    for invented in ["tlh", "de; x", "../fr", ""] {
        browser.set_cookie("localhost", "ostiary_language", invented);
        assert_eq!(browser.get(&server.url("/login")).await.status, 200, "{invented}");
    }
    server.stop().await;
}

/// SEC-520: the third cookie is made like the others, and holds a language and nothing else.
#[tokio::test]
async fn the_choice_is_kept_in_a_cookie_of_its_own() {
    let server = behind_a_proxy().await;
    let proxied = Proxied::new(&server);
    proxied.get("/login").await;
    let page = proxied.get("/login?ui_locales=de").await;
    assert_eq!(
        page.header("set-cookie"),
        "__Host-ostiary_language=de; HttpOnly; SameSite=Lax; Secure; Path=/"
    );
    let again = proxied.get("/login?ui_locales=de").await;
    assert_eq!(again.header("set-cookie"), "", "a browser that has it gets none");
    server.stop().await;
}

#[tokio::test]
async fn a_refused_request_is_not_asked_again_for_the_language() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    sign_in(&server, &browser, &user).await;
    let wrong = party.authorization_url_with(&[("redirect_uri", "https://evil.example/")]);
    for url in [wrong, server.url("/oauth2/end_session?id_token_hint=abc")] {
        let page = browser.get(&url).await;
        assert_eq!(page.status, 400, "{url}");
        assert_eq!(
            switch(&page, "de"),
            None,
            "{url}: another request would be another refusal"
        );
    }
    server.stop().await;
}
