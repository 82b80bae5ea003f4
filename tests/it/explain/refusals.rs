//! Each refusal, led back from what was shown to the rule, the setting and what changes it. On every back end.

use std::time::Duration;

use ostiary::flow::people::{ChangeSource, deactivate_user};
use serde_json::json;

use super::{explained, fact, of_client, of_user, shown_id};
use crate::api::conversation::{Caller, client_token, service};
use crate::oauth::scene::{Scene, Tokens, trusted};
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_wrong_redirect_uri_is_led_back_from_the_ten_characters_of_the_page() {
    each_backend(async |server: &Server| {
        let client = trusted(server).await;
        let party = RelyingParty::new(server, &client);
        let wrong = format!("{}/", client.redirect_uri);
        let page = Browser::new()
            .get(&party.authorization_url_with(&[("redirect_uri", &wrong)]))
            .await;
        assert_eq!(page.status, 400);
        let told = explained(server, &shown_id(&page.body)).await;
        assert_eq!(told["rule"], "authorization.redirect_uri_unregistered");
        assert_eq!(
            (&told["part"], &told["verdict"]),
            (&json!("authorization"), &json!("refused"))
        );
        assert_eq!(fact(&told, "differs_in"), "trailing_slash");
        assert_eq!(fact(&told, "registered"), 1);
        assert!(told["sentence"].as_str().unwrap().contains("a slash at its end"));
        assert_eq!(told["client"]["name"], client.client_id.as_str());
        let request = told["change"]["request"].as_str().unwrap();
        assert!(request.contains(&client.id.to_string()), "{request}");
        // the event of the same request stands beside it
        assert_eq!(told["events"][0]["reason"], told["rule"]);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_and_a_disabled_client_are_told_apart_for_the_administrator_alone() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let browser = Browser::new();
        let unknown = scene.party().authorization_url_with(&[("client_id", "nobody")]);
        let of_unknown = browser.get(&unknown).await;
        scene
            .change_client(|client| client.disabled_at = Some(client.created_at))
            .await;
        let of_disabled = browser.get(&scene.party().authorization_url()).await;
        let told = explained(server, &shown_id(&of_unknown.body)).await;
        assert_eq!(told["rule"], "authorization.client_unknown");
        assert!(told.get("client").is_none());
        let told = explained(server, &shown_id(&of_disabled.body)).await;
        assert_eq!(told["rule"], "authorization.client_unknown");
        assert_eq!(fact(&told, "disabled"), true);
        assert_eq!(told["client"]["id"], scene.client.id.to_string());
    })
    .await;
}

