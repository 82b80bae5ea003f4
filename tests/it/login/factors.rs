//! The second factor at a sign-in: a one-time code, or a recovery code; once each, and never past it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use ostiary::flow::factor::Typed;
use ostiary::flow::session::{self, Answered, NotBegun, OnDevice, Proof, Purpose, demand};
use ostiary::flow::sign_in::factor::{self, NotProved};
use ostiary::flow::sign_in::password::{self, Attempt, Refused};
use ostiary::model::{FactorKind, Id, Secret};
use serde_json::json;

use super::factor_scene::{Enrolled, answer, asked, enrol, enrolled, now, press, recover, wrong};
use super::{is_signed_in, sign_in};
use crate::oauth::scene::Dice;
use crate::support::backend::{Backend, backends, length};
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser, each_backend};

const STEP: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_person_with_an_authenticator_signs_in_with_both() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert!(
            !is_signed_in(server, &browser).await,
            "the password alone is not enough"
        );
        let missed = answer(&browser, &page, &wrong(server, &ada.authenticator)).await;
        assert_eq!(missed.status, 422);
        assert!(missed.body.contains("aria-invalid"), "{}", missed.body);
        assert!(!is_signed_in(server, &browser).await);
        let done = answer(&browser, &missed, &now(server, &ada.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        // who was signed in before stays so
        assert!(is_signed_in(server, &ada.browser).await);
    })
    .await;
}

#[tokio::test]
async fn a_second_click_lands_where_the_first_did_and_the_back_button_too() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        let code = now(server, &ada.authenticator);
        let (one, two) = tokio::join!(answer(&browser, &page, &code), answer(&browser, &page, &code));
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (303, 303));
        assert!(is_signed_in(server, &browser).await);
        let call = server.call();
        let live = server.provider().sessions.list(ada.user.id, call.now).await.unwrap();
        assert_eq!(live.len(), 2, "one more than where it was set up");
        // the answer was lost: the same form once more
        assert_eq!(answer(&browser, &page, &code).await.status, 303);
        assert_eq!(browser.get(page.url.as_str()).await.status, 303);
        // in another browser it is worth nothing
        assert_eq!(Browser::new().get(page.url.as_str()).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_proof_that_waits_ends_with_the_person_the_time_or_a_new_password() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        let form = page.form_with_button("intent", "cancel");
        let left = browser.submit(&page, form, &[("intent", "cancel")]).await;
        assert_eq!(left.location().unwrap().path(), "/");
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator)).await.status,
            404
        );

        let page = asked(server, &browser, &ada.user).await;
        server.advance(Duration::from_secs(601));
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator)).await.status,
            404
        );

        let page = asked(server, &browser, &ada.user).await;
        server.advance(STEP);
        let (provider, call) = (server.provider(), server.call());
        let mut tx = provider.store.write().await.unwrap();
        let hash = provider
            .passwords
            .hash(Secret::new("another long password"))
            .await
            .unwrap();
        let hash = ostiary::model::PasswordHash::new(hash.expose());
        tx.set_password(ada.user.id, &hash, ostiary::model::PasswordSetter::Person, call.now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator)).await.status,
            404
        );
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}

/// A sign-in below the pages, at one node: the password is right, and the second factor is asked for.
pub async fn waiting(node: &Server, user: &TestUser) -> (session::Browser, session::Demand) {
    let (provider, call) = (node.provider(), node.call());
    let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
    let attempt = Attempt {
        known: None,
        identifier: user.username.clone(),
        password: Secret::new(user.password.clone()),
        remember: false,
        purpose: Purpose::default(),
    };
    match password::sign_in(provider, &call, &mut browser, attempt).await {
        Err(Refused::Factor(handle, _)) => {
            let demand = demand::load(provider, &call, &browser, &handle).await.unwrap();
            (browser, demand)
        }
        other => panic!("{other:?}"),
    }
}

