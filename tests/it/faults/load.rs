//! More work than the machine can do: storms of sign-ins and of refreshes, guessing from everywhere, floods of names, cold
//! starts. What counts is relative to what the same machine does when it is quiet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ostiary::{clock, random};
use tokio::task::JoinSet;
use url::form_urlencoded;

use super::ledger::{Told, ask, http, percentile, report, statuses};
use super::postgres::each_is_written_once;
use super::site::{Families, Question, Site, bound, full, length};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::seed::TestUser;

/// A sign-in form that was opened once and may be sent again and again.
#[derive(Clone)]
struct Form {
    address: String,
    cookies: String,
    csrf: String,
}

impl Form {
    async fn open(site: &Site) -> Self {
        Self::open_in(site, &Browser::new()).await
    }

    /// In the browser of somebody who has signed in with it before.
    async fn at_home(site: &Site, person: &TestUser) -> Self {
        let browser = Browser::new();
        let page = browser.open(&site.url("/login")).await;
        let values = [
            ("username", person.username.as_str()),
            ("password", person.password.as_str()),
        ];
        let answer = browser.submit(&page, page.form_with("password"), &values).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        Self::open_in(site, &browser).await
    }

    async fn open_in(site: &Site, browser: &Browser) -> Self {
        let page = browser.open(&site.url("/login")).await;
        let form = page.form_with("password");
        let csrf = form.inputs.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
        let cookies: Vec<String> = browser
            .cookie_names()
            .iter()
            .map(|name| format!("{name}={}", browser.cookie(name).unwrap()))
            .collect();
        Self {
            address: site.url("/login"),
            cookies: cookies.join("; "),
            csrf,
        }
    }

    async fn send(&self, username: &str, password: &str, from: Option<&str>) -> Told {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("csrf", self.csrf.as_str()),
                ("username", username),
                ("password", password),
            ])
            .finish();
        let origin = self.address.trim_end_matches("/login");
        let mut request = http()
            .post(&self.address)
            .header("cookie", &self.cookies)
            .header("origin", origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        if let Some(from) = from {
            request = request.header("x-forwarded-for", from);
        }
        ask(request).await
    }
}

/// People who sign in; counters that don't stand in their way.
async fn people(site: &Site, count: usize) -> Arc<Vec<TestUser>> {
    let mut people = Vec::new();
    for number in 0..count {
        people.push(site.installation.user(&format!("person-{number}")).await);
    }
    Arc::new(people)
}

fn median_and_p99(mut times: Vec<Duration>) -> (Duration, Duration) {
    (percentile(&mut times, 50), percentile(&mut times, 99))
}

