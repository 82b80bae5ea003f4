//! Redis is killed, stands still, is emptied, runs out of memory, or comes back with an old dump.

use std::time::Duration;

use ostiary::clock;

use super::ledger::{Told, ask, http, percentile, report, statuses};
use super::site::{Families, PROMISE, Question, Site, bound, length};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::process::until;
use crate::support::proxy::Mode;
use crate::support::relying_party::basic;
use crate::support::sources::texts;

/// What needs no Redis.
fn free() -> Vec<Question> {
    let mut all = Question::FREE.to_vec();
    all.extend(Question::OF_DATABASE);
    all
}

fn everything() -> Vec<Question> {
    let mut all = free();
    all.extend(Question::OF_SESSIONS);
    all
}

/// I6: what needs no Redis goes on; the rest says so, in time; nothing fails.
fn judge(row: &str, told: &[(Question, Told)]) {
    for (question, told) in told {
        told.judge((row, question));
        assert!(told.took < bound(), "{row} {question:?}: {told:?}");
        if Question::FREE.contains(question) {
            assert_eq!(told.status, Some(200), "{row} {question:?}: {told:?}");
        }
    }
    hardly_ever_away(row, told);
    let refused = told.iter().filter(|(_, told)| told.is_outage()).count();
    assert!(refused > 0, "{row}: nothing was away");
    let mut times: Vec<Duration> = told.iter().map(|(_, told)| told.took).collect();
    let (p99, slowest) = (percentile(&mut times, 99), percentile(&mut times, 100));
    report(
        row,
        format!(
            "{} requests, {refused} told to come again; p99 {p99:?}, slowest {slowest:?} (promise {PROMISE:?})",
            told.len()
        ),
    );
}

/// What needs no Redis is there: but for a Postgres that is slower than its limits, on a machine with much else to do.
fn hardly_ever_away(row: &str, told: &[(Question, Told)]) {
    let asked = told.iter().filter(|(question, _)| free().contains(question));
    let (away, there): (Vec<_>, Vec<_>) = asked.partition(|(_, told)| told.is_outage());
    assert!(
        away.len() * 10 <= there.len(),
        "{row}: {} of {}: {away:?}",
        away.len(),
        told.len()
    );
}

/// The wrong secret of some client, from one address.
async fn guess(site: &Site) -> Told {
    // not the client that works here: from this address it would be counted together with it
    let wrong = basic("somebody", "wrong");
    ask(http()
        .post(site.url("/oauth2/introspect"))
        .header("authorization", wrong)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("token=none"))
    .await
}

/// REL-29: kill -9 of Redis: tokens go on, sign-in says when to come again, guesses are counted by the node itself; afterwards
/// who was signed in signs in again, and is nobody else meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_stops_sign_ins_and_nothing_else() {
    if quick() {
        return;
    }
    let mut site = Site::start().await;
    let asks = site.questions().await;
    let browser = Browser::new();
    site.party().sign_in(&browser, &site.user).await;
    let families = Families::start(&site, 3, Duration::from_millis(30)).await;
    site.redis.kill();
    let told = asks
        .keep_asking(&everything(), length(Duration::from_secs(3), Duration::from_secs(10)))
        .await;
    judge("REL-29", &told);
    // ten wrong ones, counted here: the eleventh is not looked at
    let mut refused = 0;
    for _ in 0..16 {
        let told = guess(&site).await;
        told.judge("a wrong secret");
        refused += usize::from(told.status == Some(429));
    }
    assert!(
        (4..=6).contains(&refused),
        "{refused} of 16 wrong secrets were turned away"
    );
    site.redis.up().await;
    let back = clock::monotonic();
    until(bound(), "sign-in works again", async || {
        !asks.ask(Question::Authorize).await.is_outage() && site.node.readiness().await == Some(200)
    })
    .await;
    let recovered = back.elapsed();
    // I11: nobody is taken for somebody
    let silent = site.party().authorization_url_with(&[("prompt", "none")]);
    let page = browser.get(&silent).await;
    assert!(
        page.location().unwrap().query().unwrap().contains("login_required"),
        "{:?}",
        page.location()
    );
    site.party().tokens(&site.user).await;
    let told = families.end().await;
    let refreshed = statuses(&told);
    report(
        "REL-29",
        format!(
            "sign-in works {recovered:?} after Redis; 16 wrong secrets meanwhile, {refused} turned away; families {refreshed:?}"
        ),
    );
}

