//! The workloads: one operation of each, as a client or a browser does it.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ostiary::crypto::sha256;
use ostiary::random;
use url::form_urlencoded;

use super::client::{Answer, Connection};

pub const SECRET: &str = "bench-secret-0123456789abcdef0123456789";
pub const PASSWORD: &str = "violet-Kettle-93-harbour";
pub const REDIRECT_URI: &str = "http://127.0.0.1:9/cb";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    Bare,
    Discovery,
    Jwks,
    ClientCredentials,
    Introspect,
    Userinfo,
    Refresh,
    /// A silent sign-on of somebody who is signed in: authorize, code, tokens.
    Sso,
    /// A sign-on from a new browser: authorize, page, password, code, tokens.
    Login,
    /// The same in a browser where the session has ended: the device is known, and nobody is mailed.
    LoginAgain,
}

/// Name, workload, algorithm of the ID token, format of the access token.
pub const ALL: &[(&str, Workload, &str, &str)] = &[
    ("discovery", Workload::Discovery, "ES256", "jwt"),
    ("jwks", Workload::Jwks, "ES256", "jwt"),
    ("client_credentials ES256", Workload::ClientCredentials, "ES256", "jwt"),
    (
        "client_credentials opaque",
        Workload::ClientCredentials,
        "ES256",
        "opaque",
    ),
    ("introspect", Workload::Introspect, "ES256", "jwt"),
    ("userinfo", Workload::Userinfo, "ES256", "jwt"),
    ("refresh ES256", Workload::Refresh, "ES256", "jwt"),
    ("refresh RS256 and opaque", Workload::Refresh, "RS256", "opaque"),
    ("sso ES256", Workload::Sso, "ES256", "jwt"),
    ("sso RS256 and opaque", Workload::Sso, "RS256", "opaque"),
    ("login ES256", Workload::Login, "ES256", "jwt"),
    ("login, known device", Workload::LoginAgain, "ES256", "jwt"),
];

/// A client of the server.
#[derive(Clone)]
pub struct Party {
    pub address: String,
    client_id: String,
    authorization: String,
}

/// What a worker holds between operations.
#[derive(Default)]
pub struct State {
    /// Who signs in.
    person: usize,
    /// The browsers of those who are signed in already, in turns.
    browsers: VecDeque<BTreeMap<String, String>>,
    /// Whose they are.
    persons: VecDeque<usize>,
    cookies: BTreeMap<String, String>,
    access_token: String,
    refresh_token: String,
}

impl Party {
    pub fn new(address: &str, algorithm: &str, format: &str) -> Self {
        let client_id = client_id(algorithm, format);
        let credentials = STANDARD.encode(format!("{client_id}:{SECRET}"));
        Self {
            address: address.to_owned(),
            authorization: format!("authorization: Basic {credentials}\r\n"),
            client_id,
        }
    }
}

pub fn client_id(algorithm: &str, format: &str) -> String {
    format!("bench-{}-{format}", algorithm.to_lowercase())
}

/// How many people there are to sign in: nobody does so a hundred times a second.
pub const PEOPLE: usize = 100;

/// How many of them sign on silently in turns at each worker.
const BROWSERS: usize = 12;

/// The name of one of them.
pub fn username(number: usize) -> String {
    format!("alice{}", number % PEOPLE)
}

/// What a worker needs before the clock starts.
pub async fn prepare(workload: Workload, party: &Party, connection: &mut Connection, worker: usize) -> State {
    let mut state = State {
        person: worker,
        ..State::default()
    };
    if matches!(workload, Workload::Introspect | Workload::Userinfo | Workload::Refresh) {
        sign_on(party, connection, &mut state).await.expect("the first sign-on");
    }
    if matches!(workload, Workload::Sso | Workload::LoginAgain) {
        for number in 0..BROWSERS {
            state.person = worker * BROWSERS + number;
            sign_on(party, connection, &mut state).await.expect("the first sign-on");
            state.browsers.push_back(std::mem::take(&mut state.cookies));
            state.persons.push_back(state.person);
        }
    }
    state
}

