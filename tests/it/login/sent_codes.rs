//! Codes by mail and by text message as second factors: added, asked for, counted, and removed; and a text message where the
//! authenticator is lost.

use std::time::Duration;

use serde_json::{Value, json};

use super::factor_scene::{asked, codes, enrol, press, recover};
use super::own_phone::{code_of, code_to, not, texts};
use super::recovery::mails;
use super::{MINUTE, is_signed_in, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser, each_backend};

const NUMBER: &str = "+33612345678";

fn allowed() -> Value {
    json!({"mfa.mail_codes": true, "mfa.text_codes": true, "code.most_sends": 100, "guess.account_budget": 100})
}

/// Somebody whose address and number are confirmed.
async fn reachable(server: &Server, username: &str) -> TestUser {
    let change = |profile: &mut ostiary::model::Profile| {
        profile.email_verified = true;
        profile.phone_number = Some(NUMBER.to_owned());
        profile.phone_number_verified = true;
    };
    server.user_with(username, change).await
}

/// The same with codes that are sent by this way, and the browser that added them.
async fn with_codes(server: &Server, username: &str, way: &str) -> (TestUser, Browser) {
    let user = reachable(server, username).await;
    let browser = Browser::new();
    sign_in(server, &browser, &user).await;
    let added = press(server, &browser, ("begin", way), &[]).await;
    assert_eq!(added.status, 303, "{}", added.body);
    (user, browser)
}

/// Has a code sent where the page asks for one, and gives the page that takes it.
pub async fn send(browser: &Browser, page: &Page) -> Page {
    let form = page.form_with_button("intent", "send");
    let sent = browser.submit(page, form, &[("intent", "send")]).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    browser.follow(sent).await
}

async fn answer(browser: &Browser, page: &Page, code: &str) -> Page {
    browser
        .submit(page, page.form_with("sent_code"), &[("sent_code", code)])
        .await
}

/// The newest code that was mailed to somebody.
pub async fn mailed(server: &Server, user: &TestUser) -> String {
    let all = mails(server).await;
    let (_, text) = all
        .iter()
        .find(|(to, text)| *to == user.email && text.contains("Your code"))
        .unwrap();
    code_of(text)
}

#[tokio::test]
async fn a_code_by_mail_confirms_a_sign_in() {
    each_backend(async |server| {
        server.settings(allowed()).await;
        let ada = reachable(server, "ada").await;
        let home = Browser::new();
        sign_in(server, &home, &ada).await;
        let added = press(server, &home, ("begin", "mail"), &[]).await;
        let page = home.get(added.location().unwrap().as_str()).await;
        assert_eq!(page.url.path(), "/account/factors/codes");
        assert_eq!(codes(&page).len(), 10, "the first factor comes with recovery codes");
        assert!(mails(server).await[0].1.contains("Codes that are sent were added"));
        // the form once more leads where it led
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        let shown = unescape(&page.body);
        assert!(
            shown.contains("•••@") && !shown.contains(&format!("sent to {}", ada.email)),
            "{shown}"
        );
        let page = send(&browser, &page).await;
        assert!(!is_signed_in(server, &browser).await);
        let code = mailed(server, &ada).await;
        let wrong = answer(&browser, &page, &not(&code)).await;
        assert_eq!(wrong.status, 422);
        assert!(
            unescape(&wrong.body).contains("That code is not right"),
            "{}",
            wrong.body
        );
        let (first, last) = code.split_at(3);
        let done = answer(&browser, &wrong, &format!("{first}-{last} ")).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        // the answer was lost: the same form once more
        assert_eq!(answer(&browser, &wrong, &code).await.status, 303);
    })
    .await;
}

/// What applications are told is what happened (RFC 8176 section 2).
#[tokio::test]
async fn amr_of_sent_codes_is_honest() {
    each_backend(async |server| {
        server.settings(allowed()).await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        for (way, expected) in [("mail", "otp"), ("sms", "sms")] {
            let (user, _) = with_codes(server, &format!("person {way}"), way).await;
            server.advance(2 * MINUTE);
            let browser = Browser::new();
            let page = browser.get(&party.authorization_url()).await;
            let login = browser.follow(page).await;
            let form = login.form_with("password");
            let typed = [
                ("username", user.username.as_str()),
                ("password", user.password.as_str()),
            ];
            let page = browser.submit(&login, form, &typed).await;
            let page = send(&browser, &browser.follow(page).await).await;
            let code = match way {
                "mail" => mailed(server, &user).await,
                _ => code_to(server, NUMBER).await,
            };
            let arrival = browser.walk(answer(&browser, &page, &code).await, &user).await;
            let claimed = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
            assert_eq!(claimed["amr"], json!(["pwd", expected, "mfa"]));
            assert_eq!(claimed["acr"], "urn:ostiary:mfa");
        }
    })
    .await;
}

