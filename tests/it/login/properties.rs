//! Properties that an administrator has defined, where people and applications meet them.

use serde_json::{Value, json};

use super::registration::{ask, fill, links};
use super::{is_signed_in, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::oauth::scene::Scene;
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::relying_party::claims;
use crate::support::server::{Server, each_backend};

async fn define(server: &Server, definitions: &[Value]) {
    let caller = Caller::client(server, "admin:properties").await;
    for definition in definitions {
        let made = caller.post("/properties", definition.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
}

/// A person sees and changes of their own what the definitions let them, on the page and by program.
#[tokio::test]
async fn a_person_meets_their_own_properties() {
    each_backend(async |server| {
        define(
            server,
            &[
                json!({"name": "badge", "type": "text", "users": "read", "default": "<b>7</b>", "labels": {"en": "Badge <i>"}}),
                json!({"name": "secret", "type": "text", "users": "none", "default": "hidden value"}),
                json!({"name": "diet", "type": "choice", "users": "write", "choices": [{"value": "all"}, {"value": "vegan", "labels": {"en": "Only plants"}}]}),
                json!({"name": "shoe", "type": "number", "users": "write", "minimum": 20, "maximum": 60}),
                json!({"name": "spoken", "type": "list", "users": "write"}),
            ],
        )
        .await;
        let caller = Caller::client(server, "admin:users").await;
        let ada = server.user("ada").await;
        caller.patch(&format!("/users/{}", ada.id), json!({"properties": {"badge": "<b>7</b>", "secret": "hidden value"}})).await.ok();
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let page = browser.get(&server.url("/account/profile")).await;
        assert!(page.body.contains("&lt;b&gt;7&lt;") && !page.body.contains("<b>7"), "{}", page.body);
        assert!(!page.body.contains("hidden value") && !page.body.contains("name=\"property_badge\""));
        assert!(page.body.contains("Only plants"));
        let form = || page.form_with("property_shoe");
        let wrong = [("property_shoe", "61"), ("property_diet", "meat"), ("property_badge", "8")];
        let refused = browser.submit(&page, form(), &wrong).await;
        assert_eq!(refused.status, 422);
        assert!(unescape(&refused.body).contains("less or more than it may be"), "{}", refused.body);
        assert!(refused.body.contains("value=\"61\""), "what was typed stays");
        let right = [("property_shoe", "39.5"), ("property_diet", "vegan"), ("property_spoken", "French\r\n\r\n English ")];
        let saved = browser.submit(&page, form(), &right).await;
        assert_eq!(saved.status, 303, "{}", saved.body);
        let kept = server.account(&ada).await.profile.properties;
        assert_eq!(
            json!(kept),
            json!({"badge": "<b>7</b>", "secret": "hidden value", "shoe": 39.5, "diet": "vegan", "spoken": ["French", "English"]})
        );
        let own = Caller::with_token(server, &user_token(server, &ada, "account").await).await;
        let told = own.get("/me").await.ok().json();
        assert_eq!(told["properties"]["badge"], "<b>7</b>");
        assert_eq!(told["properties"].get("secret"), None);
        let changed = own.patch("/me", json!({"properties": {"shoe": null, "diet": "all"}})).await.ok().json();
        assert_eq!(changed["properties"], json!({"badge": "<b>7</b>", "diet": "all", "spoken": ["French", "English"]}));
        for name in ["badge", "secret"] {
            let refused = own.patch("/me", json!({"properties": {name: "x"}})).await;
            assert_eq!(refused.status, 422);
            assert_eq!(refused.json()["errors"][0]["code"], "not_editable");
        }
    })
    .await;
}

/// What is required is asked of whoever makes themselves an account, and of whoever has one, on the way in.
#[tokio::test]
async fn what_is_required_is_asked_for() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        server.settings(json!({"registration.mode": "open", "registration.fields": "given_name"})).await;
        define(
            server,
            &[
                json!({"name": "member", "type": "text", "pattern": "[0-9]{4}", "required": true, "registration": true, "users": "write", "unique": true}),
                json!({"name": "news", "type": "boolean", "registration": true, "default": false}),
            ],
        )
        .await;
        let browser = Browser::new();
        ask(server, &browser, "grace@example.com").await;
        let [link] = links(server, "grace@example.com").await.try_into().unwrap();
        let page = browser.get(&link).await;
        for (member, said) in [("", "has to be entered"), ("12", "does not look as it has to")] {
            let refused = fill(&browser, &page, &[("property_member", member)]).await;
            assert_eq!(refused.status, 422);
            assert!(unescape(&refused.body).contains(said), "{}", refused.body);
        }
        let made = fill(&browser, &page, &[("property_member", "1234"), ("property_news", "true")]).await;
        assert_eq!(made.status, 303, "{}", made.body);
        let caller = Caller::client(server, "admin:users").await;
        let grace = caller.get("/users?q=grace").await.ok().json()["items"][0].clone();
        assert_eq!(grace["properties"], json!({"member": "1234", "news": true}));

        // who has an account already is asked at the next sign-in
        let browser = Browser::new();
        let stopped = sign_in(server, &browser, &ada).await;
        let page = browser.follow(stopped).await;
        assert!(page.body.contains("name=\"property_member\""), "{}", page.body);
        for (member, said) in [("", "has to be entered"), ("1234", "Somebody else has this")] {
            let refused = browser.submit(&page, page.form_with("property_member"), &[("property_member", member)]).await;
            if refused.status == 422 {
                assert!(unescape(&refused.body).contains(said), "{}", refused.body);
            }
            assert!(!is_signed_in(server, &browser).await, "{member}");
        }
        let page = browser.get(page.url.as_str()).await;
        let entered = browser.submit(&page, page.form_with("property_member"), &[("property_member", "4321")]).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        assert!(is_signed_in(server, &browser).await);
        assert_eq!(server.account(&ada).await.profile.properties["member"], "4321");
    })
    .await;
}