#[tokio::test]
async fn a_missing_code_challenge_names_what_to_switch_on() {
    each_backend(async |server: &Server| {
        let client = server.public_client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let page = Browser::new().get(&party.authorization_url_with(&without)).await;
        assert!(page.location().unwrap().query().unwrap().contains("invalid_request"));
        let told = of_client(server, &client).await;
        assert_eq!(told["rule"], "pkce.required");
        assert_eq!(told["decisions"][0]["rule"], "authorization.trusted");
        assert!(told["change"]["remedy"].as_str().unwrap().contains("S256"));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_and_a_deactivated_account_are_found_by_the_person() {
    each_backend(async |server: &Server| {
        let user = server.user("ada").await;
        let browser = Browser::new();
        let sign_in = async |password: &str| {
            let page = browser.get(&server.url("/login")).await;
            let form = page.forms().into_iter().find(|form| form.has("password")).unwrap();
            let values = [("username", user.username.as_str()), ("password", password)];
            browser.submit(&page, form, &values).await
        };
        assert_eq!(sign_in("not the one").await.status, 422);
        let told = of_user(server, &user).await;
        assert_eq!(
            (&told["part"], &told["rule"]),
            (&json!("sign_in"), &json!("sign_in.wrong_password"))
        );
        assert_eq!(told["user"]["name"], "ada");
        assert_eq!(told["change"]["command"], "ostiary users set-password ada");

        deactivate_user(server.provider(), &server.call(), &ChangeSource::Command, user.id, None)
            .await
            .unwrap();
        assert_eq!(sign_in(&user.password).await.status, 403);
        let told = of_user(server, &user).await;
        assert_eq!(told["rule"], "sign_in.inactive");
        assert_eq!(told["change"]["command"], "ostiary users reactivate ada");

        // somebody whom nobody knows is kept, too, about nobody
        let list = super::reader(server).await;
        server.settings(json!({"guess": {"account_budget": 3}})).await;
        for _ in 0..3 {
            assert_eq!(sign_in("again").await.status, 422);
        }
        assert_eq!(sign_in("again").await.status, 429);
        let told = of_user(server, &user).await;
        assert_eq!(told["rule"], "guess.account");
        assert_eq!(
            told["change"]["setting"],
            json!({"key": "guess.account_budget", "value": 3, "source": "everyone"})
        );
        assert_eq!(
            told["change"]["setting_change"],
            "PATCH /api/v1/settings {\"guess\":{\"account_budget\":3}}"
        );
        let all = list.get("/traces?limit=200").await.ok().json();
        assert!(all["items"].as_array().unwrap().len() > 5);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_came_twice_is_led_back_to_the_sign_in_it_came_from() {
    each_backend(async |server: &Server| {
        let client = server.client(|_| ()).await;
        let user = server.user("ada").await;
        let party = RelyingParty::new(server, &client);
        let arrival = party.sign_in(&Browser::new(), &user).await;
        party.redeem(arrival.code()).await.ok();
        let again = party.redeem(arrival.code()).await;
        assert_eq!(again.error(), "invalid_grant");
        let told = explained(server, &again.get("trace_id")).await;
        assert_eq!(
            (&told["part"], &told["rule"]),
            (&json!("token"), &json!("code.replayed"))
        );
        assert_eq!(told["user"]["name"], "ada");
        assert_eq!(told["client"]["name"], client.client_id.as_str());
        // the journey: the request, the sign-in with the question after it, the consent
        let related = told["related"].as_array().unwrap();
        let rules: Vec<&str> = related.iter().map(|each| each["rule"].as_str().unwrap()).collect();
        for rule in [
            "prompt.login",
            "sign_in.session",
            "prompt.consent",
            "authorization.code",
        ] {
            assert!(rules.contains(&rule), "{rules:?}");
        }
        let first = related[0]["trace_id"].as_str().unwrap();
        let begun = explained(server, first).await;
        assert_eq!(begun["decisions"][1]["rule"], "session.none");
        assert!(
            begun["related"]
                .as_array()
                .unwrap()
                .iter()
                .any(|each| each["rule"] == "code.replayed")
        );
    })
    .await;
}

#[tokio::test]
async fn a_wrong_verifier_and_a_late_code_say_so() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let mut party = scene.party();
        let code = scene.code(&party).await;
        "another".repeat(7).clone_into(&mut party.code_verifier);
        let told = explained(server, &party.redeem(&code).await.get("trace_id")).await;
        assert_eq!(told["rule"], "pkce.verifier");
        assert_eq!(fact(&told, "challenge"), true);
        assert!(!told["related"].as_array().unwrap().is_empty());

        let party = scene.party();
        let code = scene.code(&party).await;
        server.advance(Duration::from_secs(61));
        let told = explained(server, &party.redeem(&code).await.get("trace_id")).await;
        assert!(["code.expired", "code.unknown"].contains(&told["rule"].as_str().unwrap()));
        assert_eq!(told["change"]["setting"]["key"], "token.code_lifetime");
        assert_eq!(told["decisions"][0]["setting"]["value"], "1m");
    })
    .await;
}

#[tokio::test]
async fn a_replayed_refresh_token_names_the_window() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let first = scene.tokens().await;
        let party = scene.party();
        let second = Tokens::of(&party.refresh(&first.refresh).await);
        server.advance(Duration::from_secs(31));
        let replayed = party.refresh(&first.refresh).await;
        assert_eq!(replayed.error(), "invalid_grant");
        let told = explained(server, &replayed.get("trace_id")).await;
        assert_eq!(told["rule"], "refresh.replayed");
        assert_eq!(
            told["change"]["setting"],
            json!({"key": "token.refresh_retry_window", "value": "30s", "source": "built in"})
        );
        assert!(fact(&told, "used_before").is_string());
        let after = explained(server, &party.refresh(&second.refresh).await.get("trace_id")).await;
        assert_eq!(after["rule"], "refresh.ended");
        assert_eq!(after["user"]["id"], scene.user.id.to_string());
    })
    .await;
}

