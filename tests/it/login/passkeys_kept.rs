//! Looking after passkeys: by the person at `/account/factors` and `/api/v1/me/factors`, by an administrator where one is lost, and
//! what is told where one may have been copied.

use reqwest::Method;
use serde_json::{Value, json};

use super::factor_scene::{asked, begin as begin_authenticator, factors, press};
use super::factors_kept::{kinds, mails, own};
use super::passkey_scene::{add, ask, begin, confirm, enter, keyed, keyed_with, options, prove_again, send};
use super::{is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::authenticator::Device;
use crate::support::browser::{Browser, Page};
use crate::support::cli::Terminal;
use crate::support::server::{Backend, Server, TestUser, each_backend};

/// The events of this kind about somebody.
async fn events(server: &Server, user: &TestUser, kind: &str) -> Vec<Value> {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let all = store.list_events(None, 500).await.unwrap();
    let own = all.into_iter().filter(|event| event.user == Some(user.id.uuid()));
    own.filter(|event| event.kind == kind)
        .map(|event| event.facts)
        .collect()
}

/// Where a form led, with its notice.
fn led(page: &Page) -> String {
    page.location()
        .unwrap_or_else(|| panic!("{} {}", page.status, page.body))
        .as_str()
        .to_owned()
}

#[tokio::test]
async fn a_person_adds_several_passkeys_and_names_and_removes_them() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        assert_eq!(kinds(server, &ada.user).await, ["factor_added"]);
        let texts = mails(server, &ada.user).await;
        assert!(
            texts
                .iter()
                .any(|text| text.contains("A passkey was added") && text.contains("Passkey: Laptop"))
        );
        // a session that began with the password alone adds no other
        let refused = press(server, &ada.browser, ("begin", "passkey"), &[("name", "Phone")]).await;
        assert!(led(&refused).contains("/login?again=1"));
        prove_again(server, &mut ada).await;
        let mut phone = Device::security_key(server.issuer());
        assert!(led(&add(server, &ada.browser, &mut phone, "Key").await).ends_with("notice=passkey_added"));
        for name in ["", "  ", &"x".repeat(61)] {
            let refused = press(server, &ada.browser, ("begin", "passkey"), &[("name", name)]).await;
            assert!(led(&refused).ends_with("notice=name"), "{name}");
        }
        let ids = factors(server, &ada.browser).await;
        assert_eq!(ids.len(), 2);
        let renamed = press(server, &ada.browser, ("rename", &ids[1]), &[("name", "Old key")]).await;
        assert!(led(&renamed).ends_with("notice=renamed"));
        let list = ada.browser.get(&server.url("/account/factors")).await;
        assert!(
            list.body.contains("Old key") && list.body.contains("Laptop"),
            "{}",
            list.body
        );
        let removed = press(server, &ada.browser, ("remove", &ids[1]), &[]).await;
        assert!(led(&removed).ends_with("notice=removed"));
        let entered = enter(server, &Browser::new(), &mut phone).await;
        assert_eq!(entered.status, 422, "it lets nobody in any more");
        // with the last one go the recovery codes, and a password alone is enough again
        press(server, &ada.browser, ("remove", &ids[0]), &[]).await;
        let other = Browser::new();
        assert_eq!(sign_in(server, &other, &ada.user).await.location().unwrap().path(), "/");
        assert_eq!(
            kinds(server, &ada.user).await,
            ["factor_removed", "factor_removed", "factor_added", "factor_added"]
        );
        assert_eq!(events(server, &ada.user, "factor.added").await[0]["kind"], "passkey");
    })
    .await;
}