/// Applications are told by the claim of the definition, where its scope was granted and the client is among those that may be told.
#[tokio::test]
async fn applications_are_told_what_the_definition_lets_them() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        define(
            server,
            &[
                json!({"name": "badge", "type": "number", "claim": "https://example.com/badge"}),
                json!({"name": "email_box", "type": "text", "claim": "box", "scope": "email"}),
                json!({"name": "other", "type": "text", "claim": "other", "clients": ["somebody-else"]}),
                json!({"name": "untold", "type": "text"}),
            ],
        )
        .await;
        let caller = Caller::client(server, "admin:users").await;
        let values = json!({"badge": 7, "email_box": "b", "other": "o", "untold": "u"});
        caller
            .patch(&format!("/users/{}", scene.user.id), json!({"properties": values}))
            .await
            .ok();
        let party = scene.party_for("openid profile");
        let wanted = json!({"id_token": {"https://example.com/badge": null, "box": null, "other": null}}).to_string();
        let arrival = scene
            .arrive(&party.authorization_url_with(&[("claims", &wanted)]))
            .await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let told = party.userinfo(&tokens.get("access_token")).await.json();
        assert_eq!(told["https://example.com/badge"], 7);
        let id_token = claims(&tokens.get("id_token"));
        assert_eq!(id_token["https://example.com/badge"], 7);
        for name in ["box", "other", "untold"] {
            assert!(
                told.get(name).is_none() && id_token.get(name).is_none(),
                "{name}: {told} {id_token:?}"
            );
        }
        let reader = Caller::client(server, "admin:traces").await;
        let explained = reader
            .post("/traces/token", json!({"token": tokens.get("id_token")}))
            .await
            .ok()
            .json();
        let text = explained.to_string();
        for said in [
            "the account's property badge",
            "is not told to this client",
            "the scope email was not granted",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    })
    .await;
}
