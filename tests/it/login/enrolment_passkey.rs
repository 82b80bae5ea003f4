//! A passkey that somebody adds on the way in, because they have to have a second factor.

use ostiary::model::{FactorKind, RequiredAction};
use serde_json::json;

use super::factor_scene::{codes, confirm, now, shown, wrong};
use super::is_signed_in;
use super::passkey_scene::{ask, ask_as, enter, enter_from, keyed, send};
use super::required::{require, stopped};
use crate::support::authenticator::Device;
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Backend, Server, each_backend};

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

/// SEC-257, SEC-264: a passkey on the way in counts as the second factor that it is, brings recovery codes, and the token says so.
#[tokio::test]
async fn a_passkey_is_set_up_on_the_way_in() {
    each_backend(async |server| {
        server.settings(json!({"mfa.required": true})).await;
        let ada = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        let page = browser.open(&party.authorization_url()).await;
        let fields = [("username", "ada"), ("password", ada.password.as_str())];
        let page = browser
            .follow(browser.submit(&page, page.form_with("password"), &fields).await)
            .await;
        assert_eq!(page.url.path(), "/login/action");
        let mut device = Device::new(server.issuer());
        let (question, options) = ask(&browser, &page).await;
        assert_eq!(options["excludeCredentials"].as_array().map_or(0, Vec::len), 0);
        let answer = device.make(&options);
        let added = send(&browser, &page, &question, &answer).await;
        assert_eq!(added.status, 303, "{}", added.body);
        assert!(!is_signed_in(server, &browser).await, "the codes come first");
        // the same form once more leads to the same page
        let twice = send(&browser, &page, &question, &answer).await;
        assert_eq!(twice.location(), added.location(), "{}", twice.body);
        let kept = browser.follow(added).await;
        assert_eq!(codes(&kept).len(), 10);
        let arrival = browser
            .walk(browser.submit(&kept, kept.form_with("csrf"), &[]).await, &ada)
            .await;
        let told = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(told["amr"], json!(["pwd", "swk", "user", "mfa"]));
        assert_eq!(told["acr"], "urn:ostiary:mfa");
        // from now on it signs in alone
        let browser = Browser::new();
        assert_eq!(enter(server, &browser, &mut device).await.status, 303);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

/// SEC-259: what is asked counts once, for five minutes, in this browser and for this sign-in; and whatever is wrong, an authenticator
/// can be set up all the same.
#[tokio::test]
async fn webauthn_challenge_rules_on_the_way_in() {
    each_backend(async |server| {
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let mut known = keyed(server, "grace").await;
        for user in [&ada, &bob] {
            require(server, user, &[RequiredAction::EnrolFactor]).await;
        }
        let (browser, other) = (Browser::new(), Browser::new());
        let page = stopped(server, &browser, &ada).await;
        let elsewhere = stopped(server, &other, &bob).await;
        let mut device = Device::new(server.issuer());
        let refused = |page: &Page| page.status == 422 && page.body.contains("The passkey was not added.");
        // what was asked for one sign-in is nothing for another, nor is it in another browser
        let (question, options) = ask(&browser, &page).await;
        let answer = device.make(&options);
        let swapped = send(&other, &elsewhere, &question, &answer).await;
        assert!(refused(&swapped), "{} {}", swapped.status, swapped.body);
        // what signs in, or confirms, is no new key
        let login = browser.get(&server.url("/login")).await;
        let (of_login, asked) = ask(&browser, &login).await;
        let signed = known.device.sign(&asked);
        assert!(refused(&send(&browser, &page, &of_login, &signed).await));
        // made on another page
        let (question, options) = ask(&browser, &page).await;
        let answer = device.make_otherwise(&options, |making| making.origin = "https://evil.example".to_owned());
        assert!(refused(&send(&browser, &page, &question, &answer).await));
        // it was looked at, and is over
        let answer = device.make(&options);
        assert!(refused(&send(&browser, &page, &question, &answer).await));
        let (question, options) = ask(&browser, &page).await;
        let answer = device.make(&options);
        server.advance(5 * MINUTE);
        assert!(refused(&send(&browser, &page, &question, &answer).await));
        assert!(!is_signed_in(server, &browser).await);
        let mut store = server.provider().store.read().await.unwrap();
        assert!(store.list_factors_of(ada.id).await.unwrap().is_empty());
        drop(store);
        // a question is asked by whoever waits for one alone
        assert_eq!(ask_as(&Browser::new(), &page).await.status, 404);
        let page = browser.get(page.url.as_str()).await;
        let authenticator = shown(&page);
        assert_eq!(
            confirm(&browser, &page, &wrong(server, &authenticator)).await.status,
            422
        );
        assert_eq!(confirm(&browser, &page, &now(server, &authenticator)).await.status, 303);
        // done: a key that comes late is none
        let (question, options) = {
            let asked = ask_as(&browser, &page).await;
            assert_eq!(asked.status, 404, "{}", asked.body);
            ("x".to_owned(), options)
        };
        let late = send(&browser, &page, &question, &device.make(&options)).await;
        assert_eq!(late.status, 303, "on, where it led: {}", late.body);
        let mut store = server.provider().store.read().await.unwrap();
        let factors = store.list_factors_of(ada.id).await.unwrap();
        assert_eq!(
            factors.iter().map(|factor| factor.kind()).collect::<Vec<_>>(),
            [FactorKind::Totp]
        );
    })
    .await;
}

/// Of a passkey and an authenticator that are sent at once one counts (SEC-257).
#[tokio::test]
async fn factor_enrol_in_login_with_two_kinds_at_once() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        require(server, &ada, &[RequiredAction::EnrolFactor]).await;
        let (one, two) = (Browser::new(), Browser::new());
        let (first, second) = (stopped(server, &one, &ada).await, stopped(server, &two, &ada).await);
        let mut device = Device::new(server.issuer());
        let code = now(server, &shown(&second));
        let (question, options) = ask(&one, &first).await;
        let answer = device.make(&options);
        let (by_key, by_code) = tokio::join!(send(&one, &first, &question, &answer), confirm(&two, &second, &code));
        let mut statuses = [by_key.status.as_u16(), by_code.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 404], "{} {}", by_key.body, by_code.body);
        let mut store = server.provider().store.read().await.unwrap();
        assert_eq!(store.list_factors_of(ada.id).await.unwrap().len(), 1);
        drop(store);
        // whoever has one is asked for it, and offered no other
        let browser = Browser::new();
        let page = super::sign_in(server, &browser, &ada).await;
        assert_eq!(page.location().unwrap().path(), "/login/factor");
        if by_key.status == 303 {
            let page = browser.follow(page).await;
            assert_eq!(enter_from(&browser, &page, &mut device).await.status, 303);
        }
    })
    .await;
}

/// An installation without a domain offers none, and says nothing of them.
#[tokio::test]
async fn where_browsers_have_none_an_authenticator_is_offered_alone() {
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.public_url = "http://127.0.0.1:0".parse().unwrap();
    })
    .await;
    let ada = server.user("ada").await;
    require(&server, &ada, &[RequiredAction::EnrolFactor]).await;
    let browser = Browser::new();
    let page = stopped(&server, &browser, &ada).await;
    assert!(!page.body.contains("data-passkey=") && page.body.contains("class=\"secret\""));
    server.stop().await;
}
