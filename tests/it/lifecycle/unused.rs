//! Accounts that nobody signs in to: their owners are told, and they are deactivated, but for the last one that administers.

use std::time::Duration;

use ostiary::flow::people;
use ostiary::model::Timestamp;
use serde_json::{Value, json};

use super::{administrator, mails_to, sign_in};
use crate::support::browser::Browser;
use crate::support::server::{Server, TestUser, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks at whoever is to be looked at.
async fn look(server: &Server) {
    let call = server.call();
    while people::end_unused(server.provider(), &call).await.unwrap() {}
}

/// Lets days pass, one by one.
async fn pass(server: &Server, days: u32) {
    for _ in 0..days {
        server.advance(DAY);
        look(server).await;
    }
}

async fn told(server: &Server, user: &TestUser) -> usize {
    let mails = mails_to(server, &user.email).await;
    mails.iter().filter(|text| text.contains("not being used")).count()
}

async fn account(server: &Server, user: &TestUser) -> Value {
    administrator(server)
        .await
        .get(&format!("/users/{}", user.id))
        .await
        .json()
}

/// SEC-428: whoever has not signed in for so long is told twice before, and may not use the account from then on; who signs in stays.
#[tokio::test]
async fn an_unused_account_is_deactivated_after_its_owner_was_told() {
    each_backend(async |server| {
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        pass(server, 40).await;
        assert_eq!(
            (told(server, &ada).await, account(server, &ada).await["status"].clone()),
            (0, json!("active"))
        );
        server.settings(json!({"account.unused_after": "90d"})).await;
        pass(server, 30).await;
        assert_eq!(sign_in(server, &Browser::new(), "bob", &bob.password).await.status, 303);
        pass(server, 8).await;
        assert_eq!(
            (told(server, &ada).await, told(server, &bob).await),
            (1, 0),
            "twelve days before"
        );
        let (mail, _) = {
            let mails = mails_to(server, &ada.email).await;
            (mails[0].clone(), ())
        };
        assert!(mail.contains("sign in before"), "{mail}");
        pass(server, 11).await;
        assert_eq!(told(server, &ada).await, 2);
        assert_eq!(account(server, &ada).await["status"], "active");
        pass(server, 3).await;
        assert_eq!(account(server, &ada).await["status"], "inactive");
        assert_eq!(account(server, &bob).await["status"], "active");
        let refused = sign_in(server, &Browser::new(), "ada", &ada.password).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        // let in again, it counts from then on
        let caller = administrator(server).await;
        caller
            .post(&format!("/users/{}/reactivate", ada.id), json!({}))
            .await
            .ok();
        pass(server, 14).await;
        assert_eq!(account(server, &ada).await["status"], "active");
        assert_eq!(told(server, &ada).await, 2);
    })
    .await;
}

/// Said of those who are unused already: nobody who can be reached goes without a word, and a group may say it for its own.
#[tokio::test]
async fn nobody_who_can_be_reached_goes_without_a_word() {
    each_backend(async |server| {
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let eve = server.user_with("eve", |profile| profile.email = None).await;
        let staff = server.group("staff", &["orders.read"], &[&ada, &eve]).await;
        pass(server, 200).await;
        let caller = administrator(server).await;
        let said = json!({"account": {"unused_after": "90d"}});
        caller.patch(&format!("/groups/{staff}/settings"), said).await.ok();
        pass(server, 8).await;
        // looked at by now: she is told, and has the time of the last reminder; who can't be reached is not
        assert_eq!(told(server, &ada).await, 1);
        assert_eq!(account(server, &eve).await["status"], "inactive");
        assert_eq!(account(server, &bob).await["status"], "active");
        pass(server, 4).await;
        assert_eq!(account(server, &ada).await["status"], "inactive");
        assert_eq!(told(server, &bob).await, 0);
    })
    .await;
}

/// SEC-422: the last account that administers the installation stays, and who holds no other is no reason to go on without.
#[tokio::test]
async fn the_last_administrator_stays_however_unused() {
    each_backend(async |server| {
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        server.group("administrators", &["admin"], &[&ada, &bob]).await;
        server
            .settings(json!({"account.unused_after": "30d", "account.unused_reminders": ""}))
            .await;
        pass(server, 50).await;
        let both = [account(server, &ada).await, account(server, &bob).await];
        let active = both.iter().filter(|account| account["status"] == "active").count();
        assert_eq!(active, 1, "{both:?}");
        assert!(Timestamp::parse(both[0]["created_at"].as_str().unwrap()).is_some());
    })
    .await;
}
