//! Signing in with a passkey, and confirming with one after a password: by an authenticator of our own, so that every answer can be
//! wrong in one way at a time.

use std::time::Duration;

use ostiary::flow::people::{ChangeSource, deactivate_user};
use serde_json::json;

use super::factor_scene::{asked, enrolled, now, recover};
use super::passkey_scene::{
    Keyed, add, ask, ask_as, begin, confirm, enter, enter_from, keyed, keyed_with, options, prove_again, send,
};
use super::{is_signed_in, sign_in};
use crate::support::authenticator::{AT, Assertion, BE, BS, Creation, Device, UP, UV, ed25519, encode};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, each_backend};

/// What is wrong with an answer, and how it becomes so.
type Case<T> = (&'static str, Box<dyn Fn(&mut T)>);

const MINUTE: Duration = Duration::from_secs(60);

/// What became of a sign-in with a passkey; `-` where nothing was written down.
async fn faults(server: &Server) -> Vec<String> {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let all = store.list_events(None, 500).await.unwrap();
    let faults = all.iter().filter_map(|event| event.facts["fault"].as_str());
    faults.map(str::to_owned).collect()
}

/// The last fault that was written down.
async fn last_fault(server: &Server) -> String {
    faults(server).await.first().cloned().unwrap_or_default()
}

/// Whether a page says, in the one way there is, that a passkey lets nobody in.
fn is_refused(page: &Page) -> bool {
    page.status == 422 && page.body.contains("That passkey does not let you in here")
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_name_or_a_password() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        let entered = enter(server, &browser, &mut ada.device).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        assert!(is_signed_in(server, &browser).await);
        let account = browser.get(&server.url("/account")).await;
        assert!(account.body.contains("ada@"), "{}", account.body);
        // and once more, in the session that there is
        let again = browser
            .get(&server.url("/login?again=1&return_to=%2Faccount%2Ffactors"))
            .await;
        let proved = enter_from(&browser, &again, &mut ada.device).await;
        assert_eq!(proved.location().unwrap().path(), "/account/factors");
        let live = server
            .provider()
            .sessions
            .list(ada.user.id, server.call().now)
            .await
            .unwrap();
        assert_eq!(live.len(), 2, "here, and where it was added");
    })
    .await;
}

#[tokio::test]
async fn a_passkey_confirms_a_password() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert!(
            !is_signed_in(server, &browser).await,
            "the password alone is not enough"
        );
        assert!(page.body.contains("Use a recovery code instead"), "{}", page.body);
        assert!(!page.body.contains("Use a code of your authenticator"), "she has none");
        let (question, options) = ask(&browser, &page).await;
        let known = options["allowCredentials"].as_array().unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[0]["id"], encode(&ada.device.keys[0].id));
        let answer = ada.device.sign_otherwise(&options, |signing| signing.spoilt = 1);
        let missed = send(&browser, &page, &question, &answer).await;
        assert_eq!(missed.status, 422, "{}", missed.body);
        let (question, options) = ask(&browser, &missed).await;
        let answer = ada.device.sign(&options);
        let done = send(&browser, &missed, &question, &answer).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        // the same form once more leads to the same session
        assert_eq!(send(&browser, &missed, &question, &answer).await.status, 303);
        let live = server
            .provider()
            .sessions
            .list(ada.user.id, server.call().now)
            .await
            .unwrap();
        assert_eq!(live.len(), 2);
        // and a recovery code does in its place
        let other = Browser::new();
        let page = asked(server, &other, &ada.user).await;
        assert_eq!(recover(&other, &page, &ada.codes[0]).await.status, 303);
        assert!(is_signed_in(server, &other).await);
    })
    .await;
}

