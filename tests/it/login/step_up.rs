//! Step-up: exactly what is missing is asked, and what tokens say of it is what happened.

use std::time::Duration;

use ostiary::model::setting::{Declaration, Kind};
use ostiary::protocol::acr;
use serde_json::json;

use super::factor_scene::{answer, enrolled, now, wrong};
use super::{is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::each_backend;

/// A session of a password is asked for the second factor alone where an application wants one; it is the same session afterwards,
/// and no fresher than its oldest proof.
#[tokio::test]
async fn the_second_factor_alone_is_asked_of_a_session_of_a_password() {
    each_backend(async |server| {
        // signed in before the authenticator was there
        let ada = enrolled(server, "ada").await;
        let client = server.client(|_| ()).await;
        let caller = Caller::client(server, "admin:clients").await;
        let path = format!("/clients/{}/settings", client.id);
        caller.patch(&path, json!({"mfa": {"required": true}})).await.ok();
        let party = RelyingParty::new(server, &client);
        let plain = server.client(|_| ()).await;
        let plain = RelyingParty::new(server, &plain);
        let told = async |party: &RelyingParty<'_>| {
            let arrival = ada.browser.sign_in(&party.authorization_url(), &ada.user).await;
            claims(&party.redeem(arrival.code()).await.ok().get("id_token"))
        };
        let before = told(&plain).await;
        assert_eq!(before["acr"], "urn:ostiary:password");

        let silent = party.authorization_url_with(&[("prompt", "none")]);
        let refused = ada.browser.get(&silent).await;
        assert!(refused.location().unwrap().as_str().contains("login_required"));
        server.advance(Duration::from_secs(60));
        let page = ada.browser.get(&party.authorization_url()).await;
        let page = ada.browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/factor");
        assert_eq!(
            answer(&ada.browser, &page, &wrong(server, &ada.authenticator))
                .await
                .status,
            422
        );
        let call = server.call();
        let live = || server.provider().sessions.list(ada.user.id, call.now);
        let sessions = live().await.unwrap();
        let page = answer(&ada.browser, &page, &now(server, &ada.authenticator)).await;
        let arrival = ada.browser.walk(page, &ada.user).await;
        let after = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(after["acr"], "urn:ostiary:mfa");
        assert_eq!(after["amr"], json!(["pwd", "otp", "mfa"]));
        assert_eq!(
            after["auth_time"], before["auth_time"],
            "the password was not entered again"
        );
        assert_eq!(after["sid"], before["sid"]);
        let now_live = live().await.unwrap();
        assert_eq!(now_live.len(), sessions.len());
        assert_eq!(now_live[0].id, sessions[0].id);
        // nothing is asked a second time
        let silent = ada.browser.get(&silent).await;
        assert!(
            silent.location().unwrap().as_str().contains("code="),
            "{:?}",
            silent.location()
        );
    })
    .await;
}

/// What waits for the second factor of a session is worth nothing once that has ended: an old proof begins no new one.
#[tokio::test]
async fn a_session_that_ended_is_not_begun_anew_by_a_second_factor() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let wish = party.authorization_url_with(&[("acr_values", "urn:ostiary:mfa")]);
        let page = ada.browser.get(&wish).await;
        let page = ada.browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/factor");
        let caller = Caller::client(server, "admin:users admin:sessions").await;
        let call = server.call();
        let live = server.provider().sessions.list(ada.user.id, call.now).await.unwrap();
        for session in live {
            let ended = caller.delete(&format!("/sessions/{}", session.id)).await;
            assert!(ended.status.is_success(), "{}", ended.body);
        }
        let refused = answer(&ada.browser, &page, &now(server, &ada.authenticator)).await;
        assert_eq!(refused.status, 404, "{:?}", refused.location());
        assert!(!is_signed_in(server, &ada.browser).await);
        // another browser has nothing of it either
        let other = Browser::new();
        sign_in(server, &other, &ada.user).await;
        assert_eq!(other.get(page.url.as_str()).await.status, 404);
    })
    .await;
}

