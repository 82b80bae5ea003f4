//! Signing in with a code that is sent, in the place of a password: the same answers whoever is named, one live code in one browser, and
//! everything else that a sign-in has to go through.

use std::time::Duration;

use ostiary::flow::operations::layers;
use ostiary::flow::{factor, people::ChangeSource};
use ostiary::model::{Channel, LayerOwner};
use serde_json::{Value, json};

use super::factor_scene::{answer as prove, enrolled, now};
use super::own_phone::{code_of, code_to, not, texts};
use super::recovery::mails;
use super::{MINUTE, is_signed_in, sign_in_with};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser, each_backend};

const NUMBER: &str = "+33612345678";

fn offered() -> Value {
    json!({"sign_in.mail_codes": true, "sign_in.text_codes": true, "code.most_sends": 100, "guess.account_budget": 100})
}

async fn reachable(server: &Server, username: &str) -> TestUser {
    let change = |profile: &mut ostiary::model::Profile| {
        profile.email_verified = true;
        profile.phone_number = Some(NUMBER.to_owned());
        profile.phone_number_verified = true;
    };
    server.user_with(username, change).await
}

/// Asks for a code in the name of somebody. Gives the page that takes it.
async fn asked(server: &Server, browser: &Browser, (identifier, way): (&str, &str)) -> Page {
    let login = browser.get(&server.url("/login")).await;
    asked_at(browser, login, (identifier, way)).await
}

async fn asked_at(browser: &Browser, login: Page, (identifier, way): (&str, &str)) -> Page {
    let form = login.form_with("password");
    let begun = browser
        .submit(&login, form, &[("username", identifier), ("intent", way)])
        .await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    let page = browser.follow(begun).await;
    assert_eq!(
        (page.status.as_u16(), page.url.path()),
        (200, "/login/code"),
        "{}",
        page.body
    );
    page
}

async fn answer(browser: &Browser, page: &Page, code: &str) -> Page {
    browser.submit(page, page.form_with("code"), &[("code", code)]).await
}

/// The newest code that was mailed to somebody.
async fn mailed(server: &Server, email: &str) -> String {
    let all = mails(server).await;
    let found = all.iter().find(|(to, text)| to == email && text.contains("Your code"));
    code_of(&found.unwrap_or_else(|| panic!("{all:?}")).1)
}

#[tokio::test]
async fn a_code_by_mail_or_text_signs_in() {
    each_backend(async |server| {
        let ada = reachable(server, "ada").await;
        let page = Browser::new().get(&server.url("/login")).await;
        assert!(
            !page.body.contains("mail_code") && !page.body.contains("text_code"),
            "off by default"
        );
        server.settings(offered()).await;
        for (way, identifier) in [("mail_code", "ADA"), ("text_code", ada.email.as_str())] {
            let browser = Browser::new();
            let page = asked(server, &browser, (identifier, way)).await;
            let code = match way {
                "mail_code" => mailed(server, &ada.email).await,
                _ => {
                    mails(server).await;
                    code_to(server, NUMBER).await
                }
            };
            let wrong = answer(&browser, &page, &not(&code)).await;
            assert_eq!(wrong.status, 422, "{}", wrong.body);
            assert!(!is_signed_in(server, &browser).await);
            let done = answer(&browser, &wrong, &code).await;
            assert_eq!(done.status, 303, "{}", done.body);
            assert!(is_signed_in(server, &browser).await);
            // of two clicks the browser sees the answer to the second alone; otherwise once, and in no other browser
            assert_eq!(answer(&browser, &page, &code).await.status, 303);
            assert_eq!(answer(&browser, &page, &not(&code)).await.status, 422);
            assert_eq!(answer(&Browser::new(), &page, &code).await.status, 404);
            server.advance(Duration::from_secs(61));
            assert_eq!(answer(&browser, &page, &code).await.status, 422, "once");
        }
    })
    .await;
}

