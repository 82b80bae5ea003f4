//! What is required of somebody on the way in about their own data: a confirmed mail address, and what is told about them.

use ostiary::model::RequiredAction;
use serde_json::json;

use super::recovery::mails;
use super::required::{require, stopped};
use super::{is_signed_in, sign_in};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser, each_backend};

/// The newest link that confirms an address, in the mails to it.
async fn confirmation(server: &Server, to: &str) -> String {
    let own = mails(server).await.into_iter().filter(|(recipient, _)| recipient == to);
    own.flat_map(|(_, text)| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .find(|word| word.contains("/account/email/confirm?token="))
        .unwrap()
}

async fn follow(link: &str) {
    let mailbox = Browser::new();
    let page = mailbox.get(link).await;
    assert_eq!(page.status, 200, "{}", page.body);
    mailbox.submit(&page, page.form_with("csrf"), &[]).await;
}

async fn mail_me(browser: &Browser, page: &Page, email: &str) -> Page {
    let form = page.form_with("email");
    browser
        .submit(page, form, &[("email", email), ("intent", "mail")])
        .await
}

async fn go_on(browser: &Browser, page: &Page) -> Page {
    let form = page.form_with_button("intent", "confirmed");
    browser.submit(page, form, &[("intent", "confirmed")]).await
}

async fn required(server: &Server, user: &TestUser) -> Vec<RequiredAction> {
    server.account(user).await.required_actions
}

#[tokio::test]
async fn an_address_is_confirmed_on_the_way_in_and_not_before() {
    each_backend(async |server| {
        let ada = server.user_with("ada", |profile| profile.email_verified = false).await;
        require(server, &ada, &[RequiredAction::VerifyEmail]).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        assert!(unescape(&page.body).contains("Confirm your email"), "{}", page.body);
        // saying so does nothing: there is no such button yet, and a form of one's own is answered all the same
        let claimed = browser
            .submit(&page, page.form_with("email"), &[("intent", "confirmed")])
            .await;
        assert_eq!(claimed.status, 422);
        for (typed, told) in [("", "Error:"), ("not an address", "Error:")] {
            let refused = mail_me(&browser, &page, typed).await;
            assert_eq!(refused.status, 422, "{typed}");
            assert!(unescape(&refused.body).contains(told), "{}", refused.body);
        }
        let sent = mail_me(&browser, &page, &ada.email).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let waiting = browser.follow(sent).await;
        assert!(
            unescape(&waiting.body).contains("The mail is on its way"),
            "{}",
            waiting.body
        );
        let early = go_on(&browser, &waiting).await;
        assert_eq!(early.status, 422);
        assert!(
            unescape(&early.body).contains("Your email is not confirmed yet"),
            "{}",
            early.body
        );
        assert!(!is_signed_in(server, &browser).await);
        follow(&confirmation(server, &ada.email).await).await;
        assert!(!is_signed_in(server, &browser).await, "the mail signs nobody in");
        // nor does it in another browser
        assert_eq!(go_on(&Browser::new(), &waiting).await.status, 404);
        let (one, two) = tokio::join!(go_on(&browser, &waiting), go_on(&browser, &waiting));
        assert_eq!(
            (one.status, one.location()),
            (two.status, two.location()),
            "{} {}",
            one.body,
            two.body
        );
        assert_eq!(one.status, 303);
        assert!(is_signed_in(server, &browser).await);
        assert!(required(server, &ada).await.is_empty());
        assert_eq!(
            go_on(&browser, &waiting).await.status,
            303,
            "the same form leads to the same"
        );

        // by the rules, for whoever has none; another address will do, when its mailbox says so
        server.settings(json!({"account.confirmed_email": true})).await;
        let eve = server.user_with("eve", |profile| profile.email_verified = false).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &eve).await;
        assert!(unescape(&page.body).contains("The rules here ask"), "{}", page.body);
        mail_me(&browser, &page, "countess@example.com").await;
        follow(&confirmation(server, "countess@example.com").await).await;
        let waiting = browser.get(&format!("{}&sent=1", page.url)).await;
        assert_eq!(go_on(&browser, &waiting).await.status, 303);
        assert!(is_signed_in(server, &browser).await);
        let profile = server.account(&eve).await.profile;
        assert_eq!(
            (profile.email.as_deref(), profile.email_verified),
            (Some("countess@example.com"), true)
        );
        // who has confirmed has nothing to do, whoever requires it
        require(server, &eve, &[RequiredAction::VerifyEmail]).await;
        assert_eq!(
            sign_in(server, &Browser::new(), &eve).await.location().unwrap().path(),
            "/"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_of_somebodys_data_is_asked_for_on_the_way_in() {
    each_backend(async |server| {
        server
            .settings(json!({"account": {"required": "given_name, birthdate", "editable": "nickname"}}))
            .await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        assert!(unescape(&page.body).contains("Something is missing"), "{}", page.body);
        assert!(
            !page.body.contains("name=\"nickname\""),
            "what is not missing is not asked"
        );
        let fields = |given: &'static str, birthdate: &'static str| [("given_name", given), ("birthdate", birthdate)];
        for values in [fields("", ""), fields("Ada", ""), fields("Ada", "yesterday")] {
            let refused = browser.submit(&page, page.form_with("birthdate"), &values).await;
            assert_eq!(refused.status, 422, "{values:?}");
            assert!(
                refused.body.contains(&format!("value=\"{}\"", values[1].1)),
                "{}",
                refused.body
            );
        }
        // what is not theirs does not come in beside it
        let more = [
            ("given_name", "Ada"),
            ("birthdate", "1815-12-10"),
            ("family_name", "Byron"),
            ("email", "x@example.com"),
        ];
        let url = page.url.clone();
        assert!(!is_signed_in(server, &browser).await);
        let other = Browser::new();
        assert_eq!(
            other.submit(&page, page.form_with("birthdate"), &more).await.status,
            404
        );
        let done = browser.submit(&page, page.form_with("birthdate"), &more).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        let profile = server.account(&ada).await.profile;
        assert_eq!(profile.given_name.as_deref(), Some("Ada"));
        assert_eq!((profile.family_name, profile.email), (None, Some(ada.email.clone())));
        let again = browser
            .submit(&page, page.form_with("birthdate"), &fields("Eve", "1900"))
            .await;
        assert_eq!(again.status, 303);
        assert_eq!(
            server.account(&ada).await.profile.given_name.as_deref(),
            Some("Ada"),
            "once"
        );
        assert_eq!(browser.get(url.as_str()).await.status, 303);
        let entered = sign_in(server, &Browser::new(), &ada).await;
        assert_eq!(entered.location().unwrap().path(), "/", "nothing is missing any more");

        // an administrator has somebody look it over; what they do then is over
        require(server, &ada, &[RequiredAction::UpdateProfile]).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        assert!(page.body.contains("name=\"nickname\""), "{}", page.body);
        let done = browser
            .submit(&page, page.form_with("nickname"), &[("nickname", "Countess")])
            .await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(required(server, &ada).await.is_empty());
        assert_eq!(server.account(&ada).await.profile.nickname.as_deref(), Some("Countess"));
    })
    .await;
}