/// SEC-264, for passkeys: tokens say by what kind of key, that somebody was there, and two factors where there were two.
#[tokio::test]
async fn acr_truthful_for_passkeys() {
    each_backend(async |server| {
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let told = async |browser: &Browser, keyed: &Keyed| {
            let page = browser.get(&party.authorization_url()).await;
            let arrival = browser.walk(page, &keyed.user).await;
            claims(&party.redeem(arrival.code()).await.ok().get("id_token"))
        };
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        enter(server, &browser, &mut ada.device).await;
        let claimed = told(&browser, &ada).await;
        assert_eq!(claimed["amr"], json!(["swk", "user", "mfa"]), "a key that is copied");
        assert_eq!(claimed["acr"], "urn:ostiary:mfa");

        let mut grace = keyed_with(server, "grace", Device::security_key(server.issuer())).await;
        let browser = Browser::new();
        enter(server, &browser, &mut grace.device).await;
        let claimed = told(&browser, &grace).await;
        assert_eq!(
            claimed["amr"],
            json!(["hwk", "user", "mfa"]),
            "a key that stays where it is"
        );

        // without verifying who is there it is one factor, and the password is the other
        let mut eve = keyed_with(server, "eve", Device::without_verification(server.issuer())).await;
        let browser = Browser::new();
        let alone = enter(server, &browser, &mut eve.device).await;
        assert!(is_refused(&alone), "{} {}", alone.status, alone.body);
        let page = asked(server, &browser, &eve.user).await;
        assert_eq!(enter_from(&browser, &page, &mut eve.device).await.status, 303);
        let claimed = told(&browser, &eve).await;
        assert_eq!(claimed["amr"], json!(["pwd", "hwk", "user", "mfa"]));
        assert_eq!(claimed["acr"], "urn:ostiary:mfa");
    })
    .await;
}

/// SEC-259: a challenge has 32 random bytes, counts once and for five minutes, in the browser and for the occasion that it was made
/// for.
#[tokio::test]
async fn webauthn_challenge_rules() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        let (one, first) = ask(&browser, &page).await;
        let (two, second) = ask(&browser, &page).await;
        assert_ne!(first["challenge"], second["challenge"]);
        assert_eq!(
            crate::support::authenticator::decode(first["challenge"].as_str().unwrap()).len(),
            32
        );
        // swapped
        let answer = ada.device.sign(&first);
        assert!(is_refused(&send(&browser, &page, &two, &answer).await));
        assert_eq!(last_fault(server).await, "challenge");
        // it was looked at, and is over
        let answer = ada.device.sign(&second);
        assert!(is_refused(&send(&browser, &page, &two, &answer).await));
        // in another browser
        let answer = ada.device.sign(&first);
        let other = Browser::new();
        let elsewhere = other.get(&server.url("/login")).await;
        assert!(is_refused(&send(&other, &elsewhere, &one, &answer).await));
        // where it was made it still counts, once
        assert_eq!(send(&browser, &page, &one, &answer).await.status, 303);
        let late = Browser::new();
        let page = late.get(&server.url("/login")).await;
        assert!(is_refused(&send(&late, &page, &one, &answer).await));
        assert_eq!(last_fault(server).await, "challenge");
        // for five minutes
        let (question, options) = ask(&late, &page).await;
        let answer = ada.device.sign(&options);
        server.advance(5 * MINUTE);
        assert!(is_refused(&send(&late, &page, &question, &answer).await));
        let (question, options) = ask(&late, &page).await;
        let answer = ada.device.sign(&options);
        server.advance(4 * MINUTE);
        assert_eq!(send(&late, &page, &question, &answer).await.status, 303);
        // one of a sign-in is none of a second factor, nor the other way round
        let third = Browser::new();
        let login = third.get(&server.url("/login")).await;
        let (question, options) = ask(&third, &login).await;
        let factor = asked(server, &third, &ada.user).await;
        let answer = ada.device.sign(&options);
        assert_eq!(send(&third, &factor, &question, &answer).await.status, 422);
        let (question, options) = ask(&third, &factor).await;
        let answer = ada.device.sign(&options);
        assert!(is_refused(&send(&third, &login, &question, &answer).await));
        assert!(!is_signed_in(server, &third).await);
    })
    .await;
}

