//! Whole journeys by the program itself on Redis in each of its forms, with the account that the documentation describes.

use ostiary::model::{ConsentMode, Secret};

use crate::ephemeral::redis_server::quick;
use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::process::Installation;
use crate::support::redis_kinds::{Deployment, Kind};
use crate::support::relying_party::RelyingParty;

/// Sign-in, single sign-on without a question, refresh, sign-out.
async fn journey(deployment: &Deployment) {
    let installation = Installation::make_with(Backend::Embedded, |config| {
        config.redis_url = Some(Secret::new(deployment.url.clone()));
        config.redis_prefix = Deployment::prefix();
    })
    .await;
    let user = installation.user("ada").await;
    let (first, second) = (
        installation
            .client(|made| made.policy.consent = ConsentMode::Skip)
            .await,
        installation
            .client(|made| made.policy.consent = ConsentMode::Skip)
            .await,
    );
    let node = installation.only_node().await;
    let at = |client| RelyingParty::at(&installation.issuer(), &installation.host(), client);
    let (mail, wiki) = (at(&first), at(&second));
    let browser = Browser::new();
    let arrival = mail.sign_in(&browser, &user).await;
    let tokens = mail.redeem(arrival.code()).await.ok();
    // single sign-on: the other application asks nothing
    let silent = wiki.authorization_url_with(&[("prompt", "none")]);
    let arrival = browser.sign_in(&silent, &user).await;
    wiki.redeem(arrival.code()).await.ok();
    mail.refresh(&tokens.get("refresh_token")).await.ok();
    let page = browser.open(&format!("{}/logout", installation.issuer())).await;
    let form = page.form_with("csrf");
    let done = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert!(done.status.is_redirection(), "{} {}", done.status, done.body);
    let arrival = browser.sign_in(&silent, &user).await;
    assert_eq!(arrival.get("error"), "login_required");
    node.stop().await;
}

async fn on(kind: Kind) {
    if quick() {
        return;
    }
    let deployment = Deployment::shared(kind).await;
    journey(deployment).await;
    let counted = deployment.counted();
    // scripts are run, so the numbers are those of what they did
    assert!(counted.contains_key("cmdstat_evalsha"), "{counted:?}");
    for never in ["keys", "scan", "sscan", "hscan", "zscan", "randomkey", "dbsize"] {
        assert!(
            !counted.contains_key(&format!("cmdstat_{never}")),
            "{never}: {counted:?}"
        );
    }
    // nothing was tried that the account may not, and no step asked for keys of two slots
    for never in ["NOPERM", "CROSSSLOT"] {
        assert!(
            !counted.contains_key(&format!("errorstat_{never}")),
            "{never}: {counted:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_journey_works_behind_sentinels_and_nothing_scans() {
    on(Kind::Sentinel).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_journey_works_on_a_cluster_and_nothing_scans() {
    on(Kind::Cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_journey_works_by_tls_and_nothing_scans() {
    on(Kind::Tls).await;
}
