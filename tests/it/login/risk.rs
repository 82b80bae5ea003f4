//! Where a sign-in is unusual for somebody, and the settings say so, one proof is too little: a new device, another part of the net, a
//! way that nobody travels in the time, an address outside the operator's networks.

use serde_json::json;
use std::net::Ipv4Addr;

use super::factor_scene::{answer, asked, enrolled, now};
use super::recovery::mails;
use super::remembered::sign_out;
use super::sent_codes::{mailed, send};
use super::{HOUR, MINUTE, is_signed_in, sign_in};
use crate::support::backend::backends;
use crate::support::browser::{Browser, Page};
use crate::support::places::located;
use crate::support::server::{Server, TestUser};

const PARIS: &str = "192.0.2.7";
const LYON: &str = "198.18.0.9";
const TOKYO: &str = "203.0.113.5";

/// A server for each backend, behind a proxy on loopback, that knows where three networks are.
async fn each_located(test: impl AsyncFn(&Server)) {
    for backend in backends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("places.mmdb");
        let network = |address: &str, city| {
            let address: Ipv4Addr = address.parse().unwrap();
            (address, 24, city, "")
        };
        let bytes = located(&[
            (network("192.0.2.0", "Paris"), (48.86, 2.35)),
            (network("198.18.0.0", "Lyon"), (45.76, 4.84)),
            (network("203.0.113.0", "Tokyo"), (35.68, 139.69)),
        ]);
        std::fs::write(&file, bytes).unwrap();
        let server = Server::start_configured(backend, |config| {
            config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            config.geoip_database = Some(file.clone());
        })
        .await;
        test(&server).await;
        server.stop().await;
    }
}

async fn reachable(server: &Server, username: &str) -> TestUser {
    server
        .user_with(username, |profile| profile.email_verified = true)
        .await
}

/// Signs in where one proof is too little, by the code that is mailed.
async fn by_mail(server: &Server, browser: &Browser, user: &TestUser) -> Page {
    let page = asked(server, browser, user).await;
    assert!(!page.body.contains("recovery_code"), "{}", page.body);
    let page = send(browser, &page).await;
    let code = mailed(server, user).await;
    browser
        .submit(&page, page.form_with("sent_code"), &[("sent_code", &code)])
        .await
}

/// SEC-234 `adaptive_step_up`: each signal demands more where its setting is on, and nothing where it is off.
#[tokio::test]
async fn adaptive_step_up() {
    each_located(async |server| {
        let (device, address, travel) = ("mfa.on_new_device", "mfa.on_new_address", "mfa.on_impossible_travel");
        let off = json!({ device: false, address: false, travel: false, "code.most_sends": 100 });
        for (number, (setting, from, after, is_unusual)) in [
            (device, PARIS, 24 * HOUR, true),
            (address, LYON, 24 * HOUR, true),
            (address, "192.0.77.1", 24 * HOUR, false),
            (travel, TOKYO, 2 * HOUR, true),
            (travel, TOKYO, 24 * HOUR, false),
            (travel, LYON, MINUTE, false),
            (travel, "198.51.100.1", MINUTE, false),
        ]
        .into_iter()
        .enumerate()
        {
            server.settings(off.clone()).await;
            let ada = reachable(server, &format!("ada{number}")).await;
            let bob = reachable(server, &format!("bob{number}")).await;
            server.settings(json!({ setting: true })).await;
            // the first device of somebody is no news
            for person in [&ada, &bob] {
                let home = Browser::at(PARIS);
                assert_eq!(sign_in(server, &home, person).await.status, 303);
                assert!(is_signed_in(server, &home).await, "{setting}");
            }
            server.advance(after);
            let away = Browser::at(from);
            if is_unusual {
                assert_eq!(by_mail(server, &away, &ada).await.status, 303, "{setting} {from}");
            } else {
                assert_eq!(sign_in(server, &away, &ada).await.status, 303, "{setting} {from}");
            }
            assert!(is_signed_in(server, &away).await, "{setting} {from}");
            // what was unusual is usual afterwards
            assert_eq!(sign_in(server, &away, &ada).await.status, 303);
            assert!(is_signed_in(server, &away).await, "{setting} {from}");
            server.settings(off.clone()).await;
            let away = Browser::at(from);
            assert_eq!(sign_in(server, &away, &bob).await.status, 303);
            assert!(is_signed_in(server, &away).await, "{setting} is off");
        }
    })
    .await;
}

/// Who comes from outside the operator's networks proves a second factor, on a device that is remembered too. Who has none and no
/// confirmed address either sets one up.
#[tokio::test]
async fn from_outside_the_own_networks_one_proof_is_too_little() {
    each_located(async |server| {
        server
            .settings(json!({"mfa.required_outside": "192.0.2.0/24, 127.0.0.0/8", "mfa.remember_for": "30d"}))
            .await;
        let ada = enrolled(server, "ada").await;
        let laptop = Browser::at(PARIS);
        let page = asked(server, &laptop, &ada.user).await;
        let code = now(server, &ada.authenticator);
        let fields = [("code", code.as_str()), ("remember_device", "1")];
        assert_eq!(laptop.submit(&page, page.form_with("code"), &fields).await.status, 303);
        server.advance(HOUR);
        sign_out(server, &laptop).await;
        let again = sign_in(server, &laptop, &ada.user).await;
        assert_ne!(
            again.location().unwrap().path(),
            "/login/factor",
            "it is remembered here"
        );
        sign_out(server, &laptop).await;
        laptop.comes_from(TOKYO);
        let page = asked(server, &laptop, &ada.user).await;
        server.advance(MINUTE);
        let done = answer(&laptop, &page, &now(server, &ada.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);

        let bob = reachable(server, "bob").await;
        assert_eq!(
            sign_in(server, &Browser::at(PARIS), &bob)
                .await
                .location()
                .unwrap()
                .path(),
            "/"
        );
        let browser = Browser::at(TOKYO);
        assert_eq!(by_mail(server, &browser, &bob).await.status, 303);
        assert!(is_signed_in(server, &browser).await);

        let carol = server
            .user_with("carol", |profile| profile.email_verified = false)
            .await;
        let page = sign_in(server, &Browser::at(TOKYO), &carol).await;
        assert_eq!(page.location().unwrap().path(), "/login/action");
        assert!(mails(server).await.iter().all(|(to, _)| *to != carol.email));
    })
    .await;
}