/// SEC-260: the origin is ours to the letter, and the relying party our domain: nothing that begins or ends like it.
#[tokio::test]
async fn webauthn_origin_exact() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let origin = server.issuer().to_owned();
        let port = server.address().port();
        let others = [
            format!("http://localhost:{}", u32::from(port) ^ 1),
            format!("https://localhost:{port}"),
            format!("http://evil.localhost:{port}"),
            format!("http://localhost.evil.example:{port}"),
            format!("http://evillocalhost:{port}"),
            format!("http://LOCALHOST:{port}"),
            format!("{origin}/"),
            format!("{origin}/login"),
            format!("http://127.0.0.1:{port}"),
            "http://localhost".to_owned(),
            "null".to_owned(),
            String::new(),
        ];
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        for other in others {
            let (question, options) = ask(&browser, &page).await;
            let answer = ada
                .device
                .sign_otherwise(&options, |signing| signing.origin.clone_from(&other));
            assert!(is_refused(&send(&browser, &page, &question, &answer).await), "{other}");
            let fault = last_fault(server).await;
            assert!(fault == "origin" || fault == "malformed", "{other}: {fault}");
            server.advance(3 * MINUTE);
        }
        for party in [
            "localhos",
            "calhost",
            "evil.localhost",
            "localhost.",
            "LOCALHOST",
            "id.example",
            "",
        ] {
            let (question, options) = ask(&browser, &page).await;
            assert_eq!(options["rpId"], "localhost");
            let answer = ada
                .device
                .sign_otherwise(&options, |signing| party.clone_into(&mut signing.rp_id));
            assert!(is_refused(&send(&browser, &page, &question, &answer).await), "{party}");
            assert_eq!(last_fault(server).await, "relying_party", "{party}");
        }
        // in a frame of somebody else's page
        let (question, options) = ask(&browser, &page).await;
        let answer = ada
            .device
            .sign_otherwise(&options, |signing| signing.cross_origin = Some(true));
        assert!(is_refused(&send(&browser, &page, &question, &answer).await));
        assert_eq!(last_fault(server).await, "origin");
        // browsers that do not say so are older than frames that may
        let (question, options) = ask(&browser, &page).await;
        let answer = ada
            .device
            .sign_otherwise(&options, |signing| signing.cross_origin = None);
        assert_eq!(send(&browser, &page, &question, &answer).await.status, 303);
    })
    .await;
}

/// SEC-261: where a passkey stands alone its authenticator has verified who is there, and has to have where it is set so.
#[tokio::test]
async fn webauthn_uv_required() {
    each_backend(async |server| {
        let mut ada = keyed_with(server, "ada", Device::security_key(server.issuer())).await;
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        let (question, options) = ask(&browser, &page).await;
        assert_eq!(options["userVerification"], "required");
        let answer = ada.device.sign_otherwise(&options, |signing| signing.flags = UP);
        assert!(is_refused(&send(&browser, &page, &question, &answer).await));
        assert_eq!(last_fault(server).await, "verification");
        // nor after a password: it had verified her when it was added
        let page = asked(server, &browser, &ada.user).await;
        let (question, options) = ask(&browser, &page).await;
        let answer = ada.device.sign_otherwise(&options, |signing| signing.flags = UP);
        assert_eq!(send(&browser, &page, &question, &answer).await.status, 422);
        assert_eq!(enter_from(&browser, &page, &mut ada.device).await.status, 303);

        // one that can't verify anybody is taken where that is preferred, and not where it is required
        let mut grace = keyed_with(server, "grace", Device::without_verification(server.issuer())).await;
        server.settings(json!({"passkey.user_verification": "required"})).await;
        let browser = Browser::new();
        let page = asked(server, &browser, &grace.user).await;
        let (question, options) = ask(&browser, &page).await;
        assert_eq!(options["userVerification"], "required");
        let answer = grace.device.sign(&options);
        assert_eq!(send(&browser, &page, &question, &answer).await.status, 422);
        let eve = server.user("eve").await;
        let browser = Browser::new();
        sign_in(server, &browser, &eve).await;
        let page = begin(server, &browser, "Key").await;
        let asked = super::passkey_scene::options(&page);
        assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
        let answer = Device::without_verification(server.issuer()).make(&asked);
        let refused = confirm(&browser, &page, &answer).await;
        assert!(refused.location().unwrap().as_str().ends_with("notice=passkey_refused"));
        assert_eq!(last_fault(server).await, "verification");
    })
    .await;
}

