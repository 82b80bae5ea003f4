//! Nodes that are restarted one after the other, nodes that stand still for a while, and nodes that lose their store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ostiary::clock;

use super::Cluster;
use crate::support::backend::{Backend, quick};
use crate::support::balancer::Balancer;
use crate::support::browser::Browser;
use crate::support::ledger::{Kind, Ledger, Outcome};
use crate::support::process::Installation;
use crate::support::relying_party::{RelyingParty, claims, jwt_header};
use crate::support::stage::Stage;
use crate::support::wire::{Wire, WireAnswer, request};

/// REL-57, REL-07: three nodes are restarted one after the other, in good order, while people sign in and clients refresh
/// through the balancer: no journey fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_costs_no_journey() {
    const TRAVELLERS: usize = 6;
    if quick() {
        return;
    }
    let installation = Installation::make(Backend::PostgresRedis).await;
    let balancer = Balancer::start(installation.front).await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let node = installation.node().await;
        balancer.add(&node);
        nodes.push(node);
    }
    balancer.holds(3).await;
    let user = installation.user("ada").await;
    let client = installation.client(|_| ()).await;
    let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let travellers: Vec<_> = (0..TRAVELLERS)
        .map(|_| {
            let (issuer, host) = (installation.issuer(), installation.host());
            let (user, client) = (user.clone(), client.clone());
            let (over, made) = (over.clone(), made.clone());
            // a journey that fails ends its task with the reason
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let party = RelyingParty::at(&issuer, &host, &client);
                    let browser = Browser::new();
                    let arrival = party.sign_in(&browser, &user).await;
                    let tokens = party.redeem(arrival.code()).await.ok();
                    assert_eq!(claims(&tokens.get("id_token"))["sub"], user.subject);
                    party.userinfo(&tokens.get("access_token")).await.ok();
                    let next = party.refresh(&tokens.get("refresh_token")).await.ok();
                    party.revoke(&next.get("refresh_token")).await.ok();
                    made.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let rounds = if crate::crash::full_length() { 10 } else { 1 };
    for _ in 0..rounds {
        for place in 0..3 {
            let before = made.load(Ordering::Relaxed);
            let node = nodes.remove(place);
            let plan = node.stop().await;
            nodes.insert(place, plan.start().await);
            balancer.holds(3).await;
            crate::support::process::until(Duration::from_secs(60), "journeys go on", async || {
                made.load(Ordering::Relaxed) > before || travellers.iter().any(|traveller| traveller.is_finished())
            })
            .await;
        }
    }
    over.store(true, Ordering::Relaxed);
    for traveller in travellers {
        traveller.await.unwrap();
    }
    println!(
        "{rounds} rounds, {} journeys, none failed",
        made.load(Ordering::Relaxed)
    );
    drop((balancer, nodes));
    installation.remove().await;
}

/// REL-08: a node that stood still while people, clients, keys and settings changed acts on nothing of before when it goes
/// on, and accepts nothing that was used meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stood_still_acts_on_nothing_stale() {
    if quick() {
        return;
    }
    let lengths: &[u64] = if crate::crash::full_length() {
        &[5, 30, 120]
    } else {
        &[5]
    };
    for length in lengths {
        stand_still(Duration::from_secs(*length)).await;
    }
}

