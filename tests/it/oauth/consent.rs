//! What people allow clients: asked clearly, remembered, and taken back. OpenID Connect Core section 3.1.2.4.

use std::time::Duration;

use ostiary::flow::Error;
use ostiary::flow::authorization::consents;
use ostiary::flow::people::ChangeSource;
use ostiary::model::{ClientOrigin, GrantType, Scopes};
use reqwest::StatusCode;
use serde_json::json;

use super::steps::{arrival, begin, enter, outcome, press, skips};
use crate::support::browser::{Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

/// Signs in in a new browser as far as the question.
async fn asked(party: &RelyingParty<'_>, user: &TestUser, changes: &[(&str, &str)]) -> (Browser, Page) {
    let browser = Browser::new();
    let login = browser.open(&party.authorization_url_with(changes)).await;
    let entered = enter(&browser, &login, user).await;
    let page = browser.follow(entered).await;
    assert_eq!(page.url.path(), "/login/consent", "{}", page.body);
    (browser, page)
}

/// SEC-020.
#[tokio::test(flavor = "multi_thread")]
async fn consent_required_and_clear() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let operators = server
        .client(|client| client.metadata.client_name = Some("Ada's Shop & <Sons>".to_owned()))
        .await;
    let registered = server
        .client(|client| {
            client.origin = ClientOrigin::Registration;
            client.trusted = false;
            client.metadata.client_name = Some("Somebody".to_owned());
        })
        .await;
    let vouched_for = server
        .client(|client| {
            client.origin = ClientOrigin::Registration;
            client.metadata.client_name = Some("A friend".to_owned());
        })
        .await;
    assert!(vouched_for.client.trusted);
    for (client, shown, verified) in [
        (&operators, "Ada&#x27;s Shop &amp; &lt;Sons&gt;", true),
        (&registered, "Somebody", false),
        (&vouched_for, "A friend", true),
    ] {
        let mut party = RelyingParty::new(&server, client);
        party.scope = "openid email".to_owned();
        let (_, page) = asked(&party, &user, &[]).await;
        assert!(page.body.contains(shown), "{}", page.body);
        assert!(page.body.contains(&user.email), "whose data it is");
        assert!(page.body.contains("while you are signed in"), "how long");
        assert_eq!(page.body.contains("Nobody here has checked"), !verified);
        assert!(page.forms().iter().any(|form| form.has_button("decision", "deny")));
        party.scope = "openid email offline_access".to_owned();
        let (browser, page) = asked(&party, &user, &[]).await;
        assert!(page.body.contains("keeps access when you are not there"), "how long");
        // the pages that come before and an answer of another kind yield no code
        assert_eq!(begin(&browser, page.url.as_str()).await, "200");
        let form = page.form_with_button("decision", "allow");
        for answer in [
            &[][..],
            &[("decision", "")],
            &[("decision", "yes")],
            &[("decision", "Allow")],
            &[("allow", "1")],
        ] {
            let answered = browser.submit(&page, form.clone(), answer).await;
            assert_ne!(outcome(&answered), "code", "{answer:?}");
        }
        let allowed = press(&browser, &page, "decision", "allow").await;
        assert_eq!(outcome(&allowed), "code");
        // remembered, for those who registered themselves too
        assert_eq!(begin(&browser, &party.authorization_url()).await, "code");
        party.scope = "openid email".to_owned();
        assert_eq!(begin(&browser, &party.authorization_url()).await, "code");
        // more than that is asked again: a scope, a claim
        party.scope = "openid email profile".to_owned();
        assert_eq!(begin(&browser, &party.authorization_url()).await, "/login/consent");
        party.scope = "openid email".to_owned();
        let claims = json!({"userinfo": {"phone_number": null}}).to_string();
        let with_claims = party.authorization_url_with(&[("claims", &claims)]);
        assert_eq!(begin(&browser, &with_claims).await, "/login/consent");
        let page = browser.open(&with_claims).await;
        assert!(page.body.to_lowercase().contains("phone"), "{}", page.body);
        assert_eq!(outcome(&press(&browser, &page, "decision", "allow").await), "code");
        assert_eq!(begin(&browser, &with_claims).await, "code");
    }
    server.stop().await;
}

