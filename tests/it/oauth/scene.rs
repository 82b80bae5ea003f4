//! What the tests of codes and tokens begin with: a person who is signed in, a client, and the tokens they get.

use std::time::Duration;

use ostiary::model::{
    AccessTokenFormat, Client, Consent, ConsentMode, GrantType, Id, Resource, Scopes, Session, Timestamp, UserStatus,
};
use ostiary::store::EventRow;
use serde_json::Value;

use crate::support::browser::{Arrival, Browser};
use crate::support::relying_party::{Answer, RelyingParty};
use crate::support::server::{Server, TestClient, TestUser};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A person signed in with a browser, and a client that may get tokens without asking.
pub struct Scene<'a> {
    pub server: &'a Server,
    pub user: TestUser,
    pub client: TestClient,
    pub browser: Browser,
}

/// What a token answer held; empty where it held nothing.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub id: String,
}

impl Tokens {
    pub fn of(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
        Self {
            access: answer.get("access_token"),
            refresh: answer.get("refresh_token"),
            id: answer.get("id_token"),
        }
    }
}

impl<'a> Scene<'a> {
    /// With a confidential client.
    pub async fn on(server: &'a Server) -> Self {
        Self::with(server, |_| ()).await
    }

    /// With a client after a change of it.
    pub async fn with(server: &'a Server, change: impl FnOnce(&mut Client)) -> Self {
        let name = format!("person-{}", ostiary::random::hex_id());
        let client = server
            .client(|client| {
                client.policy.consent = ConsentMode::Skip;
                change(client);
            })
            .await;
        let scene = Self {
            user: server.user(&name).await,
            server,
            client,
            browser: Browser::new(),
        };
        if scene.client.client.policy.consent == ConsentMode::Ask {
            scene.give(scene.client.client.metadata.scope.clone()).await;
        }
        scene
    }