/// A request that waits at the node until it goes on, and what its answer has to be.
type Waiting = (&'static str, Vec<u8>, Box<dyn Fn(&WireAnswer) -> bool + Send>);

async fn stand_still(length: Duration) {
    let cluster = Cluster::of_three().await;
    let (frozen, other) = (&cluster.nodes[1], &cluster.nodes[0]);
    let stage = Stage::set(&cluster.installation).await;
    // whose client is disabled, who is deactivated, whose sessions are ended
    let disabled = Stage::set(&cluster.installation).await;
    let deactivated = Stage::set(&cluster.installation).await;
    let signed_out = Stage::set(&cluster.installation).await;
    let mut wire = Wire::to(other.address);
    let tokens = async |stage: &Stage, wire: &mut Wire| {
        let code = stage.code(wire).await;
        wire.exchange(&stage.redeem(&code)).await.unwrap()
    };
    let first = tokens(&stage, &mut wire).await;
    let ended = tokens(&stage, &mut wire).await;
    let foreign = tokens(&disabled, &mut wire).await;
    let of_deactivated = tokens(&deactivated, &mut wire).await;
    tokens(&signed_out, &mut wire).await;
    let code = stage.code(&mut wire).await;
    let host = &stage.host;
    let metadata = request("GET", host, "/.well-known/openid-configuration", &[], "");
    let jwks = request("GET", host, "/oauth2/jwks", &[], "");
    // the node knows them all
    let mut known = Wire::to(frozen.address);
    for (stage, answer) in [
        (&stage, &first),
        (&stage, &ended),
        (&disabled, &foreign),
        (&deactivated, &of_deactivated),
    ] {
        let userinfo = stage.userinfo(&answer.get("access_token"));
        assert!(known.exchange(&userinfo).await.unwrap().is_success());
    }
    assert!(
        known
            .exchange(&signed_out.silent())
            .await
            .unwrap()
            .header("location")
            .contains("code=")
    );
    let keys_before = known.exchange(&jwks).await.unwrap().body;
    let told = known.exchange(&metadata).await.unwrap();
    assert_eq!(told.get("registration_endpoint"), "");
    let ledger = Ledger::default();
    frozen.freeze();
    // the kernel takes the bytes
    let refused =
        || -> Box<dyn Fn(&WireAnswer) -> bool + Send> { Box::new(|answer| (400..500).contains(&answer.status)) };
    let asked: [Waiting; 10] = [
        ("a revoked token", stage.userinfo(&ended.get("access_token")), refused()),
        (
            "a revoked family",
            stage.refresh(&ended.get("refresh_token")),
            refused(),
        ),
        ("a code that is used", stage.redeem(&code), refused()),
        ("a client that is disabled", disabled.introspect("unknown"), refused()),
        (
            "a token of a disabled client",
            disabled.refresh(&foreign.get("refresh_token")),
            refused(),
        ),
        (
            "a person who is deactivated",
            deactivated.userinfo(&of_deactivated.get("access_token")),
            refused(),
        ),
        (
            "a family of theirs",
            deactivated.refresh(&of_deactivated.get("refresh_token")),
            refused(),
        ),
        (
            "a session that was ended",
            signed_out.silent(),
            Box::new(|answer| answer.status == 303 && !answer.header("location").contains("code=")),
        ),
        (
            "the keys",
            jwks.clone(),
            Box::new(move |answer| answer.is_success() && answer.body != keys_before),
        ),
        (
            "a setting",
            metadata,
            Box::new(|answer| !answer.get("registration_endpoint").is_empty()),
        ),
    ];
    let address = frozen.address;
    let waiting: Vec<_> = asked
        .into_iter()
        .map(|(what, request, judge)| {
            let task = tokio::spawn(async move {
                Wire::to(address)
                    .exchange_within(&request, Duration::from_secs(300))
                    .await
            });
            (what, judge, task)
        })
        .collect();
    let redeem = stage.redeem(&code);
    let subject = &stage.user.subject;
    let used = ledger.ask(&mut wire, Kind::Code, &code, subject, &redeem).await;
    let Outcome::Answered(used) = used else {
        panic!("no answer")
    };
    assert!(used.is_success(), "{}", used.body);
    assert!(
        wire.exchange(&stage.revoke(&ended.get("refresh_token")))
            .await
            .unwrap()
            .is_success()
    );
    for change in [
        ["clients", "disable", disabled.client.client_id.as_str()].as_slice(),
        &["users", "deactivate", &deactivated.user.username],
        &["sessions", "end", "--user", &signed_out.user.username],
        &["keys", "rotate", "--now"],
        &["settings", "set", "client_registration.mode", "open"],
    ] {
        let done = cluster.installation.command(change).await;
        assert_eq!(done.code, 0, "{change:?} {done:?}");
    }
    clock::sleep(length).await;
    frozen.thaw();
    let begun = clock::monotonic();
    for (what, judge, task) in waiting {
        let answer: WireAnswer = task.await.unwrap().unwrap();
        assert!(judge(&answer), "{what}: {} {}", answer.status, answer.body);
    }
    println!("stood still for {length:?}, answered within {:?}", begun.elapsed());
    let mut thawed = Wire::to(address);
    let userinfo = stage.userinfo(&first.get("access_token"));
    let again = thawed.exchange(&userinfo).await.unwrap();
    assert!(
        again.is_success(),
        "what was not ended goes on: {} {}",
        again.status,
        again.body
    );
    // and what it signs, it signs with the key that came meanwhile
    let new = tokens(&stage, &mut thawed).await;
    let kid = |answer: &WireAnswer| jwt_header(&answer.get("id_token"))["kid"].clone();
    assert_ne!(kid(&new), kid(&first));
    let published = Wire::to(other.address).exchange(&jwks).await.unwrap();
    assert!(
        published.body.contains(kid(&new).as_str().unwrap()),
        "{}",
        published.body
    );
    cluster.end().await;
}
