//! OAuth 2.0 for First-Party Applications: an application of ours asks people itself, step by step, and nothing is easier there than at
//! the pages.

use std::time::Duration;

use ostiary::flow::terms;
use ostiary::model::{ConsentMode, RequiredAction};
use serde_json::{Value, json};

use crate::login::factor_scene::{enrolled, now, wrong};
use crate::login::required::require;
use crate::login::terms::publish_simply;
use crate::support::browser::Browser;
use crate::support::otp::Authenticator;
use crate::support::relying_party::{Answer, RelyingParty, claims};
use crate::support::server::{Server, TestClient, TestUser, each_backend};

pub(super) const PATH: &str = "/oauth2/authorize_challenge";
const NEW: &str = "a long walk by the river at noon";

/// An application that an administrator has marked.
pub(super) async fn application(server: &Server) -> TestClient {
    server
        .public_client(|client| {
            client.policy.first_party = true;
            client.policy.consent = ConsentMode::Skip;
        })
        .await
}

/// A first request, with the person's name and password.
pub(super) async fn begin(party: &RelyingParty<'_>, user: &TestUser, more: &[(&str, &str)]) -> Answer {
    let challenge = party.code_challenge();
    let mut form = vec![
        ("scope", "openid profile offline_access"),
        ("nonce", party.nonce.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    form.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    form.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    party.post(PATH, &form).await
}

/// The next step.
pub(super) async fn go_on(party: &RelyingParty<'_>, before: &Answer, more: &[(&str, &str)]) -> Answer {
    let session = before.get("auth_session");
    let mut form = vec![("auth_session", session.as_str())];
    form.extend(more);
    party.post(PATH, &form).await
}

/// What is asked for next.
pub(super) fn next(answer: &Answer) -> Value {
    assert_eq!(answer.status, 403, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["error"], "insufficient_authorization", "{body}");
    assert_eq!(answer.header("cache-control"), "no-store");
    body
}

/// Redeems the code as the draft says: without a redirect URI.
pub(super) async fn redeem(party: &RelyingParty<'_>, answer: &Answer) -> Answer {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let code = answer.get("authorization_code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("code_verifier", party.code_verifier.as_str()),
    ];
    party.token(&form).await
}

pub(super) async fn amr(party: &RelyingParty<'_>, answer: &Answer) -> Value {
    let tokens = redeem(party, answer).await.ok();
    claims(&tokens.get("id_token"))["amr"].clone()
}

#[tokio::test]
async fn an_application_signs_somebody_in_at_its_own_screen() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let ada = server.user("ada").await;
        // without credentials it is told what to ask for
        let asked = begin(&party, &ada, &[("username", ""), ("password", "")]).await;
        assert_eq!(next(&asked)["next"], "password");
        let wrong = go_on(&party, &asked, &[("username", "ada"), ("password", "wrong")]).await;
        assert_eq!(next(&wrong)["problem"], "wrong_credentials");
        let nobody = go_on(&party, &asked, &[("username", "nobody"), ("password", "wrong")]).await;
        assert_eq!(
            next(&nobody)["problem"],
            "wrong_credentials",
            "nothing tells who has an account"
        );
        let done = go_on(&party, &wrong, &[("username", "ada"), ("password", &ada.password)]).await;
        let tokens = redeem(&party, &done).await.ok();
        let told = party.userinfo(&tokens.get("access_token")).await.ok().json();
        assert_eq!(told["sub"], ada.subject);
        let refreshed = party.refresh(&tokens.get("refresh_token")).await;
        assert_eq!(refreshed.status, 200, "{}", refreshed.body);
        assert_eq!(redeem(&party, &done).await.error(), "invalid_grant", "once");

        // the same device is known the next time, and no second one is made
        let again = begin(&party, &ada, &[("auth_session", &done.get("auth_session"))]).await;
        redeem(&party, &again).await.ok();
        let mut store = server.provider().store.read().await.unwrap();
        assert_eq!(store.list_devices_of(ada.id, 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_asks_who_was_not_marked_and_no_request_is_taken_half() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let stranger = server.public_client(|_| ()).await;
        let party = RelyingParty::new(server, &stranger);
        assert_eq!(begin(&party, &ada, &[]).await.error(), "unauthorized_client");
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let bare = begin(&party, &ada, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
        assert_eq!(bare.error(), "invalid_request");
        assert_eq!(
            begin(&party, &ada, &[("code_challenge_method", "plain")]).await.error(),
            "invalid_request"
        );
        assert_eq!(
            begin(&party, &ada, &[("scope", "nothing")]).await.error(),
            "invalid_scope"
        );
        let long = "x".repeat(5_000);
        for broken in ["", "x", long.as_str()] {
            let answer = begin(&party, &ada, &[("auth_session", broken)]).await;
            if broken.is_empty() {
                assert_eq!(answer.status, 200);
            } else {
                assert_eq!(answer.error(), "invalid_session", "{broken:.9}");
            }
        }
        // another application's session, and one that is over
        let other = application(server).await;
        let asked = begin(&party, &ada, &[("password", "")]).await;
        let elsewhere = RelyingParty::new(server, &other);
        assert_eq!(go_on(&elsewhere, &asked, &[]).await.error(), "invalid_session");
        server.advance(Duration::from_secs(2 * 60 * 60));
        let late = go_on(&party, &asked, &[("username", "ada"), ("password", &ada.password)]).await;
        assert_eq!(late.error(), "invalid_session");
        // the code is worth nothing without the verifier, nor with a redirect URI that nobody sent
        let done = begin(&party, &ada, &[]).await;
        let code = done.get("authorization_code");
        let redirected = party.redeem(&code).await;
        assert_eq!(redirected.error(), "invalid_grant", "{}", redirected.body);
        let metadata = Browser::new()
            .get(&server.url("/.well-known/oauth-authorization-server"))
            .await;
        assert_eq!(metadata.json()["authorization_challenge_endpoint"], server.url(PATH));
    })
    .await;
}

/// SEC-250, at this way in: who has a second factor proves it, a code counts once, guesses end the sign-in, and recovery codes count.
#[tokio::test]
async fn mfa_on_every_path_of_first_party_applications() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let eve = enrolled(server, "eve").await;
        let (user, authenticator): (&TestUser, &Authenticator) = (&eve.user, &eve.authenticator);
        let asked = begin(&party, user, &[]).await;
        let wanted = next(&asked);
        assert_eq!(wanted["next"], "second_factor");
        assert_eq!(wanted["methods"], json!(["otp", "recovery_code"]));
        // nothing leads past it
        for more in [
            vec![],
            vec![
                ("username", user.username.as_str()),
                ("password", user.password.as_str()),
            ],
        ] {
            assert_eq!(next(&go_on(&party, &asked, &more).await)["next"], "second_factor");
        }
        let bad = wrong(server, authenticator);
        assert_eq!(
            next(&go_on(&party, &asked, &[("otp", &bad)]).await)["problem"],
            "wrong_code"
        );
        server.advance(Duration::from_secs(60));
        let code = now(server, authenticator);
        let done = go_on(&party, &asked, &[("otp", &code)]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "otp", "mfa"]));
        // the same step sent again signs nobody else in, and the code counts for no other sign-in
        let second = begin(&party, user, &[]).await;
        assert_eq!(
            next(&go_on(&party, &second, &[("otp", &code)]).await)["problem"],
            "wrong_code"
        );
        let recovered = go_on(&party, &second, &[("recovery_code", &eve.codes[0])]).await;
        assert_eq!(amr(&party, &recovered).await, json!(["pwd", "mfa"]));
        // guesses are those of the pages: they end it
        let third = begin(&party, user, &[]).await;
        let mut last = None;
        for _ in 0..20 {
            let answer = go_on(&party, &third, &[("otp", &bad)]).await;
            if answer.status == 429 {
                last = Some(answer);
                break;
            }
        }
        assert!(last.unwrap().headers.contains_key("retry-after"));
    })
    .await;
}

