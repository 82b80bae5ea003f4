//! A person's own password: changed at `/account/password` and by the interface, by whoever knows the one until now.

use serde_json::json;

use super::recovery::{links, mails};
use super::{MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

const NEW: &str = "a long walk by the river at noon";
const OTHER: &str = "an otter under the old bridge";

async fn change(server: &Server, browser: &Browser, old: &str, new: &str, more: &[(&str, &str)]) -> Page {
    let page = browser.get(&server.url("/account/password")).await;
    let mut fields = vec![("old_password", old), ("password", new), ("password_again", new)];
    fields.extend_from_slice(more);
    browser.submit(&page, page.form_with("old_password"), &fields).await
}

/// SEC-213: a missing or wrong current password is refused and counted; others are signed out in the same step, if wished.
#[tokio::test]
async fn password_change_rules() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let (here, there) = (Browser::new(), Browser::new());
        let away = here.get(&server.url("/account/password")).await;
        assert_eq!(away.header("location"), "/login?return_to=%2Faccount%2Fpassword");
        for browser in [&here, &there] {
            sign_in(server, browser, &ada).await;
        }
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let redeemed = |arrival: crate::support::browser::Arrival| {
            let party = &party;
            async move { party.redeem(arrival.code()).await.ok().get("refresh_token") }
        };
        let own = redeemed(here.sign_in(&party.authorization_url(), &ada).await).await;
        let foreign = redeemed(there.sign_in(&party.authorization_url(), &ada).await).await;

        assert!(
            here.get(&server.url("/account"))
                .await
                .body
                .contains("/account/password")
        );
        for (old, new) in [
            ("", NEW),
            ("wrong", NEW),
            (ada.password.as_str(), "short"),
            (&ada.password, &ada.password),
        ] {
            let refused = change(server, &here, old, new, &[]).await;
            assert_eq!(refused.status, 422, "{old} {new}");
            assert!(!refused.body.contains(NEW));
        }
        let page = here.get(&server.url("/account/password")).await;
        let form = page.form_with("old_password");
        assert!(
            form.inputs
                .iter()
                .any(|(name, value)| name == "end_others" && value == "1")
        );
        let done = change(server, &here, &ada.password, NEW, &[]).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(here.follow(done).await.body.contains("Your new password is set."));
        assert!(is_signed_in(server, &here).await, "who did it stays");
        assert!(!is_signed_in(server, &there).await);
        assert_eq!(party.refresh(&foreign).await.error(), "invalid_grant");
        assert_eq!(
            party.refresh(&own).await.error(),
            "invalid_grant",
            "it connects anew, and nobody is asked"
        );
        redeemed(here.sign_in(&party.authorization_url(), &ada).await).await;
        assert_eq!(sign_in(server, &there, &ada).await.status, 422);
        assert_eq!(sign_in_with(server, &there, "ada", NEW).await.status, 303);
        let all = mails(server).await;
        assert_eq!(
            all.iter()
                .filter(|(_, text)| text.contains("Your password was changed"))
                .count(),
            1
        );

        // and others stay where that is wished
        let page = here.get(&server.url("/account/password")).await;
        let mut form = page.form_with("old_password");
        form.inputs.retain(|(name, _)| name != "end_others");
        let fields = [("old_password", NEW), ("password", OTHER), ("password_again", OTHER)];
        assert_eq!(here.submit(&page, form, &fields).await.status, 303);
        assert!(is_signed_in(server, &there).await);

        // guesses count as those at the sign-in do
        let mut last = change(server, &here, "wrong", NEW, &[]).await;
        for _ in 0..12 {
            last = change(server, &here, "wrong", NEW, &[]).await;
        }
        assert_eq!(last.status, 429);
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", OTHER).await.status, 429);
        assert!(is_signed_in(server, &here).await);
    })
    .await;
}

