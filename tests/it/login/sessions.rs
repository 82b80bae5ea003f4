//! How long a browser stays signed in, and how it stops.

use std::time::{Duration, Instant};

use ostiary::flow::session::{self, NotBegun, Proof, SessionToken};
use ostiary::model::{Id, User};
use serde_json::json;

use super::{HOUR, MINUTE, Proxied, behind_a_proxy, is_signed_in, offers, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

/// SEC-171, SEC-180: a token that somebody planted signs nobody in, before and after.
#[tokio::test]
async fn a_planted_token_is_replaced_at_sign_in() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let attacker = Browser::new();
        let planted = SessionToken::generate(user.id).expose().to_owned();
        let victim = Browser::new();
        victim.set_cookie("localhost", "ostiary_session", &planted);
        assert!(!is_signed_in(server, &victim).await);
        sign_in(server, &victim, &user).await;
        assert!(is_signed_in(server, &victim).await);
        attacker.set_cookie("localhost", "ostiary_session", &planted);
        assert!(!is_signed_in(server, &attacker).await);
    })
    .await;
}

/// SEC-174: hashing takes its time, and meanwhile the account may get another password or be deactivated.
#[tokio::test]
async fn what_was_proved_before_the_account_changed_begins_no_session() {
    each_backend(async |server| {
        let provider = server.provider();
        for change in ["password", "status"] {
            let person = server.user(&format!("ada-{change}")).await;
            let proved = server.account(&person).await;
            let caller = Caller::client(server, "admin:users").await;
            let (path, body) = match change {
                "password" => ("reset-password", json!({"password": "another long passphrase 42"})),
                _ => ("deactivate", json!({})),
            };
            caller.post(&format!("/users/{}/{path}", person.id), body).await.ok();
            let call = server.call();
            let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
            let begun = session::begin(provider, &call, &mut browser, &proved, Proof::password(false)).await;
            assert!(matches!(begun, Err(NotBegun::Changed)), "{change}: {begun:?}");
            assert!(provider.sessions.list(person.id, call.now).await.unwrap().is_empty());
        }
    })
    .await;
}

/// SEC-172: unused, used, and when a limit is tightened meanwhile.
#[tokio::test]
async fn session_timeouts() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &user).await;
    server.advance(8 * HOUR - MINUTE);
    assert!(is_signed_in(&server, &browser).await, "used within eight hours");
    server.advance(8 * HOUR - MINUTE);
    assert!(is_signed_in(&server, &browser).await);
    server.advance(8 * HOUR - MINUTE);
    assert!(is_signed_in(&server, &browser).await);
    server.advance(4 * MINUTE);
    assert!(!is_signed_in(&server, &browser).await, "a day is over");

    sign_in(&server, &browser, &user).await;
    server.advance(8 * HOUR);
    assert!(!is_signed_in(&server, &browser).await, "unused for eight hours");

    sign_in(&server, &browser, &user).await;
    server.advance(20 * MINUTE);
    server.settings(json!({"session.idle_timeout": "10m"})).await;
    assert!(!is_signed_in(&server, &browser).await, "a tighter limit holds at once");
    server.stop().await;
}

/// SEC-172, for those who asked to stay.
#[tokio::test]
async fn a_remembered_session_ends_as_well() {
    let server = behind_a_proxy().await;
    server.settings(json!({"session.remember_idle_timeout": "30d"})).await;
    let user = server.user("ada").await;
    let proxied = Proxied::new(&server);
    proxied.sign_in(&user, &[("remember", "1")]).await;
    server.advance(Duration::from_secs(29 * 86_400));
    assert!(offers(&proxied.get("/").await, "/logout"));
    server.advance(Duration::from_secs(2 * 86_400));
    assert!(!offers(&proxied.get("/").await, "/logout"));
    server.stop().await;
}

