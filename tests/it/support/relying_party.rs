//! The client's side of a sign-on: authorization URLs, PKCE, the token endpoint.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ostiary::crypto;
use ostiary::random;
use reqwest::StatusCode;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::browser::{Arrival, Browser};
use super::http::plain_http;
use super::server::{Server, TestClient, TestUser};

/// A client that talks to a server.
pub struct RelyingParty<'a> {
    base: String,
    host: String,
    pub client: &'a TestClient,
    http: reqwest::Client,
    /// What is asked for beside the client itself; change it before [`RelyingParty::authorization_url`].
    pub scope: String,
    pub state: String,
    pub nonce: String,
    pub code_verifier: String,
}

/// An answer of an endpoint.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// As JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    /// A text member; empty if it is not there.
    pub fn get(&self, name: &str) -> String {
        self.json()
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// The answer, which must be a success.
    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self
    }

    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The error's code, for a refusal in OAuth's shape.
    pub fn error(&self) -> String {
        assert!(!self.status.is_success(), "{} {}", self.status, self.body);
        self.get("error")
    }
}

impl<'a> RelyingParty<'a> {
    /// The relying party of a client.
    pub fn new(server: &Server, client: &'a TestClient) -> Self {
        Self::at(&server.url(""), &server.host(), client)
    }

    /// The same at a base address, which has no slash at its end; every request names this host.
    pub fn at(base: &str, host: &str, client: &'a TestClient) -> Self {
        let http = plain_http()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            base: base.to_owned(),
            host: host.to_owned(),
            client,
            http,
            scope: "openid profile email offline_access".to_owned(),
            state: random::token(),
            nonce: random::token(),
            code_verifier: random::token(),
        }
    }

    /// The S256 challenge of the verifier.
    pub fn code_challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(crypto::sha256(self.code_verifier.as_bytes()))
    }

    /// An authorization request with everything good clients send.
    pub fn authorization_url(&self) -> String {
        self.authorization_url_with(&[])
    }

    /// The same with other parameters: one that is there is replaced, an empty value leaves it out.
    pub fn authorization_url_with(&self, parameters: &[(&str, &str)]) -> String {
        let challenge = self.code_challenge();
        let mut all: Vec<(&str, &str)> = vec![
            ("response_type", "code"),
            ("client_id", &self.client.client_id),
            ("redirect_uri", &self.client.redirect_uri),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in parameters {
            all.retain(|(known, _)| known != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        let mut url = Url::parse(&format!("{}/oauth2/authorize", self.base)).unwrap();
        url.query_pairs_mut().extend_pairs(all);
        url.into()
    }

    /// Signs a user in through a browser.
    pub async fn sign_in(&self, browser: &Browser, user: &TestUser) -> Arrival {
        browser.sign_in(&self.authorization_url(), user).await
    }

    /// Signs a user in through a new browser and redeems the code: the token answer.
    pub async fn tokens(&self, user: &TestUser) -> Answer {
        let arrival = self.sign_in(&Browser::new(), user).await;
        assert_eq!(arrival.get("state"), self.state);
        self.redeem(arrival.code()).await.ok()
    }

    /// Redeems a code.
    pub async fn redeem(&self, code: &str) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.client.redirect_uri),
            ("code_verifier", &self.code_verifier),
        ])
        .await
    }

    /// Refreshes.
    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
            .await
    }

    /// The token endpoint, authenticated with the client's own method (Basic or in the form).
    pub async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.post("/oauth2/token", form).await
    }

    /// An endpoint for clients, authenticated with the client's own method.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut form = form.to_vec();
        let mut headers = Vec::new();
        let authorization;
        match self.client.client.metadata.token_endpoint_auth_method.as_str() {
            "client_secret_basic" => {
                authorization = basic(&self.client.client_id, &self.client.secret);
                headers.push(("authorization", authorization.as_str()));
            }
            "client_secret_post" => {
                form.push(("client_id", &self.client.client_id));
                form.push(("client_secret", &self.client.secret));
            }
            "none" => form.push(("client_id", &self.client.client_id)),
            // an assertion is the test's own matter
            _ => (),
        }
        self.post_as(path, &form, &headers).await
    }

    /// An endpoint, with nothing added.
    pub async fn post_as(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("host", &self.host)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    /// GET with an access token.
    pub async fn get(&self, path: &str, access_token: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.base)).header("host", &self.host);
        answer(request.header("authorization", format!("Bearer {access_token}"))).await
    }

    /// The userinfo answer.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        self.get("/oauth2/userinfo", access_token).await
    }

    /// Introspects a token.
    pub async fn introspect(&self, token: &str) -> Answer {
        self.post("/oauth2/introspect", &[("token", token)]).await
    }

    /// Revokes a token.
    pub async fn revoke(&self, token: &str) -> Answer {
        self.post("/oauth2/revoke", &[("token", token)]).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

/// HTTP Basic as RFC 6749 section 2.3.1 wants it: both parts form-encoded first.
pub fn basic(client_id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret));
    format!("Basic {}", STANDARD.encode(pair))
}

/// The claims of a JWT, unverified: to look at, after somebody verified it or where nothing hangs on it.
pub fn claims(jwt: &str) -> Map<String, Value> {
    part(jwt, 1)
}

/// The header of a JWT.
pub fn jwt_header(jwt: &str) -> Map<String, Value> {
    part(jwt, 0)
}

fn part(jwt: &str, index: usize) -> Map<String, Value> {
    let part = jwt.split('.').nth(index).unwrap_or_else(|| panic!("no JWT: {jwt}"));
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
