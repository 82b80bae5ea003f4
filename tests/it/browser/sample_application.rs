//! The sandbox as a stranger meets it: the sample application, the sign-in, the claims, the buttons, the way out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ostiary::demo::{Demo, Place};

use crate::support::webdriver::{Chromium, wanted};

/// A sandbox on free ports.
pub async fn sandbox() -> Demo {
    let place = Place {
        listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        application_port: 0,
    };
    Demo::start(&place).await.unwrap()
}

/// From the application's front door to its inside, through login and consent.
async fn sign_in(browser: &Chromium, demo: &Demo) {
    let ada = demo.people.iter().find(|person| person.username == "ada").unwrap();
    browser.open(&demo.application).await;
    browser.click("a.primary").await;
    browser.arrives_at(&format!("{}/login?", demo.issuer)).await;
    assert_eq!(browser.active().await.property("name").await, "username");
    browser.type_into("#username", &ada.username).await;
    browser.type_into("#password", ada.password.expose()).await;
    browser.click("button.primary").await;
    browser.arrives_at(&format!("{}/login/consent?", demo.issuer)).await;
    browser.shows("Sample application").await;
    browser.shows("messages.read").await;
    browser.click("button[value=allow]").await;
    browser.arrives_at(&demo.application).await;
    browser.shows("Hello, Ada Lovelace").await;
}

/// What somebody who is signed in can do there, and the way out.
async fn look_around(browser: &Chromium, demo: &Demo) {
    for claim in [
        "ada@example.com",
        "Europe/London",
        "preferred_username",
        demo.issuer.as_str(),
    ] {
        browser.shows(claim).await;
    }
    browser.click("form[action='/refresh'] button").await;
    browser.shows("New tokens came").await;
    browser.shows("Refreshed once.").await;
    browser.click("form[action='/call-api'] button").await;
    browser.shows("The API answered").await;
    browser.shows("The kettle is on.").await;
    browser.click("form[action='/sign-out'] button").await;
    browser.shows("Welcome to the sample application").await;
    assert_eq!(browser.url().await.as_str(), format!("{}/", demo.application));
    // the server knows nobody here any more: it asks again
    browser.click("a.primary").await;
    browser.arrives_at(&format!("{}/login?", demo.issuer)).await;
    browser.find("#username").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_to_the_sample_application_in_chromium() {
    if !wanted() {
        return;
    }
    let demo = sandbox().await;
    let browser = Chromium::start().await;
    sign_in(&browser, &demo).await;
    look_around(&browser, &demo).await;

    // with scripts there is a button that shows the password while it is pressed
    browser.type_into("#password", "correct horse").await;
    assert_eq!(browser.find("#password").await.property("type").await, "password");
    browser.click("[data-reveal=password]").await;
    assert_eq!(browser.find("#password").await.property("type").await, "text");
    browser.click("[data-reveal=password]").await;
    assert_eq!(browser.find("#password").await.property("type").await, "password");

    // a wrong password is said, what was typed as a name stays, and the message has the keyboard
    browser.type_into("#username", "ada").await;
    browser.click("button.primary").await;
    browser.find("[role=alert]").await;
    assert_eq!(browser.find("#username").await.property("value").await, "ada");
    assert_eq!(browser.find("#password").await.property("value").await, "");
    assert_eq!(browser.active().await.property("role").await, "alert");
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_but_the_password_button_works_without_scripts() {
    if !wanted() {
        return;
    }
    let demo = sandbox().await;
    let browser = Chromium::start().await;
    browser.without_scripts().await;
    sign_in(&browser, &demo).await;
    look_around(&browser, &demo).await;
    assert!(!browser.find("[data-reveal=password]").await.is_visible().await);
    demo.stop().await;
}

/// The same sign-in with the sandbox's messages and clock: pages that are read by whoever tries it.
#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_shows_its_messages_and_moves_its_clock() {
    if !wanted() {
        return;
    }
    let demo = sandbox().await;
    let browser = Chromium::start().await;
    browser.open(&format!("{}/demo/messages", demo.issuer)).await;
    browser.shows("ada@example.com").await;
    browser.click("a[href='/demo/clock']").await;
    browser.arrives_at(&format!("{}/demo/clock", demo.issuer)).await;
    browser.click("button[value='1d']").await;
    // the button says the same as the sentence that follows: what counts is the clock
    for _ in 0..200 {
        if demo.clock().offset().as_secs() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(demo.clock().offset().as_secs(), 86_400);
    browser.shows("1 day").await;
    demo.stop().await;
}