/// SEC-251: a time step is accepted once, also where many come with it at once, in sign-ins of their own, at three nodes.
#[tokio::test(flavor = "multi_thread")]
async fn totp_step_once() {
    for backend in backends() {
        let first = Server::start_with(backend).await;
        let ada = enrolled(&first, "ada").await;
        let mut others = Vec::new();
        if backend != Backend::Embedded {
            others.push(first.node().await);
            others.push(first.node().await);
        }
        let nodes: Vec<&Server> = std::iter::once(&first).chain(&others).collect();
        first
            .settings(json!({"guess.account_budget": 1000, "guess.source_budget": 1000}))
            .await;
        for node in &nodes {
            node.provider().refresh_memory().await.unwrap();
        }
        let mut flows = Vec::new();
        for number in 0..length(16, 64, 64) {
            let node = nodes[number % nodes.len()];
            let (browser, demand) = waiting(node, &ada.user).await;
            flows.push((node.provider().clone(), node.call(), browser, demand));
        }
        let code = now(&first, &ada.authenticator);
        let racers = flows.into_iter().map(|(provider, call, mut browser, demand)| {
            let typed = Typed::Code(Secret::new(code.clone()));
            tokio::spawn(async move {
                factor::answer(&provider, &call, &mut browser, &demand, (&typed, OnDevice::Nothing)).await
            })
        });
        let mut entered = 0;
        for answered in join_all(racers).await {
            match answered.unwrap() {
                Ok(Answered::SignedIn(_)) => entered += 1,
                Err(NotProved::Wrong) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(entered, 1);
        let call = first.call();
        let live = first.provider().sessions.list(ada.user.id, call.now).await.unwrap();
        assert_eq!(live.len(), 2, "and the one where it was set up");
        // and later no more, nor the one before it
        let browser = Browser::new();
        let page = asked(&first, &browser, &ada.user).await;
        assert_eq!(answer(&browser, &page, &code).await.status, 422);
        let before = ada.authenticator.code(first.call().now.before(STEP).micros());
        assert_eq!(answer(&browser, &page, &before).await.status, 422);
        first.advance(STEP);
        let next = now(&first, &ada.authenticator);
        assert_eq!(answer(&browser, &page, &next).await.status, 303);
        for node in others {
            node.stop().await;
        }
    }
}

/// SEC-746: a random walk with codes of steps around the present, replays and time that goes on, beside a model: a step is accepted
/// if it is in the window and later than any before.
#[tokio::test]
async fn model_totp() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let provider = server.provider();
        let mut dice = Dice::seeded(746);
        let mut store = provider.store.read().await.unwrap();
        let factor = store.list_factors_of(ada.user.id).await.unwrap().remove(0);
        drop(store);
        let (mut last, mut accepted) = (factor.otp().unwrap().last_step, BTreeSet::new());
        let secret =
            ostiary::credential::Totp::new(ada.authenticator.secret.clone(), factor.otp().unwrap().shape).unwrap();
        for _ in 0..length(40, 200, 2_000) {
            if dice.below(3) == 0 {
                server.advance(Duration::from_secs(u64::from(dice.below(70) as u32)));
            }
            let call = server.call();
            let present = call.now.micros() / 30_000_000;
            let step = present + dice.below(7) as i64 - 3;
            let code = Secret::new(ada.authenticator.code_of(step));
            let twice = usize::from(dice.below(2) == 0) + 1;
            let tries = (0..twice).map(|_| async {
                let known = {
                    let mut store = provider.store.read().await.unwrap();
                    store
                        .list_factors_of(ada.user.id)
                        .await
                        .unwrap()
                        .remove(0)
                        .otp()
                        .unwrap()
                        .last_step
                };
                let step = secret.step_of(&code, call.now, known)?;
                let mut tx = provider.store.write().await.unwrap();
                let done = tx.accept_step(ada.user.id, factor.id, step, call.now).await.unwrap();
                tx.commit().await.unwrap();
                done.then_some(step)
            });
            let done: Vec<i64> = join_all(tries).await.into_iter().flatten().collect();
            let expected = (present - step).abs() <= 1 && step > last;
            assert_eq!(
                done.len(),
                usize::from(expected),
                "{step} at {present} after {last}: {done:?}"
            );
            if expected {
                assert_eq!(done, [step]);
                assert!(accepted.insert(step), "twice");
                last = step;
            }
        }
    })
    .await;
}

