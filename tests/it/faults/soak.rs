//! The whole for a long time: people sign in, clients redeem, refresh, ask and revoke at about half of what the machine can do, and
//! every few minutes something is cut, delayed or stands still. What the process holds stays what it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ostiary::model::ConsentMode;
use ostiary::{clock, random};

use super::ledger::report;
use super::site::{Site, length};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::ledger::{Gauges, Kind, Ledger, Operation, Outcome};
use crate::support::process::{PATIENCE, until};
use crate::support::proxy::Mode;
use crate::support::relying_party::RelyingParty;
use crate::support::stage::Stage;
use crate::support::wire::Wire;

const CLIENTS: usize = 6;
/// After a fault everything works again within this time: three times what is promised.
const RECOVERS_WITHIN: Duration = Duration::from_secs(6);
/// What is remembered fills up first.
const WARM_AFTER: Duration = Duration::from_secs(60 * 60);
/// Memory that a process may take more of in an hour, in KiB.
const SLOPE: f64 = 1024.0;

/// How long it lasts: some rounds in the test command, an hour at full length, and as long as `scripts/soak` is told.
fn lasts() -> Duration {
    match std::env::var("OSTIARY_TEST_SOAK_MINUTES") {
        Ok(minutes) => Duration::from_secs(minutes.parse::<u64>().unwrap() * 60),
        Err(_) => length(Duration::from_secs(36), Duration::from_secs(60 * 60)),
    }
}

/// What goes wrong in a round.
#[derive(Clone, Copy, Debug)]
enum Fault {
    DatabaseCut,
    RedisCut,
    DatabaseStandsStill,
    RedisSwallows,
    DatabaseFarAway,
    NodeStandsStill,
}

const FAULTS: [Fault; 6] = [
    Fault::DatabaseCut,
    Fault::RedisCut,
    Fault::DatabaseStandsStill,
    Fault::RedisSwallows,
    Fault::DatabaseFarAway,
    Fault::NodeStandsStill,
];

impl Fault {
    /// Makes it, and ends it.
    async fn happen(self, site: &Site) {
        let for_a_while = clock::sleep(Duration::from_millis(1_500));
        match self {
            Self::DatabaseCut => site.database.cut(),
            Self::RedisCut => site.cache.cut(),
            Self::DatabaseStandsStill => {
                site.postgres.freeze();
                for_a_while.await;
                site.postgres.thaw();
            }
            Self::RedisSwallows => {
                site.cache.set(Mode::BlackHole);
                for_a_while.await;
                site.cache.set(Mode::Pass);
                site.cache.cut();
            }
            Self::DatabaseFarAway => {
                site.database
                    .set(Mode::Delay(Duration::from_millis(40), Duration::from_millis(20)));
                for_a_while.await;
                site.database.set(Mode::Pass);
            }
            Self::NodeStandsStill => {
                site.node.freeze();
                for_a_while.await;
                site.node.thaw();
            }
        }
    }
}

/// A code of a silent sign-on, if it was given.
async fn code(stage: &Stage, ledger: &Ledger, wire: &mut Wire) -> Option<String> {
    let started = ledger.now();
    let outcome = match wire.exchange(&stage.silent()).await {
        Ok(answer) => {
            let url = url::Url::parse(answer.header("location")).ok();
            let code = url.and_then(|url| {
                url.query_pairs()
                    .find(|(name, _)| name == "code")
                    .map(|(_, code)| code.into_owned())
            });
            if let Some(code) = code {
                return Some(code);
            }
            Outcome::Answered(answer)
        }
        Err(error) => Outcome::Lost(error.to_string()),
    };
    ledger.note(Operation {
        kind: Kind::Revoke,
        artifact: random::hex_id(),
        subject: String::new(),
        started,
        ended: ledger.now(),
        outcome,
    });
    None
}

/// One family: begun, used, refreshed and revoked. Whatever is not answered well ends it.
async fn family(stage: &Stage, ledger: &Ledger, wire: &mut Wire) -> Option<()> {
    let subject = &stage.user.subject;
    let well = |outcome: Outcome| match outcome {
        Outcome::Answered(answer) if answer.is_success() => Some(answer),
        _ => None,
    };
    let code = code(stage, ledger, wire).await?;
    let redeem = stage.redeem(&code);
    let mut answer = well(ledger.ask(wire, Kind::Code, &code, subject, &redeem).await)?;
    for _ in 0..3 {
        let token = answer.get("access_token");
        well(
            ledger
                .ask(wire, Kind::Whose, &token, subject, &stage.userinfo(&token))
                .await,
        )?;
        let introspect = stage.introspect(&token);
        let told = well(ledger.ask(wire, Kind::Whose, &token, subject, &introspect).await)?;
        assert_eq!(told.json()["active"], true, "{}", told.body);
        let token = answer.get("refresh_token");
        answer = well(
            ledger
                .ask(wire, Kind::Refresh, &token, subject, &stage.refresh(&token))
                .await,
        )?;
    }
    let token = answer.get("refresh_token");
    well(
        ledger
            .ask(wire, Kind::Revoke, &token, subject, &stage.revoke(&token))
            .await,
    )?;
    Some(())
}