/// SEC-262: kind, algorithms, uniqueness, owner and counter are looked at, when a passkey is added and when it signs.
#[tokio::test]
async fn webauthn_server_checks() {
    each_backend(async |server| {
        let mut ada = keyed_with(server, "ada", Device::security_key(server.issuer())).await;
        let mut grace = keyed_with(server, "grace", Device::new(server.issuer())).await;
        let handle = grace.device.keys[0].handle.clone();
        let wrong: Vec<Case<Assertion>> = vec![
            (
                "kind",
                Box::new(|signing| "webauthn.create".clone_into(&mut signing.kind)),
            ),
            ("challenge", Box::new(|signing| signing.challenge = encode([7; 32]))),
            ("challenge", Box::new(|signing| signing.challenge = String::new())),
            ("presence", Box::new(|signing| signing.flags = UV)),
            ("signature", Box::new(|signing| signing.spoilt = 1)),
            // somebody else's handle, none, and one of nobody
            ("owner", Box::new(move |signing| signing.handle = Some(handle.clone()))),
            ("owner", Box::new(|signing| signing.handle = None)),
            ("owner", Box::new(|signing| signing.handle = Some(vec![1; 16]))),
            ("owner", Box::new(|signing| signing.id = vec![9; 32])),
            ("malformed", Box::new(|signing| signing.id = Vec::new())),
            ("malformed", Box::new(|signing| signing.id = vec![9; 2_000])),
            // it never could be copied
            ("backup", Box::new(|signing| signing.flags |= BE | BS)),
            ("backup", Box::new(|signing| signing.flags |= BS)),
            ("counter", Box::new(|signing| signing.counter = 0)),
        ];
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        assert_eq!(enter(server, &Browser::new(), &mut ada.device).await.status, 303);
        for (fault, change) in wrong {
            let (question, options) = ask(&browser, &page).await;
            let answer = ada.device.sign_otherwise(&options, change);
            assert!(is_refused(&send(&browser, &page, &question, &answer).await), "{fault}");
            assert_eq!(last_fault(server).await, fault);
        }
        for answer in [
            "",
            "{}",
            "null",
            "[]",
            "\u{0}",
            &"[".repeat(15_000),
            &"x".repeat(40_000),
        ] {
            let (question, _) = ask(&browser, &page).await;
            let refused = send(&browser, &page, &question, answer).await;
            assert_eq!(refused.status, 422, "{answer:.20}");
            assert!(!is_signed_in(server, &browser).await);
        }
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(enter_from(&browser, &page, &mut ada.device).await.status, 303);

        let eve = server.user("eve").await;
        let browser = Browser::new();
        sign_in(server, &browser, &eve).await;
        let known = ada.device.keys[0].id.clone();
        let wrong: Vec<Case<Creation>> = vec![
            (
                "kind",
                Box::new(|creation| "webauthn.get".clone_into(&mut creation.kind)),
            ),
            ("challenge", Box::new(|creation| creation.challenge = encode([7; 32]))),
            (
                "origin",
                Box::new(|creation| "https://evil.example".clone_into(&mut creation.origin)),
            ),
            ("origin", Box::new(|creation| creation.cross_origin = Some(true))),
            (
                "relying_party",
                Box::new(|creation| "evil.example".clone_into(&mut creation.rp_id)),
            ),
            ("presence", Box::new(|creation| creation.flags &= !UP)),
            ("malformed", Box::new(|creation| creation.key = ed25519())),
            ("malformed", Box::new(|creation| creation.flags &= !AT)),
            ("malformed", Box::new(|creation| creation.key = vec![0xa0])),
            (
                "malformed",
                Box::new(|creation| "something".clone_into(&mut creation.format)),
            ),
            ("malformed", Box::new(|creation| creation.raw_id = vec![1; 32])),
            ("malformed", Box::new(|creation| creation.id = vec![1; 1_024])),
            ("malformed", Box::new(|creation| creation.id = Vec::new())),
        ];
        for (fault, change) in wrong {
            let page = begin(server, &browser, "Key").await;
            let answer = Device::new(server.issuer()).make_otherwise(&options(&page), change);
            let refused = confirm(&browser, &page, &answer).await;
            let to = refused.location().unwrap();
            assert!(to.as_str().ends_with("notice=passkey_refused"), "{fault}: {to}");
            assert_eq!(last_fault(server).await, fault);
        }
        // one that somebody has
        let page = begin(server, &browser, "Key").await;
        let answer = Device::new(server.issuer()).make_otherwise(&options(&page), |creation| {
            creation.id.clone_from(&known);
            creation.raw_id.clone_from(&known);
        });
        let refused = confirm(&browser, &page, &answer).await;
        assert!(refused.location().unwrap().as_str().ends_with("notice=passkey_known"));
        // her own authenticator is told which it has
        prove_again(server, &mut grace).await;
        let page = begin(server, &grace.browser, "Another").await;
        let excluded = &options(&page)["excludeCredentials"];
        assert_eq!(excluded[0]["id"], encode(&grace.device.keys[0].id));
        let same = grace.device.keys[0].id.clone();
        let answer = grace.device.make_otherwise(&options(&page), |creation| {
            creation.id.clone_from(&same);
            creation.raw_id.clone_from(&same);
        });
        let refused = confirm(&grace.browser, &page, &answer).await;
        assert!(refused.location().unwrap().as_str().contains("notice=passkey_"));
    })
    .await;
}