    /// The person allows the client these scopes, in place of what was allowed before.
    pub async fn give(&self, scope: Scopes) {
        let mut tx = self.server.provider().store.write().await.unwrap();
        let consent = Consent {
            user: self.user.id,
            client: self.client.id,
            scope,
            claims: Vec::new(),
            given_at: self.server.call().now,
        };
        tx.give_consent(&consent).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The person takes back what the client was allowed.
    pub async fn withdraw(&self) {
        let mut tx = self.server.provider().store.write().await.unwrap();
        assert!(tx.withdraw_consent(self.user.id, self.client.id).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// The person has signed in with the browser: the pages of it are another room's tests.
    pub async fn sign_in(&self) {
        let browser = self.server.signed_in(&self.user).await;
        for (name, value) in [
            ("ostiary_session", browser.cookie_value()),
            ("ostiary_browser", browser.key.expose().to_owned()),
        ] {
            self.browser.set_cookie("localhost", name, &value);
        }
    }

    /// Where an authorization request ends: at the client. The person signs in if that is needed.
    pub async fn arrive(&self, authorization_url: &str) -> Arrival {
        for _ in 0..2 {
            let page = self.browser.get(authorization_url).await;
            match page.location() {
                Some(url) if url.origin() != page.url.origin() => {
                    return Arrival {
                        parameters: url.query_pairs().into_owned().collect(),
                        url,
                    };
                }
                Some(url) if url.path() == "/login" => self.sign_in().await,
                _ => panic!(
                    "the request stopped: {} {:?} {}",
                    page.status,
                    page.location(),
                    page.body
                ),
            }
        }
        panic!("the person is not recognised after signing in");
    }

    /// The client as a relying party about to begin a sign-on of its own.
    pub fn party(&self) -> RelyingParty<'_> {
        RelyingParty::new(self.server, &self.client)
    }

    /// The same with these scopes.
    pub fn party_for(&self, scope: &str) -> RelyingParty<'_> {
        let mut party = self.party();
        scope.clone_into(&mut party.scope);
        party
    }

    /// A code for that relying party. The person signs in the first time.
    pub async fn code(&self, party: &RelyingParty<'_>) -> String {
        self.arrive(&party.authorization_url()).await.code().to_owned()
    }

    /// Tokens of a new sign-on.
    pub async fn tokens(&self) -> Tokens {
        self.tokens_of(&self.party()).await
    }

    /// Tokens of a new sign-on for these scopes.
    pub async fn tokens_for(&self, scope: &str) -> Tokens {
        self.tokens_of(&self.party_for(scope)).await
    }

    pub async fn tokens_of(&self, party: &RelyingParty<'_>) -> Tokens {
        let code = self.code(party).await;
        Tokens::of(&party.redeem(&code).await)
    }

    /// The person's sessions that have not ended.
    pub async fn sessions(&self) -> Vec<Id<Session>> {
        let now = self.server.call().now;
        let mut store = self.server.provider().store.read().await.unwrap();
        let rows = store.list_live_sessions_of(self.user.id, now, 100).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    }

    /// Ends the person's sessions in the store, and nothing else.
    pub async fn end_sessions(&self) {
        let call = self.server.call();
        let mut tx = self.server.provider().store.write().await.unwrap();
        tx.end_sessions_of_user(self.user.id, call.now, "test").await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Sets whether the account may be used, and does nothing else.
    pub async fn set_status(&self, status: UserStatus) {
        let mut tx = self.server.provider().store.write().await.unwrap();
        let mut user = tx.find_user(self.user.id).await.unwrap().unwrap();
        user.status = status;
        assert!(tx.change_user(&user).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// Changes the client in the store, and nothing else; the server has heard of it.
    pub async fn change_client(&self, change: impl FnOnce(&mut Client)) {
        let provider = self.server.provider();
        let mut tx = provider.store.write().await.unwrap();
        let mut client = tx.find_client(self.client.id).await.unwrap().unwrap();
        change(&mut client);
        assert!(tx.change_client(&client).await.unwrap());
        tx.raise_client_generation().await.unwrap();
        tx.commit().await.unwrap();
        provider.refresh_memory().await.unwrap();
    }

    /// Whether an access token counts, as its own client's introspection says.
    pub async fn counts(&self, token: &str) -> bool {
        active(&self.party().introspect(token).await)
    }
}

/// A client that nobody has to allow anything: whatever is refused to it is refused for another reason than consent.
pub async fn trusted(server: &Server) -> TestClient {
    server.client(|client| client.policy.consent = ConsentMode::Skip).await
}

/// What an introspection answer says.
pub fn active(answer: &Answer) -> bool {
    let answer = answer.clone().ok().json();
    answer["active"].as_bool().unwrap()
}

/// Fails unless the answer is a refusal with this status and code, never to be kept.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (status, error),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    for member in ["access_token", "refresh_token", "id_token"] {
        assert!(answer.json().get(member).is_none(), "{}", answer.body);
    }
}

/// Fails unless the token request was refused as `invalid_grant`.
#[track_caller]
pub fn assert_invalid_grant(answer: &Answer) {
    assert_refused(answer, 400, "invalid_grant");
}

/// An API with these scopes, known to the server.
pub async fn resource(server: &Server, identifier: &str, scopes: &[&str], format: Option<AccessTokenFormat>) {
    let provider = server.provider();
    let now = server.call().now;
    let mut tx = provider.store.write().await.unwrap();
    tx.add_resource(&Resource {
        id: Id::new(now),
        identifier: identifier.to_owned(),
        name: None,
        scopes: Scopes::from_tokens(scopes.iter().copied()),
        access_token_format: format,
        access_token_lifetime: None,
        version: 1,
        created_at: now,
        updated_at: now,
    })
    .await
    .unwrap();
    tx.raise_resource_generation().await.unwrap();
    tx.commit().await.unwrap();
    provider.refresh_memory().await.unwrap();
}

/// A change for a service of its own: client_credentials with these scopes.
pub fn service(scope: &str) -> impl FnOnce(&mut Client) {
    let scope = Scopes::parse(scope).unwrap();
    move |client| {
        client.metadata.grant_types = vec![GrantType::ClientCredentials];
        client.metadata.redirect_uris.clear();
        client.metadata.scope = scope;
    }
}

/// Every event so far, oldest first.
pub async fn events(server: &Server) -> Vec<EventRow> {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let mut events = store.list_events(None, 1_000).await.unwrap();
    events.reverse();
    events
}

/// How many events of this kind name this client.
pub async fn count_events(server: &Server, client: &TestClient, kind: &str) -> usize {
    let of = |event: &&EventRow| event.kind == kind && event.client == Some(client.id.uuid());
    events(server).await.iter().filter(of).count()
}

/// An answer without what may differ: the trace id.
pub fn without_trace(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    if let Some(members) = body.as_object_mut() {
        members.remove("trace_id");
    }
    (answer.status.as_u16(), body)
}

/// The server's time.
pub fn now(server: &Server) -> Timestamp {
    server.call().now
}

/// Numbers for random walks that are the same in every run: SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Those of the words that the dice choose.
    pub fn some<'w>(&mut self, words: &[&'w str]) -> Vec<&'w str> {
        words.iter().copied().filter(|_| self.below(2) == 0).collect()
    }
}