/// SEC-173, on one node: the cookie is taken back, and whoever kept a copy has nothing.
#[tokio::test]
async fn signing_out_ends_everybody_in_this_browser() {
    each_backend(async |server| {
        let (ada, grace) = (server.user("ada").await, server.user("grace").await);
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        sign_in(server, &browser, &grace).await;
        let copy = browser.cookie("ostiary_session").unwrap();
        let page = browser.get(&server.url("/logout")).await;
        for signed_out in [&ada, &grace] {
            assert!(page.body.contains(&signed_out.email), "{}", page.body);
        }
        let form = page.form_with_button("decision", "sign_out");
        let answer = browser.submit(&page, form, &[("decision", "sign_out")]).await;
        assert_eq!(answer.location().unwrap().path(), "/logout/done");
        assert!(answer.header("clear-site-data").contains("storage"));
        assert_eq!(browser.cookie("ostiary_session"), None);
        assert!(browser.get(&server.url("/logout/done")).await.status.is_success());
        let thief = Browser::new();
        thief.set_cookie("localhost", "ostiary_session", &copy);
        assert!(!is_signed_in(server, &thief).await);
    })
    .await;
}

/// SEC-178, and SEC-053's neighbour: an application's wish to sign out is asked about, unless its own ID token says so; where it
/// goes afterwards is registered to the letter, and the state stays a value.
#[tokio::test]
async fn rp_logout_rules() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let target = "https://client.example/bye";
    let client = server
        .client(|client| client.metadata.post_logout_redirect_uris = vec![target.to_owned()])
        .await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let arrival = party.sign_in(&browser, &user).await;
    let id_token = party.redeem(arrival.code()).await.ok().get("id_token");
    let end = |query: &[(&str, &str)]| {
        let mut url = url::Url::parse(&server.url("/oauth2/end_session")).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        String::from(url)
    };
    let foreign = browser
        .get(&end(&[
            ("client_id", &client.client_id),
            ("post_logout_redirect_uri", "https://evil.example/"),
        ]))
        .await;
    assert_eq!(foreign.status, 400);
    for near in [
        "https://client.example/bye/",
        "https://client.example/bye?x",
        "https://CLIENT.example/bye",
        "https://client.example/by",
    ] {
        let query = [
            ("client_id", client.client_id.as_str()),
            ("post_logout_redirect_uri", near),
        ];
        assert_eq!(browser.get(&end(&query)).await.status, 400, "{near}");
    }
    // whose address it is has to be said, and a hint of another client does not say it
    let other = server.client(|_| ()).await;
    for query in [
        vec![("post_logout_redirect_uri", target)],
        vec![
            ("client_id", other.client_id.as_str()),
            ("post_logout_redirect_uri", target),
        ],
        vec![
            ("client_id", other.client_id.as_str()),
            ("id_token_hint", id_token.as_str()),
        ],
    ] {
        assert_eq!(browser.get(&end(&query)).await.status, 400, "{query:?}");
    }
    assert!(is_signed_in(&server, &browser).await);
    let markup = "\"><script>alert(1)</script>&set-cookie=a#b";
    let page = browser
        .open(&end(&[
            ("client_id", &client.client_id),
            ("post_logout_redirect_uri", target),
            ("state", markup),
        ]))
        .await;
    assert!(
        page.status.is_success() && !page.body.contains("alert(1)"),
        "{}",
        page.body
    );
    let broken = browser
        .get(&end(&[("id_token_hint", &id_token), ("state", "a\r\nset-cookie: a=b")]))
        .await;
    assert_eq!(broken.status, 400);
    let wish = [
        ("client_id", client.client_id.as_str()),
        ("post_logout_redirect_uri", target),
        ("state", "a&b"),
    ];
    let page = browser.open(&end(&wish)).await;
    assert_eq!(page.url.path(), "/logout");
    assert!(page.body.contains("Sample client"));
    let form = page.form_with_button("decision", "stay");
    let stayed = browser.submit(&page, form.clone(), &[("decision", "stay")]).await;
    assert_eq!(stayed.location().unwrap().path(), "/");
    assert!(is_signed_in(&server, &browser).await);
    let left = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert_eq!(left.header("location"), format!("{target}?state=a%26b"));
    assert!(!is_signed_in(&server, &browser).await);

    let arrival = party.sign_in(&browser, &user).await;
    let again = party.redeem(arrival.code()).await.ok().get("id_token");
    let old = browser.get(&end(&[("id_token_hint", &format!("{id_token}x"))])).await;
    assert_eq!(old.status, 400, "a forged hint");
    let done = browser
        .get(&end(&[
            ("id_token_hint", &again),
            ("post_logout_redirect_uri", target),
            ("state", markup),
        ]))
        .await;
    let back = done.location().unwrap();
    assert_eq!(back.query_pairs().next().unwrap().1, markup);
    assert!(!done.header("location").contains(['<', '"', '\r', '\n']), "{back}");
    assert!(!is_signed_in(&server, &browser).await);
    server.stop().await;
}