/// SEC-263: what a stranger is asked to sign is the same whoever they say they are: no list, no name, nothing of anybody.
#[tokio::test]
async fn webauthn_no_enumeration() {
    let server = Server::start().await;
    let mut ada = keyed(&server, "ada").await;
    let plain = server.user("grace").await;
    let mut shapes = Vec::new();
    for name in [&ada.user.username, &plain.username, &"nobody".to_owned()] {
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        let form = page.form_with("password");
        let values = [("username", name.as_str()), ("password", "not the password")];
        let page = browser.submit(&page, form, &values).await;
        let answered = ask_as(&browser, &page).await;
        let mut question = answered.json();
        assert_eq!(question["options"]["allowCredentials"], json!([]));
        question["options"]["challenge"] = "".into();
        question["question"] = "".into();
        shapes.push((answered.status, answered.body.len(), question));
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0], shapes[2]);
    // and what a passkey is told of its owner means nothing
    prove_again(&server, &mut ada).await;
    let page = begin(&server, &ada.browser, "Another").await;
    let handle = crate::support::authenticator::decode(options(&page)["user"]["id"].as_str().unwrap());
    assert_eq!(handle, ada.device.keys[0].handle, "the same for each of hers");
    assert_ne!(handle, ada.user.id.uuid().as_bytes());
    assert_eq!(handle.len(), 16);
    // without the token of the page nobody is asked anything
    let browser = Browser::new();
    browser.get(&server.url("/login")).await;
    let asked = browser.post(&server.url("/login/passkey"), &[("csrf", "")]).await;
    assert_eq!(asked.status, 403);
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_key_a_removed_one_and_a_stranger_look_alike() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        let unknown = {
            let page = browser.get(&server.url("/login")).await;
            let (question, options) = ask(&browser, &page).await;
            let answer = ada.device.sign_otherwise(&options, |signing| signing.id = vec![3; 32]);
            send(&browser, &page, &question, &answer).await
        };
        let factors = super::factor_scene::factors(server, &ada.browser).await;
        // added a moment ago, in a session that a password alone has begun: proved once more, with it
        let again = ada
            .browser
            .get(&server.url("/login?again=1&return_to=%2Faccount%2Ffactors"))
            .await;
        enter_from(&ada.browser, &again, &mut ada.device).await;
        let removed = super::factor_scene::press(server, &ada.browser, ("remove", &factors[0]), &[]).await;
        assert!(
            removed.location().unwrap().as_str().ends_with("notice=removed"),
            "{:?}",
            removed.location()
        );
        let gone = enter(server, &browser, &mut ada.device).await;
        assert!(is_refused(&unknown) && is_refused(&gone));
        let plain = |page: &Page| {
            let mut body = page.body.clone();
            for form in page.forms() {
                for (name, value) in form.inputs {
                    if name == "csrf" {
                        body = body.replace(&value, "");
                    }
                }
            }
            let nonce = body
                .split("nonce=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_owned();
            body.replace(&nonce, "")
        };
        assert_eq!(plain(&unknown), plain(&gone));
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_key_confirms_no_password_and_proves_no_other_account() {
    let server = Server::start().await;
    let mut ada = keyed(&server, "ada").await;
    let mut grace = keyed(&server, "grace").await;
    let browser = Browser::new();
    let page = asked(&server, &browser, &ada.user).await;
    let (question, options) = ask(&browser, &page).await;
    let answer = grace.device.sign(&options);
    assert_eq!(send(&browser, &page, &question, &answer).await.status, 422);
    assert!(!is_signed_in(&server, &browser).await);
    // ada has to prove once more that it is her
    let again = ada.browser.get(&server.url("/login?again=1")).await;
    let other = enter_from(&ada.browser, &again, &mut grace.device).await;
    assert!(is_refused(&other), "{} {}", other.status, other.body);
    assert_eq!(last_fault(&server).await, "owner");
    assert_eq!(enter_from(&ada.browser, &again, &mut ada.device).await.status, 303);
    server.stop().await;
}

#[tokio::test]
async fn the_state_of_the_account_is_judged_after_the_proof() {
    each_backend(async |server| {
        let mut ada = keyed(server, "ada").await;
        let call = server.call();
        deactivate_user(server.provider(), &call, &ChangeSource::Command, ada.user.id, None)
            .await
            .unwrap();
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        let (question, options) = ask(&browser, &page).await;
        let answer = ada.device.sign_otherwise(&options, |signing| signing.spoilt = 1);
        assert!(
            is_refused(&send(&browser, &page, &question, &answer).await),
            "no proof, no news"
        );
        let refused = enter_from(&browser, &page, &mut ada.device).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("deactivated"), "{}", refused.body);
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}

#[tokio::test]
async fn a_passkey_keeps_to_the_limits_of_logins_and_devices() {
    each_backend(async |server| {
        server
            .settings(json!({"session.max_concurrent": 1, "session.at_limit": "ask"}))
            .await;
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        let asked = enter(server, &browser, &mut ada.device).await;
        assert_eq!(asked.location().unwrap().path(), "/login/devices");
        assert!(!is_signed_in(server, &browser).await);
        server.settings(json!({"session.at_limit": "refuse"})).await;
        let refused = enter(server, &browser, &mut ada.device).await;
        assert_eq!(refused.status, 403);
        server
            .settings(json!({"session.max_concurrent": 10, "session.known_devices_only": true}))
            .await;
        let refused = enter(server, &Browser::new(), &mut ada.device).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("only with known devices") || refused.body.contains("known devices"));
        assert_eq!(enter(server, &ada.browser, &mut ada.device).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn wrong_answers_are_counted_by_the_network_that_they_come_from() {
    each_backend(async |server| {
        server
            .settings(json!({"guess.source_budget": 5, "guess.account_budget": 3}))
            .await;
        let mut ada = keyed(server, "ada").await;
        let browser = Browser::new();
        let page = browser.get(&server.url("/login")).await;
        for _ in 0..5 {
            let (question, options) = ask(&browser, &page).await;
            let answer = ada.device.sign_otherwise(&options, |signing| signing.spoilt = 1);
            assert!(is_refused(&send(&browser, &page, &question, &answer).await));
        }
        let refused = enter_from(&browser, &page, &mut ada.device).await;
        assert_eq!(refused.status, 429);
        assert!(!refused.header("retry-after").is_empty());
        // a password is another matter: nobody is locked out of that
        assert_eq!(
            sign_in(server, &browser, &ada.user).await.location().unwrap().path(),
            "/login/factor"
        );
    })
    .await;
}

#[tokio::test]
async fn a_passkey_stands_beside_an_authenticator() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        super::factor_scene::prove_again(server, &ada).await;
        let mut device = Device::new(server.issuer());
        let added = add(server, &ada.browser, &mut device, "Laptop").await;
        let to = added.location().unwrap();
        assert!(
            to.as_str().ends_with("notice=passkey_added"),
            "no second set of codes: {to}"
        );
        server.advance(MINUTE);
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert!(page.body.contains("data-ask="), "the passkey first: {}", page.body);
        let other = browser.get(&format!("{}&with=code", page.url)).await;
        let code = now(server, &ada.authenticator);
        assert_eq!(super::factor_scene::answer(&browser, &other, &code).await.status, 303);
        assert_eq!(enter(server, &Browser::new(), &mut device).await.status, 303);
    })
    .await;
}
