//! Several processes on one Postgres and one Redis: nobody is kept at a node, and what one learns all know.

mod activity;
mod at_node;
mod consents;
mod forgetting;
mod limits;
mod partition;
mod rate_limits;
mod restarts;
mod rotation;
mod signing_out;
mod starts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::support::backend::Backend;
use crate::support::ledger::{Kind, Ledger, Outcome};
use crate::support::process::{Installation, Node};
use crate::support::stage::Stage;
use crate::support::wire::Wire;

/// What is changed holds everywhere within a second; three times that on a machine that has other things to do.
const HOLDS_WITHIN: Duration = Duration::from_secs(3);

/// Three nodes, the first of them at the installation's own address.
struct Cluster {
    installation: Installation,
    nodes: Vec<Node>,
}

impl Cluster {
    async fn of_three() -> Self {
        let installation = Installation::make(Backend::PostgresRedis).await;
        let nodes = vec![
            installation.only_node().await,
            installation.node().await,
            installation.node().await,
        ];
        Self { installation, nodes }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    async fn end(self) {
        drop(self.nodes);
        self.installation.remove().await;
    }
}

/// Clients that sign on, refresh and look, each step at another node, until they are told to stop.
struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    const CLIENTS: usize = 6;

    fn begin(cluster: &Cluster, stage: &Arc<Stage>, ledger: &Arc<Ledger>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let clients = (0..Self::CLIENTS)
            .map(|turn| {
                let (stage, ledger, over) = (stage.clone(), ledger.clone(), over.clone());
                tokio::spawn(live(cluster.addresses(), turn, stage, ledger, over))
            })
            .collect();
        Self { over, clients }
    }

    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

async fn live(
    addresses: Vec<SocketAddr>,
    mut turn: usize,
    stage: Arc<Stage>,
    ledger: Arc<Ledger>,
    over: Arc<AtomicBool>,
) {
    let mut wires: Vec<Wire> = addresses.into_iter().map(Wire::to).collect();
    let subject = &stage.user.subject;
    while !over.load(Ordering::Relaxed) {
        let mut next = || {
            turn += 1;
            turn % 3
        };
        let code = stage.code(&mut wires[next()]).await;
        let redeem = stage.redeem(&code);
        let mut outcome = ledger
            .ask(&mut wires[next()], Kind::Code, &code, subject, &redeem)
            .await;
        for _ in 0..3 {
            let Outcome::Answered(answer) = &outcome else { break };
            if !answer.is_success() {
                break;
            }
            let token = answer.get("access_token");
            let userinfo = stage.userinfo(&token);
            let refresh_token = answer.get("refresh_token");
            ledger
                .ask(&mut wires[next()], Kind::Whose, &token, subject, &userinfo)
                .await;
            let refresh = stage.refresh(&refresh_token);
            outcome = ledger
                .ask(&mut wires[next()], Kind::Refresh, &refresh_token, subject, &refresh)
                .await;
        }
    }
}
