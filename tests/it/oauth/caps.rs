//! What one person, one client or one network can make the server keep at a time: the oldest makes room, nobody is locked out.

use std::net::IpAddr;

use ostiary::flow::Call;
use ostiary::flow::authorization::{self, Begun, Next, interaction};
use ostiary::flow::session::{self, Browser};
use ostiary::protocol::parameters::Parameters;

use super::scene::{SECOND, Scene};
use super::steps::begin;
use crate::support::browser::Browser as Person;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

const MOST_SESSIONS: usize = 200;
const MOST_CODES: usize = 100;
const MOST_PENDING: usize = 1000;

/// SEC-066, SEC-647: sessions of a person, codes of a person at a client, requests from a network; the families of refresh tokens are
/// `past_the_cap_the_oldest_family_of_a_person_at_a_client_ends`.
#[tokio::test(flavor = "multi_thread")]
async fn token_count_caps() {
    each_backend(async |server| {
        sessions_of_a_person(server).await;
        codes_of_a_person_at_a_client(server).await;
        requests_from_a_network(server).await;
    })
    .await;
}

async fn sessions_of_a_person(server: &Server) {
    let provider = server.provider();
    let person = server.user("ada").await;
    let mut browsers = Vec::new();
    for _ in 0..MOST_SESSIONS + 3 {
        server.advance(SECOND);
        let browser = server.signed_in(&person).await;
        browsers.push((browser.cookie_value(), browser.key.expose().to_owned()));
    }
    let call = server.call();
    assert_eq!(
        provider.sessions.list(person.id, call.now).await.unwrap().len(),
        MOST_SESSIONS
    );
    let rows = provider
        .store
        .read()
        .await
        .unwrap()
        .list_live_sessions_of(person.id, call.now, 1000)
        .await
        .unwrap();
    assert_eq!(rows.len(), MOST_SESSIONS, "the store says so too");
    let client = server.client(super::steps::skips).await;
    let url = RelyingParty::new(server, &client).authorization_url();
    for (place, outcome) in [(0, "/login"), (2, "/login"), (3, "code"), (MOST_SESSIONS + 2, "code")] {
        let (session, key) = &browsers[place];
        let browser = Person::new();
        browser.set_cookie("localhost", "ostiary_session", session);
        browser.set_cookie("localhost", "ostiary_browser", key);
        assert_eq!(begin(&browser, &url).await, outcome, "{place}");
    }
}

async fn codes_of_a_person_at_a_client(server: &Server) {
    let scene = Scene::on(server).await;
    let other = Scene::on(server).await;
    let party = scene.party();
    let elsewhere = other.party();
    let untouched = other.code(&elsewhere).await;
    let mut codes = Vec::new();
    for _ in 0..MOST_CODES + 3 {
        // the server's time moves by itself between two requests, so that each code ends later than the one before
        codes.push(scene.code(&party).await);
    }
    // the embedded file pushes out what is too much when it is written
    server.provider().ephemeral.close().await.unwrap();
    for code in &codes[..3] {
        assert_eq!(party.redeem(code).await.error(), "invalid_grant");
    }
    for code in [&codes[3], &codes[MOST_CODES + 2]] {
        party.redeem(code).await.ok();
    }
    elsewhere.redeem(&untouched).await.ok();
}

async fn requests_from_a_network(server: &Server) {
    let client = server.client(|_| ()).await;
    let url = RelyingParty::new(server, &client).authorization_url();
    let flood = Network::new(server, "203.0.113.7").await;
    let neighbour = Network::new(server, "203.0.113.8").await;
    let first = neighbour.begin(&url).await;
    let mut handles = Vec::new();
    for _ in 0..MOST_PENDING + 3 {
        server.advance(std::time::Duration::from_millis(1));
        handles.push(flood.begin(&url).await);
    }
    server.provider().ephemeral.close().await.unwrap();
    let mut waiting = 0;
    for handle in &handles {
        waiting += usize::from(flood.waits(handle).await);
    }
    assert_eq!(waiting, MOST_PENDING);
    assert!(!flood.waits(&handles[0]).await, "the oldest made room");
    assert!(neighbour.waits(&first).await, "nobody else's did");
    // an IPv6 customer has as many addresses as he likes, and is one network
    let one = Network::new(server, "2001:db8:0:1::1").await;
    let other = Network::new(server, "2001:db8:0:1:ffff::9").await;
    let early = one.begin(&url).await;
    for _ in 0..MOST_PENDING {
        server.advance(std::time::Duration::from_millis(1));
        other.begin(&url).await;
    }
    server.provider().ephemeral.close().await.unwrap();
    assert!(!one.waits(&early).await);
}

/// A browser behind a network address.
struct Network<'a> {
    server: &'a Server,
    address: IpAddr,
    browser: Browser,
}

impl<'a> Network<'a> {
    async fn new(server: &'a Server, address: &str) -> Self {
        let browser = session::recognize(server.provider(), &server.call(), None, None)
            .await
            .unwrap();
        Self {
            server,
            address: address.parse().unwrap(),
            browser,
        }
    }

    fn call(&self) -> Call {
        let mut call = self.server.call();
        call.origin.address = Some(self.address);
        call
    }

    async fn begin(&self, url: &str) -> String {
        let query = url.split_once('?').unwrap().1;
        let parameters = Parameters::parse(&[query.as_bytes()]).unwrap();
        let begun = authorization::begin(self.server.provider(), &self.call(), &self.browser, &parameters).await;
        match begun.unwrap() {
            Begun::Next(Next::Login(handle)) => handle,
            _ => panic!("nobody is signed in there"),
        }
    }

    async fn waits(&self, handle: &str) -> bool {
        interaction::load(self.server.provider(), &self.call(), &self.browser, handle)
            .await
            .is_ok()
    }
}
