//! What is required of somebody on the way in: a second factor, another password. Each is a step of the sign-in that nobody leaves
//! out, whatever tab, button, application or interface they try; and each is done once.

use std::time::Duration;

use ostiary::flow::people::{self, ChangeSource, UserChange};
use ostiary::flow::session::{self, NotBegun, Proof};
use ostiary::model::{RequiredAction, Secret};
use serde_json::json;

use super::factor_scene::{answer, asked, codes, confirm, enrolled, now, shown, wrong};
use super::{is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestUser, each_backend};

const NEW: &str = "a long walk by the river at noon";
const OTHER: &str = "an otter under the old bridge";

/// Requires this of somebody, in the place of what was required before.
pub async fn require(server: &Server, user: &TestUser, actions: &[RequiredAction]) {
    let change = UserChange::requiring(actions.to_vec());
    people::change_user(
        server.provider(),
        &server.call(),
        &ChangeSource::Command,
        user.id,
        None,
        change,
    )
    .await
    .unwrap();
}

/// Signs in. Gives the page of what is required.
pub async fn stopped(server: &Server, browser: &Browser, user: &TestUser) -> Page {
    let page = sign_in(server, browser, user).await;
    let to = page
        .location()
        .unwrap_or_else(|| panic!("{} {}", page.status, page.body));
    assert_eq!(to.path(), "/login/action", "{to}");
    let page = browser.get(to.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}

async fn replace(browser: &Browser, page: &Page, new: &str) -> Page {
    let fields = [("password", new), ("password_again", new)];
    browser.submit(page, page.form_with("password"), &fields).await
}

/// The page of recovery codes that comes after an authenticator: gone on from.
async fn keep_codes(browser: &Browser, done: &Page) -> Page {
    let to = done
        .location()
        .unwrap_or_else(|| panic!("{} {}", done.status, done.body));
    assert_eq!(to.path(), "/login/action");
    let page = browser.get(to.as_str()).await;
    assert_eq!(codes(&page).len(), 10, "{}", page.body);
    assert_eq!(page.header("cache-control"), "no-store");
    browser.submit(&page, page.form_with("csrf"), &[]).await
}

/// SEC-257: where the policy wants a second factor, who has none sets one up on the way in, and is in only then. Whoever has one is
/// asked for it: no sign-in adds another beside it, nor in its place.
#[tokio::test]
async fn factor_enrol_in_login() {
    each_backend(async |server| {
        let eve = enrolled(server, "eve").await;
        let ada = server.user("ada").await;
        server.settings(json!({"mfa.required": true})).await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        let page = browser.get(&party.authorization_url()).await;
        let page = browser.follow(page).await;
        let fields = [("username", "ada"), ("password", ada.password.as_str())];
        let page = browser.submit(&page, page.form_with("password"), &fields).await;
        let page = browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/action");
        assert!(
            page.body.contains("Signing in here needs a second factor"),
            "{}",
            page.body
        );
        let authenticator = shown(&page);

        // nothing leads past it: no other page, no other request, no empty form, no wrong code, no other browser
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(browser.get(&server.url("/account")).await.status, 303);
        let silent = browser.get(&party.authorization_url_with(&[("prompt", "none")])).await;
        assert!(silent.location().unwrap().as_str().contains("login_required"));
        for nothing in ["", "000", &wrong(server, &authenticator)] {
            assert_eq!(confirm(&browser, &page, nothing).await.status, 422, "{nothing}");
        }
        let form = page.form_with("code");
        let kept = [("password", NEW), ("password_again", NEW)];
        assert_eq!(browser.submit(&page, form, &kept).await.status, 422);
        assert_eq!(Browser::new().get(page.url.as_str()).await.status, 404);
        let to_factor = page.url.as_str().replace("/login/action", "/login/factor");
        assert_eq!(browser.get(&to_factor).await.status, 404, "it waits for something else");
        assert!(!is_signed_in(server, &browser).await);
        // the page is as it was: the same secret
        assert_eq!(
            shown(&browser.get(page.url.as_str()).await).secret,
            authenticator.secret
        );

        // a second tab has a secret of its own, and of both one counts
        let other = Browser::new();
        let second = stopped(server, &other, &ada).await;
        assert_ne!(shown(&second).secret, authenticator.secret);
        let (code, other_code) = (now(server, &authenticator), now(server, &shown(&second)));
        let (done, late) = tokio::join!(confirm(&browser, &page, &code), confirm(&other, &second, &other_code));
        let (browser, page, done, authenticator) = if done.status == 303 {
            assert_eq!(late.status, 404, "{}", late.body);
            (browser, page, done, authenticator)
        } else {
            assert_eq!((done.status.as_u16(), late.status.as_u16()), (404, 303));
            let authenticator = shown(&second);
            (other, second, late, authenticator)
        };
        let mut store = server.provider().store.read().await.unwrap();
        assert_eq!(store.list_factors_of(ada.id).await.unwrap().len(), 1);
        drop(store);
        assert!(!is_signed_in(server, &browser).await, "the codes come first");
        // the same form once more leads to the same page
        let code = now(server, &authenticator);
        assert_eq!(confirm(&browser, &page, &code).await.location(), done.location());
        let entered = keep_codes(&browser, &done).await;
        assert!(entered.status == 303, "{}", entered.body);
        assert!(is_signed_in(server, &browser).await);
        // the back button leads on, and shows no codes again
        let back = browser.get(done.location().unwrap().as_str()).await;
        assert_eq!(back.status, 303);

        // from now on it is asked for, like anybody's
        server.advance(Duration::from_secs(60));
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        assert_eq!(answer(&browser, &page, &now(server, &authenticator)).await.status, 303);
        let told = RelyingParty::new(server, &client);
        let arrival = browser.sign_in(&told.authorization_url(), &ada).await;
        let told = claims(&told.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(told["amr"], json!(["pwd", "otp", "mfa"]));
        assert_eq!(told["acr"], "urn:ostiary:mfa");
        let browser = Browser::new();
        let page = asked(server, &browser, &eve.user).await;
        assert!(page.forms().iter().all(|form| !form.has("password")), "{}", page.body);

        // below every page
        let bob = server.user("bob").await;
        let (provider, call) = (server.provider(), server.call());
        let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
        let user = server.account(&bob).await;
        let begun = session::begin(provider, &call, &mut browser, &user, Proof::password(false)).await;
        assert!(matches!(begun, Err(NotBegun::Action(_))), "{begun:?}");
    })
    .await;
}

#[tokio::test]
async fn the_policy_is_of_everyone_a_group_a_client_or_a_person_and_says_whose_it_is() {
    each_backend(async |server| {
        let (ada, bob, carol) = (
            server.user("ada").await,
            server.user("bob").await,
            server.user("carol").await,
        );
        let staff = server.group("staff", &[], &[&bob]).await;
        let client = server.client(|_| ()).await;
        let caller = Caller::client(server, "admin:users admin:groups admin:clients").await;
        let on = json!({"mfa": {"required": true}});
        for path in [
            format!("/users/{}/settings", ada.id),
            format!("/groups/{staff}/settings"),
            format!("/clients/{}/settings", client.id),
        ] {
            let said = caller.patch(&path, on.clone()).await;
            assert_eq!(said.status, 200, "{path}: {}", said.body);
        }
        let source = async |person: &TestUser| {
            let told = caller
                .get(&format!("/users/{}/effective-settings", person.id))
                .await
                .ok();
            let items = told.json()["items"].as_array().unwrap().clone();
            let found = items.into_iter().find(|item| item["key"] == "mfa.required").unwrap();
            (
                found["value"].as_bool().unwrap(),
                found["source"].as_str().unwrap().to_owned(),
            )
        };
        assert_eq!(source(&ada).await, (true, "user".to_owned()));
        assert_eq!(source(&bob).await, (true, "group staff".to_owned()));
        assert_eq!(source(&carol).await, (false, "built in".to_owned()));
        for person in [&ada, &bob] {
            stopped(server, &Browser::new(), person).await;
        }
        let browser = Browser::new();
        assert_eq!(sign_in(server, &browser, &carol).await.status, 303);
        assert!(is_signed_in(server, &browser).await);

        // this one application wants it of her, and another one does not
        let other = server.client(|_| ()).await;
        let plain = RelyingParty::new(server, &other);
        browser.sign_in(&plain.authorization_url(), &carol).await.code();
        let party = RelyingParty::new(server, &client);
        let silent = browser.get(&party.authorization_url_with(&[("prompt", "none")])).await;
        assert!(silent.location().unwrap().as_str().contains("login_required"));
        let page = browser.get(&party.authorization_url()).await;
        let page = browser.follow(page).await;
        assert_eq!(page.url.path(), "/login", "who has none proves once more who they are");
        let page = browser
            .submit(&page, page.form_with("password"), &[("password", &carol.password)])
            .await;
        let page = browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/action");
        let done = confirm(&browser, &page, &now(server, &shown(&page))).await;
        let page = keep_codes(&browser, &done).await;
        let arrival = browser.walk(page, &carol).await;
        let told = claims(&party.redeem(arrival.code()).await.ok().get("id_token"));
        assert_eq!(told["acr"], "urn:ostiary:mfa");
    })
    .await;
}

/// What an administrator requires is asked in order, one thing after another; what was done stays done, and nothing is done twice.
#[tokio::test]
async fn what_is_required_is_done_on_the_way_in_each_once() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let there = Browser::new();
        sign_in(server, &there, &ada).await;
        let caller = Caller::client(server, "admin:users").await;
        let path = format!("/users/{}", ada.id);
        let unknown = caller.patch(&path, json!({"required_actions": ["dance"]})).await;
        assert_eq!(unknown.status, 422, "{}", unknown.body);
        let wanted = json!({"required_actions": ["enrol_factor", "change_password", "change_password"]});
        let changed = caller.patch(&path, wanted).await.ok();
        let both = json!(["change_password", "enrol_factor"]);
        assert_eq!(changed.json()["required_actions"], both);
        assert!(is_signed_in(server, &there).await, "who is in stays in");

        let browser = Browser::new();
        let first = stopped(server, &browser, &ada).await;
        assert!(first.body.contains("asks you to set a password"), "{}", first.body);
        for (new, again) in [
            ("", ""),
            ("short", "short"),
            (NEW, OTHER),
            (&ada.password, &ada.password),
        ] {
            let fields = [("password", new), ("password_again", again)];
            let refused = browser.submit(&first, first.form_with("password"), &fields).await;
            assert_eq!(refused.status, 422, "{new}");
            assert!(!refused.body.contains(NEW));
        }
        assert!(!is_signed_in(server, &browser).await);
        let (one, two) = tokio::join!(replace(&browser, &first, NEW), replace(&browser, &first, NEW));
        assert_eq!(one.location(), two.location(), "{} {}", one.body, two.body);
        let to = one.location().unwrap();
        assert_eq!(to.path(), "/login/action");
        assert!(!is_signed_in(server, &there).await, "who knew the old one is out");
        let shown_user = caller.get(&path).await.ok();
        assert_eq!(shown_user.json()["required_actions"], json!(["enrol_factor"]));
        // once it is done, it is: the same form sets nothing any more
        let again = replace(&browser, &first, OTHER).await;
        assert_eq!(again.location(), Some(to.clone()));
        assert_eq!(browser.get(first.url.as_str()).await.location(), Some(to.clone()));
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", OTHER).await.status, 422);

        // who goes away in between is asked for the rest alone
        let page = browser.get(to.as_str()).await;
        let left = browser
            .submit(
                &page,
                page.form_with_button("intent", "cancel"),
                &[("intent", "cancel")],
            )
            .await;
        assert_eq!(left.location().unwrap().path(), "/");
        assert_eq!(browser.get(to.as_str()).await.status, 404);
        let renewed = TestUser {
            password: NEW.to_owned(),
            ..ada.clone()
        };
        let page = stopped(server, &browser, &renewed).await;
        let done = confirm(&browser, &page, &now(server, &shown(&page))).await;
        let entered = keep_codes(&browser, &done).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        assert!(is_signed_in(server, &browser).await);
        let shown_user = caller.get(&path).await.ok();
        assert_eq!(shown_user.json()["required_actions"], json!([]));

        // whoever has a factor has nothing to set up
        server.advance(Duration::from_secs(60));
        let eve = enrolled(server, "eve").await;
        require(server, &eve.user, &[RequiredAction::EnrolFactor]).await;
        let browser = Browser::new();
        let page = asked(server, &browser, &eve.user).await;
        assert_eq!(
            answer(&browser, &page, &now(server, &eve.authenticator)).await.status,
            303
        );
        assert!(is_signed_in(server, &browser).await);
        // the factor comes before what else there is: a password alone changes none
        require(server, &eve.user, &[RequiredAction::ChangePassword]).await;
        server.advance(Duration::from_secs(60));
        let browser = Browser::new();
        let page = asked(server, &browser, &eve.user).await;
        let page = answer(&browser, &page, &now(server, &eve.authenticator)).await;
        let page = browser.get(page.location().unwrap().as_str()).await;
        assert_eq!(page.url.path(), "/login/action");
        assert_eq!(replace(&browser, &page, NEW).await.status, 303);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

#[tokio::test]
async fn what_waits_ends_with_the_time_the_account_and_what_else_is_required() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        require(server, &ada, &[RequiredAction::ChangePassword]).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        server.advance(Duration::from_secs(601));
        assert_eq!(replace(&browser, &page, NEW).await.status, 404);

        // nothing is required any more: the way is free
        require(server, &ada, &[]).await;
        let browser = Browser::new();
        assert_eq!(sign_in(server, &browser, &ada).await.status, 303);
        assert!(is_signed_in(server, &browser).await);

        // a sign-in that is on its way is held up by what is required since
        let (provider, call) = (server.provider(), server.call());
        let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
        let proved = server.account(&ada).await;
        require(server, &ada, &[RequiredAction::EnrolFactor]).await;
        let begun = session::begin(provider, &call, &mut browser, &proved, Proof::password(false)).await;
        assert!(matches!(begun, Err(NotBegun::Changed)), "{begun:?}");

        // another password: whoever began with the old one begins anew
        require(server, &ada, &[RequiredAction::ChangePassword]).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        let password = people::NewPassword::Given(Secret::new(OTHER));
        let source = ChangeSource::Command;
        server.advance(Duration::from_secs(1));
        people::set_password(
            provider,
            &server.call(),
            &source,
            ada.id,
            password,
            people::WeakPasswords::Refuse,
        )
        .await
        .unwrap();
        assert_eq!(replace(&browser, &page, NEW).await.status, 404);
        // an administrator's is not the person's: the action stays
        let renewed = TestUser {
            password: OTHER.to_owned(),
            ..ada.clone()
        };
        let page = stopped(server, &browser, &renewed).await;
        people::deactivate_user(provider, &server.call(), &source, ada.id, None)
            .await
            .unwrap();
        assert_eq!(replace(&browser, &page, NEW).await.status, 404);
    })
    .await;
}

