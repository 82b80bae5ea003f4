//! What a person does with the whole of their account: locks it, unlocks it, deletes it, takes that back.

use std::time::Duration;

use ostiary::flow::people::{self, ChangeSource};
use ostiary::model::{EventKind, UserStatus};
use serde_json::json;

use super::factor_scene::{answer, asked, enrolled, now};
use super::own_account::prove;
use super::recovery::mails;
use super::{HOUR, MINUTE, is_signed_in, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const NEW: &str = "a long walk by the river at noon";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The newest link to a page in somebody's mails.
async fn link(server: &Server, to: &str, page: &str) -> Option<String> {
    let own = mails(server).await.into_iter().filter(|(recipient, _)| recipient == to);
    own.flat_map(|(_, text)| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .find(|word| word.contains(&format!("{page}?token=")))
}

async fn press(server: &Server, browser: &Browser, path: &str, values: &[(&str, &str)]) -> Page {
    let page = browser.get(&server.url(path)).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    // the one that does it stands first
    let form = page.forms().remove(0);
    browser.submit(&page, form, values).await
}

async fn status(server: &Server, user: &TestUser) -> UserStatus {
    server.account(user).await.status
}

/// "Lock my account now": everything ends at once, nobody gets in whatever they prove, and the mailed link lets its owner back with
/// another password, once.
#[tokio::test]
async fn a_locked_account_lets_nobody_in_until_its_owner_unlocks_it() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let (here, there) = (Browser::new(), Browser::new());
        sign_in(server, &here, &ada).await;
        let arrival = party.sign_in(&there, &ada).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        // an older proof will do: it only takes away
        server.advance(HOUR);
        let locked = press(server, &here, "/account/lock", &[]).await;
        assert_eq!(locked.status, 200, "{}", locked.body);
        assert!(
            unescape(&locked.body).contains("The account is locked"),
            "{}",
            locked.body
        );
        assert_eq!(status(server, &ada).await, UserStatus::Locked);
        for browser in [&here, &there] {
            assert!(!is_signed_in(server, browser).await);
        }
        assert_eq!(party.refresh(&tokens.get("refresh_token")).await.status, 400);
        assert_eq!(party.userinfo(&tokens.get("access_token")).await.status, 401);
        // the sentence comes after the proof, and to nobody else
        let wrong = super::sign_in_with(server, &Browser::new(), "ada", "not it").await;
        assert!(wrong.status == 422 && !wrong.body.contains("locked"), "{}", wrong.body);
        let right = sign_in(server, &Browser::new(), &ada).await;
        assert_eq!(right.status, 403);
        assert!(
            unescape(&right.body).contains("This account is locked"),
            "{}",
            right.body
        );

        let back = link(server, &ada.email, "/login/unlock").await.unwrap();
        let mailbox = Browser::new();
        let page = mailbox.get(&back).await;
        assert_eq!(page.status, 200);
        let weak = [("password", "short"), ("password_again", "short")];
        let refused = mailbox.submit(&page, page.form_with("password"), &weak).await;
        assert_eq!(refused.status, 422);
        assert_eq!(status(server, &ada).await, UserStatus::Locked);
        let fields = [("password", NEW), ("password_again", NEW)];
        let unlocked = mailbox.submit(&page, page.form_with("password"), &fields).await;
        assert_eq!(unlocked.status, 200, "{}", unlocked.body);
        assert!(unescape(&unlocked.body).contains("Your account is unlocked"));
        assert!(!is_signed_in(server, &mailbox).await, "a link signs nobody in");
        assert_eq!(mailbox.get(&back).await.status, 404, "once");
        let again = mailbox.submit(&page, page.form_with("password"), &fields).await;
        assert_eq!(again.status, 404);
        assert_eq!(
            sign_in(server, &Browser::new(), &ada).await.status,
            422,
            "the old password"
        );
        assert_eq!(
            super::sign_in_with(server, &Browser::new(), "ada", NEW).await.status,
            303
        );
        let told: Vec<String> = mails(server).await.into_iter().map(|(_, text)| text).collect();
        for subject in [
            "Your account is locked",
            "Your account is unlocked",
            "Your password was changed",
        ] {
            assert_eq!(
                told.iter().filter(|text| text.starts_with(subject)).count(),
                1,
                "{subject}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrator_unlocks_and_deactivation_counts_more() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let admin = Caller::client(server, "admin:users").await;
        let path = |act: &str| format!("/users/{}/{act}", ada.id);
        let own = Caller::with_token(server, &user_token(server, &ada, "openid account").await).await;
        let done = own.post("/me/lock", json!({})).await;
        assert_eq!(done.status, 204, "{}", done.body);
        assert_eq!(own.ask("GET", "/me").await.status, 401, "the token went with it");
        let shown = admin.get(&format!("/users/{}", ada.id)).await.ok();
        assert_eq!(shown.json()["status"], "locked");
        let unlocked = admin.post(&path("unlock"), json!({})).await;
        assert_eq!(unlocked.status, 204, "{}", unlocked.body);
        assert_eq!(status(server, &ada).await, UserStatus::Active);
        assert_eq!(
            admin.post(&path("unlock"), json!({})).await.status,
            204,
            "twice is once"
        );
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        // its owner's link does nothing about what an administrator has done
        people::lock_own_account(server.provider(), &server.call(), ada.id)
            .await
            .unwrap();
        let back = link(server, &ada.email, "/login/unlock").await.unwrap();
        admin.post(&path("deactivate"), json!({})).await;
        assert_eq!(Browser::new().get(&back).await.status, 404);
        assert_eq!(
            admin.post(&path("unlock"), json!({})).await.status,
            204,
            "for the guesses"
        );
        assert_eq!(status(server, &ada).await, UserStatus::Inactive);
        admin.post(&path("reactivate"), json!({})).await;
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        // wrong guesses are forgiven with it
        for _ in 0..10 {
            super::sign_in_with(server, &Browser::new(), "ada", "not it").await;
        }
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 429);
        admin.post(&path("unlock"), json!({})).await;
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        // where people may not help themselves there is no link
        server.settings(json!({"recovery.enabled": false})).await;
        let eve = server.user("eve").await;
        people::lock_own_account(server.provider(), &server.call(), eve.id)
            .await
            .unwrap();
        assert_eq!(link(server, &eve.email, "/login/unlock").await, None);
    })
    .await;
}

