//! `session.durable`: what a session store that lost everything, or came back as it was earlier, costs then.

use ostiary::flow::people;
use ostiary::flow::session::{self, write_uses};
use serde_json::json;

use super::{HOUR, MINUTE, is_signed_in, sign_in};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const COOKIE: &str = "ostiary_session";

/// The session store forgets everything about a person.
async fn lose(server: &Server, person: &TestUser) {
    server.provider().sessions.end_all(person.id).await.unwrap();
}

async fn keep(server: &Server) {
    server.settings(json!({"session.durable": true})).await;
}

async fn held(server: &Server, person: &TestUser) -> usize {
    let call = server.call();
    server
        .provider()
        .sessions
        .list(person.id, call.now)
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_lost_session_store_costs_a_login_only_where_sessions_are_not_kept() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        lose(server, &ada).await;
        assert!(!is_signed_in(server, &browser).await);
        keep(server).await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let before = party.redeem(party.sign_in(&browser, &ada).await.code()).await.ok();
        let cookie = browser.cookie(COOKIE).unwrap();
        lose(server, &ada).await;
        // single sign-on, without a question
        let silent = party.authorization_url_with(&[("prompt", "none")]);
        let after = party.redeem(browser.sign_in(&silent, &ada).await.code()).await.ok();
        let claims = |answer: &crate::support::relying_party::Answer| {
            let claims = crate::support::relying_party::claims(&answer.get("id_token"));
            (
                claims["sub"].clone(),
                claims["auth_time"].clone(),
                claims["sid"].clone(),
            )
        };
        assert_eq!(claims(&before), claims(&after));
        assert_eq!(browser.cookie(COOKIE).unwrap(), cookie);
        assert_eq!(held(server, &ada).await, 1);
        // who has not come back yet stands in the lists all the same
        let other = Browser::new();
        sign_in(server, &other, &ada).await;
        lose(server, &ada).await;
        let page = browser.get(&server.url("/account")).await;
        assert_eq!(page.status, 200);
        let call = server.call();
        let listed = ostiary::flow::people::sessions::list_sessions(server.provider(), &call, ada.id).await;
        assert_eq!(listed.unwrap().len(), 2);
        assert!(is_signed_in(server, &other).await);
    })
    .await;
}

#[tokio::test]
async fn what_ended_stays_ended_although_the_session_store_lost_that() {
    each_backend(async |server| {
        keep(server).await;
        let (ada, eve) = (server.user("ada").await, server.user("eve").await);
        let (signed_out, everybody, stays) = (Browser::new(), Browser::new(), Browser::new());
        for browser in [&signed_out, &everybody] {
            sign_in(server, browser, &ada).await;
        }
        sign_in(server, &stays, &eve).await;
        let cookie = signed_out.cookie(COOKIE).unwrap();
        let page = signed_out.get(&server.url("/logout")).await;
        let form = page.form_with("csrf");
        signed_out.submit(&page, form, &[("decision", "sign_out")]).await;
        lose(server, &ada).await;
        signed_out.set_cookie("localhost", COOKIE, &cookie);
        assert!(!is_signed_in(server, &signed_out).await);
        assert!(is_signed_in(server, &everybody).await);
        // a new password ends all of them
        let (call, all) = (server.call(), people::OfflineGrants::End);
        people::end_sessions(server.provider(), &call, &people::ChangeSource::Command, ada.id, all)
            .await
            .unwrap();
        assert!(!is_signed_in(server, &everybody).await);
        assert_eq!(held(server, &ada).await, 0);
        assert!(is_signed_in(server, &stays).await);
        // after a restoration of the database nobody knows what ended in the lost moment
        let mut tx = server.provider().store.write().await.unwrap();
        tx.raise_epoch(server.call().now).await.unwrap();
        tx.commit().await.unwrap();
        lose(server, &eve).await;
        assert!(!is_signed_in(server, &stays).await);
    })
    .await;
}

