//! An account at which so much was guessed that new devices wait for long: who does not wait, who is told, and what ends it.

use std::time::Duration;

use serde_json::json;

use super::factor_scene::{answer, asked, enrolled, wrong};
use super::recovery::mails;
use super::{sign_in, sign_in_with};
use crate::api::conversation::{Caller, client_token, service};
use crate::support::browser::{Browser, Page};
use crate::support::server::{Server, TestUser, each_backend};

const PERIOD: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn budgets(server: &Server) {
    let budgets = json!({"account_budget": 5, "account_day_budget": 10, "source_budget": 10_000});
    server.settings(json!({"guess": budgets})).await;
}

async fn guess(server: &Server, name: &str) -> Page {
    sign_in_with(server, &Browser::new(), name, "wrong").await
}

/// Guesses until the day's budget is used up. Gives how many were looked at.
async fn guess_on(server: &Server, name: &str) -> u32 {
    let mut looked_at = 0;
    for _ in 0..4 {
        for _ in 0..7 {
            looked_at += u32::from(guess(server, name).await.status == 422);
        }
        server.advance(PERIOD * 17 / 16);
    }
    looked_at
}

async fn told(server: &Server, user: &TestUser) -> Vec<String> {
    let own = mails(server).await.into_iter().filter(|(to, _)| *to == user.email);
    own.filter(|(_, text)| text.contains("guessing at your password"))
        .map(|(_, text)| text)
        .collect()
}

fn link(text: &str) -> String {
    text.split_whitespace()
        .find(|word| word.contains("/login/wait?token="))
        .unwrap()
        .to_owned()
}

/// SEC-216, SEC-218: waits grow from minutes to a day, whoever guesses; known devices do not wait; the person is told once, and a link
/// ends the wait once.
#[tokio::test]
async fn waits_grow_and_end_by_mail() {
    each_backend(async |server| {
        budgets(server).await;
        let ada = server.user("ada").await;
        let phone = Browser::new();
        assert_eq!(sign_in(server, &phone, &ada).await.status, 303);
        assert_eq!(
            guess_on(server, "ada").await,
            10,
            "two rounds, and then no more for a day"
        );
        let refused = guess(server, "ada").await;
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!(wait > PERIOD.as_secs() * 2 && wait <= DAY.as_secs() * 17 / 16, "{wait}");
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 429);
        assert_eq!(
            sign_in(server, &phone, &ada).await.status,
            303,
            "the person's own device does not wait"
        );

        for _ in 0..3 {
            assert_eq!(guess(server, "ada").await.status, 429);
        }
        let [mail] = told(server, &ada).await.try_into().unwrap();
        let link = link(&mail);
        // programs that look at mails follow links
        for _ in 0..3 {
            let page = Browser::new().get(&link).await;
            assert_eq!(
                (page.status.as_u16(), page.header("referrer-policy")),
                (200, "no-referrer")
            );
        }
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 429);
        let mailbox = Browser::new();
        let page = mailbox.get(&link).await;
        let form = page.forms().into_iter().next_back().unwrap();
        let done = mailbox.submit(&page, form, &[]).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(done.body.contains("The wait is over"));
        assert_eq!(Browser::new().get(&link).await.status, 404, "it works once");
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);

        // another wait is another mail
        assert_eq!(guess_on(server, "ada").await, 10);
        guess(server, "ada").await;
        assert_eq!(told(server, &ada).await.len(), 2);
        // and it ends by itself
        server.advance(DAY * 17 / 16);
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        let second = super::guess_wait::link(&told(server, &ada).await[0]);
        assert_eq!(
            Browser::new().get(&second).await.status,
            404,
            "a link of yesterday ends nothing"
        );
    })
    .await;
}