/// SEC-221, SEC-301: whoever is named, the pages are the same, word for word, and what is sent is sent outside the request.
#[tokio::test]
async fn send_throttle_async() {
    each_backend(async |server| {
        server.settings(offered()).await;
        reachable(server, "ada").await;
        server.user_with("bob", |profile| profile.email_verified = false).await;
        let mut seen: Vec<(u16, String, u16, String)> = Vec::new();
        let named = ["ada", "bob", "nobody"];
        for identifier in named {
            let browser = Browser::new();
            let page = asked(server, &browser, (identifier, "mail_code")).await;
            ostiary::flow::people::answer_wishes(server.provider()).await.unwrap();
            let wrong = answer(&browser, &page, "000000").await;
            let plain = |page: &Page| {
                let body = unescape(&page.body).replace(identifier, "-");
                let kept = body
                    .split("value=\"")
                    .map(|part| part.split_once('"').map_or(part, |(_, rest)| rest));
                let attempt = kept.collect::<Vec<_>>().join("");
                attempt
                    .split("attempt=")
                    .map(|part| part.split_once('"').map_or(part, |(_, rest)| rest))
                    .collect::<String>()
            };
            seen.push((page.status.as_u16(), plain(&page), wrong.status.as_u16(), plain(&wrong)));
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
        // sending is counted by destination, and the answer stays the same
        server.settings(json!({"code.most_sends": 2})).await;
        let ada = reachable_again(server).await;
        for _ in 0..5 {
            asked(server, &Browser::new(), ("zoe", "mail_code")).await;
        }
        let sent = mails(server).await;
        assert_eq!(sent.iter().filter(|(to, _)| *to == ada.email).count(), 2);
        // and by network
        server.settings(json!({"guess.source_budget": 5})).await;
        let browser = Browser::new();
        let mut last = 303;
        for _ in 0..10 {
            let login = browser.get(&server.url("/login")).await;
            let form = login.form_with("password");
            let typed = [("username", "zoe"), ("intent", "mail_code")];
            last = browser.submit(&login, form, &typed).await.status.as_u16();
        }
        assert_eq!(last, 429);
    })
    .await;
}

async fn reachable_again(server: &Server) -> TestUser {
    server.user_with("zoe", |profile| profile.email_verified = true).await
}

/// SEC-255, SEC-300: of many sends one code is live, for the browser that asked; five tries, ten minutes, once. SEC-217: wrong ones are
/// counted with wrong passwords.
#[tokio::test]
async fn oob_code_rules_of_a_sign_in() {
    each_backend(async |server| {
        server.settings(offered()).await;
        let ada = reachable(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, ("ada", "mail_code")).await;
        let first = mailed(server, &ada.email).await;
        let form = page.form_with_button("intent", "again");
        let again = browser.submit(&page, form, &[("intent", "again")]).await;
        let page = browser.follow(again).await;
        let second = mailed(server, &ada.email).await;
        if first != second {
            assert_eq!(answer(&browser, &page, &first).await.status, 422);
        }
        // the code of one browser is worth nothing in another's sign-in
        let elsewhere = Browser::new();
        let other = asked(server, &elsewhere, ("ada", "text_code")).await;
        mails(server).await;
        if code_to(server, NUMBER).await != second {
            assert_eq!(answer(&elsewhere, &other, &second).await.status, 422);
        }
        assert_eq!(elsewhere.get(page.url.as_str()).await.status, 404);
        for _ in 0..5 {
            answer(&browser, &page, &not(&second)).await;
        }
        assert_eq!(
            answer(&browser, &page, &second).await.status,
            422,
            "the tries are used up"
        );
        let third = Browser::new();
        let page = asked(server, &third, ("ada", "mail_code")).await;
        let code = mailed(server, &ada.email).await;
        server.advance(10 * MINUTE + Duration::from_secs(1));
        assert_eq!(answer(&third, &page, &code).await.status, 404);
        assert!(!is_signed_in(server, &third).await);
        // an address that is not the person's any more
        let fourth = Browser::new();
        let page = asked(server, &fourth, ("ada", "mail_code")).await;
        let code = mailed(server, &ada.email).await;
        server
            .behind(
                "update users set profile = replace(profile, '\"email_verified\":true', '\"email_verified\":false')",
            )
            .await;
        assert_eq!(answer(&fourth, &page, &code).await.status, 422);
        // guesses at codes and passwords are one budget
        server
            .settings(json!({"guess.account_budget": 3, "guess.period": "1h"}))
            .await;
        let bob = reachable(server, "bob").await;
        let guesser = Browser::new();
        let page = asked(server, &guesser, ("bob", "mail_code")).await;
        let code = mailed(server, &bob.email).await;
        for _ in 0..3 {
            assert_eq!(answer(&guesser, &page, &not(&code)).await.status, 422);
        }
        assert_eq!(answer(&guesser, &page, &code).await.status, 429);
        assert_eq!(
            sign_in_with(server, &Browser::new(), "bob", &bob.password).await.status,
            429
        );
    })
    .await;
}

/// A code is one proof among others: a second factor is asked for besides, one that came the same way is none, and applications are told
/// what happened.
#[tokio::test]
async fn a_code_joins_the_journey() {
    each_backend(async |server| {
        server.settings(offered()).await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let ada = reachable(server, "ada").await;
        let browser = Browser::new();
        let login = browser.follow(browser.get(&party.authorization_url()).await).await;
        let page = asked_at(&browser, login, ("ada", "mail_code")).await;
        let code = mailed(server, &ada.email).await;
        let arrival = browser.walk(answer(&browser, &page, &code).await, &ada).await;
        let claimed = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(claimed["amr"], json!(["otp"]));
        assert_eq!(claimed["acr"], "urn:ostiary:code");
        // who insists on a password has it asked for
        let wanted = json!({"id_token": {"acr": {"essential": true, "value": "urn:ostiary:password"}}}).to_string();
        let strong = party.authorization_url_with(&[("claims", &wanted)]);
        let page = browser.follow(browser.get(&strong).await).await;
        assert_eq!(page.url.path(), "/login", "{}", page.body);

        let bob = enrolled(server, "bob").await;
        let browser = Browser::new();
        let page = asked(server, &browser, ("bob", "mail_code")).await;
        let code = mailed(server, &bob.user.email).await;
        let page = browser.follow(answer(&browser, &page, &code).await).await;
        assert_eq!(page.url.path(), "/login/factor");
        assert!(!is_signed_in(server, &browser).await);
        let done = prove(&browser, &page, &now(server, &bob.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

/// One that came the same way as the first proves nothing more.
#[tokio::test]
async fn the_same_mailbox_is_not_two_factors() {
    let server = Server::start().await;
    server.settings(offered()).await;
    server
        .settings(json!({"mfa.mail_codes": true, "mfa.text_codes": true, "mfa.lost_by_text": true}))
        .await;
    let ada = reachable(&server, "ada").await;
    let home = Browser::new();
    super::sign_in(&server, &home, &ada).await;
    super::factor_scene::press(&server, &home, ("begin", "mail"), &[]).await;
    let browser = Browser::new();
    let page = asked(&server, &browser, ("ada", "mail_code")).await;
    let code = mailed(&server, &ada.email).await;
    let page = browser.follow(answer(&browser, &page, &code).await).await;
    assert_eq!(page.url.path(), "/login/factor");
    assert!(!page.body.contains("with=mail"), "{}", page.body);
    let forced = browser.get(&format!("{}&with=mail", page.url)).await;
    assert!(!forced.body.contains("•••@"), "{}", forced.body);
    // another way is another matter
    let by_text = browser.get(&format!("{}&with=text", page.url)).await;
    assert!(by_text.body.contains("value=\"send\""), "{}", by_text.body);
    assert!(texts(&server).await.is_empty());
    server.stop().await;
}

/// What is said of a group is nearer than what is said for everyone: no button is missing for its people, and nothing is sent to them.
#[tokio::test]
async fn a_group_keeps_to_its_passwords() {
    each_backend(async |server| {
        server.settings(offered()).await;
        let (ada, bob) = (reachable(server, "ada").await, reachable(server, "bob").await);
        let group = server.group("administrators", &[], &[&ada]).await;
        let table = json!({"sign_in.mail_codes": false, "mfa.mail_codes": true, "mfa.lost_by_text": true});
        let owner = LayerOwner::Group(group);
        let (provider, call) = (server.provider(), server.call());
        layers::change(
            provider,
            &call,
            &ChangeSource::Command,
            owner,
            table.as_object().unwrap(),
        )
        .await
        .unwrap();
        for identifier in ["ada", "bob"] {
            asked(server, &Browser::new(), (identifier, "mail_code")).await;
        }
        let sent = mails(server).await;
        assert!(sent.iter().all(|(to, _)| *to != ada.email), "{sent:?}");
        assert!(sent.iter().any(|(to, _)| *to == bob.email), "{sent:?}");
        let sent_to = |user: TestUser| async move {
            let (provider, call) = (server.provider(), server.call());
            factor::may_be_sent(provider, &call, user.id, Channel::Mail)
                .await
                .unwrap()
        };
        assert!(sent_to(ada).await);
        assert!(!sent_to(bob).await);
    })
    .await;
}