/// REL-46: ten times as many sign-ins as the machine can hash: it goes on hashing at nearly its full speed, turns the rest away
/// quickly with the time to come again, and what needs no hash hardly notices. Memory is bounded by the number of threads.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_sign_ins_is_survived_at_full_speed() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    site.setting("guess.source_budget", "100000").await;
    site.setting("guess.account_budget", "1000").await;
    let people = people(&site, 20).await;
    let form = Form::open(&site).await;
    let asks = site.questions().await;
    // what it can do: a few at a time, each as soon as the one before is done
    let measured = length(Duration::from_secs(2), Duration::from_secs(10));
    let began = clock::monotonic();
    let mut closed = JoinSet::new();
    for worker in 0..6 {
        let (form, people) = (form.clone(), people.clone());
        closed.spawn(async move {
            let mut done = 0;
            while began.elapsed() < measured {
                let person = &people[(worker * 7 + done) % people.len()];
                let told = form.send(&person.username, &person.password, None).await;
                assert_eq!(told.status, Some(303), "{told:?}");
                done += 1;
            }
            done
        });
    }
    let done: usize = closed.join_all().await.into_iter().sum();
    let capacity = done as f64 / began.elapsed().as_secs_f64();
    let at_rest = site.node.resident_kib();

    let storm = length(Duration::from_secs(4), Duration::from_secs(60));
    let gap = Duration::from_secs_f64(1.0 / (capacity * 10.0));
    let bystander = tokio::spawn({
        let mut asks = asks.clone();
        async move {
            let begun = clock::monotonic();
            let (mut refreshes, mut keys) = (Vec::new(), Vec::new());
            while begun.elapsed() < storm {
                let told = asks.refresh().await;
                told.judge("a refresh beside the storm");
                refreshes.push(told.took);
                keys.push(asks.ask(Question::KeySet).await.took);
                clock::sleep(Duration::from_millis(20)).await;
            }
            (median_and_p99(refreshes), median_and_p99(keys))
        }
    });
    let began = clock::monotonic();
    let mut arrivals = JoinSet::new();
    let (mut arrived, mut largest) = (0u32, 0);
    while began.elapsed() < storm {
        let (form, people) = (form.clone(), people.clone());
        let number = arrived as usize;
        arrivals.spawn(async move {
            let person = &people[number % people.len()];
            form.send(&person.username, &person.password, None).await
        });
        arrived += 1;
        if arrived.is_multiple_of(64) {
            largest = largest.max(site.node.resident_kib());
        }
        // open loop: whoever is late catches up
        if let Some(wait) = (gap * arrived).checked_sub(began.elapsed()) {
            clock::sleep(wait).await;
        }
    }
    let told = arrivals.join_all().await;
    // what waited when the last one arrived is hashed at full speed, too: its time counts
    let lasted = began.elapsed();
    let ((_, refresh), (_, keys)) = bystander.await.unwrap();
    let counted = statuses(&told);
    for told in &told {
        told.judge("a sign-in");
    }
    assert!(counted.keys().all(|status| [303, 503].contains(status)), "{counted:?}");
    let good = counted.get(&303).copied().unwrap_or(0);
    let goodput = good as f64 / lasted.as_secs_f64() / capacity;
    let mut refusals: Vec<Duration> = told
        .iter()
        .filter(|told| told.is_outage())
        .map(|told| told.took)
        .collect();
    let (refusal, refusals_99) = (percentile(&mut refusals, 50), percentile(&mut refusals, 99));
    let mut admitted: Vec<Duration> = told
        .iter()
        .filter(|told| !told.is_outage())
        .map(|told| told.took)
        .collect();
    let waited = percentile(&mut admitted, 99);
    let grown = largest.saturating_sub(at_rest);
    report(
        "REL-46",
        format!(
            "capacity {capacity:.0} sign-ins/s; {arrived} arrived, the last answer came after {lasted:?} ({counted:?}): goodput {:.0} %; refusals median \
             {refusal:?}, p99 {refusals_99:?}; admitted p99 {waited:?}; refresh p99 {refresh:?}, keys p99 {keys:?}; {grown} KiB more",
            goodput * 100.0
        ),
    );
    assert!(goodput > length(0.15, 0.9), "goodput {goodput}");
    let patience = length(6, 1);
    assert!(refusal < Duration::from_millis(100) * patience, "{refusal:?}");
    let promise = length(bound(), Duration::from_millis(250));
    assert!(
        refresh < promise && keys < promise,
        "refresh {refresh:?}, keys {keys:?}"
    );
    assert!(waited < bound() * 2, "{waited:?}");
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    assert!(grown < workers * 19 * 1024 + 128 * 1024, "{grown} KiB more");
}

/// REL-47: after an outage every client refreshes at once: all are served, told apart by when to come again, and no token gets
/// two successors.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_refreshes_at_once_after_an_outage() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    site.retry_window().await;
    let party = site.party();
    let browser = Browser::new();
    party.sign_in(&browser, &site.user).await;
    let clients = length(150, 20_000);
    // a person has a hundred families at a client at most
    let people = people(&site, clients / 90).await;
    let mut asks = Vec::new();
    for person in people.iter() {
        let browser = Browser::new();
        party.sign_in(&browser, person).await;
        for _ in 0..90 {
            let tokens = party.redeem(party.sign_in(&browser, person).await.code()).await.ok();
            asks.push(site.questions_with(&tokens.get("access_token"), &tokens.get("refresh_token")));
        }
    }
    let clients = asks.len();
    site.postgres.freeze();
    clock::sleep(Duration::from_secs(1)).await;
    let begun = clock::monotonic();
    let mut storm = JoinSet::new();
    for mut asks in asks {
        storm.spawn(async move {
            let mut told = Vec::new();
            loop {
                told.push(asks.refresh().await);
                let last = told.last().unwrap();
                if !last.is_outage() {
                    return told;
                }
                assert!(begun.elapsed() < Duration::from_secs(60), "{last:?}");
                // as it is told to, with jitter of one's own
                let after = Duration::from_secs(last.retry_after.unwrap_or(1));
                let jitter = Duration::from_millis(u64::from(random::below(500)));
                clock::sleep(length(after / 4, after) + jitter).await;
            }
        });
    }
    clock::sleep(Duration::from_secs(1)).await;
    site.postgres.thaw();
    let told: Vec<Told> = storm.join_all().await.into_iter().flatten().collect();
    let lasted = begun.elapsed();
    assert!(lasted < Duration::from_secs(60), "{lasted:?}");
    // whoever is told to come again is told apart from the others
    let mut moments: BTreeMap<u64, usize> = BTreeMap::new();
    for seconds in told.iter().filter_map(|told| told.retry_after) {
        *moments.entry(seconds).or_default() += 1;
    }
    let all: usize = moments.values().sum();
    let most = moments.values().max().copied().unwrap_or(0);
    assert!(all >= 40, "only {all} were told to come again");
    assert!(moments.keys().all(|seconds| *seconds <= 8), "{moments:?}");
    assert!(
        moments.len() >= 5 && most * 10 <= all * 4,
        "they all come again at once: {moments:?}"
    );
    let spent = site
        .postgres
        .number("select count(*) from refresh_tokens where spent_at is not null")
        .await;
    assert_eq!(usize::try_from(spent).unwrap(), clients);
    each_is_written_once(&site).await;
    report(
        "REL-47",
        format!(
            "{clients} clients at once after an outage: all served {lasted:?} later ({:?}); told to come again after so many seconds: {moments:?}",
            statuses(&told)
        ),
    );
}

