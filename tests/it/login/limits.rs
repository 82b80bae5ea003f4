//! As many logins as somebody may have, and one more: refused with a page that says so, or asked which one ends.

use std::time::Duration;

use ostiary::model::{Digest, Id, Session};
use ostiary::sessions::{Admission, AtLimit, Limit};
use serde_json::{Value, json};

use super::{MINUTE, is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

/// The values that a page lets choose from, in its order.
fn choices(page: &Page) -> Vec<String> {
    let html = unescape(&page.body);
    html.split("name=\"end\"")
        .skip(1)
        .filter_map(|rest| rest.split("value=\"").nth(1)?.split('"').next().map(str::to_owned))
        .collect()
}

/// Sends the choice form with these logins chosen.
async fn choose(browser: &Browser, page: &Page, chosen: &[&str]) -> Page {
    let form = page.form_with("csrf");
    let mut fields: Vec<(&str, &str)> = vec![(
        "csrf",
        form.inputs.iter().find(|(n, _)| n == "csrf").unwrap().1.as_str(),
    )];
    fields.extend(chosen.iter().map(|value| ("end", *value)));
    let action = page.url.join(&form.action).unwrap();
    browser.post(action.as_str(), &fields).await
}

async fn sessions(server: &Server, user: &TestUser) -> usize {
    let call = server.call();
    server.provider().sessions.list(user.id, call.now).await.unwrap().len()
}

/// A person with two logins who may not have more, and the browsers of them.
async fn two_of_two(server: &Server, at_limit: &str) -> (TestUser, Browser, Browser) {
    server
        .settings(json!({"session.max_concurrent": 2, "session.at_limit": at_limit}))
        .await;
    let ada = server.user("ada").await;
    let (first, second) = (Browser::new(), Browser::new());
    sign_in(server, &first, &ada).await;
    server.advance(MINUTE);
    sign_in(server, &second, &ada).await;
    server.advance(MINUTE);
    (ada, first, second)
}

/// SEC-647: two of two, and one more.
#[tokio::test]
async fn a_refused_login_is_told_how_many_there_are_and_what_to_do() {
    each_backend(async |server| {
        let (ada, first, _) = two_of_two(server, "refuse").await;
        let third = Browser::new();
        let page = sign_in(server, &third, &ada).await;
        assert_eq!(page.status, 403);
        assert!(
            unescape(&page.body).contains("<strong>2</strong> devices already"),
            "{}",
            page.body
        );
        assert!(choices(&page).is_empty(), "nobody is asked");
        assert!(!is_signed_in(server, &third).await);
        assert!(is_signed_in(server, &first).await);
        assert_eq!(sessions(server, &ada).await, 2);
        // who is signed in already proves it once more without a second place
        sign_in(server, &first, &ada).await;
        assert_eq!(sessions(server, &ada).await, 2);
    })
    .await;
}

/// A process may end, or an answer of the session store may get lost, between admission and record.
#[tokio::test]
async fn a_place_that_nobody_took_is_free_after_a_minute() {
    let server = Server::start().await;
    server
        .settings(json!({"session.max_concurrent": 1, "session.at_limit": "refuse"}))
        .await;
    let ada = server.user("ada").await;
    let now = server.call().now;
    let session = Session {
        id: Id::new(now),
        user: ada.id,
        started: now,
        seen: now,
        expires: now.after(Duration::from_secs(86_400)),
        idle_timeout: Duration::from_secs(86_400),
        data: Vec::new(),
    };
    let limit = Limit {
        max: Some(1),
        at_limit: AtLimit::Refuse,
    };
    let token = Digest::of(b"lost");
    let admitting = server.provider().sessions.admit(&token, &session, limit, now);
    assert!(matches!(admitting.await.unwrap(), Admission::Admitted(_)));
    let browser = Browser::new();
    assert_eq!(
        sign_in(&server, &browser, &ada).await.status,
        403,
        "it may be on its way"
    );
    server.advance(Duration::from_secs(61));
    assert_eq!(sign_in(&server, &browser, &ada).await.status, 303);
    server.stop().await;
}

#[tokio::test]
async fn who_is_asked_chooses_which_login_ends() {
    each_backend(async |server| {
        let (ada, first, second) = two_of_two(server, "ask").await;
        let third = Browser::new();
        let page = sign_in(server, &third, &ada).await;
        assert_eq!(page.location().unwrap().path(), "/login/devices");
        let page = third.follow(page).await;
        assert_eq!(page.status, 200);
        let logins = choices(&page);
        assert_eq!(logins.len(), 2);
        assert!(!is_signed_in(server, &third).await, "the proof alone is nothing");
        let none = choose(&third, &page, &[]).await;
        assert_eq!(none.status, 422);
        let foreign = format!("s.{}", ada.id);
        assert_eq!(choose(&third, &page, &[&foreign]).await.status, 422, "nobody's login");
        assert_eq!(sessions(server, &ada).await, 2);
        // the last used stands first: the second one's
        let done = choose(&third, &page, &[&logins[0]]).await;
        assert_eq!(done.location().unwrap().path(), "/");
        assert!(is_signed_in(server, &third).await);
        assert!(is_signed_in(server, &first).await);
        assert!(!is_signed_in(server, &second).await);
        assert_eq!(sessions(server, &ada).await, 2);
        // the proof counts once: the same form leads where it led, for a moment, and ends nobody else
        let again = choose(&third, &page, &[&logins[1]]).await;
        assert_eq!(again.location().unwrap().path(), "/");
        assert!(is_signed_in(server, &first).await);
        assert_eq!(third.get(page.url.as_str()).await.location().unwrap().path(), "/");
        server.advance(MINUTE);
        assert_eq!(choose(&third, &page, &[&logins[1]]).await.status, 404);
        let call = server.call();
        let mut store = server.provider().store.read().await.unwrap();
        let rows = store.list_live_sessions_of(ada.id, call.now, 10).await.unwrap();
        assert_eq!(rows.len(), 2, "the rows say so too");
    })
    .await;
}

/// SEC-177: what slipped in between is seen, nothing ends for nothing, and the person is asked again.
#[tokio::test]
async fn a_login_that_slipped_in_between_makes_the_person_choose_again() {
    each_backend(async |server| {
        let (ada, first, second) = two_of_two(server, "ask").await;
        let (third, fourth) = (Browser::new(), Browser::new());
        let asked = third.follow(sign_in(server, &third, &ada).await).await;
        let rival = fourth.follow(sign_in(server, &fourth, &ada).await).await;
        let logins = choices(&asked);
        let done = choose(&fourth, &rival, &[&logins[0]]).await;
        assert!(done.location().is_some());
        // what the third chose is gone already: that makes no room
        let again = choose(&third, &asked, &[&logins[0]]).await;
        assert_eq!(again.status, 422);
        assert!(!is_signed_in(server, &third).await);
        assert!(is_signed_in(server, &first).await);
        assert!(is_signed_in(server, &fourth).await);
        assert!(!is_signed_in(server, &second).await);
        let page = third.get(asked.url.as_str()).await;
        let done = choose(&third, &page, &[&choices(&page)[0]]).await;
        assert!(done.location().is_some());
        assert!(is_signed_in(server, &third).await);
        assert_eq!(sessions(server, &ada).await, 2);
    })
    .await;
}

/// Of any number of answers at once one counts, and all lead to it: a browser sees the answer to the last one alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_proof_counts_once() {
    each_backend(async |server| {
        let (ada, _, _) = two_of_two(server, "ask").await;
        let third = Browser::new();
        let page = third.follow(sign_in(server, &third, &ada).await).await;
        let logins = choices(&page);
        let all: Vec<&str> = logins.iter().map(String::as_str).collect();
        let answers = futures_util::future::join_all((0..8).map(|_| choose(&third, &page, &all))).await;
        let entered = answers.iter().filter(|answer| answer.location().is_some()).count();
        assert_eq!(entered, 8);
        assert_eq!(sessions(server, &ada).await, 1);
        for answer in answers {
            let cookie = |name: &str| {
                let set = answer.headers.get_all("set-cookie").iter();
                let found = set.filter_map(|cookie| cookie.to_str().unwrap().strip_prefix(name));
                found
                    .map(|value| value.split(';').next().unwrap().to_owned())
                    .next()
                    .unwrap()
            };
            let alone = Browser::new();
            alone.set_cookie("localhost", "ostiary_session", &cookie("ostiary_session="));
            assert!(is_signed_in(server, &alone).await);
            assert!(!cookie("ostiary_device=").is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_waiting_proof_belongs_to_its_browser_and_ends_with_the_password() {
    let server = Server::start().await;
    let (ada, _, _) = two_of_two(&server, "ask").await;
    let third = Browser::new();
    let page = third.follow(sign_in(&server, &third, &ada).await).await;
    let thief = Browser::new();
    thief.get(&server.url("/login")).await;
    assert_eq!(thief.get(page.url.as_str()).await.status, 404);
    let logins = choices(&page);
    assert_eq!(choose(&thief, &page, &[&logins[0]]).await.status, 404);
    // ten minutes, and no longer
    let late = Browser::new();
    let waiting = late.follow(sign_in(&server, &late, &ada).await).await;
    server.advance(10 * MINUTE);
    assert_eq!(late.get(waiting.url.as_str()).await.status, 404);
    let late = Browser::new();
    let waiting = late.follow(sign_in(&server, &late, &ada).await).await;
    let caller = Caller::client(&server, "admin:users").await;
    let path = format!("/users/{}/reset-password", ada.id);
    caller
        .post(&path, json!({"password": "another long passphrase 42"}))
        .await
        .ok();
    assert_eq!(late.get(waiting.url.as_str()).await.status, 404, "a new password");
    server.stop().await;
}

/// The second tab has signed in meanwhile: the first one goes on with that session, and what was chosen ends all the same.
#[tokio::test]
async fn what_was_chosen_ends_although_the_browser_has_come_in_otherwise() {
    let server = Server::start().await;
    let (ada, first, second) = two_of_two(&server, "ask").await;
    let third = Browser::new();
    let page = third.follow(sign_in(&server, &third, &ada).await).await;
    let of_first = choices(&page).last().unwrap().clone();
    // there is room for the other tab
    let caller = Caller::client(&server, "admin:sessions").await;
    let listed = caller.get(&format!("/users/{}/sessions", ada.id)).await.ok().json();
    let newest = listed["items"][0]["id"].as_str().unwrap().to_owned();
    caller.delete(&format!("/sessions/{newest}")).await.ok();
    assert!(!is_signed_in(&server, &second).await);
    sign_in(&server, &third, &ada).await;
    assert!(is_signed_in(&server, &third).await);
    assert!(is_signed_in(&server, &first).await);
    choose(&third, &page, &[&of_first]).await;
    assert!(is_signed_in(&server, &third).await);
    assert!(!is_signed_in(&server, &first).await);
    assert_eq!(sessions(&server, &ada).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn who_gives_up_is_not_signed_in_and_nobody_is_signed_out() {
    let server = Server::start().await;
    let (ada, first, second) = two_of_two(&server, "ask").await;
    let third = Browser::new();
    let page = third.follow(sign_in(&server, &third, &ada).await).await;
    let form = page.form_with_button("intent", "cancel");
    let left = third.submit(&page, form, &[("intent", "cancel")]).await;
    assert_eq!(left.location().unwrap().path(), "/");
    assert_eq!(third.get(page.url.as_str()).await.status, 404);
    for browser in [&first, &second] {
        assert!(is_signed_in(&server, browser).await);
    }
    assert!(!is_signed_in(&server, &third).await);
    server.stop().await;
}

/// With an authorization request: the choice leads on to the application, giving up tells it so.
#[tokio::test]
async fn the_choice_leads_on_to_the_application() {
    each_backend(async |server| {
        let (ada, _, _) = two_of_two(server, "ask").await;
        let client = server.client(crate::oauth::steps::skips).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid".to_owned();
        for (gives_up, expected) in [(true, "error"), (false, "code")] {
            let browser = Browser::new();
            let login = browser.open(&party.authorization_url()).await;
            let form = login.form_with("password");
            let values = [("username", ada.username.as_str()), ("password", ada.password.as_str())];
            let page = browser.submit(&login, form, &values).await;
            let page = browser.follow(page).await;
            assert_eq!(page.url.path(), "/login/devices");
            let next = if gives_up {
                let form = page.form_with_button("intent", "cancel");
                browser.submit(&page, form, &[("intent", "cancel")]).await
            } else {
                choose(&browser, &page, &[&choices(&page)[1]]).await
            };
            let to = next.location().unwrap();
            assert!(to.query_pairs().any(|(name, _)| name == expected), "{to}");
        }
        assert_eq!(sessions(server, &ada).await, 2);
    })
    .await;
}

/// A number that was lowered asks for as many as it takes.
#[tokio::test]
async fn a_lowered_number_asks_for_as_many_as_it_takes() {
    let server = Server::start().await;
    let (ada, first, second) = two_of_two(&server, "ask").await;
    server.settings(json!({"session.max_concurrent": 1})).await;
    let third = Browser::new();
    let page = third.follow(sign_in(&server, &third, &ada).await).await;
    let logins = choices(&page);
    assert_eq!(choose(&third, &page, &[&logins[0]]).await.status, 422);
    let both: Vec<&str> = logins.iter().map(String::as_str).collect();
    assert!(choose(&third, &page, &both).await.location().is_some());
    assert!(is_signed_in(&server, &third).await);
    for browser in [&first, &second] {
        assert!(!is_signed_in(&server, browser).await);
    }
    server.stop().await;
}

/// The same person, a subscription of more: the group says how many.
#[tokio::test]
async fn a_group_may_have_more() {
    let server = Server::start().await;
    let (ada, _, _) = two_of_two(&server, "refuse").await;
    let gold = server.group("gold", &[], &[&ada]).await;
    let caller = Caller::client(&server, "admin:groups").await;
    let path = format!("/groups/{gold}/settings");
    caller
        .patch(&path, json!({"session": {"max_concurrent": 3}}))
        .await
        .ok();
    let third = Browser::new();
    sign_in(&server, &third, &ada).await;
    assert!(is_signed_in(&server, &third).await);
    assert_eq!(sign_in(&server, &Browser::new(), &ada).await.status, 403);
    server.stop().await;
}

/// What decided is on record: the rule, how many there were, and how many there may be.
#[tokio::test]
async fn explain_tells_of_the_limit() {
    let server = Server::start().await;
    let (ada, _, _) = two_of_two(&server, "refuse").await;
    sign_in(&server, &Browser::new(), &ada).await;
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let events = store.list_events(None, 20).await.unwrap();
    let refused = events
        .iter()
        .find(|event| event.reason.as_deref() == Some("sign_in.limit"))
        .unwrap();
    drop(store);
    let caller = Caller::client(&server, "admin:traces.read").await;
    let told = caller.get(&format!("/traces/{}", refused.trace)).await.ok().json();
    let text = told.to_string();
    assert!(text.contains("sign_in.limit"), "{text}");
    assert!(text.contains("session.max_concurrent"), "{text}");
    let _: &Value = &told;
    server.stop().await;
}

/// A browser with the same key as another one and nothing else: what came back to it never arrives there.
fn beside(browser: &Browser) -> Browser {
    let lost = Browser::new();
    lost.set_cookie(
        "localhost",
        "ostiary_browser",
        &browser.cookie("ostiary_browser").unwrap(),
    );
    lost
}

/// The answer to a sign-in gets lost, and the person sends the form once more: that is one browser, and one login.
#[tokio::test]
async fn a_sign_in_whose_answer_was_lost_takes_no_second_place() {
    each_backend(async |server| {
        let values = |user: &TestUser| [("username", user.username.clone()), ("password", user.password.clone())];
        for at_limit in ["refuse", "ask", "end_oldest"] {
            for max in [1, 2] {
                server
                    .settings(json!({"session.max_concurrent": max, "session.at_limit": at_limit}))
                    .await;
                let ada = server.user(&format!("ada-{at_limit}-{max}")).await;
                let values = values(&ada);
                let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
                let browser = Browser::new();
                let page = browser.get(&server.url("/login")).await;
                let lost = beside(&browser);
                let first = lost.submit(&page, page.form_with("password"), &values).await;
                assert_eq!(first.location().unwrap().path(), "/");
                server.advance(MINUTE);
                let again = browser.submit(&page, page.form_with("password"), &values).await;
                assert_eq!(again.location().unwrap().path(), "/", "{at_limit} {max}");
                assert!(is_signed_in(server, &browser).await);
                assert!(!is_signed_in(server, &lost).await, "nobody had that one");
                assert_eq!(sessions(server, &ada).await, 1, "{at_limit} {max}");
                // for others it is as it was
                let other = Browser::new();
                let entered = sign_in(server, &other, &ada).await;
                let goes_in = entered.location().is_some_and(|to| to.path() == "/");
                assert_eq!(goes_in, max == 2 || at_limit == "end_oldest", "{at_limit} {max}");
                assert_eq!(
                    is_signed_in(server, &browser).await,
                    max == 2 || at_limit != "end_oldest"
                );
            }
        }
    })
    .await;
}

/// A form that is sent twice at once, or two tabs: there is one login, whichever answer the browser sees, and however many it may have.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_twice_at_once_is_one_login() {
    each_backend(async |server| {
        for round in 0..16 {
            let max = if round < 8 { 1 } else { 5 };
            server
                .settings(json!({"session.max_concurrent": max, "session.at_limit": "refuse"}))
                .await;
            let ada = server.user(&format!("ada-{round}")).await;
            let browser = Browser::new();
            let page = browser.get(&server.url("/login")).await;
            let both = [beside(&browser), beside(&browser)];
            let values = [("username", ada.username.as_str()), ("password", ada.password.as_str())];
            let sent = both
                .each_ref()
                .map(|one| one.submit(&page, page.form_with("password"), &values));
            futures_util::future::join_all(sent).await;
            assert_eq!(sessions(server, &ada).await, 1);
            let inside = [
                is_signed_in(server, &both[0]).await,
                is_signed_in(server, &both[1]).await,
            ];
            assert!(inside.contains(&true), "{inside:?}");
            let tokens = both.each_ref().map(|one| one.cookie("ostiary_session").unwrap());
            assert_eq!(inside == [true, true], tokens[0] == tokens[1]);
            // and whoever signs in there again has another session in its place
            server.advance(MINUTE);
            let again = browser.submit(&page, page.form_with("password"), &values).await;
            assert_eq!(again.location().unwrap().path(), "/");
            assert!(is_signed_in(server, &browser).await);
            assert_ne!(browser.cookie("ostiary_session").unwrap(), tokens[0]);
            assert_eq!(sessions(server, &ada).await, 1);
        }
    })
    .await;
}
