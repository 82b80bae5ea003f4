//! What counts once, and what must not be lost, when two nodes do it at the same time, in every order.

use ostiary::flow::clients::find;
use ostiary::flow::clients::{self, Authority, ClientChange};
use ostiary::flow::{Call, Error};

use super::nodes::{Nodes, Party};
use super::orders::{Doing, Run, every_order};
use crate::support::backend::{backends, full};

/// How often an act is left before its end.
fn interruptions() -> usize {
    if full() { 4 } else { 2 }
}

/// SEC-760, SEC-740: two nodes redeem one code; in every order with two interruptions (four in the long run) one of them
/// succeeds.
#[tokio::test]
async fn a_code_is_redeemed_once_in_every_order() {
    for backend in backends() {
        let nodes = Nodes::of(2, backend).await;
        let party = Party::of(&nodes.client(|_| ()).await);
        let make = async || {
            let node = &nodes.nodes[0];
            let (cookies, _) = node.sign_in(nodes.person().await.id).await.unwrap();
            let code = node.authorize(&party, &cookies).await.code().unwrap();
            let redeem = |at: usize| -> Doing<u16> {
                let (node, party, code) = (nodes.nodes[at].clone(), party.clone(), code.clone());
                Box::pin(async move { node.redeem(&party, &code).await.status })
            };
            ((), vec![redeem(0), redeem(1)])
        };
        let judge = async |(), run: Run<u16>| {
            let mut statuses: Vec<u16> = run.acts.iter().map(|act| act.said).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 400], "{:#?}", run.order);
        };
        let runs = every_order(&nodes.conductor, interruptions(), make, judge).await;
        assert!(runs > 10, "{runs} orders");
        nodes.stop().await;
    }
}

/// SEC-760, SEC-741: two nodes exchange one refresh token; in every order with two interruptions (four in the long run) both
/// are given the same successor, and it works.
#[tokio::test]
async fn a_refresh_token_has_one_successor_in_every_order() {
    for backend in backends() {
        let nodes = Nodes::of(2, backend).await;
        let party = Party::of(&nodes.client(|_| ()).await);
        let make = async || {
            let node = &nodes.nodes[0];
            let (cookies, _) = node.sign_in(nodes.person().await.id).await.unwrap();
            let code = node.authorize(&party, &cookies).await.code().unwrap();
            let token = node.redeem(&party, &code).await.get("refresh_token");
            let refresh = |at: usize| -> Doing<String> {
                let (node, party, token) = (nodes.nodes[at].clone(), party.clone(), token.clone());
                Box::pin(async move { node.refresh(&party, &token).await.get("refresh_token") })
            };
            ((), vec![refresh(0), refresh(1)])
        };
        let judge = async |(), run: Run<String>| {
            let [one, other] = &run.acts[..] else { panic!() };
            assert!(!one.said.is_empty() && one.said == other.said, "{:#?}", run.order);
            let next = nodes.nodes[0].refresh(&party, &one.said).await;
            assert_eq!(next.status, 200, "{}\n{:#?}", next.body, run.order);
        };
        let runs = every_order(&nodes.conductor, interruptions(), make, judge).await;
        assert!(runs > 10, "{runs} orders");
        nodes.stop().await;
    }
}

/// SEC-760: two nodes read a client and change different members of it; in every order no acknowledged change is lost: either
/// the second has read the first, or it is told that it has not.
#[tokio::test]
async fn no_change_of_a_client_is_lost_in_any_order() {
    for backend in backends() {
        let nodes = Nodes::of(2, backend).await;
        let make = async || {
            let id = nodes.client(|_| ()).await.id;
            let change = |at: usize| -> Doing<bool> {
                let provider = nodes.nodes[at].provider.clone();
                Box::pin(async move {
                    let before = find::get(&provider, id).await.unwrap();
                    let mut metadata = before.metadata;
                    if at == 0 {
                        metadata.client_name = Some("Changed".to_owned());
                    } else {
                        metadata.contacts = vec!["changed@example.com".to_owned()];
                    }
                    let change = ClientChange {
                        metadata: Some(metadata),
                        policy: None,
                        trusted: None,
                        expected_version: Some(before.version),
                        authority: Authority::Operator,
                    };
                    match clients::change(&provider, &Call::operator(&provider.clock), id, change).await {
                        Ok(_) => true,
                        Err(Error::Stale) => false,
                        Err(other) => panic!("{other}"),
                    }
                })
            };
            (id, vec![change(0), change(1)])
        };
        let judge = async |id, run: Run<bool>| {
            let client = find::get(&nodes.nodes[1].provider, id).await.unwrap();
            let kept = [
                client.metadata.client_name.as_deref() == Some("Changed"),
                !client.metadata.contacts.is_empty(),
            ];
            let said = [run.acts[0].said, run.acts[1].said];
            assert_eq!(kept, said, "{:#?}", run.order);
            assert!(said[0] || said[1], "{:#?}", run.order);
        };
        let runs = every_order(&nodes.conductor, interruptions(), make, judge).await;
        assert!(runs > 5, "{runs} orders");
        nodes.stop().await;
    }
}
