//! Signing in with a password, choosing an account, saying yes or no: as a person does it.

use serde_json::json;

use super::{is_signed_in, sign_in, sign_in_with};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

#[tokio::test]
async fn a_person_signs_in_with_username_or_mail_address_in_any_case() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        for identifier in ["ada", "ADA", " ada ", "ada@example.com", "Ada@Example.com"] {
            let browser = Browser::new();
            let answer = sign_in_with(server, &browser, identifier, &user.password).await;
            assert_eq!(answer.status, 303, "{identifier}");
            assert_eq!(answer.location().unwrap().path(), "/");
            assert!(is_signed_in(server, &browser).await, "{identifier}");
        }
    })
    .await;
}

/// SEC-221, in part: a name that nobody has and a wrong password get the very same page, and cost the same.
#[tokio::test]
async fn an_unknown_name_is_answered_like_a_wrong_password() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let answers = [
        sign_in_with(&server, &Browser::new(), "ada", "wrong").await,
        sign_in_with(&server, &Browser::new(), "bob", "wrong").await,
    ];
    let hashed = server.provider().passwords.computed();
    sign_in_with(&server, &Browser::new(), "nobody", "wrong").await;
    assert_eq!(
        server.provider().passwords.computed(),
        hashed + 1,
        "it costs a hash as well"
    );
    let plain = |body: &str| {
        let mut body = body
            .replace("value=\"ada\"", "value=\"\"")
            .replace("value=\"bob\"", "value=\"\"");
        for marker in ["name=\"csrf\" value=\"", "nonce=\""] {
            while let Some(at) = body.find(marker) {
                let end = body[at + marker.len()..].find('"').unwrap() + at + marker.len();
                body.replace_range(at..=end, "");
            }
        }
        body
    };
    assert_eq!(answers[0].status, answers[1].status);
    assert_eq!(plain(&answers[0].body), plain(&answers[1].body));
    assert!(!answers[0].body.contains(&user.email));
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_counted_until_the_account_has_to_wait() {
    each_backend(async |server| {
        server.settings(json!({"guess.account_budget": 3})).await;
        let user = server.user("ada").await;
        for _ in 0..3 {
            let answer = sign_in_with(server, &Browser::new(), "ada", "wrong").await;
            assert_eq!(answer.status, 422);
        }
        let browser = Browser::new();
        let answer = sign_in(server, &browser, &user).await;
        assert_eq!(answer.status, 429, "the right one is not even looked at");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!(answer.body.contains("name=\"password\""), "no dead end");
        server.advance(std::time::Duration::from_secs(seconds + 1));
        assert_eq!(sign_in(server, &browser, &user).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_deactivated_account_is_told_only_after_the_right_password() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let mut store = server.provider().store.write().await.unwrap();
        let mut stored = store.find_user(user.id).await.unwrap().unwrap();
        stored.status = ostiary::model::UserStatus::Inactive;
        assert!(store.change_user(&stored).await.unwrap());
        store.commit().await.unwrap();
        let browser = Browser::new();
        let wrong = sign_in_with(server, &browser, "ada", "wrong").await;
        assert!(!wrong.body.contains("deactivated"));
        let right = sign_in(server, &browser, &user).await;
        assert_eq!(right.status, 403);
        assert!(right.body.contains("This account is deactivated."));
        assert!(!is_signed_in(server, &browser).await);
    })
    .await;
}

/// An event says who tried, from where and why not; the answer did not.
#[tokio::test]
async fn sign_ins_are_noted_with_their_reason() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        sign_in_with(server, &Browser::new(), "ada", "wrong").await;
        server.advance(std::time::Duration::from_millis(5));
        sign_in_with(server, &Browser::new(), "nobody", "wrong").await;
        server.advance(std::time::Duration::from_millis(5));
        server.provider().write_noted_events().await.unwrap();
        sign_in(server, &Browser::new(), &user).await;
        let mut store = server.provider().store.read().await.unwrap();
        let events = store.list_events(None, 10).await.unwrap();
        let told: Vec<(&str, Option<&str>)> = events
            .iter()
            .filter(|event| event.kind == "sign_in")
            .map(|event| (event.outcome.as_str(), event.reason.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("success", None),
                ("refused", Some("sign_in.unknown")),
                ("refused", Some("sign_in.wrong_password"))
            ]
        );
        drop(store);
    })
    .await;
}

/// A stored hash of other parameters is replaced at the next sign-in, and the password stays the same.
#[tokio::test]
async fn a_hash_of_other_parameters_is_renewed() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let stronger = ostiary::credential::Parameters {
        memory_kib: 128,
        iterations: 2,
        parallelism: 1,
    };
    let hash = ostiary::credential::Passwords::new(stronger, 1, 1)
        .unwrap()
        .hash(ostiary::model::Secret::new(user.password.clone()))
        .await
        .unwrap();
    let call = server.call();
    let mut store = server.provider().store.write().await.unwrap();
    let moved_in = ostiary::model::PasswordHash::new(hash.expose());
    store
        .set_password(user.id, &moved_in, ostiary::model::PasswordSetter::Other, call.now)
        .await
        .unwrap();
    store.commit().await.unwrap();
    assert_eq!(sign_in(&server, &Browser::new(), &user).await.status, 303);
    let stored = server.account(&user).await;
    assert!(stored.password.unwrap().expose().contains("m=64,t=1"));
    assert_eq!(sign_in(&server, &Browser::new(), &user).await.status, 303);
    server.stop().await;
}

