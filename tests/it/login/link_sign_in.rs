//! Signing in with a link that is mailed: in the browser that asked for it, or after somebody has said elsewhere that it is them.

use std::time::Duration;

use serde_json::json;

use super::factor_scene::{answer as prove, enrolled, now};
use super::recovery::mails;
use super::{MINUTE, is_signed_in};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, each_backend};

async fn asked(server: &Server, browser: &Browser, identifier: &str) -> Page {
    let login = browser.get(&server.url("/login?return_to=%2Faccount%2Femail")).await;
    let form = login.form_with("password");
    let typed = [("username", identifier), ("intent", "mail_link")];
    let begun = browser.submit(&login, form, &typed).await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    browser.follow(begun).await
}

/// The links to sign in with that somebody was mailed, the newest first.
async fn links(server: &Server, email: &str) -> Vec<String> {
    let own = mails(server).await.into_iter().filter(|(to, _)| to == email);
    own.filter_map(|(_, text)| {
        let mut words = text.split_whitespace();
        words
            .find(|word| word.contains("/login/link?token="))
            .map(str::to_owned)
    })
    .collect()
}

async fn press(browser: &Browser, page: &Page) -> Page {
    browser.submit(page, page.form_with("csrf"), &[]).await
}

async fn go_on(browser: &Browser, page: &Page) -> Page {
    let form = page.form_with_button("intent", "go_on");
    browser.submit(page, form, &[("intent", "go_on")]).await
}

/// SEC-303: in the browser that asked the link signs in; elsewhere it asks, and signs in nobody there. SEC-269: what is said elsewhere is
/// kept at the server, and the sign-in that waits goes on by that alone.
#[tokio::test]
async fn magic_link_binding() {
    each_backend(async |server| {
        server.settings(json!({"sign_in.mail_links": true})).await;
        let ada = server.user_with("ada", |profile| profile.email_verified = true).await;
        let browser = Browser::new();
        let waiting = asked(server, &browser, "ada").await;
        let [link] = links(server, &ada.email).await.try_into().unwrap();
        // programs that look at mails spend nothing
        assert_eq!(Browser::new().get(&link).await.status, 200);
        let page = browser.get(&link).await;
        assert!(unescape(&page.body).contains("You asked for this link in this browser"));
        assert!(!is_signed_in(server, &browser).await, "by a form only");
        let done = press(&browser, &page).await;
        assert_eq!(done.location().unwrap().path(), "/account/email", "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        // of two clicks the browser sees the answer to the second alone; later, and elsewhere, it leads nowhere
        assert_eq!(press(&browser, &page).await.status, 303);
        let other = Browser::new();
        assert!(unescape(&other.get(&link).await.body).contains("It goes on there"));
        server.advance(Duration::from_secs(61));
        assert_eq!(browser.get(&link).await.status, 404, "once");
        assert_eq!(press(&browser, &page).await.status, 404);
        assert_eq!(
            go_on(&browser, &waiting).await.status,
            422,
            "nobody answered for it elsewhere"
        );

        // elsewhere
        let browser = Browser::new();
        let waiting = asked(server, &browser, "ada").await;
        let link = links(server, &ada.email).await.remove(0);
        let early = go_on(&browser, &waiting).await;
        assert_eq!(early.status, 422, "nothing was said yet: {}", early.body);
        let mailbox = Browser::new();
        let page = mailbox.get(&link).await;
        let shown = unescape(&page.body);
        assert!(
            shown.contains("asked for in another browser") && shown.contains("127.0.0.1"),
            "{shown}"
        );
        assert_eq!(go_on(&browser, &waiting).await.status, 422, "looking says nothing");
        let said = press(&mailbox, &page).await;
        assert_eq!(said.status, 200, "{}", said.body);
        assert!(!is_signed_in(server, &mailbox).await, "nobody is signed in there");
        assert_eq!(press(&mailbox, &page).await.status, 200, "said twice is said");
        // a third browser has nothing of it
        assert_eq!(Browser::new().get(waiting.url.as_str()).await.status, 404);
        let done = go_on(&browser, &waiting).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        assert_eq!(go_on(&browser, &waiting).await.status, 303, "the second click");
        server.advance(Duration::from_secs(61));
        assert_eq!(go_on(&browser, &waiting).await.status, 422);
        assert_eq!(mailbox.get(&link).await.status, 404, "once");
    })
    .await;
}

/// The newest link alone works, for ten minutes, for somebody who is still reached where it went (SEC-304); of unknown names nothing is told.
#[tokio::test]
async fn only_the_newest_link_of_a_sign_in_works_and_not_for_long() {
    each_backend(async |server| {
        assert!(
            !Browser::new()
                .get(&server.url("/login"))
                .await
                .body
                .contains("mail_link")
        );
        server
            .settings(json!({"sign_in.mail_links": true, "code.most_sends": 100}))
            .await;
        let ada = server.user_with("ada", |profile| profile.email_verified = true).await;
        let bob = server.user_with("bob", |profile| profile.email_verified = false).await;
        for nobody in ["bob", "nobody"] {
            let browser = Browser::new();
            let waiting = asked(server, &browser, nobody).await;
            assert_eq!(waiting.status, 200);
            mails(server).await;
            assert_eq!(go_on(&browser, &waiting).await.status, 422);
        }
        assert!(links(server, &bob.email).await.is_empty());
        let browser = Browser::new();
        let waiting = asked(server, &browser, &ada.email).await;
        links(server, &ada.email).await;
        let form = waiting.form_with_button("intent", "again");
        browser.submit(&waiting, form, &[("intent", "again")]).await;
        let [newest, older] = links(server, &ada.email).await.try_into().unwrap();
        assert_eq!(browser.get(&older).await.status, 404);
        assert_eq!(browser.get(&newest).await.status, 200);
        server.advance(10 * MINUTE + Duration::from_secs(1));
        assert_eq!(browser.get(&newest).await.status, 404);
        asked(server, &browser, &ada.email).await;
        let link = links(server, &ada.email).await.remove(0);
        server
            .behind(
                "update users set profile = replace(profile, '\"email_verified\":true', '\"email_verified\":false')",
            )
            .await;
        assert_eq!(browser.get(&link).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_link_joins_the_journey() {
    each_backend(async |server| {
        server.settings(json!({"sign_in.mail_links": true})).await;
        let bob = enrolled(server, "bob").await;
        let browser = Browser::new();
        asked(server, &browser, "bob").await;
        let link = links(server, &bob.user.email).await.remove(0);
        let page = browser.get(&link).await;
        let page = browser.follow(press(&browser, &page).await).await;
        assert_eq!(page.url.path(), "/login/factor");
        assert!(!is_signed_in(server, &browser).await);
        let done = prove(&browser, &page, &now(server, &bob.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}