/// The person does not have to: back to the application, which is told so.
#[tokio::test]
async fn who_does_not_step_up_goes_back_to_the_application() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let claims = json!({"id_token": {"acr": {"essential": true, "values": ["urn:ostiary:mfa"]}}}).to_string();
        let page = ada
            .browser
            .get(&party.authorization_url_with(&[("claims", &claims)]))
            .await;
        let page = ada.browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/factor");
        let form = page.form_with_button("intent", "cancel");
        let left = ada.browser.submit(&page, form, &[("intent", "cancel")]).await;
        let to = left.location().unwrap();
        assert!(to.as_str().contains("error=access_denied"), "{to}");
        assert!(is_signed_in(server, &ada.browser).await, "as before");
    })
    .await;
}

/// The levels have names of the installation's own: applications ask by them, and are told by the one that they asked for.
#[tokio::test]
async fn levels_of_assurance_are_asked_for_and_told_by_their_names() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        server
            .settings(json!({"acr.names": "silver=urn:ostiary:password, https://example.org/loa?n=2=urn:ostiary:mfa, gold=urn:ostiary:mfa"}))
            .await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let told = async |page| {
            let arrival = ada.browser.walk(page, &ada.user).await;
            claims(&party.redeem(arrival.code()).await.ok().get("id_token"))["acr"].clone()
        };
        let asking = |wish: &[(&str, &str)]| party.authorization_url_with(wish);
        assert_eq!(told(ada.browser.get(&asking(&[])).await).await, "silver");
        for (wish, expected) in [("silver", "silver"), ("urn:ostiary:password", "urn:ostiary:password"), ("bronze", "silver")] {
            let page = ada.browser.get(&asking(&[("acr_values", wish)])).await;
            assert_eq!(told(page).await, expected);
        }
        let essential = |word: &str| json!({"id_token": {"acr": {"essential": true, "value": word}}}).to_string();
        let refused = ada.browser.get(&asking(&[("claims", &essential("platinum"))])).await;
        let refused = ada.browser.follow(refused).await;
        assert!(refused.location().unwrap().as_str().contains("unmet_authentication_requirements"));
        server.advance(Duration::from_secs(60));
        let page = ada.browser.get(&asking(&[("claims", &essential("gold"))])).await;
        let page = ada.browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/factor");
        let page = answer(&ada.browser, &page, &now(server, &ada.authenticator)).await;
        assert_eq!(told(page).await, "gold");
        // asked for nothing: the first name; insisted on less: what was insisted on
        assert_eq!(told(ada.browser.get(&asking(&[])).await).await, "https://example.org/loa?n=2");
        let page = ada.browser.get(&asking(&[("claims", &essential("silver"))])).await;
        assert_eq!(told(page).await, "silver");
        let discovery = ada.browser.get(&server.url("/.well-known/openid-configuration")).await.json();
        assert_eq!(
            discovery["acr_values_supported"],
            json!(["urn:ostiary:password", "urn:ostiary:mfa", "urn:ostiary:code", "silver", "https://example.org/loa?n=2", "gold"])
        );
    })
    .await;
}

#[test]
fn a_name_of_a_level_is_one_word_for_one_level_that_there_is() {
    let names = Declaration::find("acr.names").unwrap();
    let Kind::Names(words) = names.kind else {
        panic!("names")
    };
    let (mut words, mut levels) = (words.to_vec(), acr::LEVELS.to_vec());
    words.sort_unstable();
    levels.sort_unstable();
    assert_eq!(words, levels);
    for refused in [
        "gold",
        "gold=best",
        "=urn:ostiary:mfa",
        "two words=urn:ostiary:mfa",
        "urn:ostiary:mfa=urn:ostiary:password",
        "gold=urn:ostiary:mfa, gold=urn:ostiary:password",
    ] {
        assert!(names.read(&refused.into()).is_err(), "{refused}");
    }
    let read = names
        .read(&"gold = urn:ostiary:mfa,silver=urn:ostiary:password,".into())
        .unwrap();
    assert_eq!(read.to_json(), "gold=urn:ostiary:mfa, silver=urn:ostiary:password");
}
