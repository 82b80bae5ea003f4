//! The mail about a new device, and its link that says "this wasn't me".

use ostiary::flow::operations::outbox;
use ostiary::flow::people;
use ostiary::model::DeviceState;
use ostiary::view::Views;
use serde_json::json;

use super::{HOUR, MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const NEW: &str = "a long walk by the river at noon";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The texts of the mails to somebody, the newest first.
async fn mails(server: &Server, user: &TestUser) -> Vec<String> {
    let views = Views::new().unwrap();
    let all = outbox::list(server.provider(), &views, 100).await.unwrap();
    let own = all.into_iter().filter(|mail| mail.recipient == user.email);
    own.map(|mail| format!("{}\n{}", mail.content.subject, mail.content.text))
        .collect()
}

/// The link in a mail.
fn link(mail: &str) -> String {
    let at = mail
        .find("http")
        .and_then(|_| mail.find("/login/not-me?token="))
        .unwrap();
    let start = mail[..at].rfind(char::is_whitespace).unwrap() + 1;
    mail[start..].split_whitespace().next().unwrap().to_owned()
}

async fn say_so(browser: &Browser, page: &Page) -> Page {
    let form = page.form_with_button("intent", "not_me");
    browser.submit(page, form, &[("intent", "not_me")]).await
}

async fn replace(browser: &Browser, page: &Page, old: &str, new: &str) -> Page {
    let fields = [("old_password", old), ("password", new), ("password_again", new)];
    browser.submit(page, page.form_with("old_password"), &fields).await
}

async fn sign_in_as_firefox(server: &Server, browser: &Browser, user: &TestUser) -> Page {
    let login = browser.get(&server.url("/login")).await;
    let form = login.form_with("password");
    let form = form.filled(&[("username", &user.username), ("password", &user.password)]);
    let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    browser
        .post_with(&server.url("/login"), &fields, &[("user-agent", FIREFOX)])
        .await
}

#[tokio::test]
async fn a_new_device_is_told_by_mail_and_the_first_one_is_not() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let first = Browser::new();
        sign_in(server, &first, &ada).await;
        assert!(mails(server, &ada).await.is_empty(), "somebody has to begin");
        sign_in(server, &first, &ada).await;
        let second = Browser::new();
        sign_in_as_firefox(server, &second, &ada).await;
        let [mail] = mails(server, &ada).await.try_into().unwrap();
        for told in ["A new sign-in to your account", "Firefox on Linux", "127.0.0.1", "UTC"] {
            assert!(mail.contains(told), "{told}: {mail}");
        }
        assert!(link(&mail).starts_with(&server.url("/login/not-me?token=")));
        sign_in(server, &second, &ada).await;
        second.get(&server.url("/logout")).await;
        assert_eq!(mails(server, &ada).await.len(), 1, "it is known now");

        let bob = server.user_with("bob", |profile| profile.email_verified = false).await;
        for _ in 0..2 {
            sign_in(server, &Browser::new(), &bob).await;
        }
        assert!(
            mails(server, &bob).await.is_empty(),
            "nobody has confirmed that address"
        );
        server.settings(json!({"session.new_device_mail": false})).await;
        sign_in(server, &Browser::new(), &ada).await;
        assert_eq!(mails(server, &ada).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn this_was_not_me_signs_out_blocks_and_asks_for_a_new_password() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let (own, stranger, mailbox) = (Browser::new(), Browser::new(), Browser::new());
        sign_in(server, &own, &ada).await;
        server.advance(MINUTE);
        let arrival = party.sign_in(&stranger, &ada).await;
        let refresh = party.redeem(arrival.code()).await.ok().get("refresh_token");
        let url = link(&mails(server, &ada).await[0]);

        // looking changes nothing, whoever looks
        for browser in [&mailbox, &Browser::new(), &stranger] {
            assert_eq!(browser.get(&url).await.status, 200);
        }
        let page = mailbox.get(&url).await;
        let form = page.form_with_button("intent", "not_me");
        assert_eq!(
            Browser::new().submit(&page, form, &[("intent", "not_me")]).await.status,
            403
        );
        assert!(is_signed_in(server, &stranger).await);
        assert!(!page.body.contains("name=\"old_password\""), "first things first");

        let told = say_so(&mailbox, &page).await;
        assert_eq!(told.status, 303);
        assert!(!is_signed_in(server, &stranger).await);
        assert_eq!(party.refresh(&refresh).await.error(), "invalid_grant");
        assert!(is_signed_in(server, &own).await, "that is still the person");
        let devices = people::list_devices(server.provider(), ada.id).await.unwrap();
        assert_eq!(devices.iter().filter(|d| d.state == DeviceState::Blocked).count(), 1);
        for browser in [&stranger, &Browser::new(), &mailbox] {
            let refused = sign_in(server, browser, &ada).await;
            assert_eq!(refused.status, 403);
            assert!(
                unescape(&refused.body).contains("Your password has to be replaced"),
                "{}",
                refused.body
            );
        }
        let wrong = sign_in_with(server, &Browser::new(), "ada", "wrong").await;
        assert_eq!(wrong.status, 422, "nothing tells of it before the password is right");
        let caller = Caller::client(server, "admin:users admin:events.read").await;
        let shown = caller.get(&format!("/users/{}", ada.id)).await.json();
        assert!(shown["password_expired_at"].is_string(), "{shown}");

        // the stranger knows the old password and has no link; with the link alone nothing is set
        let page = mailbox.follow(told).await;
        for (old, new) in [
            ("wrong", NEW),
            (ada.password.as_str(), ada.password.as_str()),
            (ada.password.as_str(), "short"),
            (ada.password.as_str(), ""),
            ("", NEW),
        ] {
            assert_eq!(replace(&mailbox, &page, old, new).await.status, 422, "{old} {new}");
        }
        let fields = [
            ("old_password", ada.password.as_str()),
            ("password", NEW),
            ("password_again", "x"),
        ];
        assert_eq!(
            mailbox
                .submit(&page, page.form_with("old_password"), &fields)
                .await
                .status,
            422
        );
        let done = replace(&mailbox, &page, &ada.password, NEW).await;
        assert_eq!(done.status, 303, "{}", done.body);
        let done = mailbox.follow(done).await;
        assert!(done.body.contains("href=\"/login\""), "{}", done.body);
        assert!(!done.body.contains("name=\"old_password\""));
        assert!(
            !is_signed_in(server, &own).await,
            "a new password ends what the old one let in"
        );
        assert_eq!(sign_in_with(server, &own, "ada", NEW).await.status, 303);
        assert_eq!(sign_in(server, &own, &ada).await.status, 422);
        assert_eq!(
            replace(&mailbox, &page, NEW, "another long walk by the sea")
                .await
                .status,
            303
        );
        assert_eq!(
            sign_in_with(server, &own, "ada", NEW).await.status,
            303,
            "the link sets one password"
        );
        let blocked = sign_in_with(server, &stranger, "ada", NEW).await;
        assert!(unescape(&blocked.body).contains("This device is blocked"));
        server.provider().write_noted_events().await.unwrap();
        let events = caller.get("/events").await.body;
        for kind in [
            "device.blocked",
            "password.expired",
            "sign_in.password_expired",
            "password.changed",
        ] {
            assert!(events.contains(kind), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_and_an_older_one_leaves_a_new_password_alone() {
    each_backend(async |server| {
        let (ada, mailbox) = (server.user("ada").await, Browser::new());
        for _ in 0..3 {
            sign_in(server, &Browser::new(), &ada).await;
            server.advance(MINUTE);
        }
        let [second, first] = mails(server, &ada).await.try_into().unwrap();
        let caller = Caller::client(server, "admin:users").await;
        let reset = caller
            .post(&format!("/users/{}/reset-password", ada.id), json!({"password": NEW}))
            .await;
        assert_eq!(reset.status, 200, "{}", reset.body);
        let page = mailbox.get(&link(&first)).await;
        let done = mailbox.follow(say_so(&mailbox, &page).await).await;
        assert!(
            !done.body.contains("name=\"old_password\""),
            "that password was replaced since"
        );
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", NEW).await.status, 303);

        // an administrator's new password lifts it as well
        let newest = mails(server, &ada).await.remove(0);
        let page = mailbox.get(&link(&newest)).await;
        say_so(&mailbox, &page).await;
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", NEW).await.status, 403);
        let other = json!({"password": "an otter under the old bridge"});
        caller.post(&format!("/users/{}/reset-password", ada.id), other).await;
        assert_eq!(
            sign_in_with(server, &Browser::new(), "ada", "an otter under the old bridge")
                .await
                .status,
            303
        );

        server.advance(7 * 24 * HOUR);
        for url in [
            link(&second),
            server.url("/login/not-me?token=guess"),
            server.url("/login/not-me"),
        ] {
            let page = mailbox.get(&url).await;
            assert_eq!(page.status, 404, "{url}");
            assert!(page.body.contains("does not work any more"), "{}", page.body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_device_that_waits_is_told_too_and_a_mailbox_is_not_filled() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        sign_in(server, &Browser::new(), &ada).await;
        server.settings(json!({"session.known_devices_only": true})).await;
        let waiting = Browser::new();
        for _ in 0..2 {
            assert_eq!(sign_in(server, &waiting, &ada).await.status, 403);
        }
        let [mail] = mails(server, &ada).await.try_into().unwrap();
        assert!(mail.contains("was not let in"), "{mail}");
        assert!(mail.contains(&server.url("/account")), "{mail}");
        let mailbox = Browser::new();
        let page = mailbox.get(&link(&mail)).await;
        say_so(&mailbox, &page).await;
        let devices = people::list_devices(server.provider(), ada.id).await.unwrap();
        assert!(devices.iter().any(|device| device.state == DeviceState::Blocked));
        let bob = server.user("bob").await;
        for _ in 0..15 {
            sign_in(server, &Browser::new(), &bob).await;
        }
        assert_eq!(mails(server, &bob).await.len(), 10);
        server.advance(25 * HOUR);
        sign_in(server, &Browser::new(), &bob).await;
        assert_eq!(mails(server, &bob).await.len(), 11);
    })
    .await;
}

/// SEC-640: whoever has lost the mail, or was too late, is told at the sign-in what to do, and has the link mailed once more.
#[tokio::test]
async fn whoever_has_to_replace_a_password_has_the_link_mailed_again() {
    each_backend(async |server| {
        let (ada, mallory) = (server.user("ada").await, server.user("mallory").await);
        let (own, mailbox) = (Browser::new(), Browser::new());
        for browser in [&own, &Browser::new()] {
            sign_in(server, browser, &ada).await;
            server.advance(MINUTE);
        }
        let first = link(&mails(server, &ada).await[0]);
        let page = mailbox.get(&first).await;
        say_so(&mailbox, &page).await;
        server.advance(8 * 24 * HOUR);
        assert_eq!(mailbox.get(&first).await.status, 404, "too late");

        let client = server.client(|_| ()).await;
        let login = own.open(&RelyingParty::new(server, &client).authorization_url()).await;
        let values = [("username", "ada"), ("password", ada.password.as_str())];
        let stuck = own.submit(&login, login.form_with("password"), &values).await;
        assert_eq!(stuck.status, 403);
        let flow = login.url.query().unwrap();
        assert!(
            unescape(&stuck.body).contains(&format!("/login?{flow}\"")),
            "{}",
            stuck.body
        );
        let form = stuck.form_with("person");
        assert_eq!(mails(server, &ada).await.len(), 1, "nothing is sent unasked");

        // nobody has mails sent to people whose old password they have not entered here
        let foreign = mailbox.submit(&stuck, form.clone(), &[]).await;
        assert_eq!(foreign.location().unwrap().path(), "/login");
        for (name, value) in [
            ("csrf", String::new()),
            ("person", mallory.id.to_string()),
            ("person", "x".to_owned()),
        ] {
            let answer = own.submit(&stuck, form.clone(), &[(name, &value)]).await;
            assert!(
                [303, 400].contains(&answer.status.as_u16()),
                "{name}: {}",
                answer.status
            );
        }
        assert_eq!(own.get(&server.url("/login/new-password")).await.status, 303);
        assert_eq!(mails(server, &ada).await.len() + mails(server, &mallory).await.len(), 1);

        let sent = own.submit(&stuck, form.clone(), &[]).await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        assert!(sent.body.contains("A link is on its way."), "{}", sent.body);
        assert_eq!(mails(server, &ada).await.len(), 2);
        let again = own.submit(&sent, sent.form_with("person"), &[]).await;
        assert_eq!((again.status.as_u16(), again.header("retry-after")), (429, "300"));
        assert_eq!(mails(server, &ada).await.len(), 2);
        server.advance(5 * MINUTE);
        assert_eq!(own.submit(&stuck, form.clone(), &[]).await.status, 200);
        let newest = mails(server, &ada).await.remove(0);
        assert!(newest.contains("Choose a new password"), "{newest}");
        for _ in 0..12 {
            server.advance(6 * MINUTE);
            own.submit(&stuck, form.clone(), &[]).await;
        }
        assert_eq!(mails(server, &ada).await.len(), 11, "ten a day");

        // the link leads to the page that asks for the old password and a new one
        let page = mailbox.get(&link(&newest)).await;
        assert!(!page.forms().iter().any(|form| form.has_button("intent", "not_me")));
        assert_eq!(replace(&mailbox, &page, "wrong", NEW).await.status, 422);
        assert_eq!(replace(&mailbox, &page, &ada.password, NEW).await.status, 303);
        assert_eq!(sign_in_with(server, &own, "ada", NEW).await.status, 303);
        let over = own.submit(&stuck, form, &[]).await;
        assert_eq!(over.location().unwrap().path(), "/login", "there is nothing to replace");

        // without a confirmed address there is nothing to mail to
        let bob = server.user_with("bob", |profile| profile.email_verified = false).await;
        let call = server.call();
        let mut store = server.provider().store.write().await.unwrap();
        assert!(store.expire_password(bob.id, call.now, call.now).await.unwrap());
        store.commit().await.unwrap();
        let stuck = sign_in(server, &Browser::new(), &bob).await;
        assert_eq!(stuck.status, 403);
        assert!(stuck.body.contains("Ask your administrator"), "{}", stuck.body);
        assert!(!stuck.forms().iter().any(|form| form.has("person")));
        server.provider().write_noted_events().await.unwrap();
        let caller = Caller::client(server, "admin:events.read").await;
        assert!(caller.get("/events").await.body.contains("password.link_mailed"));
    })
    .await;
}