#[tokio::test]
async fn what_is_required_is_asked_for_one_thing_after_another() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let ada = server.user("ada").await;
        let document = publish_simply(server, "terms", "1").await;
        require(
            server,
            &ada,
            &[RequiredAction::ChangePassword, RequiredAction::EnrolFactor],
        )
        .await;

        let step = begin(&party, &ada, &[]).await;
        let wanted = next(&step);
        assert_eq!(
            (&wanted["next"], &wanted["minimum_length"]),
            (&json!("change_password"), &json!(10))
        );
        assert_eq!(next(&go_on(&party, &step, &[]).await)["next"], "change_password");
        assert_eq!(
            next(&go_on(&party, &step, &[("new_password", "short")]).await)["problem"],
            "too_short"
        );
        let same = go_on(&party, &step, &[("new_password", &ada.password)]).await;
        assert_eq!(next(&same)["problem"], "unchanged");
        let step = go_on(&party, &step, &[("new_password", NEW)]).await;

        let wanted = next(&step);
        assert_eq!(wanted["next"], "enrol_factor");
        let held = Authenticator::of(wanted["secret"].as_str().unwrap());
        assert_eq!(
            next(&go_on(&party, &step, &[("otp", "000000")]).await)["problem"],
            "wrong_code"
        );
        let step = go_on(&party, &step, &[("otp", &now(server, &held))]).await;

        let wanted = next(&step);
        assert_eq!(wanted["next"], "keep_recovery_codes");
        assert_eq!(wanted["recovery_codes"].as_array().unwrap().len(), 10);
        let step = go_on(&party, &step, &[("kept", "1")]).await;

        let wanted = next(&step);
        assert_eq!(wanted["next"], "accept_terms");
        assert_eq!(wanted["terms"][0]["title"], "Terms of use");
        assert_eq!(
            next(&go_on(&party, &step, &[("accepted_terms", "x")]).await)["problem"],
            "not_accepted"
        );
        let done = go_on(&party, &step, &[("accepted_terms", &document.id.to_string())]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "otp", "mfa"]));
        let accepted = terms::accepted_by(server.provider(), ada.id).await.unwrap();
        assert_eq!(accepted.len(), 1);
        assert_eq!(server.account(&ada).await.required_actions, []);
    })
    .await;
}

