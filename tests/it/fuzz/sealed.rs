//! Values that come back to the server which made them: sealed values, form tokens, cookies. Cursors are with the lists.

use std::sync::Arc;
use std::time::Duration;

use ostiary::crypto::MasterKey;
use ostiary::flow::session::{self, Browser};
use ostiary::http::extract::{Provenance, csrf};
use ostiary::http::layer::Running;
use ostiary::http::{Http, Limits, Parts};
use ostiary::model::Secret;
use ostiary::view::Views;
use proptest::prelude::*;

use super::{Change, Inputs, holds};
use crate::support::rooms::{Rooms, doctor_of};
use crate::support::server::Server;

const PURPOSES: &[&str] = &[
    "",
    "form",
    "forms",
    "api cursor",
    "client secret",
    "client_secret",
    "signing key",
    "interaction",
];

/// SEC-714: only what was sealed with this key for this purpose opens, and it opens to what it was.
#[test]
fn fuzz_sealed_blob() {
    let key = MasterKey::generate();
    let other = MasterKey::generate();
    let purpose = || proptest::sample::select(PURPOSES);
    let plain = proptest::collection::vec(any::<u8>(), 0..80);
    holds(
        1_500,
        (plain, purpose(), purpose(), Change::any()),
        |(plain, made, asked, change)| {
            let sealed = key.seal(made, &plain);
            assert_eq!(
                key.open(asked, &sealed).is_ok(),
                made == asked,
                "{made} opened as {asked}"
            );
            assert_eq!(key.open(made, &sealed).unwrap().as_slice(), plain);
            assert!(other.open(made, &sealed).is_err());
            assert_ne!(key.seal(made, &plain), sealed, "the same nonce twice");
            let changed = change.of(&sealed);
            assert_eq!(key.open(made, &changed).is_ok(), changed == sealed);
        },
    );
    holds(1_000, proptest::collection::vec(any::<u8>(), 0..80), |mut bytes| {
        assert!(key.open("form", &bytes).is_err());
        bytes.insert(0, 1);
        assert!(key.open("form", &bytes).is_err());
    });
}

/// SEC-714: a form token serves the form, the browser and the hours it was made for.
#[tokio::test]
async fn fuzz_form_tokens() {
    let rooms = Rooms::open().await;
    let http = Http::new(Parts {
        made: Default::default(),
        provider: rooms.provider.clone(),
        views: Arc::new(Views::new().unwrap()),
        limits: Limits::default(),
        trusted_proxies: Arc::new([]),
        tls: true,
        administration: ostiary::http::layer::Places::new(2),
        running: Running::default(),
        door: Default::default(),
        metrics: Default::default(),
        tracing: None,
        doctor: doctor_of(&rooms.provider),
    });
    let browser = || Browser {
        accounts: Vec::new(),
        key: Secret::generate(),
        is_new: false,
        is_changed: false,
        languages: None,
        lapsed: Vec::new(),
        state: None,
        device: None,
        is_device_told: false,
    };
    let (own, foreign) = (browser(), browser());
    let call = rooms.call_from("192.0.2.1");
    let check = |browser: &Browser, purpose: &str, token: &str| {
        csrf::check(
            &http,
            &rooms.call_from("192.0.2.1"),
            browser,
            Provenance::Own,
            purpose,
            token,
        )
    };
    let token = csrf::token(&http, &call, &own, "login");
    assert_eq!(check(&own, "login", &token), Ok(()));
    assert!(check(&foreign, "login", &token).is_err());
    for purpose in PURPOSES {
        assert!(check(&own, purpose, &token).is_err(), "{purpose}");
    }
    holds(2_000, proptest::collection::vec(Change::any(), 1..3), |changes| {
        let changed = changes.iter().fold(token.clone(), |text, change| change.of_text(&text));
        assert_eq!(check(&own, "login", &changed).is_ok(), changed == token, "{changed}");
    });
    holds(1_000, "[A-Za-z0-9_-]{0,60}", |text| {
        assert!(check(&own, "login", &text).is_err())
    });
    rooms.clock.advance(Duration::from_secs(2 * 3600 + 1));
    assert!(check(&own, "login", &token).is_err(), "too old");
}

/// SEC-714: a session cookie signs in only as it was given, until it ends.
#[tokio::test]
async fn fuzz_cookies() {
    let server = Server::start().await;
    let provider = server.provider();
    let person = server.user("ada").await;
    let browser = server.signed_in(&person).await;
    let (tokens, key) = (browser.cookie_value(), browser.key.expose().to_owned());
    let who = async |tokens: &str, key: &str| {
        let call = server.call();
        let browser = session::recognize(provider, &call, Some(tokens), Some(key))
            .await
            .unwrap();
        (browser.accounts.len(), browser.is_new)
    };
    assert_eq!(who(&tokens, &key).await, (1, false));
    assert_eq!(
        who(&format!("{tokens}.{tokens}"), &key).await,
        (1, false),
        "twice the same person"
    );
    let mut inputs = Inputs::new();
    for _ in 0..400 {
        let changed = inputs.draw(&Change::any()).of_text(&tokens);
        if changed.split('.').all(|token| token != tokens) {
            assert_eq!(who(&changed, &key).await.0, 0, "{changed}");
        }
        let text = inputs.draw(&"\\PC{0,80}");
        assert_eq!(who(&text, &key).await.0, 0, "{text}");
        let changed = inputs.draw(&Change::any()).of_text(&key);
        let shaped = changed.len() == 43
            && changed
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        assert_eq!(who(&tokens, &changed).await.1, !shaped, "{changed}");
    }
    server.advance(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(who(&tokens, &key).await.0, 0, "a year later");
    server.stop().await;
}
