//! Postgres is killed, stands still, loses answers, is slow, is used up, or asks to do it again.

use std::time::Duration;

use ostiary::clock;
use ostiary::model::{GrantType, Scopes};

use super::ledger::{Told, ask, http, percentile, report, statuses};
use super::site::{Families, PROMISE, Question, Site, bound, length};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::process::until;
use crate::support::proxy::Mode;

/// Everything that is asked while Postgres is away.
fn everything() -> Vec<Question> {
    let mut all = Question::FREE.to_vec();
    all.extend(Question::OF_DATABASE);
    all.extend(Question::OF_SESSIONS);
    all
}

/// I6: what needs no database goes on; the rest says so, in time; nothing fails.
fn judge(row: &str, told: &[(Question, Told)]) {
    let mut slowest = Duration::ZERO;
    for (question, told) in told {
        told.judge((row, question));
        if Question::FREE.contains(question) {
            assert_eq!(told.status, Some(200), "{row} {question:?}: {told:?}");
        }
        assert!(told.took < bound(), "{row} {question:?}: {told:?}");
        slowest = slowest.max(told.took);
    }
    let refused = told.iter().filter(|(_, told)| told.is_outage()).count();
    assert!(refused > 0, "{row}: nothing was away");
    let mut times: Vec<Duration> = told.iter().map(|(_, told)| told.took).collect();
    report(
        row,
        format!(
            "{} requests, {refused} told to come again; p99 {:?}, slowest {slowest:?} (promise {PROMISE:?})",
            told.len(),
            percentile(&mut times, 99),
        ),
    );
}

/// REL-12: kill -9 of Postgres under load: what needs it says so in time, keys and pages go on, everything is back soon after it
/// is, and what was acknowledged is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgres_is_told_of_and_all_comes_back() {
    if quick() {
        return;
    }
    let mut site = Site::start().await;
    let asks = site.questions().await;
    let families = Families::start(&site, 4, Duration::from_millis(20)).await;
    clock::sleep(Duration::from_millis(300)).await;
    site.postgres.kill().await;
    // what was in flight may have been answered before: from here on nobody is there
    let told = asks
        .keep_asking(&everything(), length(Duration::from_secs(4), Duration::from_secs(10)))
        .await;
    judge("REL-12", &told);
    assert_eq!(site.node.readiness().await, Some(503));
    site.postgres.up().await;
    let recovered = site.recovers(clock::monotonic()).await;
    assert!(recovered < bound(), "{recovered:?}");
    let told = families.end().await;
    report(
        "REL-12",
        format!(
            "everything works {recovered:?} after Postgres; families {:?}",
            statuses(&told)
        ),
    );
    each_is_written_once(&site).await;
}

/// REL-13: Postgres stands still: refused in time, memory stays, and when it goes on nothing has happened twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_stands_still_keeps_nobody_waiting() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    site.retry_window().await;
    let asks = site.questions().await;
    let families = Families::start(&site, 4, Duration::from_millis(20)).await;
    clock::sleep(Duration::from_millis(300)).await;
    let before = site.node.resident_kib();
    site.postgres.freeze();
    let told = asks
        .keep_asking(&everything(), length(Duration::from_secs(4), Duration::from_secs(30)))
        .await;
    let grown = site.node.resident_kib().saturating_sub(before);
    site.postgres.thaw();
    let recovered = site.recovers(clock::monotonic()).await;
    judge("REL-13", &told);
    assert!(recovered < bound(), "{recovered:?}");
    assert!(grown < 64 * 1024, "{grown} KiB more");
    let after = asks.keep_asking(&[Question::Introspect], Duration::from_secs(1)).await;
    let mut times: Vec<Duration> = after.iter().map(|(_, told)| told.took).collect();
    let normal = percentile(&mut times, 99);
    assert!(normal < Duration::from_secs(1), "{normal:?}");
    let told = families.end().await;
    report(
        "REL-13",
        format!(
            "everything works {recovered:?} after it goes on, p99 then {normal:?}; {grown} KiB more; families {:?}",
            statuses(&told)
        ),
    );
    each_is_written_once(&site).await;
}

