//! More passwords than can be hashed: who comes then is told at once, and nothing of theirs is looked at.

use ostiary::model::Secret;
use tokio::task::JoinSet;

use super::forms::fields;
use crate::support::browser::Browser;
use crate::support::server::{Backend, Server};

#[tokio::test]
async fn whoever_brings_a_password_that_cannot_be_hashed_soon_is_turned_away_at_once() {
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.hashing.workers = Some(1);
        config.hashing.memory_kib = 19_456;
        config.hashing.iterations = 8;
    })
    .await;
    let ada = server.user("ada").await;
    let browser = Browser::new();
    let page = browser.get(&server.url("/login?return_to=/account")).await;
    let form = page.form_with("password");
    let (own, address) = (server.issuer().to_owned(), server.url("/login?return_to=/account"));
    let names = [("username", "ada"), ("password", ada.password.as_str())];
    let wrong = [("username", "ada"), ("password", "not hers")];
    // more than there is room for, each with another password as soon as one was looked at
    let mut crowd = JoinSet::new();
    for _ in 0..400 {
        let passwords = server.provider().passwords.clone();
        crowd.spawn(async move {
            loop {
                let looked_at = passwords.hash(Secret::new("somebody else's")).await;
                if looked_at.is_err() {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            }
        });
    }
    while server.provider().passwords.has_room() {
        tokio::task::yield_now().await;
    }
    for (language, said) in [
        ("en", "Too many people are signing in"),
        ("de-AT, en;q=0.5", "Zu viele melden sich gerade an"),
        ("xx", "Too many people are signing in"),
    ] {
        let headers = [("origin", own.as_str()), ("accept-language", language)];
        let told = loop {
            // where one was done in just this moment, there is room for this one
            let told = browser.post_with(&address, &fields(&form, &wrong), &headers).await;
            if told.status != 422 {
                break told;
            }
        };
        assert_eq!(told.status, 503, "{language}: {}", told.body);
        assert!(told.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(told.header("cache-control"), "no-store");
        assert!(told.body.contains(said), "{language}: {}", told.body);
        assert!(
            told.body.contains("href=\"\""),
            "the way back is the page's own address"
        );
        assert!(!told.body.contains("ada"), "nothing of the form is repeated");
        assert_eq!(told.header("set-cookie"), "");
    }
    // what needs no hash is done meanwhile: the same form's other buttons
    let other = fields(&form, &[("intent", "other_account")]);
    let answer = browser.post_with(&address, &other, &[("origin", own.as_str())]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    // and once the others are gone, the same form signs in
    crowd.shutdown().await;
    let signed_in = loop {
        let answer = browser.submit(&page, page.form_with("password"), &names).await;
        if answer.status != 503 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(signed_in.location().unwrap().as_str(), server.url("/account"));
    server.stop().await;
}