#[tokio::test]
async fn a_token_with_the_right_scope_changes_the_password_too() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let reading = user_token(server, &ada, "account.read").await;
        let body = |old: &str, new: &str| json!({"current_password": old, "password": new});
        let reader = Caller::with_token(server, &reading).await;
        assert_eq!(reader.post("/me/password", body(&ada.password, NEW)).await.status, 403);
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let caller = Caller::with_token(server, &user_token(server, &ada, "account").await).await;
        let wrong = caller.post("/me/password", body("wrong", NEW)).await;
        assert_eq!(wrong.status, 422);
        assert_eq!(wrong.json()["errors"][0]["pointer"], "/current_password");
        let weak = caller.post("/me/password", body(&ada.password, "short")).await;
        assert_eq!(weak.json()["errors"][0]["code"], "too_short");
        assert_eq!(caller.post("/me/password", json!({"pasword": NEW})).await.status, 422);
        let done = caller.post("/me/password", body(&ada.password, NEW)).await;
        assert_eq!(done.status, 204, "{}", done.body);
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(caller.get("/me").await.status, 401, "the application connects anew");
        assert_eq!(sign_in_with(server, &browser, "ada", NEW).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn the_rules_of_a_group_count_wherever_its_people_set_a_password() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let staff = server.group("staff", &[], &[&ada]).await;
        let caller = Caller::client(server, "admin:users admin:groups admin:settings").await;
        let said = caller
            .patch(
                &format!("/groups/{staff}/settings"),
                json!({"password": {"minimum_length": 20, "maximum_length": 64, "history": 3}}),
            )
            .await;
        assert_eq!(said.status, 200, "{}", said.body);
        let shown = caller
            .get(&format!("/users/{}/effective-settings", ada.id))
            .await
            .ok()
            .json();
        let items = shown["items"].as_array().unwrap();
        let least = items
            .iter()
            .find(|item| item["key"] == "password.minimum_length")
            .unwrap();
        assert_eq!(least["value"], 20);
        assert!(least["source"].as_str().unwrap().ends_with("group staff"), "{least}");

        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let short = "seventeen letters";
        let long = "many words ".repeat(7);
        let page = browser.get(&server.url("/account/password")).await;
        assert!(page.body.contains("At least 20 characters"), "{}", page.body);
        for new in [short, long.as_str()] {
            assert_eq!(
                change(server, &browser, &ada.password, new, &[]).await.status,
                422,
                "{new}"
            );
            let reset = json!({"password": new});
            let refused = caller.post(&format!("/users/{}/reset-password", ada.id), reset).await;
            assert_eq!(refused.status, 422, "{new}");
            let made = json!({"username": "new", "password": new, "groups": ["staff"]});
            assert_eq!(caller.post("/users", made).await.status, 422, "{new}");
        }
        let made = json!({"username": "free", "password": short});
        assert_eq!(
            caller.post("/users", made).await.status,
            201,
            "others have others' rules"
        );

        // the last three are not taken again, by link or otherwise
        let words = [
            "the first of four passwords",
            "the second of four passwords",
            "the third of four passwords",
        ];
        let mut old = ada.password.clone();
        for new in words {
            server.advance(MINUTE);
            assert_eq!(change(server, &browser, &old, new, &[]).await.status, 303, "{new}");
            new.clone_into(&mut old);
        }
        for new in &words[..2] {
            let refused = change(server, &browser, &old, new, &[]).await;
            assert!(
                refused.body.contains("you had this one before"),
                "{new}: {}",
                refused.body
            );
            let refused = caller
                .post(&format!("/users/{}/reset-password", ada.id), json!({"password": new}))
                .await;
            assert_eq!(refused.json()["errors"][0]["code"], "used_before", "{new}");
        }
        let page = browser.get(&server.url("/login/forgot")).await;
        browser
            .submit(&page, page.form_with("username"), &[("username", "ada")])
            .await;
        let page = browser.get(&links(server, &ada).await[0]).await;
        let fields = [("password", words[0]), ("password_again", words[0])];
        let refused = browser.submit(&page, page.form_with("password"), &fields).await;
        assert!(refused.body.contains("you had this one before"), "{}", refused.body);
        let first = ada.password.as_str();
        let fields = [("password", first), ("password_again", first)];
        assert_eq!(
            browser.submit(&page, page.form_with("password"), &fields).await.status,
            303,
            "that is long ago"
        );
    })
    .await;
}