/// REL-14: the answer to every third COMMIT is lost: a refresh that is asked for again gets the same successor, a code that is
/// presented again is refused, nothing happens twice and everything is in the audit log once.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_commit_never_becomes_a_second_effect() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let party = site.party();
    let browser = Browser::new();
    party.sign_in(&browser, &site.user).await;
    let exchanges = length(24, 1_000);
    let families = Families::start(&site, 4, Duration::from_millis(10)).await;
    site.database.set(Mode::SwallowAnswer(b"commit\0", 3));
    let (mut given, mut lost) = (0, 0);
    for _ in 0..exchanges {
        // making the code writes nothing that is waited for
        let code = loop {
            let page = browser.get(&party.authorization_url()).await;
            if let Some(to) = page.location() {
                break to
                    .query_pairs()
                    .find(|(name, _)| name == "code")
                    .unwrap()
                    .1
                    .into_owned();
            }
            assert_eq!(page.status, 503, "{}", page.body);
            clock::sleep(Duration::from_millis(50)).await;
        };
        let mut granted = 0;
        let mut unknown = 0;
        for _ in 0..100 {
            let answer = party.redeem(&code).await;
            match answer.status.as_u16() {
                200 => granted += 1,
                503 => unknown += 1,
                400 => {
                    assert_eq!(answer.error(), "invalid_grant");
                    break;
                }
                other => panic!("{other} {}", answer.body),
            }
            clock::sleep(Duration::from_millis(10)).await;
        }
        // I2: at most once, and only where nobody had said before that it may have happened
        assert!(granted <= 1, "a code was redeemed {granted} times");
        given += granted;
        lost += u32::from(granted == 0 && unknown > 0);
    }
    site.database.set(Mode::Pass);
    let swallowed = site.database.noticed() / 3;
    assert!(
        swallowed > 0 && lost > 0,
        "{swallowed} answers were lost, {lost} codes with them"
    );
    let told = families.end().await;
    report(
        "REL-14",
        format!(
            "{exchanges} codes: {given} redeemed, {lost} lost with their answer, none twice; {swallowed} answers to COMMIT \
             swallowed; families {:?}",
            statuses(&told)
        ),
    );
    each_is_written_once(&site).await;
}

/// REL-15: connections that stay open and swallow everything are given up in time, and the pool fills again.
#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_before_postgres_is_found_and_left() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    let families = Families::start(&site, 4, Duration::from_millis(20)).await;
    clock::sleep(Duration::from_millis(300)).await;
    site.database.set(Mode::BlackHole);
    let told = asks
        .keep_asking(&everything(), length(Duration::from_secs(4), Duration::from_secs(12)))
        .await;
    judge("REL-15", &told);
    // the connections of before stay deaf: what they lost does not come back
    site.database.set(Mode::Pass);
    let recovered = site.recovers(clock::monotonic()).await;
    assert!(recovered < bound(), "{recovered:?}");
    let told = families.end().await;
    until(bound(), "the connections are those of the pool", async || {
        site.database.open() <= 17
    })
    .await;
    report(
        "REL-15",
        format!(
            "everything works {recovered:?} after the hole is gone; families {:?}",
            statuses(&told)
        ),
    );
    each_is_written_once(&site).await;
}

/// REL-16: a Postgres 200 ms away, more or less: slower, and that is all. What is done is done once.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_far_away_makes_sign_ins_slower_and_no_worse() {
    if quick() {
        return;
    }
    let site = Site::start_with(&[], |plan| plan.with("OSTIARY_METRICS__TOKEN", NUMBERS), |_| ()).await;
    let asks = site.questions().await;
    let sessions = site.postgres.number("select count(*) from sessions").await;
    let (failed, opened) = (failures(&site).await, site.database.opened());
    site.database
        .set(Mode::Delay(Duration::from_millis(90), Duration::from_millis(20)));
    let rounds: usize = length(3, 30);
    let together = 4;
    let mut slowest = Vec::new();
    for _ in 0..rounds {
        let sign_ins = (0..together).map(|_| async {
            let party = site.party();
            let browser = Browser::new();
            let page = browser.open(&party.authorization_url()).await;
            let begun = clock::monotonic();
            let form = page.form_with("password");
            let values = [
                ("username", site.user.username.as_str()),
                ("password", site.user.password.as_str()),
            ];
            let answer = browser.submit(&page, form, &values).await;
            assert!(answer.status.is_redirection(), "{} {}", answer.status, answer.body);
            begun.elapsed()
        });
        slowest.extend(futures_util::future::join_all(sign_ins).await);
    }
    let refreshed = asks.ask(Question::Refresh).await;
    assert_eq!(refreshed.status, Some(200), "{refreshed:?}");
    site.database.set(Mode::Pass);
    let p99 = percentile(&mut slowest, 99);
    assert!(p99 < length(bound() * 2, PROMISE), "{p99:?}");
    // each attempt began one session: nothing was tried again behind people's backs
    let begun = site.postgres.number("select count(*) from sessions").await - sessions;
    assert_eq!(usize::try_from(begun).unwrap(), rounds * together);
    // no statement was given up and made once more, and no connection but those of the pool was made for it
    assert_eq!(failures(&site).await, failed, "statements and commits that failed");
    let connections = site.database.opened() - opened;
    assert!(connections <= 2 * 16, "{connections} connections for {begun} sign-ins");
    report(
        "REL-16",
        format!(
            "{begun} sign-ins at 200 ms a round trip: p99 {p99:?} (promise {PROMISE:?}), each once; {connections} connections made"
        ),
    );
}

