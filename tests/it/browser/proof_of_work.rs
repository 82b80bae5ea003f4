//! The moment of work before an account, done by a browser.

use serde_json::json;

use crate::support::server::Server;
use crate::support::webdriver::{Chromium, wanted};

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_does_the_work_while_somebody_types() {
    if !wanted() {
        return;
    }
    let server = Server::start().await;
    let table =
        json!({"registration.mode": "open", "registration.challenge": "proof_of_work", "registration.work": 12});
    server.settings(table).await;
    let browser = Chromium::start().await;
    browser.open(&server.url("/register")).await;
    browser.type_into("#email", "grace@example.com").await;
    browser.click("button.primary").await;
    browser.shows("Look into your mailbox").await;
    // the script is sent before it is done: the form waits for it
    server.settings(json!({"registration.work": 15})).await;
    browser.open(&server.url("/register")).await;
    browser
        .execute("const form = document.querySelector('form[data-question]'); form.email.value = 'eve@example.com'; form.requestSubmit()")
        .await;
    browser.shows("Look into your mailbox").await;
    let lines = browser.console().await;
    assert!(lines.is_empty(), "{lines:?}");
    // without scripts a sentence says what to do
    browser.without_scripts().await;
    browser.open(&server.url("/register")).await;
    browser.shows("This form needs a small calculation by a script").await;
    server.stop().await;
}
