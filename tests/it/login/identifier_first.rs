//! Who it is on a first page and the proof on a second, by setting: the same pages whoever is named, in whatever order, tab or browser
//! they are sent.

use std::time::Duration;

use ostiary::flow::operations::layers;
use ostiary::flow::people::ChangeSource;
use ostiary::model::LayerOwner;
use serde_json::json;

use super::factor_scene::{answer, enrolled, now};
use super::passkey_scene::{enter_from, keyed};
use super::{is_signed_in, sign_in};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

async fn by_steps(server: &Server) {
    server.settings(json!({"sign_in.identifier_first": true})).await;
}

/// Says who it is, on the first page. Gives the answer.
pub async fn say(browser: &Browser, first: &Page, identifier: &str) -> Page {
    let form = first.form_with_button("intent", "next");
    browser
        .submit(first, form, &[("username", identifier), ("intent", "next")])
        .await
}

/// The second page, for whoever is named.
pub async fn named(server: &Server, browser: &Browser, identifier: &str) -> Page {
    let first = browser.get(&server.url("/login")).await;
    let said = say(browser, &first, identifier).await;
    let page = browser.follow(said).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}

/// Proves it, on the second.
async fn prove(browser: &Browser, second: &Page, password: &str) -> Page {
    let form = second.form_with("password");
    browser.submit(second, form, &[("password", password)]).await
}

/// A page without what is drawn anew for each: tokens, and who was named.
fn plain(page: &Page, identifier: &str) -> String {
    let mut body = unescape(&page.body).replace(identifier, "-");
    for mark in ["name=\"csrf\" value=\"", "who=", "nonce=\""] {
        let mut kept = String::new();
        let mut parts = body.split(mark);
        kept.push_str(parts.next().unwrap_or_default());
        for part in parts {
            kept.push_str(mark);
            kept.push_str(part.find(['"', '&', ' ', '<']).map_or("", |end| &part[end..]));
        }
        body = kept;
    }
    // the letter of the picture
    match body.split_once("class=\"avatar\"") {
        Some((before, after)) => format!("{before}{}", after.split_once("</span>").unwrap().1),
        None => body,
    }
}