/// The token that the numbers are shown for.
const NUMBERS: &str = "a-token-of-the-configuration";

/// How many statements and commits have failed, whatever became of them.
async fn failures(site: &Site) -> f64 {
    let told = ask(http().get(site.url("/metrics")).bearer_auth(NUMBERS)).await;
    let lines = told.body.lines();
    let failures = lines.filter(|line| line.starts_with("ostiary_sql_failures_total{"));
    failures
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

/// REL-17, SEC-645: lists that take all the time they are given don't keep people from signing in.
#[tokio::test(flavor = "multi_thread")]
async fn priority_fairness() {
    if quick() {
        return;
    }
    let site = Site::start_with(
        &[],
        |plan| plan,
        |client| {
            client.metadata.grant_types.push(GrantType::ClientCredentials);
            let all = ["openid", "profile", "email", "offline_access", "admin:clients.read"];
            client.metadata.scope = Scopes::from_tokens(all);
        },
    )
    .await;
    let asks = site.questions().await;
    let scope = [("grant_type", "client_credentials"), ("scope", "admin:clients.read")];
    let token = site.party().token(&scope).await.ok().get("access_token");
    let list = site.url("/api/v1/registration-tokens");
    let get = move || {
        let (list, token) = (list.clone(), token.clone());
        async move { super::ledger::ask(super::ledger::http().get(&list).bearer_auth(&token)).await }
    };
    assert_eq!(get().await.status, Some(200));
    let quiet = asks
        .keep_asking(&[Question::Introspect, Question::Authorize], Duration::from_secs(1))
        .await;
    let logins = length(12, 100);
    let sign_ins = async || {
        let mut times = Vec::new();
        for _ in 0..logins {
            let begun = clock::monotonic();
            site.party().sign_in(&Browser::new(), &site.user).await;
            times.push(begun.elapsed());
        }
        percentile(&mut times, 99)
    };
    let quiet_sign_in = sign_ins().await;
    // whoever reads this table waits until it is refused
    let lock = site
        .postgres
        .hold("lock table registration_tokens in access exclusive mode")
        .await;
    let lists: Vec<_> = (0..64).map(|_| tokio::spawn(get())).collect();
    clock::sleep(Duration::from_millis(300)).await;
    let busy = asks
        .keep_asking(&[Question::Introspect, Question::Authorize], Duration::from_secs(1))
        .await;
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let more: Vec<_> = (0..64)
        .map(|_| {
            let (get, over) = (get.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(get().await);
                }
            })
        })
        .collect();
    let signed_in = sign_ins().await;
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    // half as long again as alone; twice that where the machine has much else to do
    let at_most = quiet_sign_in * 3 / 2 * length(2, 1) + Duration::from_millis(length(500, 100));
    assert!(
        signed_in < at_most,
        "a sign-in takes {quiet_sign_in:?} alone, {signed_in:?} beside lists"
    );
    let mut refused = 0;
    for list in lists {
        let told = list.await.unwrap();
        told.judge("an administrator's list");
        refused += usize::from(told.is_outage());
        assert!(told.took < bound(), "{told:?}");
    }
    for lists in more {
        lists.await.unwrap();
    }
    drop(lock);
    assert!(refused > 32, "{refused} lists were turned away");
    let away = busy.iter().filter(|(_, told)| told.is_outage()).count();
    assert!(
        away * 10 <= busy.len(),
        "{away} of {} were turned away with the lists",
        busy.len()
    );
    let p99 = |told: &[(Question, Told)]| {
        let mut times: Vec<Duration> = told.iter().map(|(_, told)| told.took).collect();
        percentile(&mut times, 99)
    };
    let (quiet, busy) = (p99(&quiet), p99(&busy));
    assert!(
        busy < quiet * 3 + Duration::from_secs(1),
        "{quiet:?} alone, {busy:?} beside lists"
    );
    report(
        "REL-17",
        format!(
            "p99 {quiet:?} alone, {busy:?} beside 64 lists that hang ({refused} turned away); a sign-in {quiet_sign_in:?} alone, {signed_in:?} beside them"
        ),
    );
}