/// SEC-225: one mail for each kind of change, at the address that was there before, with a link that keeps everybody out; it works once,
/// and where the account has another address by then, that one gets no way back.
#[tokio::test]
async fn security_notifications() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let user = &ada.user;
        let kinds = async || {
            let own = mails(server).await.into_iter().filter(|(to, _)| *to == user.email);
            own.map(|(_, text)| text.lines().next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let added = "An authenticator was added to your account";
        assert_eq!(kinds().await, [added]);
        people::set_password(
            server.provider(),
            &server.call(),
            &ChangeSource::Command,
            user.id,
            people::NewPassword::Given(ostiary::model::Secret::new(NEW)),
            people::WeakPasswords::Refuse,
        )
        .await
        .unwrap();
        assert_eq!(kinds().await, ["Your password was changed", added]);
        for (_, text) in mails(server).await {
            assert!(text.contains("/login/lock?token="), "{text}");
        }
        // somebody changes the address of the account: the one until now is told, and can lock it
        let change = people::UserChange {
            email: Some(Some("thief@example.com".to_owned())),
            email_verified: Some(true),
            ..people::UserChange::default()
        };
        let lock = link(server, &user.email, "/login/lock").await.unwrap();
        people::change_user(
            server.provider(),
            &server.call(),
            &ChangeSource::Command,
            user.id,
            None,
            change,
        )
        .await
        .unwrap();
        let mailbox = Browser::new();
        assert_eq!(
            mailbox.get(&lock).await.status,
            200,
            "programs that look at mails spend nothing"
        );
        assert_eq!(status(server, user).await, UserStatus::Active);
        let page = mailbox.get(&lock).await;
        let locked = mailbox.submit(&page, page.form_with("csrf"), &[]).await;
        assert_eq!(locked.status, 200, "{}", locked.body);
        assert_eq!(status(server, user).await, UserStatus::Locked);
        assert_eq!(mailbox.get(&lock).await.status, 404, "once");
        let told = mails(server).await;
        let (to, text) = told
            .iter()
            .find(|(_, text)| text.starts_with("Your account is locked"))
            .unwrap();
        assert_eq!(to, "thief@example.com");
        assert!(
            !text.contains("/login/unlock") && text.contains("Your administrator unlocks it"),
            "{text}"
        );
        let guess = mailbox.get(&server.url("/login/lock?token=unknown")).await;
        assert_eq!(guess.status, 404);
    })
    .await;
}

#[tokio::test]
async fn this_was_not_me_offers_to_lock_the_whole_account() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        sign_in(server, &Browser::new(), &ada).await;
        sign_in(server, &Browser::new(), &ada).await;
        let alert = link(server, &ada.email, "/login/not-me").await.unwrap();
        let mailbox = Browser::new();
        let page = mailbox.get(&alert).await;
        let form = page.form_with_button("intent", "lock");
        let locked = mailbox.submit(&page, form, &[("intent", "lock")]).await;
        assert_eq!(locked.status, 200, "{}", locked.body);
        assert_eq!(status(server, &ada).await, UserStatus::Locked);
        assert!(link(server, &ada.email, "/login/unlock").await.is_some());
    })
    .await;
}

