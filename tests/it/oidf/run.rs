//! One run of a module: a server, a person, a client, a browser, and the steps that most modules take.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::crypto;
use ostiary::jose::PrivateKey;
use ostiary::model::{Address, Client, Profile, ResponseMode};
use ostiary::random;
use serde_json::{Map, Value, json};
use url::Url;

use super::{assertion, published_keys};
use crate::support::browser::{Arrival, Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::{Answer, RelyingParty, basic};
use crate::support::server::{Server, TestClient, TestUser};

/// Where the client takes its answers.
pub const REDIRECT_URI: &str = "https://client.example/callback";
/// A place of nobody that is registered.
pub const ELSEWHERE: &str = "https://elsewhere.example/callback";

/// One run of a module.
pub struct Run {
    pub server: Server,
    pub user: TestUser,
    pub browser: Browser,
    pub party: Party,
    pub mode: ResponseMode,
}

/// A client with what it proves itself with.
pub struct Party {
    pub client: TestClient,
    /// For `private_key_jwt`.
    pub key: Option<&'static PrivateKey>,
}

/// An authorization request.
#[derive(Clone)]
pub struct Request {
    pub parameters: Vec<(String, String)>,
}

/// What a code was exchanged for; the ID token is verified.
pub struct Tokens {
    pub answer: Answer,
    pub access_token: String,
    /// Empty if there is none.
    pub refresh_token: String,
    pub id_token: String,
    pub claims: Map<String, Value>,
}

impl Tokens {
    /// A text claim of the ID token.
    pub fn claim(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap()
    }

    /// When the person signed in, in seconds since 1970.
    pub fn auth_time(&self) -> i64 {
        self.claims["auth_time"].as_i64().unwrap()
    }
}

impl Request {
    /// With this parameter, instead of what it had.
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut request = self.without(name);
        request.parameters.push((name.to_owned(), value.to_owned()));
        request
    }

    /// Without this parameter.
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    /// A parameter; empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl Run {
    /// With a client that the operator made: `client_secret_basic`, and refresh tokens.
    pub async fn start(mode: ResponseMode) -> Self {
        Self::start_with(mode, |_| ()).await
    }

    /// The same after a change of the client.
    pub async fn start_with(mode: ResponseMode, change: impl FnOnce(&mut Client)) -> Self {
        let server = Server::start().await;
        let client = server.client(change).await;
        Self::of(server, Party { client, key: None }, mode).await
    }

    /// With a client that registered itself: `private_key_jwt` with a key by value, changed by these members.
    pub async fn registered(members: Value) -> Self {
        let server = open_server().await;
        let party = register(&server, members).await;
        Self::of(server, party, ResponseMode::Query).await
    }

    async fn of(server: Server, party: Party, mode: ResponseMode) -> Self {
        let user = server.user_with("ada", describe).await;
        Self {
            server,
            user,
            browser: Browser::new(),
            party,
            mode,
        }
    }

    /// A request as the modules send it: the code flow, no PKCE, a state and nonce of its own.
    pub fn request(&self) -> Request {
        self.request_of(&self.party)
    }

    /// The same of another client.
    pub fn request_of(&self, party: &Party) -> Request {
        let request = Request { parameters: Vec::new() }
            .with("client_id", &party.client.client_id)
            .with("redirect_uri", &party.client.redirect_uri)
            .with("scope", "openid")
            .with("state", &random::token())
            .with("nonce", &random::token())
            .with("response_type", "code");
        match self.mode {
            ResponseMode::Query => request,
            mode => request.with("response_mode", mode.as_str()),
        }
    }

    /// Its address.
    pub fn url(&self, request: &Request) -> String {
        let mut url = Url::parse(&self.server.url("/oauth2/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs(&request.parameters);
        url.into()
    }

    /// Goes through with it, signing in and allowing everything.
    pub async fn sign_in(&self, request: &Request) -> Arrival {
        let arrival = self.browser.sign_in(&self.url(request), &self.user).await;
        self.check(request, &arrival);
        arrival
    }

    /// The answer that comes without anybody being asked.
    pub async fn at_once(&self, request: &Request) -> Arrival {
        let page = self.browser.get(&self.url(request)).await;
        let arrival = arrival(&page);
        self.check(request, &arrival);
        arrival
    }

    /// The page that the person sees next.
    pub async fn asked(&self, request: &Request) -> Page {
        let page = self.browser.open(&self.url(request)).await;
        assert_eq!((page.status.as_u16(), page.location()), (200, None), "{}", page.body);
        page
    }

    /// Goes on from a page.
    pub async fn walk(&self, request: &Request, page: Page) -> Arrival {
        let arrival = self.browser.walk(page, &self.user).await;
        self.check(request, &arrival);
        arrival
    }

    /// Whatever it says, an answer goes to the client, in the mode that was asked for, with state and issuer.
    pub fn check(&self, request: &Request, arrival: &Arrival) {
        let redirect_uri = request.get("redirect_uri");
        match self.mode {
            ResponseMode::Query => {
                let joint = if redirect_uri.contains('?') { "&" } else { "?" };
                let start = format!("{redirect_uri}{joint}");
                assert!(arrival.url.as_str().starts_with(&start), "{}", arrival.url);
            }
            ResponseMode::FormPost => assert_eq!(arrival.url.as_str(), redirect_uri),
        }
        assert_eq!(arrival.get("state"), request.get("state"));
        assert_eq!(arrival.get("iss"), self.server.issuer());
        assert_eq!(arrival.url.fragment(), None);
    }

    /// The whole way: sign-in, tokens.
    pub async fn complete(&self, request: &Request) -> Tokens {
        let arrival = self.sign_in(request).await;
        self.redeem(request, &arrival).await
    }

    /// Exchanges a code and verifies what comes.
    pub async fn redeem(&self, request: &Request, arrival: &Arrival) -> Tokens {
        self.redeem_as(&self.party, request, arrival).await
    }

    /// The same as another client.
    pub async fn redeem_as(&self, party: &Party, request: &Request, arrival: &Arrival) -> Tokens {
        let answer = self.exchange(party, arrival.code(), request.get("redirect_uri")).await;
        self.tokens(party, answer, Some(request.get("nonce"))).await
    }

    /// The token endpoint's answer to a code.
    pub async fn exchange(&self, party: &Party, code: &str, redirect_uri: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
        ];
        self.token(party, &form).await
    }

    /// The token endpoint's answer to a refresh token.
    pub async fn refresh(&self, party: &Party, refresh_token: &str) -> Answer {
        self.token(
            party,
            &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)],
        )
        .await
    }

    /// The token endpoint, with the client's proof.
    pub async fn token(&self, party: &Party, form: &[(&str, &str)]) -> Answer {
        self.token_for(party, &self.server.url("/oauth2/token"), form).await
    }

    /// The same; an assertion is made for this audience.
    pub async fn token_for(&self, party: &Party, audience: &str, form: &[(&str, &str)]) -> Answer {
        let client = &party.client;
        let relying_party = RelyingParty::new(&self.server, client);
        match &party.key {
            None => {
                let proof = basic(&client.client_id, &client.secret);
                relying_party
                    .post_as("/oauth2/token", form, &[("authorization", &proof)])
                    .await
            }
            Some(key) => {
                let proof = assertion::assertion(key, &client.client_id, audience, self.now());
                let mut form = form.to_vec();
                form.push(("client_assertion_type", assertion::TYPE));
                form.push(("client_assertion", &proof));
                relying_party.post_as("/oauth2/token", &form, &[]).await
            }
        }
    }

    /// Takes a token answer apart and verifies its ID token. `nonce`: the one that was sent, empty if none was; none after a
    /// refresh, which may leave it out (Core section 12.2).
    pub async fn tokens(&self, party: &Party, answer: Answer, nonce: Option<&str>) -> Tokens {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.get("token_type"), "Bearer");
        assert!(answer.json()["expires_in"].as_u64().unwrap() > 0);
        let (access_token, id_token) = (answer.get("access_token"), answer.get("id_token"));
        assert!(!access_token.is_empty());
        let claims = published_keys::verified(&self.server, &id_token).await;
        self.check_id_token(&party.client, &claims);
        // Core section 3.1.3.6; the test's clients are all signed for with SHA-256
        let hash = crypto::sha256(access_token.as_bytes());
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&hash[..16]));
        match nonce {
            Some("") => assert_eq!(claims.get("nonce"), None),
            Some(sent) => assert_eq!(claims["nonce"], sent),
            None => (),
        }
        Tokens {
            access_token,
            refresh_token: answer.get("refresh_token"),
            id_token,
            claims,
            answer,
        }
    }

    /// Core section 2, and what section 3.1.3.7 has the relying party check.
    fn check_id_token(&self, client: &TestClient, claims: &Map<String, Value>) {
        assert_eq!(claims["iss"], self.server.issuer());
        assert_eq!(claims["aud"], client.client_id);
        assert_eq!(claims["azp"], client.client_id);
        let subject = claims["sub"].as_str().unwrap();
        assert!(subject.is_ascii() && (1..=255).contains(&subject.len()), "{subject}");
        let now = self.now();
        let number = |name: &str| claims[name].as_i64().unwrap();
        assert!(number("exp") > now && number("exp") > number("iat"));
        assert!((now - 5..=now).contains(&number("iat")), "{} at {now}", number("iat"));
        assert!(number("auth_time") <= number("iat"));
    }

    /// What userinfo tells about the person of an access token.
    pub async fn userinfo(&self, access_token: &str) -> Map<String, Value> {
        let answer = self.get_userinfo(access_token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json");
        answer.json().as_object().unwrap().clone()
    }

    /// The userinfo endpoint's answer to a GET.
    pub async fn get_userinfo(&self, access_token: &str) -> Answer {
        RelyingParty::new(&self.server, &self.party.client)
            .userinfo(access_token)
            .await
    }

    /// The userinfo endpoint's answer to a POST.
    pub async fn post_userinfo(&self, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let relying_party = RelyingParty::new(&self.server, &self.party.client);
        relying_party.post_as("/oauth2/userinfo", form, headers).await
    }

    /// The server's time, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.server.call().now.seconds()
    }
}