/// REL-30: Redis stands still: nobody waits for it, and when it goes on so does everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stands_still_keeps_nobody_waiting() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    let browser = Browser::new();
    site.party().sign_in(&browser, &site.user).await;
    site.redis.signal("STOP");
    let told = asks
        .keep_asking(&everything(), length(Duration::from_secs(4), Duration::from_secs(30)))
        .await;
    site.redis.signal("CONT");
    let back = clock::monotonic();
    judge("REL-30", &told);
    // once the breaker is open, refusals are immediate
    let late = told.iter().skip(told.len() / 2).filter(|(_, told)| told.is_outage());
    let slowest = late.map(|(_, told)| told.took).max().unwrap();
    until(bound(), "sign-in works again", async || {
        !asks.ask(Question::Authorize).await.is_outage()
    })
    .await;
    let recovered = back.elapsed();
    // it stood still and forgot nothing: who was signed in still is
    let silent = site.party().authorization_url_with(&[("prompt", "none")]);
    assert!(!browser.sign_in(&silent, &site.user).await.code().is_empty());
    assert!(slowest < PROMISE, "{slowest:?}");
    report(
        "REL-30",
        format!("sign-in works {recovered:?} after it goes on; refusals in the second half took {slowest:?} at most"),
    );
}

/// A Redis 200 ms away: whoever needs it is served, later; one that is slower than its limit is as good as away, and refused in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_is_waited_for_as_long_as_it_is_worth() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    site.cache
        .set(Mode::Delay(Duration::from_millis(90), Duration::from_millis(20)));
    let begun = clock::monotonic();
    site.party().tokens(&site.user).await;
    let far = begun.elapsed();
    site.cache.set(Mode::Delay(Duration::from_secs(3), Duration::ZERO));
    let told = asks
        .keep_asking(&everything(), length(Duration::from_secs(3), Duration::from_secs(30)))
        .await;
    judge("slow Redis", &told);
    site.cache.set(Mode::Pass);
    site.cache.cut();
    let back = clock::monotonic();
    until(bound(), "sign-in works again", async || {
        !asks.ask(Question::Authorize).await.is_outage()
    })
    .await;
    site.party().tokens(&site.user).await;
    let recovered = back.elapsed();
    report(
        "slow Redis",
        format!("a sign-on at 200 ms a round trip took {far:?}; sign-in works {recovered:?} after it is near again"),
    );
}

/// REL-31: FLUSHALL under load: people sign in again, nothing that was used or ended comes back, and guesses get one more
/// budget, not a new one for each node and request.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_costs_a_sign_in_and_no_more() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    let party = site.party();
    let browser = Browser::new();
    let used = party.sign_in(&browser, &site.user).await;
    let tokens = party.redeem(used.code()).await.ok();
    party.revoke(&tokens.get("refresh_token")).await.ok();
    let waiting = party.sign_in(&browser, &site.user).await;
    let mut turned_away = 0;
    for _ in 0..13 {
        turned_away += usize::from(guess(&site).await.status == Some(429));
    }
    assert_eq!(turned_away, 3);
    let families = Families::start(&site, 3, Duration::from_millis(20)).await;
    let loaded = tokio::spawn({
        let asks = asks.clone();
        async move { asks.keep_asking(&everything(), Duration::from_secs(2)).await }
    });
    clock::sleep(Duration::from_millis(500)).await;
    assert!(site.redis.ask("flushall").contains("OK"));
    let told = loaded.await.unwrap();
    for (question, told) in &told {
        told.judge(question);
        assert!(told.took < bound(), "{question:?} {told:?}");
    }
    hardly_ever_away("REL-31", &told);
    let refused = told.iter().filter(|(_, told)| told.is_outage()).count();
    families.end().await;
    // I2, I5
    assert_eq!(party.redeem(used.code()).await.error(), "invalid_grant");
    assert_eq!(party.redeem(waiting.code()).await.error(), "invalid_grant");
    assert_eq!(
        party.refresh(&tokens.get("refresh_token")).await.error(),
        "invalid_grant"
    );
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    assert_eq!(
        browser.sign_in(&silent, &site.user).await.get("error"),
        "login_required"
    );
    party.sign_in(&browser, &site.user).await;
    // what was flushed is one budget more
    let mut more = 0;
    for _ in 0..25 {
        more += usize::from(guess(&site).await.status != Some(429));
    }
    assert!(more <= 11, "{more} more guesses");
    report(
        "REL-31",
        format!("{refused} refusals around FLUSHALL; {more} guesses more than the budget"),
    );
}

