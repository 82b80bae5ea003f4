//! The sandbox: its sample application signs people in, and shows what a relying party gets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ostiary::demo::{Demo, Error, Place};
use ostiary::model::Id;
use url::Url;

use crate::support::browser::{Browser, Page};
use crate::support::server::TestUser;

async fn start() -> Demo {
    let place = Place {
        listen: IpAddr::from([127, 0, 0, 1]),
        port: 0,
        application_port: 0,
    };
    Demo::start(&place).await.unwrap()
}

fn person(demo: &Demo, username: &str) -> TestUser {
    let person = demo.people.iter().find(|person| person.username == username).unwrap();
    TestUser {
        id: Id::from_uuid(uuid::Uuid::nil()),
        username: person.username.clone(),
        subject: String::new(),
        email: String::new(),
        password: person.password.expose().to_owned(),
    }
}

/// Follows every redirect, from the application to the server and back.
async fn follow(browser: &Browser, mut page: Page) -> Page {
    for _ in 0..20 {
        match page.location() {
            Some(to) => page = browser.get(to.as_str()).await,
            None => return page,
        }
    }
    panic!("redirects in a circle at {}", page.url);
}

async fn sign_in(demo: &Demo, browser: &Browser, username: &str) -> Page {
    let begun = browser.get(&format!("{}/sign-in", demo.application)).await;
    let to = begun.location().unwrap();
    assert!(to.as_str().starts_with(&demo.issuer), "{to}");
    let arrival = browser.sign_in(to.as_str(), &person(demo, username)).await;
    let page = browser.get(arrival.url.as_str()).await;
    follow(browser, page).await
}