/// SEC-255: codes are bound to the sign-in and the stored address, one is live at most, and they count for ten minutes, five tries and
/// once. Where they go is never taken from the request.
#[tokio::test]
async fn oob_code_rules() {
    each_backend(async |server| {
        server.settings(allowed()).await;
        let (ada, _) = with_codes(server, "ada", "sms").await;
        // an address of the request's own changes nothing
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        let form = page.form_with_button("intent", "send");
        let sent = browser
            .submit(
                &page,
                form,
                &[
                    ("intent", "send"),
                    ("recipient", "+33600000000"),
                    ("phone", "+33600000000"),
                    ("to", "+33600000000"),
                ],
            )
            .await;
        let page = browser.follow(sent).await;
        assert!(texts(server).await.iter().all(|(to, _)| to == NUMBER));
        // many sends, one live code
        let mut before = Vec::new();
        let mut page = page;
        for _ in 0..4 {
            before.push(code_to(server, NUMBER).await);
            page = send(&browser, &page).await;
        }
        let newest = code_to(server, NUMBER).await;
        let old = before.iter().find(|code| **code != newest).unwrap();
        assert_eq!(answer(&browser, &page, old).await.status, 422);
        // another sign-in of the same person: the code is not for it
        let elsewhere = Browser::new();
        let other = asked(server, &elsewhere, &ada).await;
        let crossed = elsewhere
            .submit(
                &other,
                other.form_with_button("intent", "send"),
                &[("sent_code", &newest)],
            )
            .await;
        assert_eq!(crossed.status, 422, "{}", crossed.body);
        assert!(!is_signed_in(server, &elsewhere).await);
        // five tries
        for _ in 0..3 {
            assert_eq!(answer(&browser, &page, &not(&newest)).await.status, 422);
        }
        let late = answer(&browser, &page, &newest).await;
        assert_eq!(late.status, 303, "the fifth is right: {}", late.body);
        let third = Browser::new();
        let page = send(&third, &asked(server, &third, &ada).await).await;
        let code = code_to(server, NUMBER).await;
        for _ in 0..5 {
            assert_eq!(answer(&third, &page, &not(&code)).await.status, 422);
        }
        assert_eq!(answer(&third, &page, &code).await.status, 422, "the sixth is too late");
        // ten minutes of the newest code, within the sign-in's own
        let page = send(&third, &third.get(page.url.as_str()).await).await;
        let code = code_to(server, NUMBER).await;
        server.advance(10 * MINUTE + Duration::from_secs(1));
        assert_ne!(answer(&third, &page, &code).await.status, 303);
        assert!(!is_signed_in(server, &third).await);
        // a number that is not the person's any more
        let fourth = Browser::new();
        let page = send(&fourth, &asked(server, &fourth, &ada).await).await;
        let code = code_to(server, NUMBER).await;
        server
            .behind("update users set profile = replace(profile, '+33612345678', '+33699999999')")
            .await;
        server.provider().refresh_memory().await.unwrap();
        assert_eq!(answer(&fourth, &page, &code).await.status, 422);
        assert!(!is_signed_in(server, &fourth).await);
    })
    .await;
}

