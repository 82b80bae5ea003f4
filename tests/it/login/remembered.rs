//! Devices on which the second factor is not asked for, for a while, because the person wished so there.

use std::time::Duration;

use ostiary::flow::people::{self, ChangeSource, DeviceAct, NewPassword, OfflineGrants, WeakPasswords};
use ostiary::model::Secret;
use serde_json::json;

use super::factor_scene::{Enrolled, answer, asked, enrol, enrolled, now, press, recover};
use super::{is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser, each_backend};

const DAY: Duration = Duration::from_secs(86_400);

/// Signs in with both, and has the device remembered.
async fn remember(server: &Server, browser: &Browser, ada: &Enrolled) {
    server.advance(Duration::from_secs(60));
    let page = asked(server, browser, &ada.user).await;
    let fields = [
        ("code", now(server, &ada.authenticator)),
        ("remember_device", "1".to_owned()),
    ];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let done = browser.submit(&page, page.form_with("remember_device"), &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert!(is_signed_in(server, browser).await);
    sign_out(server, browser).await;
}

pub async fn sign_out(server: &Server, browser: &Browser) {
    let page = browser.get(&server.url("/logout")).await;
    let form = page.form_with_button("decision", "sign_out");
    browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert!(!is_signed_in(server, browser).await);
}

/// Whether the second factor is asked for. Nobody is signed in afterwards.
async fn is_asked(server: &Server, browser: &Browser, user: &TestUser) -> bool {
    let page = sign_in(server, browser, user).await;
    let to = page.location().unwrap();
    if to.path() == "/login/factor" {
        return true;
    }
    assert!(is_signed_in(server, browser).await, "{to}");
    sign_out(server, browser).await;
    false
}

/// SEC-265: a device is remembered for one person, where the setting lets it, for as long as that says; until the password or a
/// factor changes, the device is blocked, or the person or an administrator takes it back. It is no part of a proof.
#[tokio::test]
async fn remembered_device_rules() {
    each_backend(async |server| {
        let (ada, eve) = (enrolled(server, "ada").await, enrolled(server, "eve").await);
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert!(
            page.forms().iter().all(|form| !form.has("remember_device")),
            "off, by itself"
        );
        // what no page offers does nothing
        let fields = [
            ("code", now(server, &ada.authenticator)),
            ("remember_device", "1".to_owned()),
        ];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        browser.submit(&page, page.form_with("code"), &fields).await;
        sign_out(server, &browser).await;
        assert!(is_asked(server, &browser, &ada.user).await);

        server
            .settings(json!({"mfa.remember_for": "30d", "mfa.required": true}))
            .await;
        remember(server, &browser, &ada).await;
        assert!(!is_asked(server, &browser, &ada.user).await);
        assert!(is_asked(server, &Browser::new(), &ada.user).await, "there alone");
        // it is one person's: the same cookie is nothing to another
        assert!(is_asked(server, &browser, &eve.user).await);
        server.advance(30 * DAY);
        assert!(is_asked(server, &browser, &ada.user).await);

        // it proves nothing: a token says so, and whoever wants more has it asked for
        remember(server, &browser, &ada).await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let arrival = browser.sign_in(&party.authorization_url(), &ada.user).await;
        let told = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(told["amr"], json!(["pwd"]));
        assert_eq!(told["acr"], "urn:ostiary:password");
        let wish = json!({"id_token": {"acr": {"essential": true, "value": "urn:ostiary:mfa"}}}).to_string();
        let page = browser.get(&party.authorization_url_with(&[("claims", &wish)])).await;
        assert_eq!(browser.follow(page).await.url.path(), "/login/factor");
        let caller = Caller::client(server, "admin:users admin:clients admin:sessions").await;
        let strict = server.client(|_| ()).await;
        let path = format!("/clients/{}/settings", strict.id);
        caller.patch(&path, json!({"mfa": {"required": true}})).await.ok();
        let strict = RelyingParty::new(server, &strict);
        let page = browser.get(&strict.authorization_url()).await;
        assert_eq!(browser.follow(page).await.url.path(), "/login/factor");
        // once more, or for a change of the account: whole
        let page = browser.get(&party.authorization_url_with(&[("prompt", "login")])).await;
        let page = browser.follow(page).await;
        let form = page.form_with("password");
        let page = browser.submit(&page, form, &[("password", &ada.user.password)]).await;
        assert_eq!(page.location().unwrap().path(), "/login/factor");
        let refused = press(server, &browser, ("codes", "new"), &[]).await;
        assert_eq!(refused.location().unwrap().path(), "/login");
        sign_out(server, &browser).await;

        // taken back by the person, by an administrator, by a command's flow, and by a block
        let list = format!("/users/{}/devices", ada.user.id);
        let remembered = async || {
            let devices = caller.get(&list).await.ok().json()["items"].as_array().unwrap().clone();
            devices
                .iter()
                .filter(|device| device["remembered_at"].is_string())
                .count()
        };
        assert_eq!(remembered().await, 1);
        server.advance(Duration::from_secs(60));
        let here = Browser::new();
        let page = asked(server, &here, &ada.user).await;
        answer(&here, &page, &now(server, &ada.authenticator)).await;
        let page = here.get(&server.url("/account/factors")).await;
        assert!(
            page.body.contains("On one device it is not asked for."),
            "{}",
            page.body
        );
        let done = press(server, &here, ("ask_everywhere", "1"), &[]).await;
        assert_eq!(done.status, 303);
        assert_eq!(remembered().await, 0);
        assert!(is_asked(server, &browser, &ada.user).await);
        remember(server, &browser, &ada).await;
        let path = format!("/users/{}/factors/remembered-devices", ada.user.id);
        assert_eq!(caller.delete(&path).await.status, 204);
        assert!(is_asked(server, &browser, &ada.user).await);
        remember(server, &browser, &ada).await;
        let (provider, source) = (server.provider(), ChangeSource::Command);
        let devices = people::list_devices(provider, ada.user.id).await.unwrap();
        let device = devices.iter().find(|device| device.remembered_at.is_some()).unwrap().id;
        for act in [DeviceAct::Block(OfflineGrants::Stay), DeviceAct::Unblock] {
            people::change_device(provider, &server.call(), &source, (ada.user.id, device), act)
                .await
                .unwrap();
        }
        assert!(is_asked(server, &browser, &ada.user).await);

        // a factor more, or another password
        remember(server, &browser, &ada).await;
        server.advance(Duration::from_secs(60));
        let fresh = Browser::new();
        let page = asked(server, &fresh, &ada.user).await;
        answer(&fresh, &page, &now(server, &ada.authenticator)).await;
        enrol(server, &fresh, "Tablet").await;
        assert!(is_asked(server, &browser, &ada.user).await);
        remember(server, &browser, &ada).await;
        let password = NewPassword::Given(Secret::new(ada.user.password.clone()));
        people::set_password(
            provider,
            &server.call(),
            &source,
            ada.user.id,
            password,
            WeakPasswords::Refuse,
        )
        .await
        .unwrap();
        assert!(is_asked(server, &browser, &ada.user).await);
        // a setting that is taken back holds at once
        remember(server, &browser, &ada).await;
        server.settings(json!({"mfa.remember_for": "0s"})).await;
        assert!(is_asked(server, &browser, &ada.user).await);

        // a recovery code remembers nothing
        server.settings(json!({"mfa.remember_for": "30d"})).await;
        let other = Browser::new();
        let page = asked(server, &other, &ada.user).await;
        assert_eq!(recover(&other, &page, &ada.codes[0]).await.status, 303);
        sign_out(server, &other).await;
        assert!(is_asked(server, &other, &ada.user).await);
    })
    .await;
}