pub async fn once(
    workload: Workload,
    party: &Party,
    connection: &mut Connection,
    state: &mut State,
) -> Result<(), String> {
    match workload {
        Workload::Bare => ok(connection.get("/", "").await?, "").map(drop),
        Workload::Discovery => ok(connection.get("/.well-known/openid-configuration", "").await?, "issuer").map(drop),
        Workload::Jwks => ok(connection.get("/oauth2/jwks", "").await?, "keys").map(drop),
        Workload::ClientCredentials => {
            let form = "grant_type=client_credentials";
            let answer = connection.post("/oauth2/token", &party.authorization, form).await?;
            ok(answer, "access_token").map(drop)
        }
        Workload::Introspect => {
            let form = format!("token={}", state.access_token);
            let answer = connection
                .post("/oauth2/introspect", &party.authorization, &form)
                .await?;
            ok(answer, "\"active\":true").map(drop)
        }
        Workload::Userinfo => {
            let bearer = format!("authorization: Bearer {}\r\n", state.access_token);
            ok(connection.get("/oauth2/userinfo", &bearer).await?, "\"sub\"").map(drop)
        }
        Workload::Refresh => {
            let form = format!("grant_type=refresh_token&refresh_token={}", state.refresh_token);
            let answer = connection.post("/oauth2/token", &party.authorization, &form).await?;
            let body = ok(answer, "refresh_token")?;
            state.take_tokens(&body);
            Ok(())
        }
        Workload::Sso => {
            state.access_token.clear();
            state.cookies = state.browsers.pop_front().unwrap_or_default();
            let done = sign_on(party, connection, state).await;
            state.browsers.push_back(std::mem::take(&mut state.cookies));
            done
        }
        Workload::LoginAgain => {
            state.cookies = state.browsers.pop_front().unwrap_or_default();
            state.cookies.retain(|name, _| !name.ends_with("ostiary_session"));
            state.person = state.persons.pop_front().unwrap_or_default();
            let done = sign_on(party, connection, state).await;
            state.persons.push_back(state.person);
            state.browsers.push_back(std::mem::take(&mut state.cookies));
            done
        }
        Workload::Login => {
            // the workers' people keep their distance
            state.person += 9;
            let person = state.person;
            let mut state = State {
                person,
                ..State::default()
            };
            sign_on(party, connection, &mut state).await
        }
    }
}

/// From the authorization request to the tokens, with the page in between if the browser is new.
async fn sign_on(party: &Party, connection: &mut Connection, state: &mut State) -> Result<(), String> {
    let verifier = random::token();
    let asked = random::token();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &party.client_id)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("scope", "openid profile email offline_access")
        .append_pair("state", &asked)
        .append_pair("nonce", &asked)
        .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())))
        .append_pair("code_challenge_method", "S256")
        .finish();
    let mut target = format!("/oauth2/authorize?{query}");
    let location = loop {
        let answer = connection.get(&target, &state.cookie_header()).await?;
        let location = state.follow(&answer)?;
        if !location.starts_with("/login") {
            break location;
        }
        let page = connection.get(&location, &state.cookie_header()).await?;
        state.keep_cookies(&page);
        let csrf = between(&page.body, "name=\"csrf\" value=\"", "\"").ok_or("the page has no form")?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf", csrf)
            .append_pair("username", &username(state.person))
            .append_pair("password", PASSWORD)
            .finish();
        let headers = state.cookie_header();
        let answer = connection.post(&location, &headers, &form).await?;
        let next = state.follow(&answer)?;
        if next.starts_with(REDIRECT_URI) {
            break next;
        }
        target = next;
    };
    let code = between(&format!("{location}&"), "code=", "&")
        .ok_or_else(|| format!("no code in {location}"))?
        .to_owned();
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", &code)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("code_verifier", &verifier)
        .finish();
    let answer = connection.post("/oauth2/token", &party.authorization, &form).await?;
    let body = ok(answer, "id_token")?;
    state.take_tokens(&body);
    Ok(())
}

impl State {
    fn keep_cookies(&mut self, answer: &Answer) {
        for (name, value) in answer.cookies.iter().filter_map(|cookie| cookie.split_once('=')) {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    fn follow(&mut self, answer: &Answer) -> Result<String, String> {
        self.keep_cookies(answer);
        answer
            .location
            .clone()
            .ok_or_else(|| format!("no redirect: {} {}", answer.status, answer.body))
    }

    fn cookie_header(&self) -> String {
        if self.cookies.is_empty() {
            return String::new();
        }
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("cookie: {}\r\n", pairs.join("; "))
    }

    fn take_tokens(&mut self, body: &str) {
        let token = |name: &str| {
            between(body, &format!("\"{name}\":\""), "\"")
                .unwrap_or_default()
                .to_owned()
        };
        self.access_token = token("access_token");
        self.refresh_token = token("refresh_token");
    }
}

pub fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

fn ok(answer: Answer, holds: &str) -> Result<String, String> {
    if answer.status == 200 && answer.body.contains(holds) {
        Ok(answer.body)
    } else {
        Err(format!("{} {}", answer.status, answer.body))
    }
}
