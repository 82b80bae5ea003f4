//! The administrators' page compares the browser's clock with the server's, by a script that runs in a real browser.

use ostiary::model::{Group, Id};

use crate::support::backend::Backend;
use crate::support::process::{Installation, now};
use crate::support::webdriver::{Chromium, wanted};
use crate::support::wrong_clock::WrongClock;

/// An administrator looks, at servers whose clocks are right, behind, and ahead.
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_compares_its_clock_with_the_servers() {
    if !wanted() {
        return;
    }
    let installation = Installation::make(Backend::Embedded).await;
    let ada = installation.user("ada").await;
    let store = installation.store().await;
    let group = Group {
        id: Id::new(now()),
        name: "administrators".to_owned(),
        external_id: None,
        description: None,
        permissions: vec!["admin".to_owned()],
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    let mut tx = store.write().await.unwrap();
    tx.add_group(&group).await.unwrap();
    tx.add_member(group.id, ada.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let browser = Chromium::start().await;
    let is_shown = async |state: &str| {
        browser
            .find(&format!("#browser-clock p[data-state={state}]"))
            .await
            .is_visible()
            .await
    };
    let mut signed_in = false;
    for off in [0_i16, -45, 120] {
        let wrong = WrongClock::by(off.into(), installation.folder());
        let mut plan = installation.plan().at(installation.front);
        for (name, value) in wrong.variables() {
            plan = plan.with(name, value);
        }
        let node = plan.start().await;
        browser.open(&format!("{}/console/doctor", installation.issuer())).await;
        if !signed_in {
            browser.type_into("#username", &ada.username).await;
            browser.type_into("#password", &ada.password).await;
            browser.click("button.primary").await;
            browser
                .arrives_at(&format!("{}/console/doctor", installation.issuer()))
                .await;
            signed_in = true;
        }
        let told = match off {
            0 => "It agrees with the server’s",
            _ => "It does not agree with the server’s",
        };
        browser.shows(told).await;
        assert_eq!((is_shown("good").await, is_shown("wrong").await), (off == 0, off != 0));
        assert!(!is_shown("unknown").await, "the script ran");
        let line = browser.find("#browser-clock pre").await;
        assert_eq!(line.is_visible().await, off != 0);
        let state = if off == 0 { "good" } else { "wrong" };
        let difference = browser
            .find(&format!("#browser-clock p[data-state={state}] [data-difference]"))
            .await;
        let shown: f64 = difference.text().await.trim_end_matches(" s").parse().unwrap();
        // the browser's clock less the server's; a busy machine takes its time to answer
        let expected = -f64::from(off);
        assert!((shown - expected).abs() < 8.0, "{shown} s, {expected} s");
        let complaints = browser.console().await;
        assert!(complaints.is_empty(), "{complaints:?}");
        drop(node);
    }
    // without scripts it says so
    let node = installation.only_node().await;
    browser.without_scripts().await;
    browser.open(&format!("{}/console/doctor", installation.issuer())).await;
    browser.find("#browser-clock").await;
    assert!(is_shown("unknown").await && !is_shown("good").await && !is_shown("wrong").await);
    drop(node);
    installation.remove().await;
}
