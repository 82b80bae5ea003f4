//! Clients that are slow, large, many, or gone.

use std::collections::BTreeMap;
use std::time::Duration;

use ostiary::{clock, random};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::ledger::{http, percentile, report};
use super::site::{Question, Questions, Site, bound, length};
use crate::support::backend::quick;
use crate::support::process::until;

/// How long the 99th of a hundred ordinary requests takes.
async fn ordinary(asks: &Questions) -> Duration {
    let told = asks
        .keep_asking(&[Question::Introspect, Question::KeySet], Duration::from_secs(1))
        .await;
    let mut times = Vec::new();
    for (question, told) in told {
        told.judge(question);
        times.push(told.took);
    }
    percentile(&mut times, 99)
}

/// REL-40: thousands who send a byte a second, of a head or of a body: sent away in time, and others don't notice.
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_sent_away() {
    if quick() {
        return;
    }
    let body_within = length("3s", "30s");
    let site = Site::start_with(
        &[],
        |plan| plan.with("OSTIARY_HTTP__REQUEST_TIMEOUT", body_within),
        |_| (),
    )
    .await;
    let asks = site.questions().await;
    let before = ordinary(&asks).await;
    let resting = site.node.descriptors();
    let host = site.installation.host();
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nX-Slow: ");
    let body = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9000\r\n\r\n"
    );
    let address = site.node.address;
    let each = length(150, 4_000);
    let begun = clock::monotonic();
    let mut slow = JoinSet::new();
    for number in 0..each * 2 {
        let (is_head, text) = if number % 2 == 0 {
            (true, head.clone())
        } else {
            (false, body.clone())
        };
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let begun = clock::monotonic();
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            loop {
                let read = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut rest)).await;
                let written = stream.write_all(b"a").await;
                if read.is_ok() || written.is_err() {
                    return (is_head, begun.elapsed());
                }
                assert!(begun.elapsed() < Duration::from_secs(60), "a slow client is kept");
            }
        });
    }
    let meanwhile = ordinary(&asks).await;
    let ended = slow.join_all().await;
    let longest = |of_heads: bool| {
        ended
            .iter()
            .filter(|(is_head, _)| *is_head == of_heads)
            .map(|(_, took)| *took)
            .max()
    };
    let (heads, bodies) = (longest(true).unwrap(), longest(false).unwrap());
    assert!(heads < Duration::from_secs(10) + bound(), "{heads:?}");
    let most = length(Duration::from_secs(3), Duration::from_secs(30));
    assert!(bodies < most + bound(), "{bodies:?}");
    // who connects while they all do at once may have to ask a second time, which the system does after a second
    assert!(
        meanwhile < before * 3 + Duration::from_secs(2),
        "{before:?} alone, {meanwhile:?} beside them"
    );
    until(bound(), "their descriptors are given back", async || {
        site.node.descriptors() <= resting + 20
    })
    .await;
    report(
        "REL-40",
        format!(
            "{} slow clients in {:?}: heads sent away after {heads:?}, bodies after {bodies:?} (limit {body_within}); ordinary p99 \
             {before:?} before, {meanwhile:?} beside them",
            each * 2,
            begun.elapsed()
        ),
    );
}

