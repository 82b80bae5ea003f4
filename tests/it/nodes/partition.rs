//! A node that the network cuts off from its store.

use std::net::SocketAddr;
use std::time::Duration;

use ostiary::clock;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::backend::{Backend, length, quick};
use crate::support::balancer::Balancer;
use crate::support::process::{Installation, until};
use crate::support::relying_party::RelyingParty;

/// The way to a server, which can be cut: nothing goes through then, and nobody is told.
struct Way {
    address: SocketAddr,
    open: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(true);
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut opened = opened.clone();
                tokio::spawn(async move {
                    opened.wait_for(|open| *open).await.unwrap();
                    let Ok(mut server) = TcpStream::connect(server).await else {
                        return;
                    };
                    let mut cut = opened.clone();
                    tokio::select! {
                        _ = copy_bidirectional(&mut stream, &mut server) => return,
                        _ = cut.wait_for(|open| !*open) => (),
                    }
                    // held, and silent, until the way is open again; then both sides hear that it is over
                    drop(opened.wait_for(|open| *open).await);
                });
            }
        });
        Self { address, open, serving }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// REL-38: one of three nodes is cut off from the store: it leaves rotation, the others serve, and it comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_from_its_store_leaves_rotation() {
    if quick() {
        return;
    }
    let installation = Installation::make(Backend::PostgresRedis).await;
    let balancer = Balancer::start(installation.front).await;
    let mut url: url::Url = installation.config.database_url.expose().parse().unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let way = Way::to(tokio::net::lookup_host(server).await.unwrap().next().unwrap()).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(way.address.port())).unwrap();
    let cut = installation.plan().database(url.as_str()).start().await;
    let nodes = [installation.node().await, installation.node().await, cut];
    nodes.iter().for_each(|node| balancer.add(node));
    balancer.holds(3).await;
    let user = installation.user("ada").await;
    let client = installation.client(|_| ()).await;
    let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
    party.tokens(&user).await;
    way.open.send_replace(false);
    let begun = clock::monotonic();
    // five seconds are promised; three times that for a machine that has much else to do
    let bound = Duration::from_secs(5) * length(3, 3, 1);
    let sentence = "the node leaves rotation";
    let left = until(bound, sentence, async || !balancer.has(nodes[2].address)).await;
    assert_eq!(balancer.in_rotation(), 2);
    for _ in 0..3 {
        party.tokens(&user).await;
    }
    assert!(!balancer.has(nodes[2].address), "after {:?}", begun.elapsed());
    way.open.send_replace(true);
    let sentence = "the node comes back";
    let back = until(bound, sentence, async || balancer.in_rotation() == 3).await;
    for _ in 0..3 {
        party.tokens(&user).await;
    }
    println!("out of rotation after {left:?}, back after {back:?}");
    drop((balancer, nodes));
    installation.remove().await;
}