/// SEC-221: what is answered for a name that nobody has is what is answered for one that waits; and whoever is told has an account.
#[tokio::test]
async fn a_wait_tells_nobody_whether_there_is_an_account() {
    let server = Server::start().await;
    budgets(&server).await;
    let ada = server.user("ada").await;
    let mut answers = Vec::new();
    for name in ["ada", "nobody"] {
        assert_eq!(guess_on(&server, name).await, 10, "{name}");
        let refused = guess(&server, name).await;
        let mut names: Vec<String> = refused.headers.keys().map(ToString::to_string).collect();
        names.sort();
        answers.push((refused.status, names, refused.body.len().abs_diff(0) / 64));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(told(&server, &ada).await.len(), 1);
    assert!(mails(&server).await.iter().all(|(to, _)| *to == ada.email));
    server.stop().await;
}

/// Whoever administers ends the wait, and of those who may administer only who may act on that person.
#[tokio::test]
async fn an_administrator_ends_the_wait() {
    each_backend(async |server| {
        budgets(server).await;
        let ada = server.user("ada").await;
        guess_on(server, "ada").await;
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 429);
        let caller = |scope: &'static str| async move {
            let client = service(server, scope).await;
            Caller::with_token(server, &client_token(server, &client).await).await
        };
        let path = format!("/users/{}/unlock", ada.id);
        assert_eq!(
            caller("admin:users.read").await.post(&path, json!({})).await.status,
            403
        );
        server.group("administrators", &["admin"], &[&ada]).await;
        assert_eq!(
            caller("admin:users").await.post(&path, json!({})).await.status,
            403,
            "ada holds more"
        );
        assert_eq!(caller("admin").await.post(&path, json!({})).await.status, 204);
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
    })
    .await;
}

/// SEC-225, SEC-254: whoever guesses at a second factor has shown the password: the person is told once a day, with the way to lock the
/// account, and not before the guesses are so many that no more is looked at.
#[tokio::test]
async fn who_guesses_at_a_second_factor_is_told_of_to_its_owner() {
    each_backend(async |server| {
        let table = json!({"guess": {"account_budget": 4, "account_day_budget": 50, "source_budget": 10_000}});
        server.settings(table).await;
        let enrolled = enrolled(server, "ada").await;
        let mut account = server.account(&enrolled.user).await;
        account.profile.email_verified = true;
        let mut tx = server.provider().store.write().await.unwrap();
        assert!(tx.change_user(&account).await.unwrap());
        tx.commit().await.unwrap();
        let warned = async || {
            let all = mails(server).await;
            let of_guesses = all
                .into_iter()
                .filter(|(_, text)| text.contains("guessing at your second factor"));
            of_guesses.collect::<Vec<_>>()
        };
        let guess_on = async || {
            let stranger = Browser::new();
            let mut page = asked(server, &stranger, &enrolled.user).await;
            let mut looked_at = 0;
            for _ in 0..6 {
                let answered = answer(&stranger, &page, &wrong(server, &enrolled.authenticator)).await;
                if answered.status != 422 {
                    break;
                }
                looked_at += 1;
                page = answered;
            }
            looked_at
        };
        assert_eq!(guess_on().await, 4);
        let [(to, text)] = warned().await.try_into().unwrap();
        assert_eq!(to, enrolled.user.email);
        assert!(text.contains("Whoever enters them has your password"), "{text}");
        server.advance(PERIOD * 17 / 16);
        assert_eq!(guess_on().await, 4);
        assert_eq!(warned().await.len(), 1, "once a day");
        server.advance(DAY * 17 / 16);
        guess_on().await;
        assert_eq!(warned().await.len(), 2);
        // the mail's link locks the account at once
        let lock = text
            .split_whitespace()
            .find(|word| word.contains("/login/lock?token="))
            .unwrap();
        let mailbox = Browser::new();
        let page = mailbox.get(lock).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let done = mailbox.submit(&page, page.forms().remove(0), &[]).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(!server.account(&enrolled.user).await.is_active(server.call().now));
    })
    .await;
}
