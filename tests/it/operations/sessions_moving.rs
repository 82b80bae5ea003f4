//! A single node is given a Redis, and goes back to its files: who is signed in stays so on the first way, and is told to sign in
//! once more on the second.

use ostiary::model::ConsentMode;

use crate::support::backend::{Backend, quick};
use crate::support::browser::Browser;
use crate::support::process::Installation;
use crate::support::redis_kinds::{Deployment, Kind};
use crate::support::relying_party::RelyingParty;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_stays_so_when_a_node_is_given_a_redis() {
    if quick() {
        return;
    }
    let installation = Installation::make(Backend::Embedded).await;
    let (ada, eve) = (installation.user("ada").await, installation.user("eve").await);
    let client = installation
        .client(|made| made.policy.consent = ConsentMode::Skip)
        .await;
    let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    let (stays, leaves) = (Browser::new(), Browser::new());
    let node = installation.only_node().await;
    party.sign_in(&stays, &ada).await;
    party.sign_in(&leaves, &eve).await;
    let ended = leaves.cookie("ostiary_session").unwrap();
    let page = leaves.open(&format!("{}/logout", installation.issuer())).await;
    let form = page.form_with("csrf");
    leaves.submit(&page, form, &[("decision", "sign_out")]).await;
    let before = node.stop().await;

    let deployment = Deployment::shared(Kind::Cluster).await;
    let node = before
        .clone()
        .with("OSTIARY_REDIS_URL", deployment.url.clone())
        .with("OSTIARY_REDIS_PREFIX", Deployment::prefix())
        .start()
        .await;
    assert!(!stays.sign_in(&silent, &ada).await.code().is_empty());
    leaves.set_cookie("localhost", "ostiary_session", &ended);
    assert_eq!(leaves.sign_in(&silent, &eve).await.get("error"), "login_required");
    let told = "the sessions of the embedded file are in Redis now";
    assert_eq!(node.log().matches(told).count(), 1, "{}", node.log());
    assert!(node.log().contains("\"sessions\":1"), "{}", node.log());
    let file = installation.config.data_dir.join("sessions.db");
    assert!(!file.exists());
    // once
    let node = node.stop().await.start().await;
    assert_eq!(node.log().matches(told).count(), 1);
    assert!(!stays.sign_in(&silent, &ada).await.code().is_empty());
    node.stop().await;

    let node = before.start().await;
    assert_eq!(stays.sign_in(&silent, &ada).await.get("error"), "login_required");
    assert!(node.log().contains("people sign in once"), "{}", node.log());
    assert!(!party.sign_in(&stays, &ada).await.code().is_empty());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_can_not_move_its_sessions_says_so_and_does_not_start() {
    let installation = Installation::make(Backend::Embedded).await;
    let ada = installation.user("ada").await;
    let client = installation
        .client(|made| made.policy.consent = ConsentMode::Skip)
        .await;
    let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
    let browser = Browser::new();
    let node = installation.only_node().await;
    party.sign_in(&browser, &ada).await;
    let before = node.stop().await;
    let nobody = crate::support::process::free_address();
    let mut node = before.clone().redis(&format!("redis://{nobody}")).spawn();
    assert!(!node.ended().await.success());
    assert!(node.log().contains("can't be moved to Redis"), "{}", node.log());
    // nothing is lost
    let node = before.start().await;
    let silent = party.authorization_url_with(&[("prompt", "none")]);
    assert!(!browser.sign_in(&silent, &ada).await.code().is_empty());
    node.stop().await;
}