#[tokio::test]
async fn guesses_states_and_devices_count_as_at_the_pages() {
    each_backend(async |server| {
        server.settings(json!({"guess.account_budget": 3})).await;
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let (ada, eve) = (server.user("ada").await, server.user("eve").await);
        for _ in 0..3 {
            assert_eq!(
                next(&begin(&party, &ada, &[("password", "wrong")]).await)["next"],
                "password"
            );
        }
        assert_eq!(begin(&party, &ada, &[]).await.status, 429);
        // and at the page it is the same budget
        let browser = Browser::new();
        assert_eq!(crate::login::sign_in(server, &browser, &ada).await.status, 429);
        // a deactivated account is refused after the proof
        let (provider, call) = (server.provider(), server.call());
        ostiary::flow::people::deactivate_user(
            provider,
            &call,
            &ostiary::flow::people::ChangeSource::Command,
            eve.id,
            None,
        )
        .await
        .unwrap();
        let refused = begin(&party, &eve, &[]).await;
        assert_eq!(
            (refused.error(), refused.get("reason")),
            ("access_denied".to_owned(), "account_inactive".to_owned())
        );
        assert_eq!(
            next(&begin(&party, &eve, &[("password", "wrong")]).await)["problem"],
            "wrong_credentials"
        );
        // consent is asked for by pages alone
        let asking = server.public_client(|client| client.policy.first_party = true).await;
        let party = RelyingParty::new(server, &asking);
        let mallory = server.user("mallory").await;
        let web = begin(&party, &mallory, &[]).await;
        assert_eq!(
            (web.error(), web.get("reason")),
            ("redirect_to_web".to_owned(), "consent".to_owned())
        );
    })
    .await;
}
