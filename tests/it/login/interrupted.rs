//! What comes in between of sign-ins, of ends, and of the applications that become connected: nobody loses a login to what came to
//! nothing, and nobody gets one too many.

use std::time::Duration;

use ostiary::model::{Digest, Id, Session};
use ostiary::sessions::{AtLimit, Limit};
use ostiary::sql::{Edge, Place};
use serde_json::json;

use super::{MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::Caller;
use crate::oauth::steps::skips;
use crate::support::backend::{Backend, backends};
use crate::support::browser::Browser;
use crate::support::gate::{Does, Gate};
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient};

const BEFORE_COMMIT: (Edge, Place) = (Edge::Before, Place::Commit);
const AFTER_COMMIT: (Edge, Place) = (Edge::After, Place::Commit);
const AFTER_READING: (Edge, Place) = (Edge::After, Place::Reader);
/// Longer than those who have to go after all would stay.
const LOOKS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

async fn gated(backend: Backend) -> (Server, Gate) {
    let gate = Gate::new();
    let server = Server::start_fully(backend, |_| (), |options| gate.stand_in(options)).await;
    (server, gate)
}

fn connected<'a>(server: &Server, client: &'a TestClient) -> RelyingParty<'a> {
    let mut party = RelyingParty::new(server, client);
    party.scope = "openid offline_access".to_owned();
    party
}

async fn leave(server: &Server, browser: &Browser) {
    let page = browser.get(&server.url("/logout")).await;
    let form = page.form_with_button("decision", "sign_out");
    browser.submit(&page, form, &[("decision", "sign_out")]).await;
}

/// The store does not answer when the sign-in is written down that others have made room for: a browser, or an application that stays
/// connected.
#[tokio::test(flavor = "multi_thread")]
async fn who_made_room_for_a_sign_in_that_came_to_nothing_stays() {
    for backend in backends() {
        let (server, gate) = gated(backend).await;
        let client = server.client(skips).await;
        for is_connected in [false, true] {
            server.settings(json!({"session.max_concurrent": null})).await;
            let mut party = connected(&server, &client);
            if !is_connected {
                party.scope = "openid".to_owned();
            }
            let ada = server.user(&format!("ada-{is_connected}")).await;
            let (phone, second) = (Browser::new(), Browser::new());
            let tokens = party.redeem(party.sign_in(&phone, &ada).await.code()).await.ok();
            if is_connected {
                leave(&server, &phone).await;
            }
            server.settings(json!({"session.max_concurrent": 1})).await;
            server.advance(MINUTE);
            gate.arm(BEFORE_COMMIT, "update users", Does::Fail);
            assert_eq!(sign_in(&server, &second, &ada).await.status, 503);
            gate.reached().await;
            let mut token = tokens.get("refresh_token");
            for _ in 0..LOOKS {
                token = party.refresh(&token).await.ok().get("refresh_token");
                assert_eq!(is_signed_in(&server, &phone).await, !is_connected);
                tokio::time::sleep(PAUSE).await;
            }
            // the same once more, and this time something comes of it
            assert_eq!(sign_in(&server, &second, &ada).await.status, 303);
            assert!(is_signed_in(&server, &second).await);
            assert!(!is_signed_in(&server, &phone).await);
            assert_eq!(party.refresh(&token).await.error(), "invalid_grant");
        }
        server.stop().await;
    }
}

/// Somebody else has taken the place meanwhile: who made room is out, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn who_made_room_and_has_no_place_any_more_ends_on_record() {
    for backend in backends() {
        let (server, gate) = gated(backend).await;
        let limit = json!({"session.max_concurrent": 1, "session.at_limit": "end_oldest"});
        server.settings(limit).await;
        let ada = server.user("ada").await;
        let [first, second] = [Browser::new(), Browser::new()];
        sign_in(&server, &first, &ada).await;
        server.advance(MINUTE);
        gate.arm(BEFORE_COMMIT, "update users", Does::FailWhenOpened);
        let meanwhile = async {
            gate.reached().await;
            // whoever it is has not come to the database yet
            let now = server.call().now;
            let session = Session {
                id: Id::new(now),
                user: ada.id,
                started: now,
                seen: now,
                expires: now.after(10 * MINUTE),
                idle_timeout: 10 * MINUTE,
                data: Vec::new(),
            };
            let one = Limit {
                max: Some(1),
                at_limit: AtLimit::EndOldest,
            };
            let token = Digest::of(b"somebody else");
            server
                .provider()
                .sessions
                .admit(&token, &session, one, now)
                .await
                .unwrap();
            gate.open();
        };
        let (failed, ()) = tokio::join!(sign_in(&server, &second, &ada), meanwhile);
        assert_eq!(failed.status, 503);
        for browser in [&first, &second] {
            assert!(!is_signed_in(&server, browser).await);
        }
        let mut left = 1;
        for _ in 0..200 {
            let call = server.call();
            let mut store = server.provider().store.read().await.unwrap();
            left = store.list_live_sessions_of(ada.id, call.now, 9).await.unwrap().len();
            drop(store);
            if left == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        assert_eq!(left, 0, "its row says that it goes on");
        server.stop().await;
    }
}

