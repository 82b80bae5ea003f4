//! A person's own mail address: confirmed, or changed with the leave of both mailboxes.

use std::time::Duration;

use serde_json::json;

use super::recovery::mails;
use super::{MINUTE, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser, each_backend};

async fn ask(server: &Server, browser: &Browser, email: &str) -> Page {
    let page = browser.get(&server.url("/account/email")).await;
    browser
        .submit(&page, page.form_with("email"), &[("email", email)])
        .await
}

/// The links about an address that somebody was mailed, the newest first.
async fn links(server: &Server, recipient: &str) -> Vec<String> {
    let own = mails(server).await.into_iter().filter(|(to, _)| to == recipient);
    own.filter_map(|(_, text)| {
        let words = text.split_whitespace().map(str::to_owned);
        words
            .into_iter()
            .find(|word| word.contains("/account/email/confirm?token="))
    })
    .collect()
}

/// Follows a link in a browser of its own, and answers.
async fn answer(link: &str) -> Page {
    let mailbox = Browser::new();
    let page = mailbox.get(link).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let form = page.form_with("csrf");
    mailbox.submit(&page, form, &[]).await
}

async fn address(server: &Server, user: &TestUser) -> (Option<String>, bool) {
    let profile = server.account(user).await.profile;
    (profile.email, profile.email_verified)
}