/// REL-48: passwords that leaked elsewhere are tried from everywhere, one or two an account: accounts and addresses have their
/// limits, and whoever knows the password gets in, or where the account's limit acts, gets in with a known device.
#[tokio::test(flavor = "multi_thread")]
async fn stuffing_from_everywhere_keeps_nobody_out() {
    if quick() {
        return;
    }
    let site = Site::start_with(
        &[],
        |plan| {
            plan.with("OSTIARY_TRUSTED_PROXIES", "127.0.0.0/8")
                .with("OSTIARY_HASHING__WORKERS", "2")
        },
        |_| (),
    )
    .await;
    let people = people(&site, 12).await;
    let home = Form::at_home(&site, &people[0]).await;
    let form = Form::open(&site).await;
    let address = || {
        let octet = || random::below(200) + 1;
        format!("{}.{}.{}.{}", octet(), octet(), octet(), octet())
    };
    let attempts = length(120, 10_000);
    let mut attack = JoinSet::new();
    let begun = clock::monotonic();
    for number in 0..attempts {
        let (form, from) = (form.clone(), address());
        // two guesses at each of those who are here, many at people who are not
        let name = match people.get(number % 60) {
            Some(person) if number < 120 => person.username.clone(),
            _ => format!("nobody-{number}"),
        };
        attack.spawn(async move { form.send(&name, "leaked elsewhere", Some(&from)).await });
        clock::sleep(Duration::from_millis(25)).await;
    }
    let mut got_in = 0;
    for person in people.iter() {
        for _ in 0..20 {
            let told = form.send(&person.username, &person.password, Some(&address())).await;
            told.judge("the person");
            if told.status == Some(303) {
                got_in += 1;
                break;
            }
            assert!(told.is_outage(), "{told:?}");
            clock::sleep(Duration::from_millis(200)).await;
        }
    }
    let told = attack.join_all().await;
    let counted = statuses(&told);
    assert!(
        counted.keys().all(|status| [422, 429, 503].contains(status)),
        "{counted:?}"
    );
    assert_eq!(got_in, people.len(), "people who know their password");
    // one account, from thirty addresses: its own limit acts
    let target = &people[0];
    let mut checked = 0;
    for _ in 0..30 {
        loop {
            let told = form.send(&target.username, "guess", Some(&address())).await;
            if !told.is_outage() {
                checked += usize::from(told.status == Some(422));
                break;
            }
            clock::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(checked <= 11, "{checked} guesses at one account were checked");
    // whose own device is known there, and has a budget of its own; another one has to wait
    for (form, expected) in [(&home, 303), (&form, 429)] {
        loop {
            let told = form.send(&target.username, &target.password, Some(&address())).await;
            if !told.is_outage() {
                assert_eq!(told.status, Some(expected), "{told:?}");
                break;
            }
            clock::sleep(Duration::from_millis(100)).await;
        }
    }
    // one address, many accounts: its limit acts
    let (budget, guesses) = length((12, 30), (100, 150));
    site.setting("guess.source_budget", &budget.to_string()).await;
    let from = address();
    let (mut looked, mut refused) = (0, 0);
    let alone = clock::monotonic();
    for number in 0..guesses {
        loop {
            let told = form.send(&format!("someone-{number}"), "guess", Some(&from)).await;
            if !told.is_outage() {
                assert!([Some(422), Some(429)].contains(&told.status), "{told:?}");
                looked += usize::from(told.status == Some(422));
                refused += usize::from(told.status == Some(429));
                break;
            }
            clock::sleep(Duration::from_millis(100)).await;
        }
    }
    // one comes back each part of the quarter of an hour
    let back = usize::try_from(alone.elapsed().as_secs()).unwrap() * budget / 900 + 1;
    assert!(
        looked >= budget,
        "only {looked} of {budget} guesses of one address were checked"
    );
    assert!(looked <= budget + back, "{looked} guesses of one address were checked");
    assert!(
        refused >= guesses - budget - back,
        "{refused} of {guesses} were refused"
    );
    report(
        "REL-48",
        format!(
            "{attempts} guesses from as many addresses in {:?} ({counted:?}); {got_in} of {} people got in; {checked} of 30 guesses at one account were checked",
            begun.elapsed(),
            people.len()
        ),
    );
}

/// REL-49: names, keys, languages and scopes that nobody has ever used before: nothing of it stays in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_names_leaves_nothing_in_memory() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = Arc::new(site.questions().await);
    let base = site.installation.issuer();
    let flood = async |count: usize| {
        let mut all = JoinSet::new();
        for _ in 0..8 {
            let (base, asks) = (base.clone(), asks.clone());
            all.spawn(async move {
                for _ in 0..count / 8 {
                    let word = random::hex_id();
                    let url = format!(
                        "{base}/oauth2/authorize?client_id={word}&scope=openid+{word}&ui_locales={word}&state={word}&response_type=code"
                    );
                    let told = ask(http().get(url).header("accept-language", format!("{word},de;q=0.5"))).await;
                    assert_eq!(told.status, Some(400), "{told:?}");
                    let mut one = (*asks).clone();
                    one.access = format!("{}.{word}.{word}", key_id(&word));
                    assert_eq!(one.ask(Question::Introspect).await.status, Some(200));
                    assert_eq!(one.ask(Question::UserInfo).await.status, Some(401));
                }
            });
        }
        all.join_all().await;
    };
    flood(length(400, 20_000)).await;
    let before = site.node.resident_kib();
    let more = length(1_200, 100_000);
    flood(more).await;
    let grown = site.node.resident_kib().saturating_sub(before);
    report(
        "REL-49",
        format!("{more} times a client, a scope, a locale, a key and a token that nobody knows: {grown} KiB more"),
    );
    assert!(grown < 24 * 1024, "{grown} KiB more");
}

/// The head of a token that was signed by a key nobody has.
fn key_id(word: &str) -> String {
    use base64::Engine;
    let head = format!("{{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"{word}\"}}");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(head)
}

/// REL-50: killed and started again while everybody goes on asking: ready soon, and nothing that was acknowledged is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_under_load_is_a_start_like_any_other() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    let families = Families::start(&site, 4, Duration::from_millis(20)).await;
    let storm = tokio::spawn(async move {
        asks.keep_asking(
            &[
                Question::KeySet,
                Question::Introspect,
                Question::Authorize,
                Question::Metadata,
            ],
            Duration::from_secs(4),
        )
        .await
    });
    clock::sleep(Duration::from_millis(500)).await;
    let Site { node, .. } = site;
    let plan = node.kill();
    let begun = clock::monotonic();
    let node = plan.start().await;
    let ready = begun.elapsed();
    assert!(ready < bound(), "{ready:?}");
    let told = storm.await.unwrap();
    for (question, told) in &told {
        // who was not connected to gets no answer; who got one got a good one
        assert!(
            told.status.is_none_or(|status| status < 500 || status == 503),
            "{question:?} {told:?}"
        );
    }
    let families = families.end().await;
    report(
        "REL-50",
        format!(
            "ready {ready:?} after kill -9 and start under load ({} build); {:?}, families {:?}",
            if full() { "long" } else { "short" },
            statuses(told.iter().map(|(_, told)| told)),
            statuses(&families)
        ),
    );
    drop(node);
}