/// What is asked for by name is said in words of ours, once, and what is not understood is not said at all (Core section 5.5).
#[tokio::test(flavor = "multi_thread")]
async fn single_claims_are_asked_for_in_our_own_words() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid email".to_owned();
    let sentence = "Nothing else. Somebody vouches for this application.";
    let claims = json!({
        "userinfo": {"email": null, "phone_number": null, "phone_number_verified": null, sentence: null},
        "id_token": {"birthdate": {"essential": true}, "nickname": null, "given_name": null, "family_name": null},
    });
    let claims = claims.to_string();
    let (browser, page) = asked(&party, &user, &[("claims", &claims), ("ui_locales", "de")]).await;
    assert!(!page.body.contains("vouches"), "{}", page.body);
    for words in [
        "E-Mail-Adresse",
        "Telefonnummer",
        "Ihr Geburtsdatum",
        "Ihr Spitzname",
        "Ihr Name",
    ] {
        let bullet = format!("<span class=\"grant-name\">{words}");
        let own = format!("<span class=\"grant-name\">Ihre {words}");
        let times = page.body.matches(&bullet).count() + page.body.matches(&own).count();
        assert_eq!(times, 1, "{words}: {}", page.body);
    }
    for raw in ["birthdate", "phone_number", "nickname"] {
        assert!(!page.body.contains(&format!(">{raw}<")), "{raw}");
    }
    // it is not asked for again either
    assert_eq!(outcome(&press(&browser, &page, "decision", "allow").await), "code");
    let url = party.authorization_url_with(&[("claims", &claims)]);
    assert_eq!(begin(&browser, &url).await, "code");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_one_persons_for_one_client() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let ben = server.user("ben").await;
    let shop = server.client(|_| ()).await;
    let bank = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &shop);
    let (browser, page) = asked(&party, &ada, &[]).await;
    assert_eq!(outcome(&press(&browser, &page, "decision", "allow").await), "code");
    assert_eq!(
        begin(&browser, &RelyingParty::new(&server, &bank).authorization_url()).await,
        "/login/consent"
    );
    drop(asked(&party, &ben, &[]).await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_denies_has_allowed_nothing() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let (browser, page) = asked(&party, &user, &[]).await;
    let denied = arrival(&press(&browser, &page, "decision", "deny").await).unwrap();
    assert_eq!(denied.get("error"), "access_denied");
    assert_eq!(denied.get("state"), party.state);
    // a change of mind on the old page comes too late
    let answer = press(&browser, &page, "decision", "allow").await;
    assert_ne!(outcome(&answer), "code");
    assert_eq!(begin(&browser, &party.authorization_url()).await, "/login/consent");
    let mut store = server.provider().store.read().await.unwrap();
    assert!(store.find_consent(user.id, client.id).await.unwrap().is_none());
    drop(store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_click_gets_the_same_answer() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let (browser, page) = asked(&party, &user, &[]).await;
    let first = arrival(&press(&browser, &page, "decision", "allow").await).unwrap();
    let second = arrival(&press(&browser, &page, "decision", "allow").await).unwrap();
    assert_eq!(first.parameters, second.parameters);
    party.redeem(first.code()).await.ok();
    server.stop().await;
}

/// SEC-021.
#[tokio::test(flavor = "multi_thread")]
async fn consent_withdraw_kills_tokens() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let ben = server.user("ben").await;
        let shop = server.client(|_| ()).await;
        let opaque = server
            .client(|client| client.policy.access_token_format = ostiary::model::AccessTokenFormat::Opaque)
            .await;
        for client in [&shop, &opaque] {
            let party = RelyingParty::new(server, client);
            let kept = party.tokens(&ben).await;
            let tokens = party.tokens(&ada).await;
            let waiting = party.sign_in(&Browser::new(), &ada).await;
            assert_eq!(
                consents::list(server.provider(), &server.call(), ada.id).await.unwrap()[0].client,
                client.id
            );

            consents::withdraw_of(
                server.provider(),
                &server.call(),
                &ChangeSource::Command,
                ada.id,
                client.id,
            )
            .await
            .unwrap();

            assert_eq!(
                party.refresh(&tokens.get("refresh_token")).await.error(),
                "invalid_grant"
            );
            for token in ["access_token", "refresh_token"] {
                let answer = party.introspect(&tokens.get(token)).await.ok();
                assert_eq!(answer.json(), json!({"active": false}), "{token}");
            }
            assert_eq!(
                party.userinfo(&tokens.get("access_token")).await.status,
                StatusCode::UNAUTHORIZED
            );
            // a code that was on its way when it was taken back
            let late = party.redeem(waiting.code()).await;
            if late.status.is_success() {
                assert_eq!(party.refresh(&late.get("refresh_token")).await.error(), "invalid_grant");
                panic!("a code outlives the consent it rests on");
            }
            assert_eq!(late.error(), "invalid_grant");
            // asked again, and others are none the wiser
            drop(asked(&party, &ada, &[]).await);
            party.userinfo(&kept.get("access_token")).await.ok();
            party.refresh(&kept.get("refresh_token")).await.ok();
            let again = consents::withdraw_of(
                server.provider(),
                &server.call(),
                &ChangeSource::Command,
                ada.id,
                client.id,
            )
            .await;
            assert!(matches!(again, Err(Error::NotFound)));
        }
        assert!(
            consents::list(server.provider(), &server.call(), ada.id)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_back_ends_what_an_unasked_client_got_too() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(skips).await;
    let party = RelyingParty::new(&server, &client);
    let tokens = party.tokens(&user).await;
    consents::withdraw_of(
        server.provider(),
        &server.call(),
        &ChangeSource::Command,
        user.id,
        client.id,
    )
    .await
    .unwrap();
    assert_eq!(
        party.refresh(&tokens.get("refresh_token")).await.error(),
        "invalid_grant"
    );
    let stranger = ostiary::model::Id::new(server.call().now);
    let nobody = consents::withdraw_of(
        server.provider(),
        &server.call(),
        &ChangeSource::Command,
        stranger,
        client.id,
    )
    .await;
    assert!(matches!(nobody, Err(Error::NotFound)));
    assert!(matches!(
        consents::list(server.provider(), &server.call(), stranger).await,
        Err(Error::NotFound)
    ));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_waits_an_hour_and_no_longer() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let mut party = RelyingParty::new(&server, &client);
    party.scope = Scopes::from_tokens(["openid"]).to_string();
    let (browser, page) = asked(&party, &user, &[]).await;
    server.advance(Duration::from_secs(60 * 60 + 1));
    let answered = press(&browser, &page, "decision", "allow").await;
    assert!(answered.status.is_client_error(), "{}", answered.status);
    assert_eq!(answered.header("location"), "");
    server.stop().await;
}

/// SEC-021: an administrator sees and takes back what a person has allowed.
#[tokio::test(flavor = "multi_thread")]
async fn consent_withdraw_kills_tokens_through_the_api() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let tokens = party.tokens(&user).await;
    let token = async |scope: &str| {
        let service = server
            .client(|client| {
                client.metadata.grant_types = vec![GrantType::ClientCredentials];
                client.metadata.scope = Scopes::from_tokens([scope]);
            })
            .await;
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        RelyingParty::new(&server, &service)
            .token(&form)
            .await
            .ok()
            .get("access_token")
    };
    let may_change = token("admin:users").await;
    let may_read = token("admin:users.read").await;
    let of_user = format!("/api/v1/users/{}/consents", user.id);
    let list = party.get(&of_user, &may_read).await.ok().json();
    assert_eq!(list["items"][0]["client"], client.id.to_string());
    assert_eq!(list["items"][0]["scope"], party.scope);
    let http = plain_http().build().unwrap();
    let withdraw = async |token: &str| {
        let request = http.delete(server.url(&format!("{of_user}/{}", client.id)));
        request
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(withdraw(&may_read).await, StatusCode::FORBIDDEN);
    party.userinfo(&tokens.get("access_token")).await.ok();
    assert_eq!(withdraw(&may_change).await, StatusCode::NO_CONTENT);
    assert_eq!(
        party.refresh(&tokens.get("refresh_token")).await.error(),
        "invalid_grant"
    );
    assert_eq!(
        party.userinfo(&tokens.get("access_token")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(withdraw(&may_change).await, StatusCode::NOT_FOUND);
    server.stop().await;
}
