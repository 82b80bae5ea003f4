//! Whose authenticators may hold a passkey, and which browsers propose first.

use std::path::Path;

use ostiary::credential::TrustedAuthenticators;
use serde_json::{Value, json};

use super::factor_scene::press;
use super::passkey_scene::{add, begin, options};
use super::sign_in;
use crate::support::authenticator::{BE, BS, Device, Maker, UP, UV};
use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser};

const MODEL: [u8; 16] = [7; 16];
const OTHER_MODEL: [u8; 16] = [8; 16];

/// A list with one model of this maker.
fn list(maker: &Maker) -> Value {
    json!([{"name": "Key of the house", "aaguid": "07070707-0707-0707-0707-070707070707", "root": maker.root()}])
}

/// A server that takes the keys of this maker from those in the group `staff`.
async fn strict(maker: &Maker, folder: &Path) -> Server {
    let file = folder.join("authenticators.json");
    std::fs::write(&file, list(maker).to_string()).unwrap();
    Server::start_configured(Backend::Embedded, |config| config.passkeys_authenticators = Some(file)).await
}

async fn signed_in(server: &Server, user: &TestUser) -> Browser {
    let browser = Browser::new();
    sign_in(server, &browser, user).await;
    browser
}

fn device(server: &Server, flags: u8, maker: Option<(&Maker, [u8; 16])>) -> Device {
    let mut device = Device::security_key(server.issuer());
    device.flags = flags;
    device.vouched = maker.map(|(maker, model)| maker.vouch(model));
    device
}

/// Where the policy wants it, a passkey is taken whose authenticator a listed maker vouches for, and no other: not one that shows
/// nothing, not one of another maker or model, not one with the certificate of another; and with it signing in goes as always.
#[tokio::test]
async fn authenticators_that_are_listed_are_taken_and_no_others() {
    let (maker, stranger) = (Maker::new("Maker"), Maker::new("Maker"));
    let folder = tempfile::tempdir().unwrap();
    let server = strict(&maker, folder.path()).await;
    let ada = server.user("ada").await;
    let bob = server.user("bob").await;
    for verification in ["preferred", "required"] {
        server
            .settings(json!({"passkey.attestation": "listed", "passkey.user_verification": verification}))
            .await;
        let browser = signed_in(&server, &ada).await;
        let page = begin(&server, &browser, "Key").await;
        assert!(
            unescape(&page.body).contains("Only these are taken here: Key of the house"),
            "{}",
            page.body
        );
        let asked = options(&page);
        assert_eq!(asked["attestation"], "direct");
        for (what, mut wrong) in [
            ("nothing is shown", device(&server, UP | UV, None)),
            ("another maker", device(&server, UP | UV, Some((&stranger, MODEL)))),
            ("another model", device(&server, UP | UV, Some((&maker, OTHER_MODEL)))),
        ] {
            let refused = add(&server, &browser, &mut wrong, "Key").await;
            assert!(
                refused.location().unwrap().as_str().contains("passkey_refused"),
                "{verification}: {what}"
            );
        }
        // a certificate of one model in a device that says it is another
        let mut borrowed = device(&server, UP | UV, Some((&maker, OTHER_MODEL)));
        borrowed.vouched.as_mut().unwrap().aaguid = MODEL;
        let refused = add(&server, &browser, &mut borrowed, "Key").await;
        assert!(
            refused.location().unwrap().as_str().contains("passkey_refused"),
            "{verification}: borrowed"
        );
        if verification == "required" {
            let mut copied = device(&server, UP | UV | BE | BS, Some((&maker, MODEL)));
            let refused = add(&server, &browser, &mut copied, "Key").await;
            assert!(
                refused.location().unwrap().as_str().contains("passkey_refused"),
                "one that is copied"
            );
        }
    }
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let events = store.list_events(None, 500).await.unwrap();
    drop(store);
    let faults: Vec<&str> = events
        .iter()
        .filter_map(|event| event.facts["fault"].as_str())
        .collect();
    assert!(
        faults.iter().filter(|fault| **fault == "maker").count() >= 6,
        "{faults:?}"
    );

    let browser = signed_in(&server, &bob).await;
    let mut right = device(&server, UP | UV, Some((&maker, MODEL)));
    let done = add(&server, &browser, &mut right, "Key").await;
    assert_eq!(done.location().unwrap().path(), "/account/factors/codes");
    server.stop().await;
}

#[tokio::test]
async fn without_a_list_nobody_adds_a_passkey_where_one_is_wanted() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    server.settings(json!({"passkey.attestation": "listed"})).await;
    let browser = signed_in(&server, &ada).await;
    let refused = press(&server, &browser, ("begin", "passkey"), &[("name", "Key")]).await;
    let told = browser.follow(refused).await;
    assert!(
        unescape(&told.body).contains("which authenticators are taken"),
        "{}",
        told.body
    );
    server.stop().await;
}

#[tokio::test]
async fn browsers_are_told_which_authenticators_to_propose() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let browser = signed_in(&server, &ada).await;
    assert!(options(&begin(&server, &browser, "Key").await).get("hints").is_none());
    server
        .settings(json!({"passkey.hints": "security-key, client-device"}))
        .await;
    let asked = options(&begin(&server, &browser, "Key").await);
    // in the order of the setting's words, whatever the order in which they are written
    assert_eq!(asked["hints"], json!(["client-device", "security-key"]));
    assert_eq!(asked["attestation"], "none");
    server.stop().await;
}

#[test]
fn a_list_that_can_not_be_used_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.json");
    let told = |text: &str| {
        std::fs::write(&file, text).unwrap();
        TrustedAuthenticators::open(&file).err().map(|error| error.to_string())
    };
    assert!(told(&list(&Maker::new("Maker")).to_string()).is_none());
    for (text, said) in [
        ("", "expected a JSON list"),
        ("[]", "at least one"),
        ("[{\"name\": \"Key\"}]", "expected a JSON list"),
        (
            "[{\"name\": \"Key\", \"aaguid\": \"07070707-0707-0707-0707-070707070707\", \"root\": \"x\"}]",
            "root of Key is no certificate",
        ),
    ] {
        let told = told(text).unwrap();
        assert!(told.contains(said) && told.contains("list.json"), "{told}");
    }
    assert!(TrustedAuthenticators::open(&folder.path().join("none.json")).is_err());
}