/// REL-18: where Postgres asks to run a transaction again, it is run again, three times at most; nothing is half done.
#[tokio::test(flavor = "multi_thread")]
async fn serialization_failures_are_tried_again_and_leave_nothing_half_done() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let families = Families::start(&site, 6, Duration::from_millis(5)).await;
    // three of ten transactions fail at their last statement
    site.postgres
        .run(
            "create function lose() returns trigger language plpgsql as $$ begin \
             if random() < 0.3 then raise exception 'once more' using errcode = '40001'; end if; return new; end $$",
        )
        .await;
    site.postgres
        .run("create trigger lose before insert on events for each row when (new.kind = 'token.refreshed') execute function lose()")
        .await;
    clock::sleep(length(Duration::from_secs(3), Duration::from_secs(60))).await;
    let lost = clock::monotonic();
    site.postgres.run("drop trigger lose on events").await;
    let told = families.end().await;
    let counted = statuses(&told);
    let (good, refused) = (
        counted.get(&200).copied().unwrap_or(0),
        counted.get(&503).copied().unwrap_or(0),
    );
    // 0.3 to the third power is 2.7 of a hundred
    assert!(good > 20 && refused * 10 < good, "{counted:?}");
    for told in told.iter().filter(|told| told.is_outage()) {
        assert!(told.retry_after.is_some() && told.took < bound(), "{told:?}");
    }
    each_is_written_once(&site).await;
    let waited = three_tries_with_pauses(&site).await;
    report(
        "REL-18",
        format!(
            "three of ten transactions failed: {counted:?}; done {:?} later; what fails always was tried three times, with pauses of {waited:?} together",
            lost.elapsed()
        ),
    );
}

/// Where every transaction fails, each is tried three times, with pauses that differ; then the client is told to come again. Gives the
/// shortest and the longest time that somebody was let wait.
async fn three_tries_with_pauses(site: &Site) -> (Duration, Duration) {
    let party = site.party();
    let browser = Browser::new();
    let tokens = party
        .redeem(party.sign_in(&browser, &site.user).await.code())
        .await
        .ok();
    let mut asks = site.questions_with(&tokens.get("access_token"), &tokens.get("refresh_token"));
    for text in [
        // a number that was taken stays taken, whatever becomes of the transaction
        "create sequence tries",
        "create or replace function lose() returns trigger language plpgsql as $$ begin \
         perform nextval('tries'); raise exception 'once more' using errcode = '40001'; end $$",
        "create trigger lose before insert on events for each row when (new.kind = 'token.refreshed') execute function lose()",
    ] {
        site.postgres.run(text).await;
    }
    let mut times = Vec::new();
    for _ in 0..20 {
        let told = asks.refresh().await;
        assert_eq!(told.status, Some(503), "{told:?}");
        assert!(told.retry_after.is_some());
        times.push(told.took);
    }
    let tries = site.postgres.number("select last_value from tries").await;
    assert_eq!(tries, 3 * 20, "tries of twenty refreshes");
    site.postgres.run("drop trigger lose on events").await;
    assert_eq!(asks.refresh().await.status, Some(200), "and then it goes on");
    times.sort();
    let (shortest, longest) = (times[0], times[times.len() - 1]);
    // up to 40 and up to 160 ms, at random: of twenty some are short and some are long
    assert!(longest - shortest > Duration::from_millis(40), "{times:?}");
    (shortest, longest)
}

/// I8: every refresh that happened is in the audit log exactly once, and every token has one successor at most.
pub(super) async fn each_is_written_once(site: &Site) {
    let spent = site
        .postgres
        .number("select count(*) from refresh_tokens where spent_at is not null")
        .await;
    let noted = site
        .postgres
        .number("select count(*) from events where kind = 'token.refreshed'")
        .await;
    assert_eq!(spent, noted, "refreshes that happened, and those in the audit log");
    let families = site
        .postgres
        .number("select count(distinct grant_id) from refresh_tokens")
        .await;
    let leaves = site
        .postgres
        .number("select count(*) from refresh_tokens where spent_at is null")
        .await;
    assert_eq!(families, leaves, "families, and tokens that are not spent");
}