#[tokio::test]
async fn an_expired_session_with_prompt_none_names_the_setting_that_ended_it() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        scene.tokens().await;
        let silent = async || {
            let url = scene.party().authorization_url_with(&[("prompt", "none")]);
            let page = scene.browser.get(&url).await;
            let refused = page
                .location()
                .unwrap()
                .query_pairs()
                .any(|(_, value)| value == "login_required");
            assert!(refused, "{:?}", page.location());
            of_client(server, &scene.client).await
        };
        server
            .settings(json!({"session": {"idle_timeout": "1h", "lifetime": "10h"}}))
            .await;
        server.advance(HOUR);
        let told = silent().await;
        assert_eq!(told["rule"], "prompt_none.login");
        assert_eq!(fact(&told, "because"), "nobody_signed_in");
        assert_eq!(told["decisions"][1]["rule"], "session.idle");
        assert_eq!(
            told["change"]["setting"],
            json!({"key": "session.idle_timeout", "value": "1h", "source": "everyone"})
        );

        // a session that is past its end, whether used or not
        let scene = Scene::on(server).await;
        server
            .settings(json!({"session": {"idle_timeout": "30h", "lifetime": "10h"}}))
            .await;
        scene.tokens().await;
        server.advance(11 * HOUR);
        let url = scene.party().authorization_url_with(&[("prompt", "none")]);
        scene.browser.get(&url).await;
        let told = of_client(server, &scene.client).await;
        assert_eq!(told["decisions"][1]["rule"], "session.expired");
        assert_eq!(told["change"]["setting"]["key"], "session.lifetime");

        // and one that somebody ended
        let scene = Scene::on(server).await;
        scene.tokens().await;
        scene.end_sessions().await;
        scene
            .browser
            .get(&scene.party().authorization_url_with(&[("prompt", "none")]))
            .await;
        let told = of_client(server, &scene.client).await;
        assert_eq!(told["decisions"][1]["rule"], "session.ended");
    })
    .await;
}

