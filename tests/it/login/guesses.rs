//! Guesses at passwords: who has to wait for whose wrong ones.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ostiary::flow::call::Origin;
use ostiary::flow::session::{self, Purpose};
use ostiary::flow::sign_in::password::{Attempt, Refused, sign_in};
use ostiary::flow::{Call, Error};
use ostiary::model::Secret;
use serde_json::json;

use super::MINUTE;
use crate::oauth::scene::Dice;
use crate::support::backend::backends;
use crate::support::browser::{Browser, Page};
use crate::support::server::{Server, TestUser, each_backend};

const HOME: &str = "203.0.113.7";
/// A guess is back a period after it was made, and at most a sixteenth later.
const PERIOD: Duration = Duration::from_secs(15 * 60);

/// Signs in from an address, as a proxy tells it.
async fn enter(server: &Server, browser: &Browser, from: &str, username: &str, password: &str) -> Page {
    let login = browser.get(&server.url("/login")).await;
    let form = login
        .form_with("password")
        .filled(&[("username", username), ("password", password)]);
    let fields: Vec<(&str, &str)> = form
        .inputs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let headers = [("x-forwarded-for", from)];
    browser.post_with(&server.url("/login"), &fields, &headers).await
}

async fn right(server: &Server, browser: &Browser, from: &str, user: &TestUser) -> u16 {
    enter(server, browser, from, &user.username, &user.password)
        .await
        .status
        .as_u16()
}

async fn wrong(server: &Server, browser: &Browser, from: &str, user: &TestUser) -> u16 {
    enter(server, browser, from, &user.username, "wrong")
        .await
        .status
        .as_u16()
}