/// A password that is too old is replaced on the way in, with nothing mailed and nothing lost of what the person came for; one that
/// was given away is not.
#[tokio::test]
async fn a_password_that_is_too_old_is_replaced_on_the_way_in() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        server.settings(json!({"password.expires_after": "90d"})).await;
        server.advance(Duration::from_secs(91 * 86_400));
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        let page = browser.get(&party.authorization_url()).await;
        let page = browser.follow(page).await;
        let fields = [("username", "ada"), ("password", ada.password.as_str())];
        let page = browser.submit(&page, page.form_with("password"), &fields).await;
        let page = browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/action");
        assert!(page.body.contains("older than the rules here allow"), "{}", page.body);
        let page = replace(&browser, &page, NEW).await;
        let arrival = browser.walk(page, &ada).await;
        party.redeem(arrival.code()).await.ok();

        let bob = server.user("bob").await;
        let call = server.call();
        let mut store = server.provider().store.write().await.unwrap();
        assert!(store.expire_password(bob.id, call.now, call.now).await.unwrap());
        store.commit().await.unwrap();
        assert_eq!(sign_in(server, &Browser::new(), &bob).await.status, 403);
    })
    .await;
}

/// From a network that is not let in nobody signs in, whatever they know, and what was begun elsewhere begins no session there.
#[tokio::test]
async fn nobody_signs_in_from_a_network_that_is_not_let_in() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        for (table, is_in) in [
            (json!({"sign_in.allowed_addresses": "10.0.0.0/8, 192.0.2.1"}), false),
            (
                json!({"sign_in.allowed_addresses": "10.0.0.0/8, 127.0.0.0/8, ::1"}),
                true,
            ),
            (json!({"sign_in.denied_addresses": "127.0.0.1/32, ::1"}), false),
        ] {
            server.settings(table).await;
            let refused = sign_in(server, &Browser::new(), &ada.user).await;
            let unknown = sign_in_with(server, &Browser::new(), "nobody", "at all").await;
            if is_in {
                assert_eq!((refused.status.as_u16(), unknown.status.as_u16()), (303, 422));
                continue;
            }
            assert_eq!((refused.status.as_u16(), unknown.status.as_u16()), (403, 403));
            assert!(
                refused.body.contains("Nobody signs in from this network."),
                "{}",
                refused.body
            );
        }
        let answered = answer(&browser, &page, &now(server, &ada.authenticator)).await;
        assert_eq!(answered.status, 403);
        assert!(!is_signed_in(server, &browser).await);
        assert!(is_signed_in(server, &ada.browser).await, "who is in stays in");
        server
            .settings(json!({"sign_in.allowed_addresses": "", "sign_in.denied_addresses": ""}))
            .await;
        assert_eq!(sign_in(server, &Browser::new(), &ada.user).await.status, 303);
    })
    .await;
}

/// Nobody changes anything about an account with a device that they could not sign in with.
#[tokio::test]
async fn a_device_that_is_turned_away_is_so_before_anything_is_done() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        server
            .settings(json!({"session.known_devices_only": true, "mfa.required": true}))
            .await;
        require(server, &ada, &[RequiredAction::ChangePassword]).await;
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 403);
    })
    .await;
}