/// The same when an application is about to stay connected.
#[tokio::test(flavor = "multi_thread")]
async fn who_made_room_for_a_connection_that_came_to_nothing_stays() {
    for backend in backends() {
        let (server, gate) = gated(backend).await;
        let client = server.client(skips).await;
        let party = connected(&server, &client);
        let ada = server.user("ada").await;
        let limit = json!({"session.max_concurrent": 2, "session.at_limit": "end_oldest"});
        server.settings(limit).await;
        let (old, phone) = (Browser::new(), Browser::new());
        sign_in(&server, &old, &ada).await;
        server.advance(MINUTE);
        let code = party.sign_in(&phone, &ada).await.code().to_owned();
        gate.arm(BEFORE_COMMIT, "insert into grants", Does::Fail);
        assert_eq!(party.redeem(&code).await.status, 503);
        gate.reached().await;
        for _ in 0..LOOKS {
            assert!(is_signed_in(&server, &old).await);
            tokio::time::sleep(PAUSE).await;
        }
        party.redeem(&code).await.ok();
        assert!(!is_signed_in(&server, &old).await);
        assert!(is_signed_in(&server, &phone).await);
        server.stop().await;
    }
}

/// SEC-174: everything ends that was begun under the old password, and nothing that was begun under the new one.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_after_a_change_does_not_end_with_what_it_ended() {
    for backend in backends() {
        let (server, gate) = gated(backend).await;
        let ada = server.user("ada").await;
        let (old, new) = (Browser::new(), Browser::new());
        sign_in(&server, &old, &ada).await;
        let caller = Caller::client(&server, "admin:users").await;
        let path = format!("/users/{}/reset-password", ada.id);
        let password = "another long passphrase 42";
        gate.arm(AFTER_COMMIT, "update users", Does::Wait);
        let meanwhile = async {
            gate.reached().await;
            // it is changed, and nobody has told the session store yet
            let entered = sign_in_with(&server, &new, "ada", password).await;
            gate.open();
            entered
        };
        let (changed, entered) = tokio::join!(caller.post(&path, json!({"password": password})), meanwhile);
        changed.ok();
        assert_eq!(entered.status, 303);
        assert!(is_signed_in(&server, &new).await);
        assert!(!is_signed_in(&server, &old).await);
        let call = server.call();
        let held = server.provider().sessions.list(ada.id, call.now).await.unwrap();
        assert_eq!(held.len(), 1, "the session store has forgotten the old one");
        server.stop().await;
    }
}

/// Between looking and deciding another application of the person becomes connected, and the session goes that it began in.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_allows_is_counted_where_it_is_decided() {
    for backend in backends() {
        let (server, gate) = gated(backend).await;
        let client = server.client(skips).await;
        let caller = Caller::client(&server, "admin:clients").await;
        let path = format!("/clients/{}/settings", client.client.id);
        let limit = json!({"session": {"max_concurrent": 1, "at_limit": "refuse"}});
        caller.patch(&path, limit).await.ok();
        let ada = server.user("ada").await;
        let (first, second) = (Browser::new(), Browser::new());
        let (party, other) = (connected(&server, &client), connected(&server, &client));
        let code = party.sign_in(&first, &ada).await.code().to_owned();
        let other_code = other.sign_in(&second, &ada).await.code().to_owned();
        gate.arm(AFTER_READING, "from grants where user_id = $1 and offline", Does::Wait);
        let meanwhile = async {
            gate.reached().await;
            let tokens = party.redeem(&code).await.ok();
            leave(&server, &first).await;
            gate.open();
            tokens
        };
        let (late, tokens) = tokio::join!(other.redeem(&other_code), meanwhile);
        assert_eq!((late.status.as_u16(), late.error()), (400, "invalid_grant".to_owned()));
        party.refresh(&tokens.get("refresh_token")).await.ok();
        let call = server.call();
        let mut store = server.provider().store.read().await.unwrap();
        let families = store.list_offline_families_of(ada.id, call.now, 10).await.unwrap();
        assert_eq!(families.len(), 1);
        drop(store);
        server.stop().await;
    }
}