/// SEC-223: no password has to be replaced for its age unless somebody says so.
#[tokio::test]
async fn a_password_that_is_too_old_has_to_be_replaced_and_one_of_somebody_elses_sooner() {
    each_backend(async |server| {
        let day = 24 * super::HOUR;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let caller = Caller::client(server, "admin:users").await;
        let reset = json!({"password": NEW});
        let answer = caller.post(&format!("/users/{}/reset-password", bob.id), reset).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        server.advance(3 * day);
        assert_eq!(
            sign_in_with(server, &Browser::new(), "bob", NEW).await.status,
            303,
            "never, by itself"
        );
        server
            .settings(json!({"password.expires_after": "90d", "password.initial_expires_after": "2d"}))
            .await;
        let stopped = sign_in_with(server, &Browser::new(), "bob", NEW).await;
        assert_eq!(stopped.location().unwrap().path(), "/login/action", "{}", stopped.body);
        assert_eq!(sign_in_with(server, &Browser::new(), "bob", "wrong").await.status, 422);
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        server.advance(90 * day);
        let stopped = sign_in(server, &Browser::new(), &ada).await;
        assert_eq!(stopped.location().unwrap().path(), "/login/action");

        // the mailed link is a way out, too
        let browser = Browser::new();
        for (person, old) in [(&ada, ada.password.as_str()), (&bob, NEW)] {
            let page = browser.get(&server.url("/login/forgot")).await;
            let name = person.username.as_str();
            browser
                .submit(&page, page.form_with("username"), &[("username", name)])
                .await;
            let page = browser.get(&links(server, person).await[0]).await;
            let fields = [("password", OTHER), ("password_again", OTHER)];
            assert_eq!(
                browser.submit(&page, page.form_with("password"), &fields).await.status,
                303
            );
            assert_eq!(sign_in_with(server, &Browser::new(), name, old).await.status, 422);
            assert_eq!(sign_in_with(server, &Browser::new(), name, OTHER).await.status, 303);
        }
        server.advance(3 * day);
        assert_eq!(
            sign_in_with(server, &Browser::new(), "bob", OTHER).await.status,
            303,
            "it is his own now"
        );
    })
    .await;
}

/// SEC-210: whoever administers has a longer password, however it is set; everybody else the length that counts for them.
#[tokio::test]
async fn administrators_have_longer_passwords() {
    each_backend(async |server| {
        const FOURTEEN: &str = "otters at noon";
        const FIFTEEN: &str = "otters at noon!";
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        server.group("helpers", &["admin:users"], &[&ada]).await;
        let caller = Caller::client(server, "admin:all admin:users").await;
        let set = async |id: String, password: &str| {
            let reset = json!({"password": password});
            caller
                .post(&format!("/users/{id}/reset-password"), reset)
                .await
                .status
                .as_u16()
        };
        assert_eq!(set(bob.id.to_string(), FOURTEEN).await, 200);
        assert_eq!(set(ada.id.to_string(), FOURTEEN).await, 422);
        assert_eq!(set(ada.id.to_string(), FIFTEEN).await, 200);
        let page = caller.get(&format!("/users/{}/effective-settings", ada.id)).await.ok();
        let items = page.json()["items"].as_array().unwrap().clone();
        let least = items
            .iter()
            .find(|item| item["key"] == "password.minimum_length")
            .unwrap();
        assert_eq!(least["value"], 15);
        assert_eq!(least["source"], "administrators (built in)");
        server.settings(json!({"password.admin_minimum_length": 20})).await;
        assert_eq!(set(ada.id.to_string(), FIFTEEN).await, 422);
    })
    .await;
}

/// Whoever's password somebody else sets is told so by mail, and not from where.
#[tokio::test]
async fn a_password_that_an_administrator_sets_is_told_to_the_person() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let caller = Caller::client(server, "admin:users").await;
        let reset = json!({"password": NEW});
        caller
            .post(&format!("/users/{}/reset-password", ada.id), reset)
            .await
            .ok();
        let all = mails(server).await;
        let told = all.last().unwrap();
        assert!(format!("{told:?}").contains("set a new password for it"), "{told:?}");
        assert!(!format!("{told:?}").contains("127.0.0.1"), "{told:?}");
    })
    .await;
}