/// SEC-269: what was typed is compared with what stands at the server; where nothing was sent nothing is right.
#[tokio::test]
async fn oob_step_server_confirmed() {
    each_backend(async |server| {
        server.settings(allowed()).await;
        let (ada, _) = with_codes(server, "ada", "sms").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        let form = page.form_with_button("intent", "send");
        for code in ["", "000000", "123456"] {
            let refused = browser.submit(&page, form.clone(), &[("sent_code", code)]).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
        }
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}

/// SEC-254, SEC-300: the budget is the account's, whatever code and sign-in the guesses are at; the last one ends the sign-in. SEC-301:
/// so is what is sent, by destination.
#[tokio::test]
async fn short_code_budget() {
    each_backend(async |server| {
        server.settings(allowed()).await;
        let (ada, _) = with_codes(server, "ada", "sms").await;
        server
            .settings(json!({"guess.account_budget": 4, "code.most_sends": 3}))
            .await;
        server.advance(20 * MINUTE);
        let mut wrong = 0;
        for _ in 0..3 {
            let browser = Browser::new();
            let page = send(&browser, &asked(server, &browser, &ada).await).await;
            let code = code_to(server, NUMBER).await;
            for _ in 0..2 {
                let refused = answer(&browser, &page, &not(&code)).await;
                wrong += 1;
                if wrong > 4 {
                    assert_eq!(refused.status, 429, "{}", refused.body);
                    assert!(refused.body.contains("/login?"), "it begins anew");
                    let over = answer(&browser, &page, &code).await;
                    assert_eq!(over.status, 404, "the sign-in is over");
                    break;
                }
                assert_eq!(refused.status, 422);
            }
        }
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        let form = page.form_with_button("intent", "send");
        let enough = browser.submit(&page, form, &[("intent", "send")]).await;
        assert_eq!(enough.status, 429, "{}", enough.body);
        assert!(unescape(&enough.body).contains("Enough codes were sent"));
        assert_eq!(texts(server).await.len(), 3);
    })
    .await;
}

/// Codes are offered where they are allowed, go where somebody is shown to be reached, and stand beside other factors.
#[tokio::test]
async fn sent_codes_are_added_where_they_are_allowed_and_can_arrive() {
    each_backend(async |server| {
        let ada = server.user_with("ada", |profile| profile.email_verified = false).await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let page = browser.get(&server.url("/account/factors")).await;
        assert!(!page.body.contains("value=\"mail\"") && !page.body.contains("value=\"sms\""));
        let caller = Caller::with_token(server, &user_token(server, &ada, "account").await).await;
        let refused = caller
            .post("/me/factors", json!({"kind": "mail", "name": "Mail"}))
            .await;
        assert_eq!(refused.status, 404, "{}", refused.body);
        server.settings(allowed()).await;
        let page = browser.get(&server.url("/account/factors")).await;
        let shown = unescape(&page.body);
        assert!(shown.contains("your email has to be confirmed"), "{shown}");
        let refused = caller.post("/me/factors", json!({"kind": "sms", "name": "Text"})).await;
        assert_eq!(refused.status, 409, "{}", refused.body);

        let bob = reachable(server, "bob").await;
        let caller = Caller::with_token(server, &user_token(server, &bob, "account").await).await;
        let added = caller.post("/me/factors", json!({"kind": "sms", "name": "Text"})).await;
        assert_eq!(added.status, 201, "{}", added.body);
        assert_eq!(added.json()["recovery_codes"].as_array().unwrap().len(), 10);
        // a session of the password alone adds no other, nor takes the number away (SEC-256)
        let more = caller
            .post("/me/factors", json!({"kind": "mail", "name": "Mail"}))
            .await;
        assert_eq!(more.status, 401, "{}", more.body);
        assert_eq!(caller.delete("/me/phone").await.status, 401);
        let browser = Browser::new();
        let page = send(&browser, &asked(server, &browser, &bob).await).await;
        let done = answer(&browser, &page, &code_to(server, NUMBER).await).await;
        assert_eq!(done.status, 303);
        let removing = browser.get(&server.url("/account/phone")).await;
        let form = removing.form_with_button("intent", "remove");
        let kept = browser.submit(&removing, form, &[("intent", "remove")]).await;
        assert_eq!(kept.status, 409, "{}", kept.body);
        // taken back by whoever administers: who has nothing else is left with recovery codes, and is not let in without
        server.settings(json!({"mfa.text_codes": false})).await;
        let later = Browser::new();
        let page = asked(server, &later, &bob).await;
        assert!(!page.body.contains("value=\"send\""), "{}", page.body);
        let code = added.json()["recovery_codes"][0].as_str().unwrap().to_owned();
        assert_eq!(recover(&later, &page, &code).await.status, 303);
    })
    .await;
}

/// Lost the authenticator: a code to the confirmed number, where that is allowed; and the person is told.
#[tokio::test]
async fn a_text_message_stands_in_for_a_lost_authenticator_where_that_is_allowed() {
    each_backend(async |server| {
        let ada = reachable(server, "ada").await;
        let home = Browser::new();
        sign_in(server, &home, &ada).await;
        enrol(server, &home, "Phone").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        assert!(!page.body.contains("with=text"), "{}", page.body);
        let forced = browser.get(&format!("{}&with=text", page.url)).await;
        assert!(!forced.body.contains("value=\"send\""), "{}", forced.body);
        server.settings(json!({"mfa.lost_by_text": true})).await;
        let page = browser.get(page.url.as_str()).await;
        assert!(page.body.contains("name=\"code\""), "the authenticator comes first");
        let page = browser.get(&format!("{}&with=text", page.url)).await;
        let page = send(&browser, &page).await;
        let done = answer(&browser, &page, &code_to(server, NUMBER).await).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        let told = mails(server).await;
        assert!(told.iter().any(|(to, text)| *to == ada.email && text.contains("stood in for your second factor")));
        // who has no factor at all is asked for nothing, and a number that is not confirmed is none
        server.behind("update users set profile = replace(profile, '\"phone_number_verified\":true', '\"phone_number_verified\":false')").await;
        server.provider().refresh_memory().await.unwrap();
        let other = Browser::new();
        let page = asked(server, &other, &ada).await;
        assert!(!page.body.contains("with=text"), "{}", page.body);
    })
    .await;
}
