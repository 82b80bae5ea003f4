//! A second factor that brings a confirmed telephone number with it, where the policy says so: at the account, on the way in, and by API.

use std::time::Duration;

use ostiary::flow::operations::layers;
use ostiary::flow::people::ChangeSource;
use ostiary::model::LayerOwner;
use serde_json::json;

use super::factor_scene::{answer, asked, codes, confirm, enrol, enrolled, now, press, shown};
use super::own_phone::{code_of, code_to, not, texts};
use super::recovery::mails;
use super::remembered::sign_out;
use super::required::stopped;
use super::{is_signed_in, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::cli::Terminal;
use crate::support::html::unescape;
use crate::support::server::{Backend, Server, TestUser, each_backend};

const NUMBER: &str = "+33612345678";

async fn asks_for_numbers(server: &Server) {
    server
        .settings(json!({"mfa.enrolment_asks_phone": true, "code.most_sends": 100}))
        .await;
}

async fn ask(browser: &Browser, page: &Page, number: &str) -> Page {
    browser
        .submit(page, page.form_with("phone"), &[("phone", number)])
        .await
}

async fn number(server: &Server, user: &TestUser) -> (Option<String>, bool) {
    let profile = server.account(user).await.profile;
    (profile.phone_number, profile.phone_number_verified)
}

/// SEC-176: on the way in the number is asked for after the factor, and nobody is in before its code; SEC-225: the person is told.
#[tokio::test]
async fn a_number_is_confirmed_on_the_way_in_after_the_factor() {
    each_backend(async |server| {
        asks_for_numbers(server).await;
        server.settings(json!({"mfa.required": true})).await;
        let ada = server.user_with("ada", |profile| profile.email_verified = true).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        let authenticator = shown(&page);
        let done = confirm(&browser, &page, &now(server, &authenticator)).await;
        let kept = browser.follow(done).await;
        assert_eq!(codes(&kept).len(), 10, "the codes come first");
        let page = browser
            .follow(browser.submit(&kept, kept.form_with("csrf"), &[]).await)
            .await;
        assert_eq!(page.url.path(), "/login/action");
        assert!(
            unescape(&page.body).contains("Confirm your telephone number"),
            "{}",
            page.body
        );

        // nothing leads past it
        assert!(!is_signed_in(server, &browser).await);
        for (field, nothing) in [
            ("code", ""),
            ("code", "000000"),
            ("intent", "confirmed"),
            ("passkey", "{}"),
        ] {
            let passed = browser
                .submit(&page, page.form_with("phone"), &[("phone", ""), (field, nothing)])
                .await;
            assert_eq!(passed.status, 422, "{field}={nothing}: {}", passed.body);
        }
        assert_eq!(Browser::new().get(page.url.as_str()).await.status, 404);
        assert_eq!(ask(&browser, &page, "12").await.status, 422);
        assert!(texts(server).await.is_empty());
        let page = browser.follow(ask(&browser, &page, "00 33 6 12 34 56 78").await).await;
        assert!(unescape(&page.body).contains(NUMBER), "{}", page.body);
        let first = code_to(server, NUMBER).await;
        // another one retires the one before, and another number is another matter
        let form = page.form_with_button("intent", "again");
        let page = browser
            .follow(browser.submit(&page, form, &[("intent", "again")]).await)
            .await;
        let second = code_to(server, NUMBER).await;
        if first != second {
            assert_eq!(confirm(&browser, &page, &first).await.status, 422);
        }
        let wrong = confirm(&browser, &page, &not(&second)).await;
        assert_eq!(wrong.status, 422);
        assert!(
            unescape(&wrong.body).contains("The number is not confirmed."),
            "{}",
            wrong.body
        );
        assert_eq!(number(server, &ada).await, (None, false));
        assert!(!is_signed_in(server, &browser).await);
        // of two clicks both lead on, and the number is confirmed once
        let (one, two) = tokio::join!(confirm(&browser, &wrong, &second), confirm(&browser, &wrong, &second));
        assert_eq!(
            (one.status.as_u16(), two.status.as_u16()),
            (303, 303),
            "{} {}",
            one.body,
            two.body
        );
        assert!(is_signed_in(server, &browser).await);
        assert_eq!(number(server, &ada).await, (Some(NUMBER.to_owned()), true));
        let told = mails(server).await;
        let of_number = told.iter().filter(|(_, text)| text.contains("telephone number"));
        assert_eq!(of_number.count(), 1, "{told:?}");
        // from then on it is there
        server.advance(Duration::from_secs(60));
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        let done = answer(&browser, &page, &now(server, &authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

/// Whoever had a factor before is asked the next time, with the factor, on devices that are remembered too.
#[tokio::test]
async fn who_has_a_factor_already_is_asked_at_the_next_sign_in() {
    each_backend(async |server| {
        let eve = enrolled(server, "eve").await;
        server.settings(json!({"mfa.remember_for": "30d"})).await;
        let browser = Browser::new();
        let page = asked(server, &browser, &eve.user).await;
        let code = now(server, &eve.authenticator);
        let fields = [("code", code.as_str()), ("remember_device", "1")];
        let done = browser.submit(&page, page.form_with("code"), &fields).await;
        assert_eq!(done.status, 303, "{}", done.body);
        sign_out(server, &browser).await;
        asks_for_numbers(server).await;
        // a number that may stand in for the factor takes the factor
        server.advance(Duration::from_secs(60));
        let page = asked(server, &browser, &eve.user).await;
        let done = answer(&browser, &page, &now(server, &eve.authenticator)).await;
        let page = browser.follow(done).await;
        assert_eq!(page.url.path(), "/login/action");
        assert!(!is_signed_in(server, &browser).await);
        // guesses drain the budget of codes, and the one too many ends the sign-in
        server.settings(json!({"guess.account_budget": 3})).await;
        let page = browser.follow(ask(&browser, &page, NUMBER).await).await;
        let code = code_to(server, NUMBER).await;
        for _ in 0..3 {
            assert_eq!(confirm(&browser, &page, &not(&code)).await.status, 422);
        }
        assert_eq!(confirm(&browser, &page, &code).await.status, 429);
        assert_eq!(browser.get(page.url.as_str()).await.status, 404);
        assert_eq!(number(server, &eve.user).await, (None, false));
        // who has no factor is asked for nothing
        let bob = server.user("bob").await;
        let browser = Browser::new();
        sign_in(server, &browser, &bob).await;
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

/// At the account it follows the factor at once, in the session that added it and in no other; and by API the same.
#[tokio::test]
async fn at_the_account_it_follows_the_factor() {
    each_backend(async |server| {
        asks_for_numbers(server).await;
        let ada = server.user("ada").await;
        let (home, elsewhere) = (Browser::new(), Browser::new());
        sign_in(server, &home, &ada).await;
        sign_in(server, &elsewhere, &ada).await;
        let begun = super::factor_scene::begin(server, &home, "Phone").await;
        let code = now(server, &shown(&begun));
        let page = home.follow(confirm(&home, &begun, &code).await).await;
        assert_eq!(codes(&page).len(), 10);
        let next = home.submit(&page, page.form_with("csrf"), &[]).await;
        let page = home.follow(next).await;
        assert_eq!(page.url.path(), "/account/phone");
        assert!(
            unescape(&page.body).contains("Confirm a telephone number."),
            "{}",
            page.body
        );
        let list = home.get(&server.url("/account/factors")).await;
        assert!(
            unescape(&list.body).contains("Confirm a telephone number."),
            "{}",
            list.body
        );
        // another session, of the password alone, has not proved the factor (SEC-256)
        let other = elsewhere.get(&server.url("/account/phone")).await;
        let refused = ask(&elsewhere, &other, NUMBER).await;
        assert_eq!(refused.location().unwrap().path(), "/login", "{}", refused.body);
        assert!(texts(server).await.is_empty());
        let page = home.follow(ask(&home, &page, NUMBER).await).await;
        let [(_, text)] = texts(server).await.try_into().unwrap();
        let done = confirm(&home, &page, &code_of(&text)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(number(server, &ada).await, (Some(NUMBER.to_owned()), true));
        let list = home.get(&server.url("/account/factors")).await;
        assert!(!unescape(&list.body).contains("Confirm a telephone number."));

        // the same by API, and codes that are mailed are a factor as well
        server.settings(json!({"mfa.mail_codes": true})).await;
        let bob = server.user_with("bob", |profile| profile.email_verified = true).await;
        let caller = Caller::with_token(server, &user_token(server, &bob, "account").await).await;
        assert_eq!(caller.get("/me/factors").await.ok().json()["phone_wanted"], false);
        let added = caller
            .post("/me/factors", json!({"kind": "mail", "name": "Mail"}))
            .await;
        assert_eq!(added.json()["phone_wanted"], true, "{}", added.body);
        assert_eq!(caller.get("/me/factors").await.ok().json()["phone_wanted"], true);
        let sent = caller.post("/me/phone", json!({"phone_number": NUMBER})).await;
        assert_eq!(sent.status, 204, "{}", sent.body);
        let code = code_to(server, NUMBER).await;
        assert_eq!(
            caller.post("/me/phone/confirm", json!({"code": code})).await.status,
            204
        );
        assert_eq!(caller.get("/me/factors").await.ok().json()["phone_wanted"], false);
        // five minutes later the proof is too old for anything
        let eve = server.user("eve").await;
        let browser = Browser::new();
        sign_in(server, &browser, &eve).await;
        enrol(server, &browser, "Phone").await;
        server.advance(Duration::from_secs(5 * 60));
        let page = browser.get(&server.url("/account/phone")).await;
        assert_eq!(ask(&browser, &page, NUMBER).await.location().unwrap().path(), "/login");
        assert!(!press(server, &browser, ("codes", "new"), &[]).await.status.is_success());
    })
    .await;
}

/// Where no text message leaves nobody is asked, and the doctor says so.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_text_leaves_nobody_is_asked_and_the_doctor_warns() {
    let server = Server::start_configured(Backend::Embedded, |config| config.sms = None).await;
    asks_for_numbers(&server).await;
    let eve = enrolled(&server, "eve").await;
    let browser = Browser::new();
    let page = asked(&server, &browser, &eve.user).await;
    let done = answer(&browser, &page, &now(&server, &eve.authenticator)).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert!(is_signed_in(&server, &browser).await);
    let list = browser.get(&server.url("/account/factors")).await;
    assert!(!unescape(&list.body).contains("Confirm a telephone number."));
    server.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::at(folder.path());
    terminal
        .run(&["settings", "set", "mfa.enrolment_asks_phone", "true"])
        .await
        .ok();
    let said = terminal.run(&["doctor"]).await;
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("mfa.enrolment_asks_phone"), "{told}");
    assert!(!told.contains("mfa.text_codes"), "{told}");
    // whoever it is said for
    for command in [
        "settings set mfa.enrolment_asks_phone false",
        "groups create staff",
        "settings set mfa.text_codes true --group staff",
        "users create ada",
        "settings set sign_in.text_codes false --user ada",
        "settings set mfa.lost_by_text true --user ada",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        terminal.run(&words).await.ok();
    }
    let said = terminal.run(&["doctor"]).await;
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("(mfa.text_codes, mfa.lost_by_text)"), "{told}");
    assert!(told.contains("OSTIARY_SMS__PROVIDER="), "{told}");
}

/// Each store answers alike what groups and people say.
#[tokio::test]
async fn flags_of_groups_and_people_are_found_on_both_stores() {
    each_backend(async |server| {
        let found = async || {
            let mut store = server.provider().store.read().await.unwrap();
            store
                .list_flags_set(&["mfa.text_codes", "mfa.mail_codes"])
                .await
                .unwrap()
        };
        assert!(found().await.is_empty());
        let ada = server.user("ada").await;
        let layer = json!({"mfa.text_codes": true, "mfa.mail_codes": false});
        let (provider, call) = (server.provider(), server.call());
        let owner = LayerOwner::User(ada.id);
        layers::change(
            provider,
            &call,
            &ChangeSource::Command,
            owner,
            layer.as_object().unwrap(),
        )
        .await
        .unwrap();
        assert_eq!(found().await, ["mfa.text_codes"]);
    })
    .await;
}