/// SEC-253: a recovery code lets in once, whoever comes with it at the same time; new ones replace the whole set, and what is kept
/// are digests.
#[tokio::test]
async fn recovery_codes_rules() {
    each_backend(async |server| {
        server.settings(json!({"guess.account_budget": 100})).await;
        let ada = enrolled(server, "ada").await;
        assert_eq!(ada.codes.iter().collect::<BTreeSet<_>>().len(), 10);
        let mut flows = Vec::new();
        for _ in 0..8 {
            let browser = Browser::new();
            let page = asked(server, &browser, &ada.user).await;
            flows.push((browser, page));
        }
        let answers = flows
            .iter()
            .map(|(browser, page)| recover(browser, page, &ada.codes[0]));
        let statuses: Vec<u16> = join_all(answers)
            .await
            .iter()
            .map(|page| page.status.as_u16())
            .collect();
        assert_eq!(
            statuses.iter().filter(|status| **status == 303).count(),
            1,
            "{statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|status| **status == 422).count(),
            7,
            "{statuses:?}"
        );
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert_eq!(recover(&browser, &page, &ada.codes[0]).await.status, 422, "spent");
        let typed = ada.codes[1].to_uppercase().replace('-', " ");
        assert_eq!(recover(&browser, &page, &typed).await.status, 303);
        // the session of a recovery code may make new ones: the authenticator may be lost
        let made = press(server, &browser, ("codes", "new"), &[]).await;
        assert_eq!(made.location().unwrap().path(), "/account/factors/codes");
        let shown = browser.get(made.location().unwrap().as_str()).await;
        assert_eq!(shown.header("cache-control"), "no-store");
        let fresh = super::factor_scene::codes(&shown);
        assert!(fresh.iter().all(|code| !ada.codes.contains(code)));
        let form = shown.form_with("csrf");
        browser.submit(&shown, form, &[]).await;
        let again = browser.get(&server.url("/account/factors/codes")).await;
        assert_eq!(again.location().unwrap().path(), "/account/factors", "shown once");
        let other = Browser::new();
        let page = asked(server, &other, &ada.user).await;
        assert_eq!(
            recover(&other, &page, &ada.codes[2]).await.status,
            422,
            "of the set before"
        );
        assert_eq!(recover(&other, &page, &fresh[0]).await.status, 303);
        // somebody else's are nobody's
        let bob = enrolled(server, "bob").await;
        let page = asked(server, &other, &bob.user).await;
        assert_eq!(recover(&other, &page, &fresh[1]).await.status, 422);
    })
    .await;
}

/// SEC-254: the budget of guesses is the account's, not that of a sign-in or an address; the last one ends the sign-in. A wrong code
/// and one that was used look the same.
#[tokio::test]
async fn otp_attempts_per_user() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        let used = now(server, &ada.authenticator);
        answer(&browser, &page, &used).await;
        let look = |body: &str| {
            let (_, after) = unescape(body)
                .split_once("<main")
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap();
            let stripped: Vec<String> = after
                .split('"')
                .filter(|part| !part.contains("proof=") && part.len() < 40)
                .map(str::to_owned)
                .collect();
            stripped
        };
        let page = asked(server, &browser, &ada.user).await;
        let replayed = answer(&browser, &page, &used).await;
        let mistyped = answer(&browser, &page, &wrong(server, &ada.authenticator)).await;
        assert_eq!(
            (replayed.status, look(&replayed.body)),
            (mistyped.status, look(&mistyped.body))
        );
        // two are gone; each of the others in a sign-in of its own
        for number in 2..10 {
            let browser = Browser::new();
            let page = asked(server, &browser, &ada.user).await;
            let missed = if number % 2 == 0 {
                answer(&browser, &page, &wrong(server, &ada.authenticator)).await
            } else {
                recover(&browser, &page, "0000-0000-0000-0000").await
            };
            assert_eq!(missed.status, 422, "{number}");
        }
        let page = asked(server, &browser, &ada.user).await;
        let right = now(server, &ada.authenticator);
        let refused = answer(&browser, &page, &right).await;
        assert_eq!(refused.status, 429);
        assert!(!refused.header("retry-after").is_empty());
        assert!(
            refused.forms().iter().all(|form| !form.has("code")),
            "nothing is asked any more"
        );
        assert_eq!(answer(&browser, &page, &right).await.status, 404, "the sign-in is over");
        let page = asked(server, &browser, &ada.user).await;
        assert_eq!(
            recover(&browser, &page, &ada.codes[0]).await.status,
            429,
            "recovery codes neither"
        );
        // somebody else is not concerned
        let bob = enrolled(server, "bob").await;
        let page = asked(server, &browser, &bob.user).await;
        assert_eq!(
            answer(&browser, &page, &now(server, &bob.authenticator)).await.status,
            303
        );
        server.advance(Duration::from_secs(15 * 60));
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator)).await.status,
            303
        );
    })
    .await;
}