#[tokio::test]
async fn whoever_cancels_goes_back_without_signing_in() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let browser = Browser::new();
    let page = browser
        .open(&RelyingParty::new(&server, &client).authorization_url())
        .await;
    let form = page.form_with_button("intent", "cancel");
    let answer = browser.submit(&page, form, &[("intent", "cancel")]).await;
    let location = answer.location().unwrap();
    assert!(location.as_str().starts_with(&client.redirect_uri));
    assert!(location.query().unwrap().contains("error=access_denied"));
    server.stop().await;
}

#[tokio::test]
async fn a_second_click_and_the_way_back_lead_to_the_same_answer() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        let login = browser.open(&party.authorization_url()).await;
        let form = login.form_with("password");
        let values = [
            ("username", user.username.as_str()),
            ("password", user.password.as_str()),
        ];
        let first = browser.submit(&login, form.clone(), &values).await;
        let second = browser.submit(&login, form.clone(), &values).await;
        assert_eq!(first.location(), second.location());
        let consent = browser.follow(second).await;
        let allow = consent.form_with_button("decision", "allow");
        let once = browser.submit(&consent, allow.clone(), &[("decision", "allow")]).await;
        let twice = browser.submit(&consent, allow, &[("decision", "allow")]).await;
        assert!(once.location().unwrap().as_str().starts_with(&client.redirect_uri));
        assert_eq!(once.location(), twice.location());
        let back = browser.submit(&login, form, &values).await;
        assert_eq!(back.location(), once.location());
    })
    .await;
}

/// SEC-015: a handle of a pending sign-in is worth nothing in another browser.
#[tokio::test]
async fn a_pending_sign_in_belongs_to_its_browser() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let victim = Browser::new();
        let login = victim
            .open(&RelyingParty::new(server, &client).authorization_url())
            .await;
        let other = Browser::new();
        sign_in(server, &other, &user).await;
        let flow = login.url.query().unwrap();
        for path in ["/login", "/login/account", "/login/consent"] {
            let answer = other.get(&server.url(&format!("{path}?{flow}"))).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.body.contains("This sign-in is over"));
            let answer = other
                .post(
                    &server.url(&format!("{path}?{flow}")),
                    &[("decision", "allow"), ("account", &user.id.to_string())],
                )
                .await;
            assert_eq!(answer.status, 404, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_several_accounts_one_is_chosen() {
    each_backend(async |server| {
        let (ada, grace) = (server.user("ada").await, server.user("grace").await);
        let client = server
            .client(|client| client.policy.consent = ostiary::model::ConsentMode::Skip)
            .await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        sign_in(server, &browser, &grace).await;
        let page = browser.open(&party.authorization_url()).await;
        assert_eq!(page.url.path(), "/login/account");
        let form = page.form_with_button("account", &ada.id.to_string());
        let answer = browser
            .submit(&page, form.clone(), &[("account", &ada.id.to_string())])
            .await;
        assert!(answer.location().unwrap().query().unwrap().contains("code="));
        let page = browser.open(&party.authorization_url()).await;
        let other = browser.submit(&page, form, &[("intent", "other_account")]).await;
        assert_eq!(other.location().unwrap().path(), "/login");
    })
    .await;
}

/// `prompt=login`: the known person is asked for the password alone, and keeps the session under a new token.
#[tokio::test]
async fn whoever_has_to_prove_it_again_keeps_the_session_under_a_new_token() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        sign_in(server, &browser, &user).await;
        let before = browser.cookie("ostiary_session").unwrap();
        let page = browser
            .open(&party.authorization_url_with(&[("prompt", "login")]))
            .await;
        assert_eq!(page.url.path(), "/login");
        assert!(page.body.contains("readonly"), "the name can't be typed over");
        let arrival = browser.walk(page, &user).await;
        assert!(!arrival.code().is_empty());
        let after = browser.cookie("ostiary_session").unwrap();
        assert_ne!(before, after);
        let now = server.call().now;
        let mut store = server.provider().store.read().await.unwrap();
        assert_eq!(store.list_live_sessions_of(user.id, now, 10).await.unwrap().len(), 1);
        drop(store);
        let planted = Browser::new();
        planted.set_cookie("localhost", "ostiary_session", &before);
        assert!(!is_signed_in(server, &planted).await, "the old token is dead");
    })
    .await;
}

#[tokio::test]
async fn pages_speak_the_language_that_is_asked_for() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let url = party.authorization_url_with(&[("ui_locales", "xx de")]);
    let page = Browser::new().open(&url).await;
    assert!(page.body.contains("<html lang=\"de\""), "the application's wish");
    let french = [("accept-language", "fr;q=0.9, it")];
    let page = Browser::new().get_with(&server.url("/login"), &french).await;
    assert!(page.body.contains("<html lang=\"fr\""), "the browser's");
    let page = Browser::new()
        .get_with(&server.url("/login?ui_locales=de"), &french)
        .await;
    assert!(page.body.contains("<html lang=\"de\""), "the switch at the foot");
    server.settings(json!({"locale": "de"})).await;
    let page = Browser::new().get(&server.url("/login")).await;
    assert!(page.body.contains("<html lang=\"de\""), "what is set for everyone");
    server.stop().await;
}
