//! The keyboard alone: every stop in the order of reading, every stop visible, and through to the application.

use super::sample_application::sandbox;
use crate::support::webdriver::{Chromium, ENTER, TAB, wanted};

/// What has the keyboard, by what a person would call it; it must be seen to have it (WCAG 2.2, 2.4.7).
async fn stop(browser: &Chromium) -> String {
    let script = "const it = document.activeElement, style = getComputedStyle(it);
        const seen = it.matches(':focus-visible') && (style.boxShadow !== 'none' || parseFloat(style.outlineWidth) > 0);
        return [it.name || it.innerText.trim(), it.value || '', seen].join('|')";
    let told = browser.execute(script).await;
    let (stop, seen) = told.as_str().unwrap().rsplit_once('|').unwrap();
    assert_eq!(seen, "true", "{stop} has the keyboard and does not show it");
    stop.to_owned()
}

async fn tab(browser: &Chromium) -> String {
    browser.press(&TAB.to_string()).await;
    stop(browser).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_signs_a_person_in() {
    if !wanted() {
        return;
    }
    let demo = sandbox().await;
    let ada = demo.people.iter().find(|person| person.username == "ada").unwrap();
    let browser = Chromium::start().await;

    browser.open(&demo.application).await;
    assert!(tab(&browser).await.contains("Sample application"));
    assert_eq!(tab(&browser).await, "Sign in|");
    browser.press(&ENTER.to_string()).await;

    browser.arrives_at(&format!("{}/login?", demo.issuer)).await;
    assert_eq!(stop(&browser).await, "username|");
    browser.press(&ada.username).await;
    assert_eq!(tab(&browser).await, "password|");
    browser.press(ada.password.expose()).await;
    assert_eq!(tab(&browser).await, "Show|");
    assert_eq!(tab(&browser).await, "Forgot your password?|");
    assert_eq!(tab(&browser).await, "remember|1");
    assert_eq!(tab(&browser).await, "Sign in|");
    browser.press(&ENTER.to_string()).await;

    browser.arrives_at(&format!("{}/login/consent?", demo.issuer)).await;
    assert_eq!(tab(&browser).await, "decision|deny");
    assert_eq!(tab(&browser).await, "decision|allow");
    browser.press(&ENTER.to_string()).await;

    browser.arrives_at(&demo.application).await;
    browser.shows("Hello, Ada Lovelace").await;
    demo.stop().await;
}

/// Enter in the password field sends the form, as everywhere; a wrong password leaves the keyboard at the message, whose
/// first links lead to the fields.
#[tokio::test(flavor = "multi_thread")]
async fn the_message_of_a_failed_sign_in_leads_the_keyboard_back_to_the_fields() {
    if !wanted() {
        return;
    }
    let demo = sandbox().await;
    let browser = Chromium::start().await;
    browser.open(&format!("{}/login", demo.issuer)).await;
    browser.press(&format!("ada{TAB}wrong{ENTER}")).await;
    browser.find("[role=alert]").await;
    tab(&browser).await;
    let second = tab(&browser).await;
    assert!(second.contains("password"), "{second}");
    browser.press(&ENTER.to_string()).await;
    assert_eq!(browser.active().await.property("id").await, "password");
    demo.stop().await;
}