#[tokio::test]
async fn a_name_comes_first_and_its_proof_on_a_page_of_its_own() {
    each_backend(async |server| {
        by_steps(server).await;
        server.settings(json!({"sign_in.mail_codes": true})).await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        let first = browser.get(&server.url("/login?return_to=%2Faccount")).await;
        assert!(!first.body.contains("type=\"password\"") && !first.body.contains("mail_code"));
        assert!(
            first.body.contains("autocomplete=\"username webauthn\""),
            "{}",
            first.body
        );
        // nobody named: asked again
        let empty = say(&browser, &first, "  ").await;
        assert_eq!(empty.status, 422);
        assert!(unescape(&empty.body).contains("href=\"#username\""), "{}", empty.body);

        let form = first.form_with_button("intent", "next");
        let typed = [("username", " ada "), ("intent", "next"), ("remember", "1")];
        let said = browser.submit(&first, form, &typed).await;
        assert_eq!(said.status, 303);
        let to = said.location().unwrap();
        assert!(!to.as_str().contains("ada"), "an address names nobody: {to}");
        let second = browser.get(to.as_str()).await;
        let html = unescape(&second.body);
        // who it is stands there, for people and for programs that keep passwords, and can't be typed
        assert!(html.contains("<span class=\"chip-identifier\">ada</span>"), "{html}");
        let field = html
            .split("<input id=\"username\"")
            .nth(1)
            .unwrap()
            .split('>')
            .next()
            .unwrap();
        assert!(
            field.contains("autocomplete=\"username\"")
                && field.contains("value=\"ada\"")
                && field.contains("readonly"),
            "{field}"
        );
        assert!(html.contains("autocomplete=\"current-password\""), "{html}");
        // what the policy allows, whoever it is
        assert!(second.forms().iter().any(|form| form.has_button("intent", "mail_code")));

        let wrong = prove(&browser, &second, "wrong").await;
        assert_eq!(wrong.status, 422);
        assert!(
            unescape(&wrong.body).contains("This name and this password do not go together."),
            "{}",
            wrong.body
        );
        let done = prove(&browser, &wrong, &ada.password).await;
        assert_eq!(done.location().unwrap().path(), "/account", "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        // what was wished on the first page came along
        server.advance(Duration::from_secs(2 * 24 * 60 * 60));
        let live = server
            .provider()
            .sessions
            .list(ada.id, server.call().now)
            .await
            .unwrap();
        assert_eq!(live.len(), 1, "stays signed in");
    })
    .await;
}

/// SEC-221: the answers to a name, and the pages that come of it, are the same whoever has it and whatever they have.
#[tokio::test]
async fn no_user_enumeration_where_a_name_comes_first() {
    each_backend(async |server| {
        by_steps(server).await;
        server
            .settings(json!({
                "sign_in.mail_codes": true, "sign_in.mail_links": true, "mfa.mail_codes": true,
                "guess.account_budget": 1000, "guess.source_budget": 10_000
            }))
            .await;
        server.user("ada.q").await;
        enrolled(server, "bob.q").await;
        keyed(server, "eve.q").await;
        server.user("gone").await;
        server
            .behind("update users set status = 'inactive' where username = 'gone'")
            .await;
        server.user("without").await;
        server
            .behind("update users set password_hash = null where username = 'without'")
            .await;
        let mut seen = Vec::new();
        for identifier in [
            "ada.q",
            "bob.q",
            "eve.q",
            "gone",
            "without",
            "nobody",
            "ada.q@example.com",
            "no one at all",
        ] {
            let browser = Browser::new();
            let before = server.provider().passwords.computed();
            let second = named(server, &browser, identifier).await;
            assert_eq!(
                server.provider().passwords.computed(),
                before,
                "nothing is computed for a name"
            );
            let wrong = prove(&browser, &second, "a wrong one").await;
            seen.push((plain(&second, identifier), wrong.status, plain(&wrong, identifier)));
        }
        for other in &seen[1..] {
            assert_eq!(&seen[0], other);
        }
        // of a name that is too long nothing is said either
        let browser = Browser::new();
        let second = named(server, &browser, &"x".repeat(3_000)).await;
        assert_eq!(prove(&browser, &second, "a wrong one").await.status, 422);
    })
    .await;
}

#[tokio::test]
async fn tabs_replays_and_the_way_back_lead_where_they_led() {
    each_backend(async |server| {
        by_steps(server).await;
        let (ada, grace) = (server.user("ada").await, server.user("grace").await);
        let browser = Browser::new();
        // two tabs with two names: each proves its own
        let first = browser.get(&server.url("/login")).await;
        let of_ada = browser.follow(say(&browser, &first, "ada").await).await;
        let of_grace = browser.follow(say(&browser, &first, "grace").await).await;
        assert_eq!(prove(&browser, &of_ada, &grace.password).await.status, 422);
        // another name in the hidden field changes nothing
        let form = of_ada.form_with("password");
        let swapped = [("username", "grace"), ("password", grace.password.as_str())];
        assert_eq!(browser.submit(&of_ada, form, &swapped).await.status, 422);
        assert_eq!(prove(&browser, &of_grace, &grace.password).await.status, 303);
        assert_eq!(prove(&browser, &of_ada, &ada.password).await.status, 303);

        // back, and on once more; the same form twice
        let browser = Browser::new();
        let first = browser.get(&server.url("/login")).await;
        say(&browser, &first, "grace").await;
        let second = browser.follow(say(&browser, &first, "ada").await).await;
        // not you: who it is is asked for anew
        let form = second.form_with_button("intent", "other_account");
        let back = browser.submit(&second, form, &[("intent", "other_account")]).await;
        let back = browser.follow(back).await;
        assert!(!back.body.contains("type=\"password\"") && !back.body.contains("value=\"ada\""));
        // in another browser it names nobody
        let other = Browser::new();
        let elsewhere = other.get(second.url.as_str()).await;
        assert_eq!(elsewhere.status, 200);
        assert!(!elsewhere.body.contains("type=\"password\""), "{}", elsewhere.body);
        assert_ne!(prove(&other, &second, &ada.password).await.status, 303);
        assert!(!is_signed_in(server, &other).await);
        // nor when it is too old, nor when it is not ours
        for who in ["x", "", &"x".repeat(9_000)] {
            let page = browser.get(&server.url(&format!("/login?who={who}"))).await;
            assert!(page.status == 200 && !page.body.contains("type=\"password\""));
        }
        server.advance(Duration::from_secs(61 * 60));
        let late = browser.get(second.url.as_str()).await;
        assert!(late.status == 200 && !late.body.contains("type=\"password\""));
        // a page that was open meanwhile is good for a proof all the same
        assert_eq!(prove(&browser, &second, &ada.password).await.status, 303);
    })
    .await;
}

/// Forms that were drawn before the setting was changed go on.
#[tokio::test]
async fn a_form_outlives_a_change_of_the_setting() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        let whole = browser.get(&server.url("/login")).await;
        by_steps(server).await;
        let typed = [("username", "ada"), ("password", "wrong")];
        let wrong = browser.submit(&whole, whole.form_with("password"), &typed).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.body.contains("type=\"password\""), "who was named stays named");
        let first = browser.get(&server.url("/login")).await;
        server.settings(json!({"sign_in.identifier_first": false})).await;
        let second = browser.follow(say(&browser, &first, "ada").await).await;
        assert_eq!(prove(&browser, &second, &ada.password).await.status, 303);
        // and where nobody has asked for it all is on one page
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
    })
    .await;
}