#[tokio::test]
async fn a_lost_session_is_no_older_and_no_younger_than_it_was() {
    each_backend(async |server| {
        keep(server).await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        server.advance(5 * HOUR);
        assert!(is_signed_in(server, &browser).await);
        write_uses(server.provider()).await.unwrap();
        server.advance(5 * HOUR);
        lose(server, &ada).await;
        assert!(is_signed_in(server, &browser).await, "used five hours ago");
        // the store knows of this use, once it is written
        write_uses(server.provider()).await.unwrap();
        server.advance(8 * HOUR);
        lose(server, &ada).await;
        assert!(!is_signed_in(server, &browser).await, "unused for eight hours");
        assert_eq!(held(server, &ada).await, 0);
        // and the absolute end stays where it was
        sign_in(server, &browser, &ada).await;
        for _ in 0..4 {
            server.advance(5 * HOUR);
            assert!(is_signed_in(server, &browser).await);
            write_uses(server.provider()).await.unwrap();
        }
        server.advance(4 * HOUR);
        lose(server, &ada).await;
        assert!(!is_signed_in(server, &browser).await, "a day is over");
    })
    .await;
}

#[tokio::test]
async fn who_looks_for_lapsed_sessions_ends_none_that_was_only_lost() {
    each_backend(async |server| {
        keep(server).await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        lose(server, &ada).await;
        server.advance(HOUR);
        session::end_lapsed(server.provider(), &server.call()).await.unwrap();
        assert!(is_signed_in(server, &browser).await);
        lose(server, &ada).await;
        server.advance(9 * HOUR);
        session::end_lapsed(server.provider(), &server.call()).await.unwrap();
        let mut store = server.provider().store.read().await.unwrap();
        let rows = store.list_sessions_of(ada.id, 10).await.unwrap();
        assert!(rows.iter().all(|row| row.ended_at.is_some()));
        drop(store);
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}

/// SEC-177, after a loss.
#[tokio::test]
async fn as_many_logins_as_before_count_after_a_loss() {
    each_backend(async |server| {
        keep(server).await;
        server
            .settings(json!({"session.max_concurrent": 2, "session.at_limit": "refuse"}))
            .await;
        let ada = server.user("ada").await;
        let (first, second, third) = (Browser::new(), Browser::new(), Browser::new());
        for browser in [&first, &second] {
            sign_in(server, browser, &ada).await;
            server.advance(MINUTE);
        }
        lose(server, &ada).await;
        assert_eq!(sign_in(server, &third, &ada).await.status, 403);
        assert!(is_signed_in(server, &first).await && is_signed_in(server, &second).await);
        // who makes room does so whether or not the session store still has them
        server.settings(json!({"session.at_limit": "end_oldest"})).await;
        lose(server, &ada).await;
        sign_in(server, &third, &ada).await;
        assert!(is_signed_in(server, &third).await);
        assert!(!is_signed_in(server, &first).await);
        assert!(is_signed_in(server, &second).await);
        lose(server, &ada).await;
        // the smaller number holds for those who come back
        server.settings(json!({"session.max_concurrent": 1})).await;
        assert!(is_signed_in(server, &third).await);
        assert!(!is_signed_in(server, &second).await);
        assert_eq!(held(server, &ada).await, 1);
    })
    .await;
}

/// SEC-171, after a loss.
#[tokio::test]
async fn a_token_that_was_replaced_brings_nothing_back() {
    each_backend(async |server| {
        keep(server).await;
        let ada = server.user("ada").await;
        let (browser, thief) = (Browser::new(), Browser::new());
        sign_in(server, &browser, &ada).await;
        let old = browser.cookie(COOKIE).unwrap();
        server.advance(2 * MINUTE);
        // its use waits to be written when the token is replaced
        assert!(is_signed_in(server, &browser).await);
        sign_in(server, &browser, &ada).await;
        assert_ne!(browser.cookie(COOKIE).unwrap(), old);
        write_uses(server.provider()).await.unwrap();
        for _ in 0..2 {
            lose(server, &ada).await;
            thief.set_cookie("localhost", COOKIE, &old);
            assert!(!is_signed_in(server, &thief).await);
            assert!(is_signed_in(server, &browser).await);
            assert_eq!(held(server, &ada).await, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn sessions_are_kept_from_their_next_use_on_and_let_go_when_that_is_over() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        keep(server).await;
        server.advance(2 * MINUTE);
        assert!(is_signed_in(server, &browser).await);
        write_uses(server.provider()).await.unwrap();
        lose(server, &ada).await;
        assert!(is_signed_in(server, &browser).await);
        server.settings(json!({"session.durable": false})).await;
        write_uses(server.provider()).await.unwrap();
        let mut store = server.provider().store.read().await.unwrap();
        assert!(!store.is_any_session_kept().await.unwrap());
        drop(store);
        assert!(is_signed_in(server, &browser).await);
        lose(server, &ada).await;
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}