#[tokio::test]
async fn an_enrolment_counts_once_in_the_session_that_began_it() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let (browser, other) = (Browser::new(), Browser::new());
        sign_in(server, &browser, &ada).await;
        sign_in(server, &other, &ada).await;
        let mut device = Device::new(server.issuer());
        let page = begin(server, &browser, "Laptop").await;
        let answer = device.make(&options(&page));
        // in another session of hers
        let elsewhere = other.get(page.url.as_str()).await;
        assert!(led(&elsewhere).ends_with("notice=over"));
        // begun anew: the one before is over
        let anew = begin(server, &browser, "Laptop").await;
        assert!(led(&confirm(&browser, &page, &answer).await).ends_with("notice=over"));
        assert!(led(&confirm(&browser, &anew, &answer).await).ends_with("notice=passkey_refused"));
        // it was looked at once
        let right = device.make(&options(&anew));
        assert!(led(&confirm(&browser, &anew, &right).await).ends_with("notice=over"));
        // and for five minutes
        let late = begin(server, &browser, "Laptop").await;
        let answer = device.make(&options(&late));
        server.advance(std::time::Duration::from_secs(300));
        assert!(led(&confirm(&browser, &late, &answer).await).ends_with("notice=over"));
        assert!(factors(server, &browser).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn there_is_room_for_ten_factors_of_all_kinds() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        prove_again(server, &mut ada).await;
        for number in 2..=10 {
            let done = add(
                server,
                &ada.browser,
                &mut Device::new(server.issuer()),
                &format!("Key {number}"),
            )
            .await;
            assert!(led(&done).ends_with("notice=passkey_added"), "{number}");
        }
        for kind in ["passkey", "totp"] {
            let refused = press(server, &ada.browser, ("begin", kind), &[("name", "One more")]).await;
            assert!(led(&refused).ends_with("notice=too_many"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_browser_without_scripts_is_told_what_it_lacks() {
    let server = Server::start().await;
    let ada = keyed(&server, "ada").await;
    let eve = server.user("eve").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &eve).await;
    let page = begin(&server, &browser, "Laptop").await;
    assert!(page.body.contains("<div data-passkey-here=\"no\">"), "{}", page.body);
    assert!(page.body.contains("They need JavaScript"));
    // an authenticator needs none
    begin_authenticator(&server, &browser, "Phone").await;
    let page = asked(&server, &Browser::new(), &ada.user).await;
    assert!(page.body.contains("Choose another way below"), "{}", page.body);
    server.stop().await;
}

/// A key whose counter goes back may have been copied: it is refused, written down, and its owner is told.
#[tokio::test]
async fn a_key_that_was_copied_is_refused_and_its_owner_is_told() {
    each_backend(async |server| {
        let mut ada = keyed_with(server, "ada", Device::security_key(server.issuer())).await;
        for _ in 0..3 {
            assert_eq!(enter(server, &Browser::new(), &mut ada.device).await.status, 303);
        }
        // the copy was made after the first
        ada.device.keys[0].counter = 1;
        let browser = Browser::new();
        let refused = enter(server, &browser, &mut ada.device).await;
        assert_eq!(refused.status, 422);
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(events(server, &ada.user, "passkey.cloned").await.len(), 1);
        assert_eq!(kinds(server, &ada.user).await, ["passkey_cloned", "factor_added"]);
        let texts = mails(server, &ada.user).await;
        assert!(texts[0].contains("may have been copied") || texts[1].contains("may have been copied"));
        // after a password, too
        let page = asked(server, &browser, &ada.user).await;
        let (question, options) = ask(&browser, &page).await;
        ada.device.keys[0].counter = 2;
        let answer = ada.device.sign(&options);
        assert_eq!(send(&browser, &page, &question, &answer).await.status, 422);
        assert_eq!(events(server, &ada.user, "passkey.cloned").await.len(), 2);
        // a wrong signature says nothing of the counter
        let login = browser.get(&server.url("/login")).await;
        let (question, options) = ask(&browser, &login).await;
        let answer = ada.device.sign_otherwise(&options, |signing| {
            signing.counter = 0;
            signing.spoilt = 1;
        });
        assert_eq!(send(&browser, &login, &question, &answer).await.status, 422);
        assert_eq!(events(server, &ada.user, "passkey.cloned").await.len(), 2);
        // the one that goes on counting is let in
        ada.device.keys[0].counter = 9;
        assert_eq!(enter(server, &browser, &mut ada.device).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn administrators_see_passkeys_and_take_them_away() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let caller = Caller::client(server, "admin:users").await;
        let path = format!("/users/{}/factors", ada.user.id);
        let listed = caller.get(&path).await;
        let item = listed.json()["items"][0].clone();
        assert_eq!(
            (item["kind"].as_str(), item["name"].as_str()),
            (Some("passkey"), Some("Laptop"))
        );
        assert_eq!(item["digits"], Value::Null);
        assert!(!listed.body.contains("credential"));
        let browser = Browser::new();
        let waiting = asked(server, &browser, &ada.user).await;
        let id = item["id"].as_str().unwrap();
        assert_eq!(caller.delete(&format!("{path}/{id}")).await.status, 204);
        assert_eq!(enter(server, &Browser::new(), &mut ada.device).await.status, 422);
        let refused = super::passkey_scene::ask_as(&browser, &waiting).await;
        assert_eq!(refused.status, 404, "there is nothing to ask for");
        let texts = mails(server, &ada.user).await;
        assert!(
            texts
                .iter()
                .any(|text| text.contains("administrator removed a passkey")),
            "{texts:?}"
        );
        assert_eq!(caller.delete(&format!("/users/{}", ada.user.id)).await.status, 204);
        // with the person goes what they had: another may add the very same key
        let mut grace = keyed(server, "grace").await;
        assert_eq!(enter(server, &Browser::new(), &mut grace.device).await.status, 303);
        assert_eq!(
            caller
                .delete(&format!("/users/{}?erase=true", grace.user.id))
                .await
                .status,
            204
        );
        let mut store = server.provider().store.read().await.unwrap();
        let id = &grace.device.keys[0].id;
        assert!(store.find_factor_by_credential(id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_and_removes_passkeys() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let mut ada = keyed(&server, "ada").await;
    let terminal = Terminal::at(server.folder());
    let rows = terminal.run(&["users", "factors", "ada", "--json"]).await.json();
    assert_eq!(
        (rows[0]["kind"].as_str(), rows[0]["name"].as_str()),
        (Some("passkey"), Some("Laptop"))
    );
    terminal.run(&["users", "reset-factors", "ada"]).await.ok();
    assert_eq!(enter(&server, &Browser::new(), &mut ada.device).await.status, 422);
    server.stop().await;
}

#[tokio::test]
async fn a_client_of_the_api_enrols_a_passkey() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        for (body, pointer) in [
            (json!({"kind": "passkey"}), "/name"),
            (json!({"kind": "card", "name": "Key"}), "/kind"),
            (json!({"kind": "passkey", "name": "Key", "digits": 6}), "/digits"),
        ] {
            let (status, _, told) = own(server, &browser, Method::POST, "", Some(body)).await;
            assert_eq!((status, told["errors"][0]["pointer"].as_str()), (422, Some(pointer)));
        }
        let new = json!({"kind": "passkey", "name": "Key"});
        let (status, _, begun) = own(server, &browser, Method::POST, "", Some(new.clone())).await;
        assert_eq!(status, 201, "{begun}");
        assert_eq!(begun["public_key"]["rp"]["id"], "localhost");
        let mut device = Device::new(server.issuer());
        let answer: Value = serde_json::from_str(&device.make(&begun["public_key"])).unwrap();
        let path = format!("/{}/confirm", begun["id"].as_str().unwrap());
        let body = json!({"credential": answer});
        let (status, _, done) = own(server, &browser, Method::POST, &path, Some(body.clone())).await;
        assert_eq!(status, 200, "{done}");
        assert_eq!(done["recovery_codes"].as_array().unwrap().len(), 10);
        let (status, _, _) = own(server, &browser, Method::POST, &path, Some(body)).await;
        assert_eq!(status, 404, "once");
        let (_, _, listed) = own(server, &browser, Method::GET, "", None).await;
        assert_eq!(listed["items"][0]["kind"], "passkey");
        assert_eq!(listed["items"][0]["id"], begun["id"]);
        // from now on it is part of the proof that is asked for
        let (status, challenge, _) = own(server, &browser, Method::POST, "", Some(new)).await;
        assert_eq!(status, 401);
        assert!(challenge.contains("acr_values=\"urn:ostiary:mfa\""), "{challenge}");
        assert_eq!(enter(server, &browser, &mut device).await.status, 303);
        // what is no passkey
        let new = json!({"kind": "passkey", "name": "Key"});
        let (_, _, begun) = own(server, &browser, Method::POST, "", Some(new)).await;
        let path = format!("/{}/confirm", begun["id"].as_str().unwrap());
        let (status, _, told) = own(server, &browser, Method::POST, &path, Some(json!({"credential": {}}))).await;
        assert_eq!(
            (status, told["errors"][0]["pointer"].as_str()),
            (422, Some("/credential"))
        );
    })
    .await;
}

/// Browsers have passkeys for domains alone: without one they are not offered.
#[tokio::test]
async fn an_installation_without_a_domain_offers_no_passkeys() {
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.public_url = "http://127.0.0.1:0".parse().unwrap();
    })
    .await;
    let browser = Browser::new();
    let page = browser.get(&server.url("/login")).await;
    assert!(!page.body.contains("data-ask"), "{}", page.body);
    assert!(!page.header("content-security-policy").contains("connect-src"));
    let ada = server.user("ada").await;
    sign_in(&server, &browser, &ada).await;
    let list = browser.get(&server.url("/account/factors")).await;
    assert!(!list.body.contains("value=\"passkey\""), "{}", list.body);
    server.stop().await;
}