/// A server where anyone may register clients.
pub async fn open_server() -> Server {
    let server = Server::start().await;
    // nobody presses the button that stands before an error redirect to a client that nobody vouches for: docs/conformance.md
    let registration = json!({"mode": "open", "confirm_error_redirects": false});
    server.settings(json!({"client_registration": registration})).await;
    server
}

/// Registers a client of `private_key_jwt`: what the modules register, changed by these members.
pub async fn register(server: &Server, members: Value) -> Party {
    let key = assertion::key();
    let mut metadata = json!({
        "client_name": "Conformance",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": assertion::jwks(key),
        "contacts": ["certification@client.example"],
    });
    for (member, value) in members.as_object().unwrap() {
        if member == "jwks_uri" {
            // RFC 7591 section 2: never both
            metadata.as_object_mut().unwrap().remove("jwks");
        }
        metadata[member] = value.clone();
    }
    let answer = post_registration(server, &metadata).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let information = answer.json();
    for (member, value) in metadata.as_object().unwrap() {
        assert_eq!(information[member], *value, "{member}");
    }
    let client_id = answer.get("client_id");
    let client = server.provider().client(&client_id).await.unwrap().unwrap();
    let client = TestClient {
        id: client.id,
        redirect_uri: client.metadata.redirect_uris[0].clone(),
        secret: answer.get("client_secret"),
        client: (*client).clone(),
        client_id,
    };
    Party { client, key: Some(key) }
}

