//! Applications that stay connected are logins of their own, and a client may let people in less often and for a shorter time
//! than everybody else.

use std::time::Duration;

use serde_json::{Value, json};

use super::steps::{arrival, begin, outcome, skips};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, TestUser, each_backend};

const MINUTE: Duration = Duration::from_secs(60);

fn choices(page: &Page) -> Vec<String> {
    let html = unescape(&page.body);
    html.split("name=\"end\"")
        .skip(1)
        .filter_map(|rest| rest.split("value=\"").nth(1)?.split('"').next().map(str::to_owned))
        .collect()
}

async fn choose(browser: &Browser, page: &Page, chosen: &[&str]) -> Page {
    let form = page.form_with("csrf");
    let token = form.inputs.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let mut fields: Vec<(&str, &str)> = vec![("csrf", token.as_str())];
    fields.extend(chosen.iter().map(|value| ("end", *value)));
    let action = page.url.join(&form.action).unwrap();
    browser.post(action.as_str(), &fields).await
}

fn party<'a>(server: &Server, client: &'a TestClient, scope: &str) -> RelyingParty<'a> {
    let mut party = RelyingParty::new(server, client);
    party.scope = scope.to_owned();
    party
}

/// How many sessions and live families that outlive theirs a person has.
async fn logins(server: &Server, user: &TestUser) -> (usize, usize) {
    let call = server.call();
    let provider = server.provider();
    let sessions = provider.sessions.list(user.id, call.now).await.unwrap().len();
    let mut store = provider.store.read().await.unwrap();
    let families = store.list_offline_families_of(user.id, call.now, 100).await.unwrap();
    (sessions, families.len())
}

async fn say(server: &Server, client: &TestClient, settings: Value) {
    let caller = Caller::client(server, "admin:clients").await;
    let path = format!("/clients/{}/settings", client.client.id);
    caller.patch(&path, settings).await.ok();
}

/// Walks to the first page after the sign-in.
async fn after_sign_in(browser: &Browser, party: &RelyingParty<'_>, user: &TestUser) -> Page {
    let login = browser.open(&party.authorization_url()).await;
    let form = login.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let page = browser.submit(&login, form, &values).await;
    match page.location() {
        Some(to) if to.origin() == page.url.origin() => browser.follow(page).await,
        _ => page,
    }
}

#[tokio::test]
async fn an_application_that_stays_connected_takes_a_place() {
    each_backend(async |server| {
        server.settings(json!({"session.max_concurrent": 3})).await;
        let ada = server.user("ada").await;
        let client = server.client(skips).await;
        let online = party(server, &client, "openid");
        let offline = party(server, &client, "openid offline_access");
        let phone = Browser::new();
        let first = offline.redeem(offline.sign_in(&phone, &ada).await.code()).await.ok();
        assert_eq!(logins(server, &ada).await, (1, 1));
        server.advance(MINUTE);
        let second = Browser::new();
        online.sign_in(&second, &ada).await;
        assert_eq!(logins(server, &ada).await, (2, 1));
        server.advance(MINUTE);
        // the oldest is the phone's browser, then the family that began in it
        let third = Browser::new();
        online.sign_in(&third, &ada).await;
        assert_eq!(logins(server, &ada).await, (2, 1));
        offline.refresh(&first.get("refresh_token")).await.ok();
        server.advance(MINUTE);
        online.sign_in(&Browser::new(), &ada).await;
        assert_eq!(logins(server, &ada).await, (3, 0));
        assert_eq!(begin(&phone, &online.authorization_url()).await, "/login");
    })
    .await;
}