#[tokio::test]
async fn closed_registration_names_the_mode_and_who_set_it() {
    each_backend(async |server: &Server| {
        let register = async || {
            let answer = plain_http()
                .build()
                .unwrap()
                .post(server.url("/oauth2/register"))
                .header("content-type", "application/json")
                .body(json!({"redirect_uris": ["https://client.example/callback"]}).to_string())
                .send()
                .await
                .unwrap();
            let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            explained(server, body["trace_id"].as_str().unwrap()).await
        };
        let told = register().await;
        assert_eq!(
            (&told["part"], &told["rule"]),
            (&json!("registration"), &json!("client_registration_closed"))
        );
        assert_eq!(
            told["change"]["setting"],
            json!({"key": "client_registration.mode", "value": "closed", "source": "built in"})
        );
        server.settings(json!({"client_registration": {"mode": "token"}})).await;
        let told = register().await;
        assert_eq!(told["rule"], "initial_access_token_missing");
        assert_eq!(told["change"]["setting"]["source"], "everyone");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_client_secret_and_a_wrong_method_tell_the_administrator_more_than_the_client() {
    each_backend(async |server: &Server| {
        let client = server.client(|_| ()).await;
        let mut wrong = client.clone();
        wrong.secret = "not the one".to_owned();
        let answer = RelyingParty::new(server, &wrong).refresh("x").await;
        assert_eq!(answer.error(), "invalid_client");
        let told = explained(server, &answer.get("trace_id")).await;
        assert_eq!(told["rule"], "client_secret");
        assert_eq!(fact(&told, "registered"), "client_secret_basic");
        assert_eq!(
            told["change"]["command"],
            format!("ostiary clients rotate-secret {}", client.client_id)
        );
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &client.client_id),
            ("client_secret", &client.secret),
        ];
        let answer = RelyingParty::new(server, &client)
            .post_as("/oauth2/token", &form, &[])
            .await;
        let told = explained(server, &answer.get("trace_id")).await;
        assert_eq!(told["rule"], "client_method");
        assert_eq!(fact(&told, "presented"), "client_secret_post");
    })
    .await;
}

#[tokio::test]
async fn the_api_says_which_permission_and_which_token() {
    each_backend(async |server: &Server| {
        let client = service(server, "admin:users.read").await;
        let caller = Caller::with_token(server, &client_token(server, &client).await).await;
        let refused = caller.get("/keys").await;
        assert_eq!(refused.status, 403);
        let told = explained(server, &refused.get("trace_id")).await;
        assert_eq!(
            (&told["part"], &told["rule"]),
            (&json!("api"), &json!("api.permission"))
        );
        assert_eq!(fact(&told, "permission"), "admin:keys.read");
        assert_eq!(told["client"]["name"], client.client_id.as_str());

        let missing = Caller::with_token(server, "").await.get("/keys").await;
        assert_eq!(
            explained(server, &missing.get("trace_id")).await["rule"],
            "api.token_missing"
        );
        server.advance(HOUR);
        let expired = caller.get("/users").await;
        assert_eq!(expired.status, 401);
        let told = explained(server, &expired.get("trace_id")).await;
        assert_eq!(told["rule"], "access_token.expired");
        assert_eq!(told["change"]["setting"]["key"], "token.access_lifetime");
        assert_eq!(told["client"]["id"], client.id.to_string());

        let invalid = Caller::client(server, "admin:users").await;
        let answer = invalid.post("/users", json!({"username": ""})).await;
        let told = explained(server, &answer.get("trace_id")).await;
        assert_eq!(told["rule"], "request.invalid");
        assert!(told["client"]["id"].is_string());
    })
    .await;
}

#[tokio::test]
async fn an_access_token_that_does_not_count_says_why() {
    each_backend(async |server: &Server| {
        let scene = Scene::on(server).await;
        let party = scene.party_for("openid profile");
        let rule = async |token: &str| {
            let refused = party.userinfo(token).await;
            assert_eq!(refused.error(), "invalid_token");
            explained(server, &refused.get("trace_id")).await["rule"].clone()
        };
        assert_eq!(rule("nothing").await, "access_token.unknown");
        let revoked = scene.tokens_of(&party).await;
        party.revoke(&revoked.access).await;
        assert_eq!(rule(&revoked.access).await, "access_token.revoked");
        let ended = scene.tokens_of(&party).await;
        party.revoke(&ended.refresh).await;
        assert_eq!(rule(&ended.access).await, "access_token.grant_ended");
        let elsewhere = client_token(server, &service(server, "admin").await).await;
        assert_eq!(rule(&elsewhere).await, "access_token.audience");
        let over = scene.tokens_of(&party).await;
        scene.end_sessions().await;
        assert_eq!(rule(&over.access).await, "access_token.session");
    })
    .await;
}

#[tokio::test]
async fn every_error_page_leads_somewhere() {
    each_backend(async |server: &Server| {
        let browser = Browser::new();
        for (path, rule) in [
            ("/nothing-here", "request.not_found"),
            ("/login?flow=gone", "request.expired"),
            ("/setup?token=gone", "setup.link"),
            ("/oauth2/authorize", "authorization.client_missing"),
            ("/oauth2/end_session?id_token_hint=x", "logout.hint"),
        ] {
            let page = browser.get(&server.url(path)).await;
            assert!(page.status.is_client_error(), "{path} {}", page.status);
            let told = explained(server, &shown_id(&page.body)).await;
            assert_eq!(told["rule"], rule, "{path}");
            assert!(told["sentence"].as_str().unwrap().ends_with('.'), "{told}");
        }
        let forged = browser.post(&server.url("/login"), &[("username", "ada")]).await;
        if forged.status == 403 && forged.body.contains("class=\"trace\"") {
            let told = explained(server, &shown_id(&forged.body)).await;
            assert!(told["rule"].as_str().unwrap().starts_with("request."), "{told}");
        }
    })
    .await;
}