/// SEC-296: a new address counts when both mailboxes have said so, and not before; the one until now is told.
#[tokio::test]
async fn email_change_verified() {
    each_backend(async |server| {
        let ada = server.user_with("ada", |profile| profile.email_verified = true).await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let new = "countess@example.com";
        let sent = ask(server, &browser, new).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let told = browser.follow(sent).await;
        assert!(
            unescape(&told.body).contains("Follow the link of each"),
            "{}",
            told.body
        );
        let [at_new] = links(server, new).await.try_into().unwrap();
        let [at_old] = links(server, &ada.email).await.try_into().unwrap();
        // programs that look at mails spend nothing
        for link in [&at_new, &at_old] {
            assert_eq!(Browser::new().get(link).await.status, 200);
        }
        let one = answer(&at_new).await;
        assert!(unescape(&one.body).contains("One more mail"), "{}", one.body);
        assert_eq!(address(server, &ada).await, (Some(ada.email.clone()), true));
        let both = answer(&at_old).await;
        assert!(
            unescape(&both.body).contains("Your email is confirmed"),
            "{}",
            both.body
        );
        assert_eq!(address(server, &ada).await, (Some(new.to_owned()), true));
        for link in [&at_new, &at_old] {
            assert_eq!(Browser::new().get(link).await.status, 404, "once");
        }
        let news = mails(server)
            .await
            .into_iter()
            .find(|(to, _)| *to == ada.email)
            .unwrap()
            .1;
        assert!(news.contains("Your account has another email"), "{news}");
        // the account is entered by the new address
        let by_new = super::sign_in_with(server, &Browser::new(), new, &ada.password).await;
        assert_eq!(by_new.status, 303);
        let by_old = super::sign_in_with(server, &Browser::new(), &ada.email, &ada.password).await;
        assert_eq!(by_old.status, 422);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_not_confirmed_takes_one_mail() {
    each_backend(async |server| {
        let ada = server.user_with("ada", |profile| profile.email_verified = false).await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let page = browser.get(&server.url("/account/email")).await;
        assert!(unescape(&page.body).contains("Not confirmed yet"), "{}", page.body);
        ask(server, &browser, &ada.email).await;
        let [link] = links(server, &ada.email).await.try_into().unwrap();
        let done = answer(&link).await;
        assert!(unescape(&done.body).contains("Your email is confirmed"));
        assert_eq!(address(server, &ada).await, (Some(ada.email.clone()), true));
        let same = ask(server, &browser, &ada.email).await;
        assert_eq!(same.status, 422);
        assert!(unescape(&same.body).contains("is yours and confirmed"));
        // a change of what is not confirmed asks the new mailbox alone
        let zoe = server.user_with("zoe", |profile| profile.email_verified = false).await;
        let browser = Browser::new();
        sign_in(server, &browser, &zoe).await;
        ask(server, &browser, "other@example.com").await;
        let [link] = links(server, "other@example.com").await.try_into().unwrap();
        answer(&link).await;
        assert_eq!(
            address(server, &zoe).await,
            (Some("other@example.com".to_owned()), true)
        );
    })
    .await;
}

/// SEC-297, SEC-304: a link works for its time, for its person while they are active, and the newest alone; nobody learns who has an address.
#[tokio::test]
async fn a_change_of_address_can_not_be_misused() {
    each_backend(async |server| {
        server.settings(json!({"registration.most_mails": 100})).await;
        let ada = server.user_with("ada", |profile| profile.email_verified = true).await;
        let bob = server.user_with("bob", |profile| profile.email_verified = true).await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        for wrong in ["", "nobody", "a@b@example.com"] {
            assert_eq!(ask(server, &browser, wrong).await.status, 422, "{wrong}");
        }
        // somebody else's: the answer is as always, its owner is told, and nothing comes of it
        let taken = ask(server, &browser, &bob.email).await;
        assert_eq!(taken.status, 303);
        assert!(links(server, &bob.email).await.is_empty());
        assert!(
            mails(server)
                .await
                .iter()
                .any(|(to, text)| *to == bob.email && text.contains("You have an account already"))
        );
        // an address that is somebody's username alone: whoever reads its mail is not told who that is
        server
            .user_with("secret@example.com", |profile| profile.email = None)
            .await;
        assert_eq!(ask(server, &browser, "secret@example.com").await.status, 303);
        assert!(!mails(server).await.iter().any(|(to, _)| to == "secret@example.com"));
        // one's own address is written as it is stored, however it was typed
        assert_eq!(ask(server, &browser, &bob.email.to_uppercase()).await.status, 303);
        assert!(
            !mails(server)
                .await
                .iter()
                .any(|(to, _)| *to == bob.email.to_uppercase())
        );
        let at_old = links(server, &ada.email).await.remove(0);
        let answered = answer(&at_old).await;
        assert!(unescape(&answered.body).contains("One more mail"), "{}", answered.body);
        assert_eq!(address(server, &ada).await, (Some(ada.email.clone()), true));

        ask(server, &browser, "first@example.com").await;
        let first = links(server, "first@example.com").await.remove(0);
        ask(server, &browser, "second@example.com").await;
        assert_eq!(Browser::new().get(&first).await.status, 404, "only the newest counts");
        let second = links(server, "second@example.com").await.remove(0);
        let elsewhere = second.replace("/account/email/confirm", "/login/recover");
        assert_eq!(
            Browser::new().get(&elsewhere).await.status,
            404,
            "it is for nothing else"
        );
        // somebody takes the address meanwhile
        answer(&links(server, &ada.email).await.remove(0)).await;
        server
            .user_with("carol", |profile| profile.email = Some("second@example.com".to_owned()))
            .await;
        let late = answer(&second).await;
        assert_eq!(late.status, 409, "{}", late.body);
        assert_eq!(address(server, &ada).await, (Some(ada.email.clone()), true));
        // a day later nothing is left of it, and a proof of an hour ago lets nobody ask
        assert_eq!(Browser::new().get(&second).await.status, 200);
        server.advance(24 * 60 * MINUTE);
        assert_eq!(Browser::new().get(&second).await.status, 404);
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        server.advance(Duration::from_secs(10 * 60));
        let again = ask(server, &browser, "third@example.com").await;
        assert_eq!(again.location().unwrap().path(), "/login", "{}", again.body);
        assert!(links(server, "third@example.com").await.is_empty());
    })
    .await;
}

/// SEC-296, at the interface: an address is confirmed, and changed with the leave of both mailboxes, by whoever has just proved who they are.
#[tokio::test]
async fn an_address_is_confirmed_and_changed_by_interface() {
    each_backend(async |server| {
        let ada = server.user_with("ada", |profile| profile.email_verified = false).await;
        let bob = server.user("bob").await;
        let own = Caller::with_token(server, &user_token(server, &ada, "openid account").await).await;
        let other = Caller::with_token(server, &user_token(server, &bob, "openid account").await).await;
        let reader = Caller::with_token(server, &user_token(server, &ada, "openid account.read").await).await;
        let token = |link: &str| link.split_once("token=").unwrap().1.to_owned();
        let ask = async |email: &str| own.post("/me/email", json!({"email": email})).await;
        let confirm = async |caller: &Caller<'_>, link: &str| {
            caller.post("/me/email/confirm", json!({"token": token(link)})).await
        };
        assert_eq!(
            reader.post("/me/email", json!({"email": ada.email})).await.status,
            403,
            "not with a token that reads"
        );
        let asked = ask(&ada.email).await;
        assert_eq!(asked.status, 204, "{}", asked.body);
        let [link] = links(server, &ada.email).await.try_into().unwrap();
        assert_eq!(confirm(&other, &link).await.status, 404, "somebody else's");
        let done = confirm(&own, &link).await.ok();
        assert_eq!(done.json(), json!({"confirmed": true}));
        assert_eq!(address(server, &ada).await, (Some(ada.email.clone()), true));
        assert_eq!(confirm(&own, &link).await.status, 404, "once");
        let same = ask(&ada.email).await;
        assert_eq!(same.status, 422, "{}", same.body);
        for wrong in ["", "nobody"] {
            assert_eq!(ask(wrong).await.status, 422, "{wrong}");
        }
        // another one, with the leave of both
        let new = "countess@example.com";
        assert_eq!(ask(new).await.status, 204);
        let [at_new] = links(server, new).await.try_into().unwrap();
        let at_old = links(server, &ada.email).await.remove(0);
        assert_eq!(confirm(&own, &at_new).await.ok().json(), json!({"confirmed": false}));
        assert_eq!(address(server, &ada).await, (Some(ada.email.clone()), true));
        assert_eq!(confirm(&own, &at_old).await.ok().json(), json!({"confirmed": true}));
        assert_eq!(address(server, &ada).await, (Some(new.to_owned()), true));
        // limits, and a proof of an hour ago
        server.settings(json!({"registration.most_mails": 1})).await;
        assert_eq!(ask("first@example.com").await.status, 204);
        assert_eq!(ask("first@example.com").await.status, 429);
        server.advance(Duration::from_secs(6 * 60));
        let late = ask("second@example.com").await;
        assert_eq!(late.status, 401, "{}", late.body);
        assert!(
            late.header("www-authenticate")
                .contains("insufficient_user_authentication")
        );
    })
    .await;
}