/// Works about half of the time, until it is over.
async fn live(stage: Arc<Stage>, ledger: Arc<Ledger>, address: std::net::SocketAddr, over: Arc<AtomicBool>) {
    let mut wire = Wire::to(address);
    while !over.load(Ordering::Relaxed) {
        let begun = clock::monotonic();
        family(&stage, &ledger, &mut wire).await;
        clock::sleep(begun.elapsed().min(Duration::from_secs(1))).await;
    }
}

/// A person signs in with a password, in a browser of their own, and out again.
async fn comes_and_goes(site: &Site, stage: &Stage) {
    let browser = Browser::new();
    let party = RelyingParty::at(&site.installation.issuer(), &site.installation.host(), &stage.client);
    party.sign_in(&browser, &stage.user).await;
    let page = browser.get(&site.url("/logout")).await;
    let form = page.form_with_button("decision", "sign_out");
    assert_eq!(
        browser.submit(&page, form, &[("decision", "sign_out")]).await.status,
        303
    );
}

/// How much more of it there is each hour, by the straight line that fits best.
fn slope(samples: &[(Duration, u64)]) -> f64 {
    let points: Vec<(f64, f64)> = samples
        .iter()
        .map(|(at, kib)| (at.as_secs_f64() / 3600.0, *kib as f64))
        .collect();
    let many = points.len() as f64;
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0 / many, y + point.1 / many));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        (
            above + (point.0 - x) * (point.1 - y),
            below + (point.0 - x) * (point.0 - x),
        )
    });
    if below == 0.0 { 0.0 } else { above / below }
}

/// REL-51: at about half of what the machine can do, with a fault in every round: no invariant is broken, nothing fails that no fault
/// explains, and memory, descriptors and threads stay what they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_leaves_nothing_behind() {
    if quick() {
        return;
    }
    let site = Site::start().await;
    let mut people = Vec::new();
    for number in 0..CLIENTS {
        let user = site.installation.user(&format!("person-{number}")).await;
        let client = site
            .installation
            .client(|client| client.policy.consent = ConsentMode::Skip)
            .await;
        people.push((user, client));
    }
    let whole = lasts();
    let rounds_last = (whole / 6).min(Duration::from_secs(600));
    let begun = clock::monotonic();
    let (mut samples, mut gauges, mut operations) = (Vec::new(), None, 0);
    let mut faults = FAULTS.iter().cycle();
    while begun.elapsed() < whole {
        let fault = *faults.next().unwrap();
        // nobody's session lasts for as long as this
        let mut stages = Vec::new();
        for (user, client) in &people {
            stages.push(Arc::new(
                Stage::of(&site.installation, user.clone(), client.clone()).await,
            ));
        }
        let (ledger, over) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = stages
            .iter()
            .map(|stage| tokio::spawn(live(stage.clone(), ledger.clone(), site.node.address, over.clone())))
            .collect();
        comes_and_goes(&site, &stages[0]).await;
        let half = rounds_last / 2;
        while ledger.now() < half {
            clock::sleep(Duration::from_millis(100)).await;
        }
        let from = ledger.now();
        fault.happen(&site).await;
        let to = ledger.now() + RECOVERS_WITHIN;
        while ledger.now() < rounds_last.max(to - RECOVERS_WITHIN / 2) {
            clock::sleep(Duration::from_millis(100)).await;
        }
        over.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        until(PATIENCE, "everything works again", async || {
            let mut wire = Wire::to(site.node.address);
            family(&stages[0], &ledger, &mut wire).await.is_some()
        })
        .await;
        ledger.assert_once();
        ledger.assert_identity();
        ledger.assert_scope_never_grows();
        ledger.assert_allowed(&[200, 503], Duration::from_secs(30));
        for kind in [Kind::Code, Kind::Refresh, Kind::Whose, Kind::Revoke] {
            for operation in ledger.of(kind).iter().filter(|operation| operation.success().is_none()) {
                let explained = operation.started <= to && operation.ended >= from;
                assert!(
                    explained,
                    "{fault:?} from {from:?} to {to:?} does not explain {operation:?}"
                );
            }
        }
        operations += ledger.len();
        samples.push((begun.elapsed(), site.node.resident_kib()));
        match gauges {
            None => gauges = Some(Gauges::of(&site.node)),
            // the pools have grown to what they may be
            Some(gauges) => gauges.come_back(&site.node, 16).await,
        }
    }
    let warm = match whole > WARM_AFTER * 2 {
        true => samples.iter().position(|(at, _)| *at > WARM_AFTER).unwrap_or(0),
        false => samples.len() / 3,
    };
    let (first, last) = (samples[warm].1, samples[samples.len() - 1].1);
    let grows = slope(&samples[warm..]);
    if whole > WARM_AFTER * 2 {
        assert!(grows < SLOPE, "{grows:.0} KiB more each hour: {samples:?}");
    }
    let more = last.saturating_sub(first);
    assert!(more < 12 * 1024, "{more} KiB more: {samples:?}");
    report(
        "REL-51",
        format!(
            "{} rounds in {:?}, {operations} operations, each round with a fault: {first} KiB resident when it was warm, {last} KiB at the end ({grows:.0} KiB an hour); {gauges:?}",
            samples.len(),
            begun.elapsed()
        ),
    );
}