#[tokio::test]
async fn a_family_that_is_made_pushes_out_in_the_same_step() {
    each_backend(async |server| {
        server.settings(json!({"session.max_concurrent": 2})).await;
        let ada = server.user("ada").await;
        let client = server.client(skips).await;
        let online = party(server, &client, "openid");
        let offline = party(server, &client, "openid offline_access");
        let old = Browser::new();
        online.sign_in(&old, &ada).await;
        server.advance(MINUTE);
        let phone = Browser::new();
        let code = offline.sign_in(&phone, &ada).await.code().to_owned();
        assert_eq!(
            logins(server, &ada).await,
            (2, 0),
            "nobody goes before the code is redeemed"
        );
        let tokens = offline.redeem(&code).await.ok();
        assert_eq!(logins(server, &ada).await, (1, 1));
        assert_eq!(begin(&old, &online.authorization_url()).await, "/login");
        // one alone: the family takes the place of the session that it began in
        server.settings(json!({"session.max_concurrent": 1})).await;
        server.advance(MINUTE);
        let again = Browser::new();
        let code = offline.sign_in(&again, &ada).await.code().to_owned();
        assert_eq!(logins(server, &ada).await, (1, 0));
        assert_eq!(
            offline.refresh(&tokens.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        let tokens = offline.redeem(&code).await.ok();
        assert_eq!(logins(server, &ada).await, (0, 1));
        offline.refresh(&tokens.get("refresh_token")).await.ok();
    })
    .await;
}

/// Whoever sends a browser there begins a request, and only the application can redeem its code.
#[tokio::test]
async fn a_code_that_nobody_redeems_ends_no_connection() {
    let server = Server::start().await;
    server
        .settings(json!({"session.max_concurrent": 2, "session.at_limit": "refuse"}))
        .await;
    let ada = server.user("ada").await;
    let client = server.client(skips).await;
    let offline = party(&server, &client, "openid offline_access");
    let phone = Browser::new();
    let first = offline.redeem(offline.sign_in(&phone, &ada).await.code()).await.ok();
    let again = phone.get(&offline.authorization_url()).await;
    let unused = arrival(&again).unwrap();
    let second = offline.refresh(&first.get("refresh_token")).await.ok();
    // redeemed after all, it takes the place
    offline.redeem(unused.code()).await.ok();
    let over = offline.refresh(&second.get("refresh_token")).await;
    assert_eq!(over.error(), "invalid_grant");
    assert_eq!(logins(&server, &ada).await, (1, 1));
    server.stop().await;
}

#[tokio::test]
async fn where_logins_are_refused_the_application_is_told_after_the_person() {
    let server = Server::start().await;
    server
        .settings(json!({"session.max_concurrent": 2, "session.at_limit": "refuse"}))
        .await;
    let ada = server.user("ada").await;
    let client = server.client(skips).await;
    let offline = party(&server, &client, "openid offline_access");
    let phone = Browser::new();
    offline.redeem(offline.sign_in(&phone, &ada).await.code()).await.ok();
    // the same application in the same browser takes its own place again
    offline.redeem(offline.sign_in(&phone, &ada).await.code()).await.ok();
    assert_eq!(logins(&server, &ada).await, (1, 1));
    let other = server.client(skips).await;
    let elsewhere = party(&server, &other, "openid offline_access");
    let page = phone.open(&elsewhere.authorization_url()).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (403, "/login/devices"));
    assert!(choices(&page).is_empty());
    let silent = elsewhere.authorization_url_with(&[("prompt", "none")]);
    assert_eq!(begin(&phone, &silent).await, "access_denied");
    let form = page.form_with_button("intent", "cancel");
    let left = phone.submit(&page, form, &[("intent", "cancel")]).await;
    assert_eq!(outcome(&left), "access_denied");
    server.stop().await;
}

#[tokio::test]
async fn where_people_are_asked_they_choose_for_an_application_that_stays() {
    each_backend(async |server| {
        server
            .settings(json!({"session.max_concurrent": 2, "session.at_limit": "ask"}))
            .await;
        let ada = server.user("ada").await;
        let client = server.client(skips).await;
        let online = party(server, &client, "openid");
        let offline = party(server, &client, "openid offline_access");
        let (laptop, phone) = (Browser::new(), Browser::new());
        online.sign_in(&laptop, &ada).await;
        server.advance(MINUTE);
        let page = after_sign_in(&phone, &offline, &ada).await;
        assert_eq!(page.url.path(), "/login/devices");
        let silent = offline.authorization_url_with(&[("prompt", "none")]);
        assert_eq!(begin(&phone, &silent).await, "interaction_required");
        let logins_there = choices(&page);
        assert_eq!(logins_there.len(), 1, "the login in this browser is not one to choose");
        assert_eq!(choose(&phone, &page, &[]).await.status, 422);
        let next = choose(&phone, &page, &[&logins_there[0]]).await;
        let code = super::steps::arrival(&next).unwrap().code().to_owned();
        assert_eq!(begin(&laptop, &online.authorization_url()).await, "/login");
        let tokens = offline.redeem(&code).await.ok();
        assert_eq!(logins(server, &ada).await, (1, 1));
        offline.refresh(&tokens.get("refresh_token")).await.ok();
    })
    .await;
}

/// A place that was kept for a code lapses with it.
#[tokio::test]
async fn a_code_that_is_never_redeemed_takes_no_place_for_long() {
    let server = Server::start().await;
    server
        .settings(json!({"session.max_concurrent": 2, "session.at_limit": "refuse"}))
        .await;
    let ada = server.user("ada").await;
    let client = server.client(skips).await;
    let offline = party(&server, &client, "openid offline_access");
    offline.sign_in(&Browser::new(), &ada).await.code();
    let online = party(&server, &client, "openid");
    let other = Browser::new();
    let page = after_sign_in(&other, &online, &ada).await;
    assert_eq!(page.status, 403, "the place is kept");
    server.advance(2 * MINUTE);
    let page = after_sign_in(&other, &online, &ada).await;
    assert_eq!(outcome(&page), "code");
    server.stop().await;
}

#[tokio::test]
async fn a_client_lets_people_in_less_often_for_itself() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let player = server.client(skips).await;
        let shop = server.client(skips).await;
        say(
            server,
            &player,
            json!({"session": {"max_concurrent": 1, "at_limit": "end_oldest"}}),
        )
        .await;
        let (playing, shopping) = (
            party(server, &player, "openid offline_access"),
            party(server, &shop, "openid offline_access"),
        );
        let (first, second) = (Browser::new(), Browser::new());
        let old = playing.redeem(playing.sign_in(&first, &ada).await.code()).await.ok();
        let kept = shopping.redeem(shopping.sign_in(&first, &ada).await.code()).await.ok();
        server.advance(MINUTE);
        let new = playing.redeem(playing.sign_in(&second, &ada).await.code()).await.ok();
        assert_eq!(
            playing.refresh(&old.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        playing.refresh(&new.get("refresh_token")).await.ok();
        // only the login at this client has ended there
        shopping.refresh(&kept.get("refresh_token")).await.ok();
        assert_eq!(begin(&first, &shopping.authorization_url()).await, "code");
        // the second is one of those that count: it comes again
        playing.redeem(playing.sign_in(&second, &ada).await.code()).await.ok();
    })
    .await;
}