/// RP-Initiated Logout 1.0 section 3: the session may be over by itself, or ended in another tab, while the person is asked.
#[tokio::test]
async fn an_application_gets_its_person_back_although_the_session_has_ended_meanwhile() {
    each_backend(async |server| {
        server.settings(serde_json::json!({"session.idle_timeout": "1h"})).await;
        let user = server.user("ada").await;
        let target = "https://client.example/bye";
        let client = server
            .client(|client| client.metadata.post_logout_redirect_uris = vec![target.to_owned()])
            .await;
        let mut url = url::Url::parse(&server.url("/oauth2/end_session")).unwrap();
        url.query_pairs_mut().extend_pairs([
            ("client_id", client.client_id.as_str()),
            ("post_logout_redirect_uri", target),
            ("state", "a&b"),
        ]);
        let back = format!("{target}?state=a%26b");
        for decision in ["sign_out", "stay"] {
            let browser = Browser::new();
            sign_in(server, &browser, &user).await;
            let page = browser.open(url.as_str()).await;
            let form = page.form_with_button("decision", decision);
            server.advance(61 * super::MINUTE);
            let left = browser.submit(&page, form.clone(), &[("decision", decision)]).await;
            assert_eq!(left.header("location"), back, "{decision}");
            assert_eq!(browser.get(page.url.as_str()).await.header("location"), back);
            // nobody else gets it, and it does not wait for ever
            let other = Browser::new()
                .submit(&page, form.clone(), &[("decision", decision)])
                .await;
            assert_eq!(other.location().unwrap().path(), "/logout/done");
            server.advance(2 * super::HOUR);
            let late = browser.submit(&page, form, &[("decision", decision)]).await;
            assert_eq!(late.location().unwrap().path(), "/logout/done");
        }
    })
    .await;
}

/// Nobody is signed out because a store of sessions does not answer for a moment, and the page that reaches the person has no cookie taken back.
#[tokio::test]
async fn an_outage_signs_nobody_out() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &user).await;
    server.provider().store.close().await;
    // for two seconds at most memory goes on without it
    let began = Instant::now();
    let answer = loop {
        let answer = browser.get(&server.url("/")).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the outage is never noticed");
        assert!(browser.cookie("ostiary_session").is_some());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(answer.header("set-cookie"), "");
    assert!(browser.cookie("ostiary_session").is_some());
    server.stop().await;
}

/// Nothing is recorded while this stands.
async fn record_nothing(server: &Server, table: &str) {
    let trigger =
        format!("create trigger unrecorded before insert on {table} begin select raise(abort, 'unrecorded'); end");
    server.behind(&trigger).await;
}

async fn user_of(server: &Server, id: Id<User>) -> User {
    let mut store = server.provider().store.read().await.unwrap();
    store.find_user(id).await.unwrap().unwrap()
}

/// The old token is dead as soon as the session has its new one, so the new one is told whatever becomes of the record.
#[tokio::test]
async fn who_proves_again_who_they_are_stays_signed_in_although_the_record_waits() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let user = user_of(&server, user.id).await;
    let (provider, call) = (server.provider(), server.call());
    let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
    let first = session::begin(provider, &call, &mut browser, &user, Proof::password(false))
        .await
        .unwrap();
    record_nothing(&server, "events").await;
    let again = session::begin(provider, &call, &mut browser, &user, Proof::password(false))
        .await
        .unwrap();
    assert_eq!(again.session.id, first.session.id);
    assert_ne!(again.token.digest(), first.token.digest());
    server.behind("drop trigger unrecorded").await;
    provider.write_noted_events().await.unwrap();
    let mut store = provider.store.read().await.unwrap();
    let events = store.list_events(None, 9).await.unwrap();
    let signed_in = events.iter().filter(|event| event.kind == "sign_in");
    assert_eq!(signed_in.count(), 2);
    drop(store);
    server.stop().await;
}
