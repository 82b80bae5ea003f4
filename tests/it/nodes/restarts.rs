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
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::stage::Stage;
use crate::support::wire::{Wire, WireAnswer};

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

async fn stand_still(length: Duration) {
    let cluster = Cluster::of_three().await;
    let (frozen, other) = (&cluster.nodes[1], &cluster.nodes[0]);
    let stage = Stage::set(&cluster.installation).await;
    let second = Stage::set(&cluster.installation).await;
    let mut wire = Wire::to(other.address);
    let tokens = async |stage: &Stage, wire: &mut Wire| {
        let code = stage.code(wire).await;
        wire.exchange(&stage.redeem(&code)).await.unwrap()
    };
    let first = tokens(&stage, &mut wire).await;
    let ended = tokens(&stage, &mut wire).await;
    let foreign = tokens(&second, &mut wire).await;
    let code = stage.code(&mut wire).await;
    // the node knows them all
    let mut known = Wire::to(frozen.address);
    for (stage, answer) in [(&stage, &first), (&stage, &ended), (&second, &foreign)] {
        let userinfo = stage.userinfo(&answer.get("access_token"));
        assert!(known.exchange(&userinfo).await.unwrap().is_success());
    }
    let ledger = Ledger::default();
    frozen.freeze();
    // requests that wait at the node until it goes on: the kernel takes the bytes
    let asked: Vec<(&str, Vec<u8>)> = vec![
        ("a revoked token", stage.userinfo(&ended.get("access_token"))),
        ("a revoked family", stage.refresh(&ended.get("refresh_token"))),
        ("a code that is used", stage.redeem(&code)),
        ("a client that is disabled", second.introspect("unknown")),
        (
            "a token of a disabled client",
            second.refresh(&foreign.get("refresh_token")),
        ),
    ];
    let address = frozen.address;
    let waiting: Vec<_> = asked
        .into_iter()
        .map(|(what, request)| {
            let task = tokio::spawn(async move {
                Wire::to(address)
                    .exchange_within(&request, Duration::from_secs(300))
                    .await
            });
            (what, task)
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
    let disabled = cluster
        .installation
        .command(&["clients", "disable", &second.client.client_id])
        .await;
    assert_eq!(disabled.code, 0, "{disabled:?}");
    clock::sleep(length).await;
    frozen.thaw();
    let begun = clock::monotonic();
    for (what, task) in waiting {
        let answer: WireAnswer = task.await.unwrap().unwrap();
        assert!(!answer.is_success(), "{what}: {} {}", answer.status, answer.body);
    }
    println!("stood still for {length:?}, answered within {:?}", begun.elapsed());
    let userinfo = stage.userinfo(&first.get("access_token"));
    let again = Wire::to(address).exchange(&userinfo).await.unwrap();
    assert!(
        again.is_success(),
        "what was not ended goes on: {} {}",
        again.status,
        again.body
    );
    cluster.end().await;
}
