//! `session.durable`: Redis is killed, emptied, or comes back with an old dump, and nobody has to sign in again.

use std::time::Duration;

use ostiary::clock;

use super::ledger::report;
use super::site::{PROMISE, Question, Site, bound, length};
use crate::ephemeral::redis_server::Server as Redis;
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::process::until;
use crate::support::relying_party::claims;
use crate::support::services::Postgres;

const COOKIE: &str = "ostiary_session";

/// A site where sessions are kept, with a Redis that keeps nothing by itself.
async fn site() -> Site {
    let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start(&["--save", ""]));
    let site = Site::on(postgres, redis, |plan| plan, |_| ()).await;
    site.setting("session.durable", "true").await;
    site
}

/// Whether a browser is signed in, as whom.
async fn silent(site: &Site, browser: &Browser) -> Option<String> {
    let party = site.party();
    let url = party.authorization_url_with(&[("prompt", "none")]);
    let arrival = browser.sign_in(&url, &site.user).await;
    if arrival.get("error") == "login_required" {
        return None;
    }
    let tokens = party.redeem(arrival.code()).await.ok();
    Some(claims(&tokens.get("id_token"))["sub"].as_str().unwrap().to_owned())
}

async fn sign_out(site: &Site, browser: &Browser) {
    let page = browser.open(&site.url("/logout")).await;
    let form = page.form_with("csrf");
    let done = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert!(done.status.is_redirection(), "{} {}", done.status, done.body);
}

/// So many browsers in which the person has signed in, one of which has signed out since: its cookie as it was.
async fn browsers(site: &Site) -> (Vec<Browser>, Vec<String>) {
    let mut browsers = Vec::new();
    for _ in 0..4 {
        let browser = Browser::new();
        site.party().sign_in(&browser, &site.user).await;
        browsers.push(browser);
    }
    let last = browsers.pop().unwrap();
    let cookie = last.cookie(COOKIE).unwrap();
    sign_out(site, &last).await;
    (browsers, vec![cookie])
}

/// I5, I11: everybody is signed in as they were, and nobody else is.
async fn all_as_before(site: &Site, browsers: &[Browser], ended: &[String]) {
    for browser in browsers {
        assert_eq!(silent(site, browser).await, Some(site.user.subject.clone()));
    }
    for cookie in ended {
        let thief = Browser::new();
        thief.set_cookie("localhost", COOKIE, cookie);
        assert_eq!(silent(site, &thief).await, None);
    }
}

/// REL-29: kill -9, and it comes back with nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_signs_nobody_out_where_sessions_are_kept() {
    if quick() {
        return;
    }
    let mut site = site().await;
    let asks = site.questions().await;
    let (people, ended) = browsers(&site).await;
    site.redis.kill();
    let told = asks.ask(Question::SignedIn).await;
    told.judge("a browser that is signed in");
    assert!(told.is_outage() && told.took < bound(), "{told:?}");
    clock::sleep(length(Duration::from_millis(300), Duration::from_secs(5))).await;
    site.redis.up().await;
    assert_eq!(site.redis.ask("dbsize").trim(), "0");
    let back = until(bound(), "who is signed in is known again", async || {
        !asks.ask(Question::SignedIn).await.is_outage()
    })
    .await;
    all_as_before(&site, &people, &ended).await;
    report(
        "REL-29",
        format!("with session.durable nobody is signed out; known again after {back:?} (promise {PROMISE:?})"),
    );
}

/// REL-31: FLUSHALL, again and again, while people are at work.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_signs_nobody_out_where_sessions_are_kept() {
    if quick() {
        return;
    }
    let site = site().await;
    let (people, ended) = browsers(&site).await;
    for _ in 0..3 {
        assert!(site.redis.ask("flushall").contains("OK"));
        all_as_before(&site, &people, &ended).await;
    }
    // what is asked for while it is emptied all the time is answered too
    let asked = async {
        for _ in 0..20 {
            let page = people[0].get(&site.url("/account")).await;
            assert_eq!(page.status, 200, "{}", page.body);
        }
    };
    let emptied = async {
        for _ in 0..20 {
            site.redis.ask("flushall");
            clock::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(asked, emptied);
    all_as_before(&site, &people, &ended).await;
    report("REL-31", "with session.durable FLUSHALL signs nobody out");
}

/// REL-37: an old dump: what ended since stays so, who signed in since is signed in, and tokens that were replaced since are found
/// by nobody once the new ones were seen.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_dump_signs_nobody_out_where_sessions_are_kept() {
    if quick() {
        return;
    }
    let mut site = site().await;
    let (mut people, mut ended) = browsers(&site).await;
    let leaves = people.pop().unwrap();
    let renews = people.pop().unwrap();
    let replaced = renews.cookie(COOKIE).unwrap();
    assert!(site.redis.ask("save").contains("OK"));
    // since: one signs out, one proves once more who they are, one comes
    ended.push(leaves.cookie(COOKIE).unwrap());
    sign_out(&site, &leaves).await;
    let again = site.party().authorization_url_with(&[("prompt", "login")]);
    renews.sign_in(&again, &site.user).await;
    assert_ne!(renews.cookie(COOKIE).unwrap(), replaced);
    people.push(renews);
    let comes = Browser::new();
    site.party().sign_in(&comes, &site.user).await;
    people.push(comes);
    site.redis.kill();
    site.redis.up().await;
    assert!(site.redis.ask("dbsize").trim() != "0", "the dump was read");
    let asks = site.questions_with("none", "none");
    until(bound(), "sign-in works again", async || {
        !asks.ask(Question::Authorize).await.is_outage()
    })
    .await;
    all_as_before(&site, &people, &ended).await;
    let thief = Browser::new();
    thief.set_cookie("localhost", COOKIE, &replaced);
    assert_eq!(silent(&site, &thief).await, None);
    report(
        "REL-37",
        "with session.durable an old dump revives nothing and signs nobody out",
    );
}