/// What else there is goes on from the second page: codes, with their way back; passkeys, of whoever was named alone; a second factor.
#[tokio::test]
async fn every_way_in_goes_on_from_there() {
    each_backend(async |server| {
        by_steps(server).await;
        server.settings(json!({"sign_in.mail_codes": true})).await;
        let mut ada = keyed(server, "ada").await;
        // a passkey without a name, from the first page
        let browser = Browser::new();
        let first = browser.get(&server.url("/login")).await;
        assert_eq!(enter_from(&browser, &first, &mut ada.device).await.status, 303);
        assert!(is_signed_in(server, &browser).await);
        // from the second page, for her and for nobody else
        let browser = Browser::new();
        for somebody in ["grace", "nobody"] {
            let second = named(server, &browser, somebody).await;
            let refused = enter_from(&browser, &second, &mut ada.device).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
        }
        let second = named(server, &browser, "ADA").await;
        assert_eq!(enter_from(&browser, &second, &mut ada.device).await.status, 303);

        let bob = enrolled(server, "bob").await;
        let browser = Browser::new();
        let second = named(server, &browser, "bob").await;
        let factor = browser.follow(prove(&browser, &second, &bob.user.password).await).await;
        assert_eq!(factor.url.path(), "/login/factor");
        let done = answer(&browser, &factor, &now(server, &bob.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);

        let browser = Browser::new();
        let second = named(server, &browser, "ada").await;
        let form = second.form_with_button("intent", "mail_code");
        let sent = browser.submit(&second, form, &[("intent", "mail_code")]).await;
        let code = browser.follow(sent).await;
        assert_eq!(code.url.path(), "/login/code");
        let html = unescape(&code.body);
        assert!(
            html.contains("If <strong>ada</strong>") || html.contains("ada"),
            "{html}"
        );
        let (_, back) = html.split_once("class=\"plain-links\"><a href=\"").unwrap();
        let back = server.url(back.split_once('"').unwrap().0);
        let again = browser.get(&back).await;
        assert!(
            again.body.contains("type=\"password\""),
            "to the ways in of whoever was named"
        );
    })
    .await;
}

/// One application may ask so and another not; a session that is proved once more names nobody anew.
#[tokio::test]
async fn a_client_asks_as_it_likes() {
    each_backend(async |server| {
        let ada: TestUser = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let other = server.client(|_| ()).await;
        let says = async |owner| {
            let table = json!({"sign_in.identifier_first": true});
            let (provider, call) = (server.provider(), server.call());
            layers::change(
                provider,
                &call,
                &ChangeSource::Command,
                owner,
                table.as_object().unwrap(),
            )
            .await
        };
        says(LayerOwner::Client(client.id)).await.unwrap();
        // nobody else has a say in it: a page is drawn before anybody is known
        says(LayerOwner::User(ada.id)).await.unwrap_err();
        let browser = Browser::new();
        let asked = |party: &RelyingParty<'_>| party.authorization_url();
        let whole = browser.open(&asked(&RelyingParty::new(server, &other))).await;
        assert!(whole.body.contains("type=\"password\""));
        let party = RelyingParty::new(server, &client);
        let hinted = party.authorization_url_with(&[("login_hint", "ada")]);
        let first = browser.open(&hinted).await;
        assert!(!first.body.contains("type=\"password\""), "{}", first.body);
        assert!(
            first.body.contains("value=\"ada\""),
            "who the application hints at stands there"
        );
        let second = browser.follow(say(&browser, &first, "ada").await).await;
        let arrival = browser.walk(prove(&browser, &second, &ada.password).await, &ada).await;
        party.redeem(arrival.code()).await.ok();
        by_steps(server).await;
        let again = browser.get(&server.url("/login?again=1")).await;
        assert!(again.body.contains("type=\"password\""), "who it is is known");
        assert_eq!(prove(&browser, &again, &ada.password).await.status, 303);
    })
    .await;
}