/// SEC-220: what was guessed at a password is forgiven when the whole sign-in has succeeded, and not at its first step.
#[tokio::test]
async fn wrong_passwords_are_forgiven_by_the_second_factor_alone() {
    each_backend(async |server| {
        server.settings(json!({"guess.account_budget": 3})).await;
        let ada = enrolled(server, "ada").await;
        let mistyped = TestUser {
            password: "not this one".to_owned(),
            ..ada.user.clone()
        };
        let browser = Browser::new();
        for _ in 0..2 {
            assert_eq!(sign_in(server, &browser, &mistyped).await.status, 422);
        }
        let page = asked(server, &browser, &ada.user).await;
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator)).await.status,
            303
        );
        for _ in 0..2 {
            assert_eq!(sign_in(server, &browser, &mistyped).await.status, 422, "forgiven");
        }
        asked(server, &browser, &ada.user).await;
        assert_eq!(sign_in(server, &browser, &mistyped).await.status, 422, "the third");
        assert_eq!(
            sign_in(server, &browser, &ada.user).await.status,
            429,
            "nothing was forgiven"
        );
    })
    .await;
}

/// SEC-250, for the ways in that there are: a password, one more proof in the same browser, a known device, a login that was
/// chosen to end. None leads past the second factor.
#[tokio::test]
async fn mfa_on_every_path() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        // below every page
        let (provider, call) = (server.provider(), server.call());
        let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
        let user = server.account(&ada.user).await;
        let begun = session::begin(provider, &call, &mut browser, &user, Proof::password(false)).await;
        assert!(matches!(begun, Err(NotBegun::Factor(_))));
        assert!(browser.accounts.is_empty());
        // with a proof of a factor that is not theirs
        let foreign = Proof::password(false).and(session::SecondProof::OneTimeCode(Id::new(call.now)));
        let begun = session::begin(provider, &call, &mut browser, &user, foreign).await;
        assert!(matches!(begun, Err(NotBegun::Changed)));

        // once more in the browser that knows the device and holds a session: the old token goes on, nothing is fresh
        let login = ada.browser.get(&server.url("/login?again=1")).await;
        let form = login.form_with("password");
        let page = ada
            .browser
            .submit(&login, form, &[("password", &ada.user.password)])
            .await;
        assert_eq!(page.location().unwrap().path(), "/login/factor");
        let refused = press(server, &ada.browser, ("codes", "new"), &[]).await;
        assert_eq!(refused.location().unwrap().path(), "/login");

        // an application gets nothing before
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid".to_owned();
        let browser = Browser::new();
        let page = browser.get(&party.authorization_url()).await;
        let page = browser.follow(page).await;
        let form = page.form_with("password");
        let fields = [
            ("username", ada.user.username.as_str()),
            ("password", ada.user.password.as_str()),
        ];
        let page = browser.submit(&page, form, &fields).await;
        let page = browser.follow(page).await;
        assert!(page.url.path() == "/login/factor", "{}", page.url);
        let silent = browser.get(&party.authorization_url_with(&[("prompt", "none")])).await;
        assert!(silent.location().unwrap().as_str().contains("login_required"));

        // too many logins: the factor first, then the choice
        server
            .settings(json!({"session.max_concurrent": 1, "session.at_limit": "ask"}))
            .await;
        let done = answer(&browser, &page, &now(server, &ada.authenticator)).await;
        let to = done.location().unwrap();
        assert_eq!(to.path(), "/login/devices", "{to}");
        // the same form once more lands there too
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator))
                .await
                .location(),
            Some(to.clone())
        );
        let choice = browser.get(to.as_str()).await;
        let form = choice.form_with("csrf");
        let ends: Vec<String> = choice
            .body
            .split("name=\"end\"")
            .skip(1)
            .map(|rest| {
                rest.split("value=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let entered = browser.submit(&choice, form, &[("end", &unescape(&ends[0]))]).await;
        let arrival = browser.walk(entered, &ada.user).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let told = claims(&tokens.get("id_token"));
        assert_eq!(told["amr"], json!(["pwd", "otp", "mfa"]));
        assert!(!is_signed_in(server, &ada.browser).await, "the chosen one has ended");
    })
    .await;
}

