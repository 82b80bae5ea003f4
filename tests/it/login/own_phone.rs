//! A person's own telephone number: set by the code that was sent there, changed, removed, and told to applications as confirmed only then.

use std::time::Duration;

use ostiary::flow::operations::outbox;
use ostiary::model::Channel;
use ostiary::view::Views;
use serde_json::json;

use super::recovery::mails;
use super::{MINUTE, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser, each_backend};

const NUMBER: &str = "+33612345678";

/// The text messages that were written, as number and text, the newest first.
pub async fn texts(server: &Server) -> Vec<(String, String)> {
    let all = outbox::list(server.provider(), &Views::new().unwrap(), 200)
        .await
        .unwrap();
    let texts = all.into_iter().filter(|message| message.channel == Channel::Sms);
    texts.map(|text| (text.recipient, text.content.text)).collect()
}

/// The code of a message: its only word of six digits.
pub fn code_of(text: &str) -> String {
    let mut words = text.split_whitespace();
    let code = words.find(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()));
    code.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// The newest code that was sent to a number.
pub async fn code_to(server: &Server, number: &str) -> String {
    let (_, text) = texts(server).await.into_iter().find(|(to, _)| to == number).unwrap();
    code_of(&text)
}

/// Another code than this.
pub fn not(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn open(server: &Server, browser: &Browser) -> Page {
    browser.get(&server.url("/account/phone")).await
}

async fn ask(server: &Server, browser: &Browser, number: &str) -> Page {
    let page = open(server, browser).await;
    browser
        .submit(&page, page.form_with("phone"), &[("phone", number)])
        .await
}

async fn confirm(server: &Server, browser: &Browser, code: &str) -> Page {
    let page = open(server, browser).await;
    browser.submit(&page, page.form_with("code"), &[("code", code)]).await
}

async fn press(server: &Server, browser: &Browser, intent: &str) -> Page {
    let page = open(server, browser).await;
    let form = page.form_with_button("intent", intent);
    browser.submit(&page, form, &[("intent", intent)]).await
}

async fn number(server: &Server, user: &TestUser) -> (Option<String>, bool) {
    let profile = server.account(user).await.profile;
    (profile.phone_number, profile.phone_number_verified)
}

/// SEC-225: the person is told by mail of a number that is theirs from now on, and of one that is not any more.
#[tokio::test]
async fn a_number_is_ones_own_by_the_code_that_was_sent_there() {
    each_backend(async |server| {
        let ada = server.user_with("ada", |profile| profile.email_verified = true).await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let account = browser.get(&server.url("/account")).await;
        assert!(super::offers(&account, "/account/phone"));
        // typed as people type numbers, kept as E.164 writes them
        let sent = ask(server, &browser, "00 33 (6) 12-34.56/78").await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        assert_eq!(number(server, &ada).await, (None, false), "nothing is changed yet");
        let page = open(server, &browser).await;
        assert!(unescape(&page.body).contains(NUMBER), "{}", page.body);
        let [(to, text)] = texts(server).await.try_into().unwrap();
        assert_eq!(to, NUMBER);
        let code = code_of(&text);
        assert!(
            text.ends_with(&format!("@{} #{code}", server.host().split(':').next().unwrap())),
            "{text}"
        );

        let wrong = confirm(server, &browser, &not(&code)).await;
        assert_eq!(wrong.status, 422);
        assert!(
            unescape(&wrong.body).contains("That code is not right"),
            "{}",
            wrong.body
        );
        let (first, last) = code.split_at(3);
        let right = confirm(server, &browser, &format!(" {first} {last}")).await;
        assert_eq!(right.status, 303, "{}", right.body);
        assert_eq!(number(server, &ada).await, (Some(NUMBER.to_owned()), true));
        let told = mails(server).await.remove(0);
        assert_eq!(told.0, ada.email);
        assert!(
            told.1.contains("telephone number") && told.1.contains("5678"),
            "{}",
            told.1
        );
        assert!(!told.1.contains(NUMBER), "its last digits will do");
        let locks = told
            .1
            .split_whitespace()
            .find(|word| word.contains("/login/lock?token="));
        assert_eq!(
            Browser::new().get(locks.unwrap()).await.status,
            200,
            "the way to lock the account"
        );

        let same = ask(server, &browser, NUMBER).await;
        assert_eq!(same.status, 422);
        let removed = press(server, &browser, "remove").await;
        assert_eq!(removed.status, 303);
        assert_eq!(number(server, &ada).await, (None, false));
        assert!(mails(server).await.remove(0).1.contains("was removed"));
    })
    .await;
}

/// SEC-255, SEC-300: one code is live at most, it is for one number in one session, and counts for ten minutes, five tries and once.
#[tokio::test]
async fn oob_code_rules_of_a_number() {
    each_backend(async |server| {
        server
            .settings(json!({"code.most_sends": 100, "guess.account_budget": 100}))
            .await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        for wrong in [
            "",
            "0612345678",
            "+33",
            "+330000000000000000",
            "nobody",
            "+33 6 12 34 56 7x",
        ] {
            let refused = ask(server, &browser, wrong).await;
            assert_eq!(refused.status, 422, "{wrong}");
        }
        assert!(texts(server).await.is_empty());
        // several sends, one live code: the newest, for the newest number
        ask(server, &browser, "+33600000001").await;
        let first = code_to(server, "+33600000001").await;
        ask(server, &browser, NUMBER).await;
        let second = code_to(server, NUMBER).await;
        if first != second {
            assert_eq!(confirm(server, &browser, &first).await.status, 422);
        }
        press(server, &browser, "again").await;
        let third = code_to(server, NUMBER).await;
        if second != third {
            assert_eq!(confirm(server, &browser, &second).await.status, 422);
        }
        // another session of the same person has nothing to confirm
        let elsewhere = Browser::new();
        sign_in(server, &elsewhere, &ada).await;
        let page = open(server, &elsewhere).await;
        assert!(!page.body.contains("name=\"code\""), "{}", page.body);
        let crossed = elsewhere
            .submit(&page, page.form_with("phone"), &[("code", &third)])
            .await;
        assert_eq!(crossed.status, 422, "{}", crossed.body);
        assert_eq!(number(server, &ada).await, (None, false));
        // five tries
        press(server, &browser, "again").await;
        let code = code_to(server, NUMBER).await;
        let mut page = open(server, &browser).await;
        for _ in 0..5 {
            page = browser
                .submit(&page, page.form_with("code"), &[("code", &not(&code))])
                .await;
            assert_eq!(page.status, 422);
        }
        let late = browser.submit(&page, page.form_with("code"), &[("code", &code)]).await;
        assert_eq!(late.status, 422);
        assert_eq!(number(server, &ada).await, (None, false));
        // ten minutes
        server.advance(11 * MINUTE);
        let again = Browser::new();
        sign_in(server, &again, &ada).await;
        ask(server, &again, NUMBER).await;
        let code = code_to(server, NUMBER).await;
        let page = open(server, &again).await;
        server.advance(10 * MINUTE + Duration::from_secs(1));
        let late = again.submit(&page, page.form_with("code"), &[("code", &code)]).await;
        assert_eq!(late.status, 422, "{}", late.body);
        assert_eq!(number(server, &ada).await, (None, false));
    })
    .await;
}

/// SEC-254, SEC-300, SEC-301: wrong codes are counted by account whatever code they are for; sending by number, network and altogether.
#[tokio::test]
async fn short_code_budget_of_a_number() {
    each_backend(async |server| {
        server
            .settings(json!({"guess.account_budget": 7, "code.most_sends": 4}))
            .await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let mut tried = 0;
        let refused = loop {
            ask(server, &browser, NUMBER).await;
            let code = code_to(server, NUMBER).await;
            let mut answer = confirm(server, &browser, &not(&code)).await;
            tried += 1;
            if answer.status == 429 {
                break answer;
            }
            for _ in 0..2 {
                answer = confirm(server, &browser, &not(&code)).await;
                tried += 1;
            }
            if answer.status == 429 {
                break answer;
            }
            assert!(tried < 20);
        };
        assert!(tried <= 9, "{tried}");
        assert!(!refused.header("retry-after").is_empty());
        // four texts to one number, and no more for anybody
        for _ in 0..4 {
            ask(server, &browser, "+33600000009").await;
        }
        let to = |texts: Vec<(String, String)>| texts.iter().filter(|(to, _)| to == "+33600000009").count();
        assert_eq!(to(texts(server).await), 4);
        let bob = server.user("bob").await;
        let other = Browser::new();
        sign_in(server, &other, &bob).await;
        assert_eq!(ask(server, &other, "+33600000009").await.status, 429);
        assert_eq!(to(texts(server).await), 4);
        server.settings(json!({"sms.most_an_hour": 1})).await;
        assert_eq!(
            ask(server, &other, "+33600000010").await.status,
            429,
            "enough left altogether"
        );
        assert!(!texts(server).await.iter().any(|(to, _)| to == "+33600000010"));
    })
    .await;
}

/// SEC-176: a proof of some time ago lets nobody change the number.
#[tokio::test]
async fn a_number_wants_a_fresh_proof() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        server.advance(6 * MINUTE);
        let asked = ask(server, &browser, NUMBER).await;
        assert_eq!(asked.location().unwrap().path(), "/login");
        assert!(texts(server).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn where_no_text_message_leaves_nobody_is_asked_for_a_number() {
    use crate::support::server::Backend;
    let server = Server::start_configured(Backend::Embedded, |config| config.sms = None).await;
    let ada = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &ada).await;
    assert_eq!(open(&server, &browser).await.status, 404);
    let account = browser.get(&server.url("/account")).await;
    assert!(!super::offers(&account, "/account/phone"));
    server.stop().await;
}

/// The same by API, and what applications are told.
#[tokio::test]
async fn a_number_is_looked_after_by_program_too() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let caller = Caller::with_token(server, &user_token(server, &ada, "account").await).await;
        let wrong = caller.post("/me/phone", json!({"phone_number": "12"})).await;
        assert_eq!(wrong.status, 422);
        let asked = caller.post("/me/phone", json!({"phone_number": NUMBER})).await;
        assert_eq!(asked.status, 204);
        let code = code_to(server, NUMBER).await;
        let wrong = caller.post("/me/phone/confirm", json!({"code": not(&code)})).await;
        assert_eq!(wrong.status, 422);
        let right = caller.post("/me/phone/confirm", json!({"code": code})).await;
        assert_eq!(right.status, 204);
        let me = caller.get("/me").await.json();
        assert_eq!(me["phone_number"], NUMBER);
        assert_eq!(me["phone_number_verified"], true);
        let gone = caller.delete("/me/phone").await;
        assert_eq!(gone.status, 204);
        assert_eq!(number(server, &ada).await, (None, false));
    })
    .await;
}