/// The registration endpoint's answer, wherever the metadata says it is.
pub async fn post_registration(server: &Server, metadata: &Value) -> Answer {
    let configuration = Browser::new()
        .get(&server.url("/.well-known/openid-configuration"))
        .await
        .json();
    let http = plain_http().build().unwrap();
    let response = http
        .post(configuration["registration_endpoint"].as_str().unwrap())
        .header("content-type", "application/json")
        .body(metadata.to_string())
        .send()
        .await
        .unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

/// The answer to the client that a response carries, in the query of a redirect or in a form that posts itself.
pub fn arrival(page: &Page) -> Arrival {
    if let Some(to) = page.location() {
        assert_ne!(to.origin(), page.url.origin(), "{to}: somebody is asked");
        let parameters = to.query_pairs().into_owned().collect();
        return Arrival { url: to, parameters };
    }
    let foreign = |action: &str| Url::parse(action).is_ok_and(|action| action.origin() != page.url.origin());
    let form = page.forms().into_iter().find(|form| foreign(&form.action));
    let form = form.unwrap_or_else(|| panic!("no answer: {} {}", page.status, page.body));
    // Form Post Response Mode section 2
    assert_eq!((page.status.as_u16(), form.method.as_str()), (200, "post"));
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("cache-control").contains("no-store"));
    let parameters: BTreeMap<String, String> = form.inputs.into_iter().collect();
    Arrival {
        url: Url::parse(&form.action).unwrap(),
        parameters,
    }
}

/// The person is told; nobody is sent anywhere (RFC 6749 section 4.1.2.1).
pub fn assert_told(page: &Page) {
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(
        (page.location(), page.header("location"), page.header("refresh")),
        (None, "", "")
    );
    assert!(!page.body.contains("elsewhere.example"), "{}", page.body);
    assert!(
        page.forms().iter().all(|form| Url::parse(&form.action).is_err()),
        "{}",
        page.body
    );
    assert!(!page.body.contains("http-equiv=\"refresh\""), "{}", page.body);
}

/// Everything that the standard scopes tell.
fn describe(profile: &mut Profile) {
    let text = |text: &str| Some(text.to_owned());
    profile.name = text("Ada King, Countess of Lovelace");
    profile.given_name = text("Ada");
    profile.family_name = text("Lovelace");
    profile.middle_name = text("King");
    profile.nickname = text("Enchantress");
    profile.profile = text("https://people.example/ada");
    profile.picture = text("https://people.example/ada.png");
    profile.website = text("https://ada.example/");
    profile.gender = text("female");
    profile.birthdate = text("1815-12-10");
    profile.zoneinfo = text("Europe/London");
    profile.locale = text("en-GB");
    profile.phone_number = text("+441632960000");
    profile.phone_number_verified = true;
    profile.address = Some(Address {
        formatted: text("12 St James's Square\nLondon"),
        street_address: text("12 St James's Square"),
        locality: text("London"),
        region: text("England"),
        postal_code: text("SW1Y 4JH"),
        country: text("United Kingdom"),
    });
}