/// REL-41: heads, bodies, documents and forms that are too large or too deep: refused quickly, and memory stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_quickly() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let host = site.installation.host();
    let form = |more: &str, body: &str| {
        format!(
            "POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let deep = "[".repeat(60_000);
    let corpus = [
        (
            "a long target",
            format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "a".repeat(40_000)),
        ),
        (
            "a long field",
            format!(
                "GET / HTTP/1.1\r\nHost: {host}\r\nX-Long: {}\r\n\r\n",
                "a".repeat(40_000)
            ),
        ),
        (
            "many fields",
            format!(
                "GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n",
                "X-Many: a\r\n".repeat(1_000)
            ),
        ),
        ("a large form", form("", &format!("a={}", "b".repeat(80_000)))),
        ("a form of many fields", form("", &"a=b&".repeat(15_000))),
        (
            "a field twice",
            form("", "grant_type=refresh_token&grant_type=refresh_token"),
        ),
        (
            "a large body that says so",
            format!("POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\n"),
        ),
        (
            "a deep document",
            format!(
                "POST /oauth2/register HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{deep}",
                deep.len()
            ),
        ),
    ];
    let address = site.node.address;
    let send = async |request: &str| {
        let begun = clock::monotonic();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (mut from, mut to) = stream.split();
        let mut answer = [0; 12];
        let mut read = 0;
        // it is listened to while it is told: what a reset overtakes would be lost
        let tell = async {
            // whoever refuses early may have closed already
            drop(to.write_all(request.as_bytes()).await);
            std::future::pending::<()>().await
        };
        let listen = async {
            while read < answer.len() {
                match tokio::time::timeout(bound(), from.read(&mut answer[read..]))
                    .await
                    .expect("it hangs")
                {
                    Ok(more @ 1..) => read += more,
                    _ => break,
                }
            }
        };
        tokio::select! {
            () = tell => (),
            () = listen => (),
        }
        (String::from_utf8_lossy(&answer[..read]).into_owned(), begun.elapsed())
    };
    for (_, request) in &corpus {
        send(request).await;
    }
    let before = site.node.resident_kib();
    let mut times = Vec::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..length(10, 500) {
        for (name, request) in &corpus {
            let (answer, took) = send(request).await;
            // an empty answer: closed with unread bytes, which resets the connection
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{name}: {answer}"
            );
            *refused.entry(name).or_default() += usize::from(!answer.is_empty());
            times.push(took);
        }
    }
    for (name, told) in &refused {
        assert!(*told > 0, "nobody was ever told that {name} is too much: {refused:?}");
    }
    let grown = site.node.resident_kib().saturating_sub(before);
    let (median, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    assert!(median < Duration::from_millis(50) * length(4, 1), "{median:?}");
    assert!(grown < 16 * 1024, "{grown} KiB more");
    report(
        "REL-41",
        format!(
            "{} oversized requests ({refused:?} told so): refused in {median:?} (median), {p99:?} (p99); {grown} KiB more",
            times.len()
        ),
    );
}

/// REL-42: many connections that say nothing: a few KiB each, nobody else notices, and past the limit newcomers are told to
/// come again, and served as soon as the silent ones were sent away.
#[tokio::test(flavor = "multi_thread")]
async fn many_idle_connections_cost_little() {
    if quick() {
        return;
    }
    let limit = descriptors_allowed();
    let many = length(1_500, 18_000).min(limit / 2);
    let site = Site::start_with(
        &[],
        |plan| plan.with("OSTIARY_HTTP__MAX_CONNECTIONS", (many + 200).to_string()),
        |_| (),
    )
    .await;
    let asks = site.questions().await;
    let before = ordinary(&asks).await;
    let resting = site.node.resident_kib();
    let address = site.node.address;
    let mut idle = Vec::new();
    let begun = clock::monotonic();
    for _ in 0..many {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let opened = begun.elapsed();
    until(bound(), "all are accepted", async || site.node.descriptors() >= many).await;
    let each = (site.node.resident_kib().saturating_sub(resting)) as f64 / many as f64;
    let meanwhile = ordinary(&asks).await;
    // more than there are places
    for _ in 0..300 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let late = clock::monotonic();
    let mut refused = Vec::new();
    loop {
        let told = asks.ask(Question::KeySet).await;
        if told.status == Some(200) {
            break;
        }
        assert!(told.is_outage() && told.took < bound(), "{told:?}");
        assert!(late.elapsed() < Duration::from_secs(10) + bound(), "{told:?}");
        if told.status.is_some() {
            assert!(told.retry_after.is_some(), "{told:?}");
            refused.push(told.took);
        }
        clock::sleep(Duration::from_millis(500)).await;
    }
    assert!(!refused.is_empty(), "a newcomer is served past the limit");
    let late = late.elapsed();
    assert!(late < Duration::from_secs(10) + bound(), "{late:?}");
    assert!(each < 20.0, "{each} KiB for each connection");
    assert!(
        meanwhile < before * 3 + Duration::from_secs(1),
        "{before:?} alone, {meanwhile:?} beside them"
    );
    drop(idle);
    report(
        "REL-42",
        format!(
            "{many} idle connections (limit of this machine {limit}) opened in {opened:?}: {each:.1} KiB each; ordinary p99 {before:?} \
             alone, {meanwhile:?} beside them; past the limit a newcomer is told {} times to come again, at first after {:?}, and served {late:?} later",
            refused.len(),
            refused[0]
        ),
    );
}

fn descriptors_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace()
        .nth(3)
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(1_024)
}

/// REL-44: three of ten clients hang up in the middle: nothing is left of them.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_leave_nothing_behind() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let asks = site.questions().await;
    ordinary(&asks).await;
    let (descriptors, threads) = (site.node.descriptors(), site.node.threads());
    let lasts = length(Duration::from_secs(4), Duration::from_secs(3_600));
    let begun = clock::monotonic();
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let asks = asks.clone();
        let url = site.party().authorization_url();
        let token = site.url("/oauth2/token");
        clients.spawn(async move {
            let (mut hung_up, mut stayed) = (0, 0);
            while begun.elapsed() < lasts {
                if random::below(10) < 3 {
                    let request = if random::below(2) == 0 {
                        http().get(&url)
                    } else {
                        http()
                            .post(&token)
                            .header("content-type", "application/x-www-form-urlencoded")
                            .body("grant_type=client_credentials")
                    };
                    let patience = Duration::from_micros(u64::from(random::below(8_000)));
                    drop(tokio::time::timeout(patience, request.send()).await);
                    hung_up += 1;
                } else {
                    let told = asks.ask(Question::Introspect).await;
                    assert_eq!(told.status, Some(200), "{told:?}");
                    stayed += 1;
                }
            }
            (hung_up, stayed)
        });
    }
    let all = clients.join_all().await;
    let (hung_up, stayed) = all.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    // I12
    let took = until(
        Duration::from_secs(20),
        "connections and descriptors are those of before",
        async || site.node.descriptors() <= descriptors + 16 && site.database.open() <= 17,
    )
    .await;
    let more = site.node.threads().saturating_sub(threads);
    assert!(more <= 16, "{more} threads more");
    let open = site
        .postgres
        .number("select count(*) from pg_stat_activity where state like 'idle in transaction%'")
        .await;
    assert_eq!(open, 0);
    report(
        "REL-44",
        format!("{hung_up} clients hung up, {stayed} stayed; everything given back {took:?} later"),
    );
}