/// REL-35: whatever decides is read from the primary: nothing here knows how to read a replica.
#[test]
fn nothing_is_ever_read_from_a_replica() {
    let words = [
        "read_from_replicas",
        "ReadFromReplica",
        "SentinelServerType::Replica",
        "target_session_attrs",
    ];
    let mut read = 0;
    for (name, text) in texts("src", &["rs", "lua"]) {
        read += 1;
        for word in words {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
    assert!(read > 100);
}

/// REL-36: a Redis that throws entries away is complained about, and what it threw away is refused; one without memory that
/// throws nothing away fails nobody.
#[tokio::test(flavor = "multi_thread")]
async fn what_redis_threw_away_is_refused() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    let party = site.party();
    let browser = Browser::new();
    let arrival = party.sign_in(&browser, &site.user).await;
    site.redis.ask("config set maxmemory-policy allkeys-random");
    site.cache.cut();
    assert!(!asks.ask(Question::Authorize).await.is_outage());
    until(bound(), "the log says that keys may be evicted", async || {
        site.node.log().contains("redis evicts keys")
    })
    .await;
    // everything goes
    site.redis.ask("config set maxmemory 1");
    until(bound(), "nothing is left", async || {
        site.redis.ask("set filler 1");
        site.redis.ask("dbsize").trim().ends_with('0')
    })
    .await;
    assert_eq!(site.redis.ask("config set maxmemory 0").trim(), "OK");
    assert_eq!(party.redeem(arrival.code()).await.error(), "invalid_grant");
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    assert_eq!(
        browser.sign_in(&silent, &site.user).await.get("error"),
        "login_required"
    );
    // and without eviction: whatever does not fit is refused for now, never a failure
    site.redis.ask("config set maxmemory-policy noeviction");
    site.redis.ask("config set maxmemory 1");
    for question in [Question::Authorize, Question::SignedIn, Question::LoginPage] {
        let told = asks.ask(question).await;
        told.judge((question, "no memory"));
        assert!(told.took < bound(), "{told:?}");
    }
    assert_eq!(asks.ask(Question::Refresh).await.status, Some(200));
    site.redis.ask("config set maxmemory 0");
    until(bound(), "there is memory again", async || {
        !asks.ask(Question::Authorize).await.is_outage()
    })
    .await;
    report(
        "REL-36",
        "evicted sessions and codes are refused, eviction is in the log, a full Redis fails nobody",
    );
}

/// REL-37: an old dump comes back: the session that was ended and the code that was used stay so.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_dump_brings_nothing_back() {
    if quick() {
        return;
    }
    let mut site = Site::start().await;
    let browser = Browser::new();
    let client = site.client.clone();
    let (issuer, host) = (site.installation.issuer(), site.installation.host());
    let party = crate::support::relying_party::RelyingParty::at(&issuer, &host, &client);
    let used = party.sign_in(&browser, &site.user).await;
    let other = Browser::new();
    party.sign_in(&other, &site.user).await;
    assert!(site.redis.ask("save").contains("OK"));
    // after the dump: redeemed, signed out
    party.redeem(used.code()).await.ok();
    let cookie = browser.cookie("ostiary_session").unwrap();
    let page = browser.open(&format!("{issuer}/logout")).await;
    let form = page.form_with("csrf");
    let done = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert!(done.status.is_redirection(), "{} {}", done.status, done.body);
    site.redis.kill();
    clock::sleep(length(Duration::from_millis(500), Duration::from_secs(2))).await;
    site.redis.up().await;
    assert!(site.redis.ask("dbsize").trim() != "0", "the dump was read");
    until(bound(), "sign-in works again", async || {
        let page = Browser::new().get(&party.authorization_url()).await;
        page.status != 503
    })
    .await;
    // I2, I5
    assert_eq!(party.redeem(used.code()).await.error(), "invalid_grant");
    browser.set_cookie("localhost", "ostiary_session", &cookie);
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    assert_eq!(
        browser.sign_in(&silent, &site.user).await.get("error"),
        "login_required"
    );
    // who was not signed out still is signed in
    assert!(!other.sign_in(&silent, &site.user).await.code().is_empty());
    report("REL-37", "an ended session and a used code stay so after an old dump");
}