#[tokio::test]
async fn a_client_refuses_or_asks_for_itself() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let player = server.client(skips).await;
        say(
            server,
            &player,
            json!({"session": {"max_concurrent": 1, "at_limit": "refuse"}}),
        )
        .await;
        let playing = party(server, &player, "openid");
        let (first, second) = (Browser::new(), Browser::new());
        playing.redeem(playing.sign_in(&first, &ada).await.code()).await.ok();
        server.advance(MINUTE);
        let page = after_sign_in(&second, &playing, &ada).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (403, "/login/devices"));
        assert_eq!(
            begin(&second, &playing.authorization_url_with(&[("prompt", "none")])).await,
            "access_denied"
        );
        let form = page.form_with_button("intent", "cancel");
        let left = second.submit(&page, form, &[("intent", "cancel")]).await;
        assert_eq!(outcome(&left), "access_denied");

        say(server, &player, json!({"session": {"at_limit": "ask"}})).await;
        let page = second.open(&playing.authorization_url()).await;
        assert_eq!(page.url.path(), "/login/devices");
        let logins_there = choices(&page);
        assert_eq!(logins_there.len(), 1);
        let next = choose(&second, &page, &[&logins_there[0]]).await;
        let code = super::steps::arrival(&next).unwrap().code().to_owned();
        playing.redeem(&code).await.ok();
        // the first is signed in here all the same, and would have to choose in its turn
        let page = first.open(&playing.authorization_url()).await;
        assert_eq!(page.url.path(), "/login/devices");
        assert_eq!(logins(server, &ada).await.0, 2);
    })
    .await;
}