/// SEC-622: a person deletes their account: asked once more, out everywhere at once, back by signing in and saying so until the time is
/// over, gone then with everything.
#[tokio::test]
async fn a_deleted_account_can_be_taken_back_until_it_goes() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let user = &ada.user;
        server.advance(MINUTE * 6);
        let asked_again = press(server, &ada.browser, "/account/delete", &[("sure", "1")]).await;
        assert_eq!(
            asked_again.location().unwrap().path(),
            "/login",
            "an older proof will not do"
        );
        // the password alone is no proof for whoever has a second factor
        let demand = prove(&ada.browser, &asked_again, user).await;
        assert_eq!(demand.location().unwrap().path(), "/login/factor");
        let page = ada.browser.get(demand.location().unwrap().as_str()).await;
        answer(&ada.browser, &page, &now(server, &ada.authenticator)).await;
        let unsure = press(server, &ada.browser, "/account/delete", &[]).await;
        assert_eq!(unsure.status, 422);
        assert!(
            unescape(&unsure.body).contains("Tick this if you are sure"),
            "{}",
            unsure.body
        );
        let left = press(server, &ada.browser, "/account/delete", &[("sure", "1")]).await;
        assert_eq!(left.status, 200, "{}", left.body);
        assert!(
            unescape(&left.body).contains("Your account will be deleted"),
            "{}",
            left.body
        );
        assert!(!is_signed_in(server, &ada.browser).await);
        let account = server.account(user).await;
        assert_eq!(account.status, UserStatus::Leaving);
        let (to, text) = mails(server).await.remove(0);
        assert_eq!(to, user.email);
        assert!(
            text.contains("Your account will be deleted") && text.contains("Deleted on:"),
            "{text}"
        );

        // every proof, then the question; whoever does not answer it is not in
        server.advance(DAY * 29);
        let browser = Browser::new();
        let page = asked(server, &browser, user).await;
        let demanded = answer(&browser, &page, &now(server, &ada.authenticator)).await;
        let to = demanded.location().unwrap();
        assert_eq!(to.path(), "/login/action", "{to}");
        let question = browser.get(to.as_str()).await;
        assert!(
            unescape(&question.body).contains("Keep your account?"),
            "{}",
            question.body
        );
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(status(server, user).await, UserStatus::Leaving);
        let elsewhere = Browser::new();
        assert_eq!(elsewhere.get(to.as_str()).await.status, 404, "in that browser alone");
        let kept = browser.submit(&question, question.forms().remove(0), &[]).await;
        assert_eq!(kept.status, 303, "{}", kept.body);
        assert!(is_signed_in(server, &browser).await);
        let account = server.account(user).await;
        assert_eq!((account.status, account.deletion_at), (UserStatus::Active, None));
        let again = browser.submit(&question, question.forms().remove(0), &[]).await;
        assert_eq!(again.status, 303, "the same form leads to the same");
        server.advance(DAY * 2);
        people::delete_those_who_are_due(server.provider(), &server.call())
            .await
            .unwrap();
        assert_eq!(
            status(server, user).await,
            UserStatus::Active,
            "nothing is due any more"
        );

        // and for good
        let eve = server.user("eve").await;
        let own = Caller::with_token(server, &user_token(server, &eve, "openid account").await).await;
        let done = own.delete("/me").await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(done.json()["deletion_at"].is_string());
        server.advance(DAY * 30);
        let late = sign_in(server, &browser, &eve).await;
        assert_eq!(late.location().unwrap().path(), "/login/action");
        let question = browser.get(late.location().unwrap().as_str()).await;
        let refused = browser.submit(&question, question.forms().remove(0), &[]).await;
        assert_eq!(
            refused.status, 404,
            "what is due is gone, whether or not the job has come round"
        );
        people::delete_those_who_are_due(server.provider(), &server.call())
            .await
            .unwrap();
        let mut store = server.provider().store.read().await.unwrap();
        assert!(store.find_user(eve.id).await.unwrap().is_none());
        drop(store);
        let (to, text) = mails(server).await.remove(0);
        assert!(to == eve.email && text.starts_with("Your account is deleted"), "{text}");
        assert_eq!(sign_in(server, &Browser::new(), &eve).await.status, 422);
    })
    .await;
}

