//! The devices that people sign in with: told by a cookie, blocked, unblocked and let in.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::flow::people::{self, ChangeSource, DeviceAct, OfflineGrants};
use ostiary::flow::session::{self, DEVICE_LIMITS, NotBegun, Proof};
use ostiary::model::{Device, DeviceState, Id};
use serde_json::{Value, json};

use super::{HOUR, MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::logout_receiver::LogoutReceiver;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const COOKIE: &str = "ostiary_device";

async fn devices(server: &Server, user: &TestUser) -> Vec<Device> {
    people::list_devices(server.provider(), user.id).await.unwrap()
}

async fn states(server: &Server, user: &TestUser) -> Vec<DeviceState> {
    let mut states: Vec<DeviceState> = devices(server, user).await.iter().map(|device| device.state).collect();
    states.sort();
    states
}

async fn in_state(server: &Server, user: &TestUser, state: DeviceState) -> Vec<Id<Device>> {
    let all = devices(server, user).await;
    all.iter()
        .filter(|device| device.state == state)
        .map(|device| device.id)
        .collect()
}

/// What the page says, if it refuses the device.
fn refused(page: &Page) -> Option<&'static str> {
    let body = unescape(&page.body);
    let said = ["This device is blocked", "known devices only"];
    said.into_iter().find(|said| page.status == 403 && body.contains(said))
}