async fn press(browser: &Browser, page: &Page, action: &str) -> Page {
    let forms = page.forms();
    let form = forms
        .iter()
        .find(|form| form.action == action)
        .unwrap_or_else(|| panic!("no {action}: {}", page.body));
    let answer = browser.submit(page, form.clone(), &[]).await;
    follow(browser, answer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_application_signs_in_calls_refreshes_and_signs_out() {
    let demo = start().await;
    let browser = Browser::new();
    let home = browser.open(&demo.application).await;
    assert!(home.body.contains("Sign in"), "{}", home.body);
    let page = sign_in(&demo, &browser, "grace").await;
    for shown in [
        "Hello, Grace Hopper",
        "Verified: signature",
        "navigators",
        "grace@example.com",
        "auth_time",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let page = press(&browser, &page, "/call-api").await;
    assert!(page.body.contains("The kettle is on."), "{}", page.body);
    let page = press(&browser, &page, "/refresh").await;
    assert!(page.body.contains("Refreshed once."), "{}", page.body);
    // the clock moves on the server's page, and the access token ends
    let clock = browser.open(&format!("{}/demo/clock", demo.issuer)).await;
    let form = clock.form_with_button("advance", "1h");
    let moved = browser.submit(&clock, form, &[("advance", "1h")]).await;
    assert!(moved.status.is_redirection(), "{}", moved.body);
    assert!(demo.clock().offset().as_secs() >= 3600);
    let page = browser.open(&demo.application).await;
    let page = press(&browser, &page, "/call-api").await;
    assert!(page.body.contains("The API refused the access token"), "{}", page.body);
    let page = press(&browser, &page, "/refresh").await;
    let page = press(&browser, &page, "/call-api").await;
    assert!(page.body.contains("The kettle is on."), "{}", page.body);
    let mut page = press(&browser, &page, "/sign-out").await;
    if page.url.as_str().starts_with(&demo.issuer) {
        // whether to sign out is asked, once
        let form = page.forms().into_iter().find(|form| !form.buttons.is_empty()).unwrap();
        let button = form.buttons[0].clone();
        let answer = browser.submit(&page, form, &[(&button.0, &button.1)]).await;
        page = follow(&browser, answer).await;
    }
    assert!(
        page.url.as_str().starts_with(&demo.application),
        "{} {}",
        page.url,
        page.body
    );
    assert!(page.body.contains("Welcome to the sample application"), "{}", page.body);
    demo.stop().await;
}

/// Signing out at the server is heard by the application, whose session is over by the time its page is looked at; what is no logout
/// token of the server's ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_application_hears_of_a_sign_out_at_the_server() {
    let demo = start().await;
    let (browser, other) = (Browser::new(), Browser::new());
    sign_in(&demo, &browser, "grace").await;
    sign_in(&demo, &other, "grace").await;
    let told = format!("{}/backchannel-logout", demo.application);
    let none = concat!(
        "eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9.",
        "eyJzdWIiOiJncmFjZSIsImV2ZW50cyI6eyJodHRwOi8vc2NoZW1hcy5vcGVuaWQubmV0L2V2ZW50L2JhY2tjaGFubmVsLWxvZ291dCI6e319fQ."
    );
    for token in ["", "x", "a.b.c", none] {
        let answer = browser.post(&told, &[("logout_token", token)]).await;
        assert_eq!(answer.status, 400, "{token}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let page = browser.open(&demo.application).await;
    assert!(page.body.contains("Hello, Grace Hopper"), "{}", page.body);

    let form = browser.open(&format!("{}/logout", demo.issuer)).await;
    let button = form.form_with_button("decision", "sign_out");
    browser.submit(&form, button, &[("decision", "sign_out")]).await;
    let mut page = browser.open(&demo.application).await;
    for _ in 0..600 {
        if !page.body.contains("Hello, Grace Hopper") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        page = browser.open(&demo.application).await;
    }
    assert!(
        page.body.contains("You were signed out at the provider"),
        "{}",
        page.body
    );
    assert!(page.body.contains("UTC"), "{}", page.body);
    assert!(page.body.contains("Welcome to the sample application"), "{}", page.body);
    let page = browser.open(&demo.application).await;
    assert!(!page.body.contains("You were signed out"), "said once: {}", page.body);
    let page = other.open(&demo.application).await;
    assert!(
        page.body.contains("Hello, Grace Hopper"),
        "another session: {}",
        page.body
    );
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_form_of_the_clock_leads_to_the_clock() {
    let demo = start().await;
    let browser = Browser::new();
    let url = format!("{}/demo/clock", demo.issuer);
    let (one, other) = (browser.open(&url).await, browser.open(&url).await);
    let press = async |page: &Page| {
        let form = page.form_with_button("advance", "30d");
        browser.submit(page, form, &[("advance", "30d")]).await
    };
    assert!(press(&one).await.status.is_redirection());
    let ahead = demo.clock().offset();
    // the form in the other tab is a month old by now
    let answer = press(&other).await;
    assert_eq!(answer.location().unwrap().as_str(), url, "{}", answer.body);
    assert_eq!(demo.clock().offset(), ahead, "nothing was done");
    // somebody else's page still moves nothing
    let form = one.form_with_button("advance", "1m").filled(&[("advance", "1m")]);
    let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(browser.post_with(&url, &fields, &foreign).await.status, 403);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_shows_what_it_would_have_sent() {
    let demo = start().await;
    let page = Browser::new().open(&format!("{}/demo/messages", demo.issuer)).await;
    assert_eq!(page.status, 200);
    for person in &demo.people {
        assert!(
            page.body.contains(&format!("{}@example.com", person.username)),
            "{}",
            page.body
        );
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_for_this_machine_alone() {
    for address in [[0, 0, 0, 0], [10, 0, 0, 1], [192, 168, 1, 1]] {
        let place = Place {
            listen: IpAddr::from(address),
            port: 0,
            application_port: 0,
        };
        assert!(matches!(Demo::start(&place).await, Err(Error::NotLoopback(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_new_at_each_start() {
    let (first, second) = (start().await, start().await);
    let passwords = |demo: &Demo| -> BTreeMap<String, String> {
        let people = demo.people.iter();
        people
            .map(|person| (person.username.clone(), person.password.expose().to_owned()))
            .collect()
    };
    for (username, password) in passwords(&first) {
        assert_ne!(passwords(&second)[&username], password);
    }
    first.stop().await;
    second.stop().await;
}

/// An answer that nobody asked for, one of another issuer and one for another browser are refused by the application.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_application_believes_no_stranger() {
    let demo = start().await;
    let mine = Browser::new();
    let begun = mine
        .get(&format!("{}/sign-in", demo.application))
        .await
        .location()
        .unwrap();
    let arrival = mine.sign_in(begun.as_str(), &person(&demo, "ada")).await;
    let shown = async |browser: &Browser, url: &Url| {
        let page = browser.get(url.as_str()).await;
        follow(browser, page).await.body
    };
    assert!(
        shown(&Browser::new(), &arrival.url)
            .await
            .contains("no sign-in under way")
    );
    let mut other = arrival.url.clone();
    let pairs: Vec<(String, String)> = arrival.url.query_pairs().into_owned().collect();
    let changed = pairs.iter().map(|(name, value)| match name.as_str() {
        "iss" => (name.clone(), "https://evil.example".to_owned()),
        _ => (name.clone(), value.clone()),
    });
    other.query_pairs_mut().clear().extend_pairs(changed);
    assert!(shown(&mine, &other).await.contains("It names another issuer."));
    // the attempt is used up
    assert!(shown(&mine, &arrival.url).await.contains("no sign-in under way"));
    demo.stop().await;
}