/// SEC-017, SEC-743: what somebody has allowed, and chosen, for a request that waits for room counts for nobody else who is signed
/// in in that browser by then.
#[tokio::test]
async fn a_request_that_waits_for_room_does_not_go_on_with_somebody_else() {
    each_backend(async |server| {
        let (ada, ben) = (server.user("ada").await, server.user("ben").await);
        let player = server.client(|_| ()).await;
        say(
            server,
            &player,
            json!({"session": {"max_concurrent": 1, "at_limit": "ask"}}),
        )
        .await;
        let playing = party(server, &player, "openid");
        playing
            .redeem(playing.sign_in(&Browser::new(), &ada).await.code())
            .await
            .ok();
        let shared = Browser::new();
        let login = shared
            .open(&playing.authorization_url_with(&[("prompt", "consent")]))
            .await;
        let page = super::steps::enter(&shared, &login, &ada).await;
        let consent = shared.follow(page).await;
        let page = super::steps::press(&shared, &consent, "decision", "allow").await;
        let room = shared.follow(page).await;
        assert_eq!(room.url.path(), "/login/devices");

        // in another tab Ada signs out, and Ben signs in
        let form = shared.get(&server.url("/logout")).await;
        super::steps::press(&shared, &form, "decision", "sign_out").await;
        let gone = choose(&shared, &room, &[]).await;
        assert_eq!(gone.location().unwrap().path(), "/login");
        let login = shared.get(&server.url("/login")).await;
        super::steps::enter(&shared, &login, &ben).await;

        let page = choose(&shared, &room, &[]).await;
        assert_eq!(page.location().unwrap().path(), "/login", "it is Ada's");
        // and where Ben signs in for it himself he is asked
        let page = super::steps::enter(&shared, &shared.follow(page).await, &ben).await;
        assert_eq!(page.location().unwrap().path(), "/login/consent");
    })
    .await;
}

/// SEC-177: codes that were made side by side are not redeemed side by side.
#[tokio::test]
async fn the_number_of_a_client_holds_when_codes_are_redeemed() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let player = server.client(skips).await;
        say(
            server,
            &player,
            json!({"session": {"max_concurrent": 2, "at_limit": "refuse"}}),
        )
        .await;
        let mut parties = Vec::new();
        for _ in 0..6 {
            let playing = party(server, &player, "openid");
            let code = playing.sign_in(&Browser::new(), &ada).await.code().to_owned();
            parties.push((playing, code));
        }
        let redeemed = parties.iter().map(|(playing, code)| playing.redeem(code));
        let answers = futures_util::future::join_all(redeemed).await;
        let good = answers.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(good, 2);
        for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
            assert_eq!(answer.error(), "invalid_grant");
        }
    })
    .await;
}

/// SEC-172: what a client says about timeouts holds for itself.
#[tokio::test]
async fn a_client_has_people_prove_it_once_more_sooner() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let bank = server.client(skips).await;
    let shop = server.client(skips).await;
    say(
        &server,
        &bank,
        json!({"session": {"idle_timeout": "5m", "lifetime": "30m"}}),
    )
    .await;
    let (banking, shopping) = (party(&server, &bank, "openid"), party(&server, &shop, "openid"));
    let browser = Browser::new();
    shopping.sign_in(&browser, &ada).await;
    assert_eq!(begin(&browser, &banking.authorization_url()).await, "code");
    server.advance(6 * MINUTE);
    assert_eq!(begin(&browser, &shopping.authorization_url()).await, "code");
    let page = browser.get(&banking.authorization_url()).await;
    assert!(
        page.location().unwrap().query().unwrap().contains("again=1"),
        "not seen for five minutes"
    );
    // being seen since does not make up for it
    server.advance(MINUTE);
    let silent = banking.authorization_url_with(&[("prompt", "none")]);
    assert_eq!(begin(&browser, &silent).await, "login_required");
    banking.sign_in(&browser, &ada).await;
    for _ in 0..9 {
        server.advance(3 * MINUTE);
        assert_eq!(begin(&browser, &banking.authorization_url()).await, "code");
    }
    server.advance(3 * MINUTE);
    assert_eq!(
        begin(&browser, &banking.authorization_url()).await,
        "/login",
        "half an hour is over"
    );
    assert_eq!(
        begin(&browser, &shopping.authorization_url()).await,
        "code",
        "for the bank alone"
    );
    server.stop().await;
}