/// SEC-264, for the proofs that there are: what tokens say of a sign-in is what happened, and a weaker one meets no stronger demand.
#[tokio::test]
async fn acr_truthful() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let told = async |browser: &Browser, enrolled: &Enrolled, url: &str| {
            let page = browser.get(url).await;
            let arrival = browser.walk(page, &enrolled.user).await;
            match arrival.parameters.get("code") {
                Some(code) => Ok(claims(&party.redeem(code).await.ok().get("id_token"))),
                None => Err(arrival.get("error").to_owned()),
            }
        };
        let plain = party.authorization_url();
        // signed in before the authenticator was there
        let claimed = told(&ada.browser, &ada, &plain).await.unwrap();
        assert_eq!(claimed["amr"], json!(["pwd"]));
        assert_eq!(claimed["acr"], "urn:ostiary:password");
        let demand = |acr: &str| {
            let claims = json!({"id_token": {"acr": {"essential": true, "value": acr}}}).to_string();
            party.authorization_url_with(&[("claims", &claims)])
        };
        let strong = demand("urn:ostiary:mfa");
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        answer(&browser, &page, &now(server, &ada.authenticator)).await;
        let claimed = told(&browser, &ada, &plain).await.unwrap();
        assert_eq!(claimed["amr"], json!(["pwd", "otp", "mfa"]));
        assert_eq!(claimed["acr"], "urn:ostiary:mfa");
        assert_eq!(told(&browser, &ada, &strong).await.unwrap()["acr"], "urn:ostiary:mfa");
        // a stronger proof is one of a password, too
        let weak = told(&browser, &ada, &demand("urn:ostiary:password")).await.unwrap();
        assert_eq!(weak["acr"], "urn:ostiary:password");
        assert_eq!(weak["amr"], json!(["pwd", "otp", "mfa"]));
        let recovered = Browser::new();
        let page = asked(server, &recovered, &ada.user).await;
        assert_eq!(recover(&recovered, &page, &ada.codes[0]).await.status, 303);
        let claimed = told(&recovered, &ada, &plain).await.unwrap();
        assert_eq!(
            claimed["amr"],
            json!(["pwd", "mfa"]),
            "a recovery code is no one-time code of an authenticator"
        );
        assert_eq!(claimed["acr"], "urn:ostiary:mfa");
        // a password alone does not do, and who has a factor is asked for it
        let page = ada.browser.get(&strong).await;
        let page = ada.browser.follow(page).await;
        assert!(page.url.path() == "/login/factor", "{} {}", page.url, page.status);
        server.advance(STEP);
        let page = answer(&ada.browser, &page, &now(server, &ada.authenticator)).await;
        let arrival = ada.browser.walk(page, &ada.user).await;
        let claimed = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(claimed["acr"], "urn:ostiary:mfa");
        // a wish is fulfilled where it can be, and nothing fails for it
        let wish = party.authorization_url_with(&[("acr_values", "urn:ostiary:mfa")]);
        let carol = server.user("carol").await;
        let plain_browser = Browser::new();
        sign_in(server, &plain_browser, &carol).await;
        let (authenticator, _) = enrol(server, &plain_browser, "Phone").await;
        server.advance(STEP);
        let page = plain_browser.get(&wish).await;
        let page = plain_browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/factor");
        let silent = party.authorization_url_with(&[("acr_values", "urn:ostiary:mfa"), ("prompt", "none")]);
        let arrival = plain_browser.get(&silent).await;
        assert!(!arrival.location().unwrap().as_str().contains("login_required"));
        let page = answer(&plain_browser, &page, &now(server, &authenticator)).await;
        plain_browser.walk(page, &carol).await.code();
        // who has none can't meet it
        let bob = server.user("bob").await;
        let browser = Browser::new();
        sign_in(server, &browser, &bob).await;
        let page = browser.get(&strong).await;
        let arrival = browser.walk(page, &bob).await;
        assert_eq!(arrival.get("error"), "unmet_authentication_requirements");
        let page = browser.get(&wish).await;
        browser.walk(page, &bob).await.code();
    })
    .await;
}

#[tokio::test]
async fn two_authenticators_do_either_and_each_code_once() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        super::factor_scene::prove_again(server, &ada).await;
        let (second, codes) = enrol(server, &ada.browser, "Tablet").await;
        assert!(codes.is_empty(), "they come with the first");
        server.advance(STEP);
        for authenticator in [&ada.authenticator, &second] {
            let browser = Browser::new();
            let page = asked(server, &browser, &ada.user).await;
            let code = now(server, authenticator);
            assert_eq!(answer(&browser, &page, &code).await.status, 303);
        }
    })
    .await;
}

/// SEC-268 `authenticator_expiry_reminder`: no authenticator comes to an end by itself: after ten years it confirms as on the first day, so
/// there is nothing to be reminded of.
#[tokio::test]
async fn authenticator_expiry_reminder() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        server.advance(Duration::from_secs(10 * 365 * 24 * 60 * 60));
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        let done = answer(&browser, &page, &now(server, &ada.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

/// SEC-267 `push_bombing_limits`: nothing is approved by a tap on a message that anybody can cause: what confirms a sign-in is typed or
/// signed where the sign-in was begun. Another kind has to say here how it keeps to that.
#[test]
fn push_bombing_limits() {
    let kinds: Vec<_> = FactorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(kinds, ["totp", "passkey", "mail", "sms"]);
}