#[tokio::test]
async fn whoever_administers_last_stays_and_operators_say_whether_people_go_at_all() {
    each_backend(async |server| {
        let boss = server.user("boss").await;
        server.group("administrators", &["admin"], &[&boss]).await;
        let browser = Browser::new();
        sign_in(server, &browser, &boss).await;
        let refused = press(server, &browser, "/account/delete", &[("sure", "1")]).await;
        assert_eq!(refused.status, 409);
        assert!(
            unescape(&refused.body).contains("the last account that administers"),
            "{}",
            refused.body
        );
        assert_eq!(status(server, &boss).await, UserStatus::Active);
        assert!(is_signed_in(server, &browser).await);

        server
            .settings(json!({"account": {"deletion": false, "deletion_grace": "0s"}}))
            .await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        assert!(
            !browser
                .get(&server.url("/account"))
                .await
                .body
                .contains("/account/delete")
        );
        assert_eq!(browser.get(&server.url("/account/delete")).await.status, 404);
        let own = Caller::with_token(server, &user_token(server, &ada, "openid account").await).await;
        assert_eq!(own.delete("/me").await.status, 403);
        // at once, where there is no grace
        server
            .settings(json!({"account": {"deletion": true, "deletion_grace": "0s"}}))
            .await;
        let gone = press(server, &browser, "/account/delete", &[("sure", "1")]).await;
        assert!(
            unescape(&gone.body).contains("Your account is deleted"),
            "{}",
            gone.body
        );
        people::delete_those_who_are_due(server.provider(), &server.call())
            .await
            .unwrap();
        assert!(
            server
                .provider()
                .store
                .read()
                .await
                .unwrap()
                .find_user(ada.id)
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

/// SEC-304: links and codes of somebody whose account may not be used any more, for whatever reason, lead nowhere, then and when it may
/// be used again.
#[tokio::test]
async fn user_end_kills_links() {
    each_backend(async |server| {
        server
            .settings(json!({"guess.account_budget": 1000, "guess.source_budget": 1000}))
            .await;
        for (number, way) in ["deactivated", "locked", "leaving"].into_iter().enumerate() {
            let user = server
                .user_with(&format!("person{number}"), |profile| profile.email_verified = true)
                .await;
            let browser = Browser::new();
            sign_in(server, &browser, &user).await;
            sign_in(server, &Browser::new(), &user).await;
            let forgot = browser.get(&server.url("/login/forgot")).await;
            browser
                .submit(&forgot, forgot.form_with("username"), &[("username", &user.username)])
                .await;
            let recovery = link(server, &user.email, "/login/recover").await.unwrap();
            let page = browser.get(&server.url("/account/email")).await;
            let other = format!("other{number}@example.com");
            browser
                .submit(&page, page.form_with("email"), &[("email", &other)])
                .await;
            let at_old = link(server, &user.email, "/account/email/confirm").await.unwrap();
            let at_new = link(server, &other, "/account/email/confirm").await.unwrap();
            let page = browser.get(&server.url("/account/password")).await;
            let fields = [
                ("old_password", user.password.as_str()),
                ("password", NEW),
                ("password_again", NEW),
            ];
            browser.submit(&page, page.form_with("old_password"), &fields).await;
            let lock = link(server, &user.email, "/login/lock").await.unwrap();
            let (provider, call) = (server.provider(), &server.call());
            let source = &ChangeSource::Command;
            match way {
                "deactivated" => drop(
                    people::deactivate_user(provider, call, source, user.id, None)
                        .await
                        .unwrap(),
                ),
                "locked" => people::lock_own_account(provider, call, user.id).await.unwrap(),
                _ => {
                    let renewed = TestUser {
                        password: NEW.to_owned(),
                        ..user.clone()
                    };
                    let browser = Browser::new();
                    sign_in(server, &browser, &renewed).await;
                    press(server, &browser, "/account/delete", &[("sure", "1")]).await;
                }
            }
            assert_ne!(status(server, &user).await, UserStatus::Active, "{way}");
            for link in [&recovery, &at_old, &at_new, &lock] {
                assert_eq!(Browser::new().get(link).await.status, 404, "{way}: {link}");
            }
            match way {
                "locked" => people::unlock_user(provider, call, source, user.id).await.unwrap(),
                _ => drop(
                    people::reactivate_user(provider, call, source, user.id, None)
                        .await
                        .unwrap(),
                ),
            }
            assert_eq!(status(server, &user).await, UserStatus::Active);
            for link in [&recovery, &at_old, &at_new, &lock] {
                assert_eq!(Browser::new().get(link).await.status, 404, "{way}, and back: {link}");
            }
        }
        let kind = EventKind::UserLocked.as_str();
        let mut store = server.provider().store.read().await.unwrap();
        let events = store.list_events(None, 200).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == kind).count(), 1);
    })
    .await;
}
