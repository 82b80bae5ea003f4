//! Every step of a sign-in is answered by another node.

use crate::support::backend::{Backend, quick};
use crate::support::balancer::Balancer;
use crate::support::browser::Browser;
use crate::support::process::Installation;
use crate::support::relying_party::{RelyingParty, claims};

/// REL-39: a browser and a client that meet another node at every request get through the whole sign-on, and out again.
#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_sign_in_is_answered_by_another_node() {
    if quick() {
        return;
    }
    let installation = Installation::make(Backend::PostgresRedis).await;
    let balancer = Balancer::start(installation.front).await;
    let nodes = [
        installation.node().await,
        installation.node().await,
        installation.node().await,
    ];
    nodes.iter().for_each(|node| balancer.add(node));
    balancer.holds(3).await;
    let user = installation.user("ada").await;
    let client = installation.client(|_| ()).await;
    let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
    for _ in 0..3 {
        let tokens = party.tokens(&user).await;
        assert_eq!(claims(&tokens.get("id_token"))["sub"], user.subject);
        let userinfo = party.userinfo(&tokens.get("access_token")).await.ok();
        assert_eq!(userinfo.get("sub"), user.subject);
        let next = party.refresh(&tokens.get("refresh_token")).await.ok();
        assert!(!next.get("refresh_token").is_empty());
    }
    // the second sign-on in the same browser asks nothing
    let browser = Browser::new();
    party.sign_in(&browser, &user).await;
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    assert!(!browser.sign_in(&silent, &user).await.code().is_empty());
    let served: Vec<usize> = balancer.served().into_iter().map(|(_, served)| served).collect();
    assert!(served.iter().all(|&served| served > 5), "{served:?}");
    drop((balancer, nodes));
    installation.remove().await;
}
