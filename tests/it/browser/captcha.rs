//! The widget of a service that tells people from programs, in a browser that holds the page to its policy.

use serde_json::json;

use crate::support::backend::Backend;
use crate::support::captcha::CaptchaService;
use crate::support::server::Server;
use crate::support::webdriver::{Chromium, wanted};

#[tokio::test(flavor = "multi_thread")]
async fn a_widget_is_loaded_by_the_pages_policy_and_fills_the_form() {
    if !wanted() {
        return;
    }
    let service = CaptchaService::start().await;
    let captcha = service.configuration();
    let server = Server::start_configured(Backend::Embedded, |config| config.captcha = Some(captcha)).await;
    server
        .settings(json!({"registration.mode": "open", "registration.challenge": "captcha"}))
        .await;
    let browser = Chromium::start().await;
    browser.open(&server.url("/register")).await;
    browser.find(".h-captcha input[value^='person-']").await;
    browser.type_into("#email", "grace@example.com").await;
    browser.click("button.primary").await;
    browser.shows("Look into your mailbox").await;
    let lines = browser.console().await;
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(service.asked().len(), 1);
    // without scripts a sentence says what to do
    browser.without_scripts().await;
    browser.open(&server.url("/register")).await;
    browser.shows("This form needs a check by a script").await;
    server.stop().await;
}