fn ids(listed: &Value) -> Vec<String> {
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_blocked_device_is_signed_out_and_cannot_sign_that_person_in() {
    each_backend(async |server| {
        let receiver = LogoutReceiver::start().await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let client = server
            .client(|client| client.metadata.backchannel_logout_uri = Some(receiver.uri.clone()))
            .await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid".to_owned();
        let (lost, kept) = (Browser::new(), Browser::new());
        let arrival = party.sign_in(&lost, &ada).await;
        let refresh = party.redeem(arrival.code()).await.ok().get("refresh_token");
        server.advance(MINUTE);
        sign_in(server, &kept, &ada).await;
        sign_in(server, &lost, &bob).await;

        let caller = Caller::client(server, "admin:sessions admin:users.read admin:events.read").await;
        let path = format!("/users/{}/devices", ada.id);
        let listed = caller.get(&path).await.json();
        let [_, first] = ids(&listed).try_into().unwrap();
        for item in listed["items"].as_array().unwrap() {
            assert_eq!(item["state"], "known");
            assert_eq!(item["address"], "127.0.0.1");
        }
        let sessions = caller.get(&format!("/users/{}/sessions", ada.id)).await.json();
        let told: BTreeSet<&str> = sessions["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["device"].as_str().unwrap())
            .collect();
        assert!(told.contains(first.as_str()), "a session knows its device: {sessions}");

        let blocked = caller.post(&format!("{path}/{first}/block"), json!({})).await;
        assert_eq!(blocked.json()["state"], "blocked", "{}", blocked.body);
        assert_eq!(party.refresh(&refresh).await.error(), "invalid_grant");
        assert!(is_signed_in(server, &kept).await, "not meant");
        assert!(
            is_signed_in(server, &lost).await,
            "the other person in the same browser is not meant either"
        );
        receiver.told(1).await;

        // nothing tells of it before the password is right
        let wrong = sign_in_with(server, &lost, "ada", "wrong").await;
        assert_eq!(wrong.status, 422);
        assert_eq!(refused(&wrong), None);
        assert_eq!(
            refused(&sign_in(server, &lost, &ada).await),
            Some("This device is blocked")
        );
        assert_eq!(sign_in(server, &lost, &bob).await.status, 303);
        let again = caller.post(&format!("{path}/{first}/block"), json!({})).await;
        assert_eq!(again.json()["state"], "blocked", "blocked twice is blocked");

        let unblocked = caller.post(&format!("{path}/{first}/unblock"), json!({})).await;
        assert_eq!(unblocked.json()["state"], "known");
        assert_eq!(sign_in(server, &lost, &ada).await.status, 303);
        assert_eq!(devices(server, &ada).await.len(), 2, "it is the same device");

        for foreign in [bob.id.to_string(), Id::<Device>::new(server.call().now).to_string()] {
            let path = format!("/users/{foreign}/devices/{first}/block");
            assert_eq!(
                caller.post(&path, json!({})).await.status,
                404,
                "a device belongs to one person"
            );
        }
        assert_eq!(caller.delete(&format!("{path}/{first}")).await.status, 204);
        assert_eq!(devices(server, &ada).await.len(), 1);
        server.provider().write_noted_events().await.unwrap();
        let events = caller.get("/events").await.body;
        for kind in [
            "device.blocked",
            "device.unblocked",
            "device.forgotten",
            "sign_in.device_blocked",
        ] {
            assert!(events.contains(kind), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cookie_from_elsewhere_names_nobodys_device_and_a_forged_one_names_none() {
    let server = Server::start().await;
    let (ada, mallory) = (server.user("ada").await, server.user("mallory").await);
    let (own, foreign) = (Browser::new(), Browser::new());
    assert_eq!(own.cookie(COOKIE), None);
    sign_in_with(&server, &own, "ada", "wrong").await;
    assert_eq!(own.cookie(COOKIE), None, "nobody has signed in yet");
    sign_in(&server, &own, &ada).await;
    let cookie = own.cookie(COOKIE).unwrap();
    foreign.set_cookie("localhost", COOKIE, &cookie);
    assert!(!is_signed_in(&server, &foreign).await, "it proves nothing");
    sign_in(&server, &foreign, &mallory).await;
    assert_eq!(foreign.cookie(COOKIE).as_ref(), Some(&cookie));
    let (adas, mallorys) = (devices(&server, &ada).await, devices(&server, &mallory).await);
    assert_eq!((adas.len(), mallorys.len()), (1, 1));
    assert_ne!(adas[0].id, mallorys[0].id, "no row says that they share a browser");
    let source = ChangeSource::Command;
    let block = DeviceAct::Block(OfflineGrants::Stay);
    let call = server.call();
    people::change_device(server.provider(), &call, &source, (mallory.id, mallorys[0].id), block)
        .await
        .unwrap();
    assert_eq!(
        sign_in(&server, &own, &ada).await.status,
        303,
        "blocked for the one who was meant"
    );

    // what nobody here has made is as good as none, and replaced
    let (_, proof) = cookie.split_at(43);
    let made_up = format!("{}{proof}", "A".repeat(43));
    for forged in [made_up.as_str(), &cookie[..43], "x", "", &format!("{cookie}A")] {
        let browser = Browser::new();
        browser.set_cookie("localhost", COOKIE, forged);
        sign_in(&server, &browser, &ada).await;
        assert_ne!(browser.cookie(COOKIE).unwrap(), forged);
    }
    assert_eq!(devices(&server, &ada).await.len(), 6);
    // and what is stored opens nothing
    let text = format!("{:?}", devices(&server, &ada).await);
    assert!(!text.contains(&cookie[..43]));
    server.stop().await;
}

async fn account(server: &Server, browser: &Browser) -> Page {
    browser.get(&server.url("/account")).await
}

async fn press(browser: &Browser, page: &Page, name: &str, value: &str) -> Page {
    let form = page.form_with_button(name, value);
    browser.submit(page, form, &[(name, value)]).await
}

fn offered(page: &Page, name: &str) -> Vec<String> {
    let buttons = page.forms().into_iter().flat_map(|form| form.buttons);
    buttons
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value)
        .collect()
}

/// SEC-175: a person blocks and unblocks a device of their own, after a proof of the last five minutes, and never the one they
/// are asking with.
#[tokio::test]
async fn a_person_blocks_and_unblocks_a_device_of_their_own() {
    each_backend(async |server| {
        let (ada, mallory) = (server.user("ada").await, server.user("mallory").await);
        let (here, there, foreign) = (Browser::new(), Browser::new(), Browser::new());
        sign_in(server, &here, &ada).await;
        sign_in(server, &there, &ada).await;
        sign_in(server, &foreign, &mallory).await;
        let page = account(server, &here).await;
        let [other] = offered(&page, "block").try_into().unwrap();
        let own = devices(server, &ada)
            .await
            .into_iter()
            .find(|d| d.id.to_string() != other)
            .unwrap();
        let form = page.form_with_button("block", &other);
        for device in [
            own.id.to_string(),
            in_state(server, &mallory, DeviceState::Known).await[0].to_string(),
        ] {
            let answer = here.submit(&page, form.clone(), &[("block", &device)]).await;
            assert_ne!(answer.header("location"), "/account?notice=blocked", "{device}");
        }
        assert_eq!(states(server, &mallory).await, [DeviceState::Known]);
        assert_eq!(foreign.submit(&page, form, &[("block", &other)]).await.status, 403);
        server.advance(5 * MINUTE);
        let asked = press(&here, &page, "block", &other).await;
        assert_eq!(asked.location().unwrap().path(), "/login");
        assert!(is_signed_in(server, &there).await, "nothing is done yet");
        let login = here.get(asked.location().unwrap().as_str()).await;
        let proved = here
            .submit(&login, login.form_with("password"), &[("password", &ada.password)])
            .await;
        let page = here.follow(proved).await;
        let done = press(&here, &page, "block", &other).await;
        assert_eq!(done.header("location"), "/account?notice=blocked");
        assert!(!is_signed_in(server, &there).await);
        assert!(refused(&sign_in(server, &there, &ada).await).is_some());
        let page = here.follow(done).await;
        assert!(page.body.contains("Blocked"), "{}", page.body);
        assert_eq!(offered(&page, "unblock"), [other.as_str()]);
        let done = press(&here, &page, "unblock", &other).await;
        assert_eq!(done.header("location"), "/account?notice=unblocked");
        assert_eq!(sign_in(server, &there, &ada).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn where_known_devices_alone_may_another_waits_until_somebody_lets_it_in() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let (old, new, third) = (Browser::new(), Browser::new(), Browser::new());
        sign_in(server, &old, &ada).await;
        let caller = Caller::client(server, "admin:users admin:sessions").await;
        let path = format!("/users/{}", ada.id);
        let set = caller
            .patch(&format!("{path}/settings"), json!({"session.known_devices_only": true}))
            .await;
        assert_eq!(set.status, 200, "{}", set.body);
        server.provider().refresh_memory().await.unwrap();
        assert!(is_signed_in(server, &old).await, "what was known before stays so");
        assert_eq!(sign_in(server, &old, &ada).await.status, 303);
        for browser in [&new, &third] {
            assert_eq!(refused(&sign_in_with(server, browser, "ada", "wrong").await), None);
            for _ in 0..2 {
                assert_eq!(
                    refused(&sign_in(server, browser, &ada).await),
                    Some("known devices only")
                );
                assert!(!is_signed_in(server, browser).await);
                server.advance(MINUTE);
            }
        }
        let [third_id, new_id] = in_state(server, &ada, DeviceState::Waiting).await.try_into().unwrap();

        // an administrator lets one in
        let admitted = caller.post(&format!("{path}/devices/{new_id}/admit"), json!({})).await;
        assert_eq!(admitted.json()["state"], "known", "{}", admitted.body);
        assert_eq!(sign_in(server, &new, &ada).await.status, 303);
        // the person another, on one that is known
        let page = account(server, &new).await;
        assert_eq!(offered(&page, "admit"), [third_id.to_string()]);
        let done = press(&new, &page, "admit", &third_id.to_string()).await;
        assert_eq!(done.header("location"), "/account?notice=admitted");
        assert_eq!(sign_in(server, &third, &ada).await.status, 303);

        // who is blocked does not come back as a first device with cookies cleared
        for id in in_state(server, &ada, DeviceState::Known).await {
            assert_eq!(
                caller
                    .post(&format!("{path}/devices/{id}/block"), json!({}))
                    .await
                    .status,
                200
            );
            assert_eq!(
                caller
                    .post(&format!("{path}/devices/{id}/admit"), json!({}))
                    .await
                    .status,
                409
            );
        }
        third.forget_cookies();
        assert_eq!(
            refused(&sign_in(server, &third, &ada).await),
            Some("known devices only")
        );
        assert_eq!(
            refused(&sign_in(server, &new, &ada).await),
            Some("This device is blocked")
        );
        // forgetting them all begins anew
        for device in devices(server, &ada).await {
            assert_eq!(
                caller.delete(&format!("{path}/devices/{}", device.id)).await.status,
                204
            );
        }
        third.forget_cookies();
        assert_eq!(sign_in(server, &third, &ada).await.status, 303, "the first is let in");
        new.forget_cookies();
        assert!(refused(&sign_in(server, &new, &ada).await).is_some());
    })
    .await;
}

/// Of many who come first at once, where known devices alone may, one does.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_first_device() {
    each_backend(async |server| {
        server.settings(json!({"session.known_devices_only": true})).await;
        let ada = server.user("ada").await;
        let user = server.account(&ada).await;
        let attempts = (0..12).map(|_| {
            let (provider, call, user) = (server.provider().clone(), server.call(), user.clone());
            tokio::spawn(async move {
                let mut browser = session::recognize(&provider, &call, None, None).await.unwrap();
                match session::begin(&provider, &call, &mut browser, &user, Proof::password(false)).await {
                    Ok(_) => 1,
                    Err(NotBegun::Device(_)) => 0,
                    Err(other) => panic!("{other}"),
                }
            })
        });
        let mut begun = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            begun += attempt.await.unwrap();
        }
        assert_eq!(begun, 1);
        assert_eq!(in_state(server, &ada, DeviceState::Known).await.len(), 1);
        let live = server
            .provider()
            .sessions
            .list(ada.id, server.call().now)
            .await
            .unwrap();
        assert_eq!(live.len(), 1);
    })
    .await;
}

/// Whichever comes first, the block or the sign-in: no session of a blocked device goes on.
#[tokio::test(flavor = "multi_thread")]
async fn no_sign_in_outruns_a_block() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let user = server.account(&ada).await;
        let first = server.signed_in(&ada).await;
        let [device] = in_state(server, &ada, DeviceState::Known).await.try_into().unwrap();
        let provider = server.provider();
        for _ in 0..15 {
            let call = server.call();
            let enter = async {
                let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
                browser.device = first.device.clone();
                session::begin(provider, &call, &mut browser, &user, Proof::password(false)).await
            };
            let which = (ada.id, device);
            let act = DeviceAct::Block(OfflineGrants::Stay);
            let block = people::change_device(provider, &call, &ChangeSource::Command, which, act);
            let (begun, blocked) = tokio::join!(enter, block);
            blocked.unwrap();
            if let Err(error) = begun {
                assert!(matches!(error, NotBegun::Device(_)), "{error}");
            }
            for session in provider.sessions.list(ada.id, call.now).await.unwrap() {
                let row = provider
                    .store
                    .read()
                    .await
                    .unwrap()
                    .find_session(session.id)
                    .await
                    .unwrap();
                assert!(row.is_none_or(|row| row.ended_at.is_some()), "{session:?} goes on");
            }
            people::change_device(provider, &call, &ChangeSource::Command, which, DeviceAct::Unblock)
                .await
                .unwrap();
        }
    })
    .await;
}

/// SEC-066, SEC-647: what one person can have here is bounded, and what waits pushes out nothing but what waits.
#[tokio::test]
async fn devices_are_bounded_and_forgotten_with_time_and_with_their_person() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let lasting = server.signed_in(&ada).await;
    for _ in 0..DEVICE_LIMITS.known + 5 {
        server.advance(Duration::from_secs(1));
        server.signed_in(&ada).await;
    }
    let known = in_state(&server, &ada, DeviceState::Known).await;
    assert_eq!(known.len(), usize::try_from(DEVICE_LIMITS.known).unwrap());
    server.settings(json!({"session.known_devices_only": true})).await;
    let (provider, user) = (server.provider(), server.account(&ada).await);
    for device in std::iter::once(lasting.device.clone()).chain((0..DEVICE_LIMITS.waiting + 5).map(|_| None)) {
        server.advance(Duration::from_secs(1));
        let call = server.call();
        let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
        browser.device = device;
        let begun = session::begin(provider, &call, &mut browser, &user, Proof::password(false)).await;
        assert!(
            matches!(begun, Err(NotBegun::Device(_))),
            "the oldest was forgotten, the others are new"
        );
    }
    assert_eq!(in_state(&server, &ada, DeviceState::Known).await, known);
    let waiting = in_state(&server, &ada, DeviceState::Waiting).await;
    assert_eq!(waiting.len(), usize::try_from(DEVICE_LIMITS.waiting).unwrap());
    let source = ChangeSource::Command;
    for id in &known {
        let act = DeviceAct::Block(OfflineGrants::Stay);
        people::change_device(provider, &server.call(), &source, (ada.id, *id), act)
            .await
            .unwrap();
    }
    assert_eq!(in_state(&server, &ada, DeviceState::Blocked).await.len(), known.len());

    server.advance(401 * 24 * HOUR);
    ostiary::flow::operations::cleaning::sweep(provider, &server.call())
        .await
        .unwrap();
    assert!(devices(&server, &ada).await.is_empty());
    server.settings(json!({"session.known_devices_only": false})).await;
    server.signed_in(&ada).await;
    people::delete_user(provider, &server.call(), &source, ada.id, None)
        .await
        .unwrap();
    let left = provider
        .store
        .read()
        .await
        .unwrap()
        .list_devices_of(ada.id, 10)
        .await
        .unwrap();
    assert!(left.is_empty());
    server.stop().await;
}
