//! The network delivers things twice, or in part.

use std::time::Duration;

use ostiary::clock;

use super::ledger::report;
use super::site::{Question, Site, bound, length, local};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::process::{free_address, until};
use crate::support::proxy::{Mode, Proxy};

/// REL-45: a proxy before the server sends every third request with a body twice: what happens, happens once, and people get
/// through or are told to begin again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_happens_once() {
    if quick() {
        return;
    }
    // the proxy is the issuer's address, the node stands behind it
    let behind = free_address();
    let site = Site::start_with(&[], |plan| plan.at(behind), |_| ()).await;
    let front = Proxy::start_at(site.installation.front, behind).await;
    front.set(Mode::Replay(3));
    let party = site.party();
    let (mut got, mut again) = (0, 0);
    for _ in 0..length(20, 500) {
        let browser = Browser::new();
        let arrival = party.sign_in(&browser, &site.user).await;
        let answer = party.redeem(arrival.code()).await;
        if answer.status.is_success() {
            let next = party.refresh(&answer.get("refresh_token")).await;
            // a copy of the exchange that came later has ended the family (RFC 6749 section 4.1.2)
            if next.status.is_success() {
                got += 1;
                continue;
            }
            assert_eq!(next.error(), "invalid_grant");
        } else {
            assert_eq!(answer.error(), "invalid_grant");
        }
        again += 1;
    }
    assert!(
        front.replayed() > 10 && got > again,
        "{got} through, {again} to begin again, {} replayed",
        front.replayed()
    );
    front.set(Mode::Pass);
    clock::sleep(Duration::from_millis(300)).await;
    // I2, I3, I8
    let postgres = &site.postgres;
    let grants = postgres.number("select count(*) from grants").await;
    let redeemed = postgres
        .number("select count(*) from events where kind = 'code.redeemed'")
        .await;
    assert_eq!(grants, redeemed);
    let spent = postgres
        .number("select count(*) from refresh_tokens where spent_at is not null")
        .await;
    let refreshed = postgres
        .number("select count(*) from events where kind = 'token.refreshed'")
        .await;
    assert_eq!(spent, refreshed);
    let leaves = postgres
        .number("select coalesce(max(leaves), 0) from (select count(*) as leaves from refresh_tokens where spent_at is null group by grant_id) as families")
        .await;
    assert!(leaves <= 1, "{leaves} live tokens in one family");
    report(
        "REL-45",
        format!(
            "{got} sign-ons through, {again} told to begin again; {} requests came twice",
            front.replayed()
        ),
    );
}

/// REL-14, REL-15: a network before Redis that cuts answers in the middle, or swallows everything: refused, never confused, and
/// over when it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_torn_connection_to_redis_confuses_nobody() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    assert_eq!(site.redis.port, local(site.redis.port).port());
    for mode in [Mode::CutAfter(700), Mode::BlackHole, Mode::Refuse] {
        let name = format!("{mode:?}");
        site.cache.set(mode);
        let told = asks
            .keep_asking(
                &[Question::Authorize, Question::SignedIn, Question::Introspect],
                Duration::from_millis(1500),
            )
            .await;
        for (question, told) in &told {
            told.judge((&name, question));
            assert!(told.took < bound(), "{name} {question:?} {told:?}");
            if *question == Question::Introspect {
                assert_eq!(told.status, Some(200), "{name} {told:?}");
            }
        }
        site.cache.set(Mode::Pass);
        let took = until(bound(), "sign-in works again", async || {
            !asks.ask(Question::Authorize).await.is_outage() && !asks.ask(Question::SignedIn).await.is_outage()
        })
        .await;
        report("REL-30", format!("{name} before Redis: sign-in works {took:?} after"));
    }
}