/// SEC-218: strangers guess at an account from everywhere, and its person gets in with a device they have signed in with before,
/// also from an address that the strangers use. Nobody else does, and the wait is bounded.
#[tokio::test]
async fn lockout_not_weaponised() {
    for backend in backends() {
        let server = Server::start_configured(backend, |config| {
            config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
        let server = &server;
        let budgets = json!({"guess.account_budget": 4, "guess.source_budget": 6});
        server.settings(budgets).await;
        let (ada, mallory) = (server.user("ada").await, server.user("mallory").await);
        let (phone, laptop, stranger) = (Browser::new(), Browser::new(), Browser::new());
        for browser in [&phone, &laptop] {
            assert_eq!(right(server, browser, HOME, &ada).await, 303);
        }
        assert_eq!(right(server, &stranger, HOME, &mallory).await, 303);

        let mut looked_at = 0;
        for number in 0..20 {
            let from = format!("198.51.100.{number}");
            looked_at += u16::from(wrong(server, &Browser::new(), &from, &ada).await == 422);
        }
        assert_eq!(looked_at, 4, "the account's budget");
        let refused = enter(server, &Browser::new(), HOME, "ada", &ada.password).await;
        assert_eq!(refused.status, 429, "nothing tells a person from a stranger there");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!(wait <= PERIOD.as_secs() * 17 / 16, "{wait} seconds");
        // another person's device is a stranger, and so is one that somebody has made up
        assert_eq!(right(server, &stranger, HOME, &ada).await, 429);
        let forged = Browser::new();
        forged.set_cookie("localhost", "ostiary_device", &"A".repeat(86));
        assert_eq!(right(server, &forged, HOME, &ada).await, 429);

        assert_eq!(right(server, &phone, HOME, &ada).await, 303);
        // from the strangers' own address, which has used up its budget
        for number in 0..8 {
            enter(
                server,
                &Browser::new(),
                "198.51.100.99",
                &format!("nobody-{number}"),
                "x",
            )
            .await;
        }
        assert_eq!(wrong(server, &Browser::new(), "198.51.100.99", &mallory).await, 429);
        assert_eq!(right(server, &laptop, "198.51.100.99", &ada).await, 303);
        // that somebody who is known got in opens no door for the others
        assert_eq!(right(server, &Browser::new(), HOME, &ada).await, 429);

        // what goes wrong on a device counts on it, and on it alone
        for _ in 0..4 {
            assert_eq!(wrong(server, &phone, HOME, &ada).await, 422);
        }
        assert_eq!(right(server, &phone, HOME, &ada).await, 429);
        assert_eq!(right(server, &laptop, HOME, &ada).await, 303);
        server.advance(PERIOD * 17 / 16);
        assert_eq!(right(server, &phone, HOME, &ada).await, 303);
        assert_eq!(
            right(server, &Browser::new(), HOME, &ada).await,
            303,
            "nobody waits for long"
        );
    }
}

/// A device that was blocked is a stranger's.
#[tokio::test]
async fn a_blocked_device_has_no_budget_of_its_own() {
    each_backend(async |server| {
        server.settings(json!({"guess.account_budget": 3})).await;
        let ada = server.user("ada").await;
        let (phone, laptop) = (Browser::new(), Browser::new());
        for browser in [&laptop, &phone] {
            assert_eq!(right(server, browser, HOME, &ada).await, 303);
            server.advance(MINUTE);
        }
        let page = laptop.get(&server.url("/account")).await;
        let forms = page.forms().into_iter();
        let block = forms
            .flat_map(|form| form.buttons)
            .find(|(name, _)| name == "block")
            .unwrap();
        let form = page.form_with_button("block", &block.1);
        let blocked = laptop.submit(&page, form, &[("block", &block.1)]).await;
        assert_eq!(blocked.status, 303);
        for _ in 0..3 {
            assert_eq!(wrong(server, &Browser::new(), HOME, &ada).await, 422);
        }
        assert_eq!(right(server, &phone, HOME, &ada).await, 429);
        assert_eq!(right(server, &laptop, HOME, &ada).await, 303);
    })
    .await;
}

/// SEC-745: whatever strangers and the person's own devices try, in no stretch as long as the period more is looked at than the account's
/// budget and, of each device since it was right last, its own; and who has not used up the own budget is never turned away.
#[tokio::test]
async fn model_bruteforce_with_known_devices() {
    const BUDGET: usize = 5;
    const DEVICES: usize = 3;
    each_backend(async |server| {
        server
            .settings(json!({
                "guess.account_budget": BUDGET, "guess.account_day_budget": 10_000, "guess.source_budget": 100_000,
            }))
            .await;
        let provider = server.provider();
        for seed in 1..=3 {
            let mut dice = Dice::seeded(seed);
            let user = server.user(&format!("person-{seed}")).await;
            let mut browsers = Vec::new();
            for _ in 0..DEVICES {
                browsers.push(server.signed_in(&user).await);
            }
            // whose guesses were looked at when; the strangers last
            let mut looked_at: Vec<Vec<i64>> = vec![Vec::new(); DEVICES + 1];
            let (mut evaluated, mut turned_away) = (0, 0);
            for step in 0..250 {
                match dice.below(12) {
                    0 => server.advance(PERIOD / 7),
                    1 => server.advance(PERIOD * 17 / 16),
                    _ => server.advance(Duration::from_secs(1)),
                }
                let who = dice.below(DEVICES + 2).min(DEVICES);
                let origin = Origin {
                    address: Some(IpAddr::V4(Ipv4Addr::from(u32::try_from(dice.below(1 << 30)).unwrap()))),
                    user_agent: None,
                };
                let call = Call {
                    origin,
                    ..server.call()
                };
                let is_right = who < DEVICES && dice.below(8) == 0;
                let attempt = Attempt {
                    known: None,
                    identifier: user.username.clone(),
                    password: Secret::new(if is_right { user.password.as_str() } else { "wrong" }),
                    remember: false,
                    purpose: Purpose::default(),
                };
                let mut stranger = session::recognize(provider, &call, None, None).await.unwrap();
                let browser = browsers.get_mut(who).unwrap_or(&mut stranger);
                let (now, since) = (call.now.micros(), call.now.before(PERIOD).micros());
                let before = looked_at[who].iter().filter(|at| **at > since).count();
                let certain = call.now.before(PERIOD * 17 / 16).micros();
                let held = looked_at[who].iter().filter(|at| **at > certain).count();
                match sign_in(provider, &call, browser, attempt).await {
                    Ok(_) => {
                        assert!(is_right, "seed {seed}, step {step}");
                        looked_at[who].clear();
                    }
                    Err(Refused::Wrong) => {
                        assert!(
                            !is_right && before < BUDGET,
                            "seed {seed}, step {step}: {before} before"
                        );
                        looked_at[who].push(now);
                        evaluated += 1;
                    }
                    Err(Refused::Failed(Error::Throttled { .. })) => {
                        assert!(held >= BUDGET, "seed {seed}, step {step}: turned away after {held}");
                        turned_away += 1;
                    }
                    Err(other) => panic!("seed {seed}, step {step}: {other:?}"),
                }
                let all = looked_at.iter().flatten().filter(|at| **at > since).count();
                assert!(
                    all <= BUDGET * (1 + DEVICES),
                    "seed {seed}, step {step}: {all} in a period"
                );
            }
            assert!(evaluated > 60 && turned_away > 10, "{evaluated} {turned_away}");
        }
    })
    .await;
}
