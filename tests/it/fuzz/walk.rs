//! A walk through every route of a running server: with and without a token, with ids that exist and ids that don't, with
//! bodies that nearly fit and bodies that don't.

use std::collections::BTreeSet;

use ostiary::http::api::route::{Method, Permission, Route};
use ostiary::http::api::{BASE, table};
use ostiary::model::user::comparison_key;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Inputs, administrator, pieces};
use crate::support::http::plain_http;
use crate::support::relying_party::{RelyingParty, basic};
use crate::support::server::{Server, TestClient};
use crate::support::sources;

const STEPS: usize = 900;

const TEXTS: &[&str] = &[
    "",
    "a",
    "ada",
    "admin",
    "account",
    "openid",
    "ada@example.com",
    "https://client.example/callback",
    "http://localhost/cb",
    "javascript:alert(1)",
    "authorization_code",
    "client_credentials",
    "none",
    "client_secret_basic",
    "private_key_jwt",
    "web",
    "native",
    "public",
    "pairwise",
    "RS256",
    "ES256",
    "HS256",
    "active",
    "inactive",
    "jwt",
    "opaque",
    "30s",
    "90d",
    "0s",
    "-1",
    "\u{0}",
    "\u{202e}",
    "' or 1=1 --",
    "*",
    "1970-01-01",
    "Europe/Paris",
    "de",
    "correct horse battery staple",
    "../../etc/passwd",
    "%2e%2e",
    "01890000-0000-7000-8000-000000000000",
    "ä",
    "\u{10ffff}",
];

const HEADERS: &[(&str, &str)] = &[
    ("if-match", "\"1\""),
    ("if-match", "*"),
    ("if-match", "W/\"x"),
    ("if-none-match", "*"),
    ("idempotency-key", "same"),
    ("idempotency-key", "\t"),
    ("accept", "text/html"),
    ("accept-language", "de-CH, xx;q=9, *"),
    ("origin", "null"),
    ("origin", "https://evil.example"),
    ("sec-fetch-site", "cross-site"),
    ("expect", "100-continue"),
    ("x-forwarded-for", "::1"),
    ("accept-encoding", "gzip"),
    ("range", "bytes=0-1"),
    ("cookie", "ostiary_session=a.b.c"),
];

const TYPES: &[&str] = &[
    "application/json",
    "application/merge-patch+json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/csp-report",
    "",
    "application/json; charset=utf-16",
];

/// The paths of all routes beside those of the API's table, as the sources have them.
fn paths() -> Vec<String> {
    let mut found = BTreeSet::new();
    for (_, source) in sources::texts("src/http", &["rs"]) {
        for call in source.split(".route(").skip(1) {
            let text = call.split('"').nth(1).unwrap_or_default();
            if text.starts_with('/') {
                found.insert(text.to_owned());
            }
        }
    }
    found.into_iter().collect()
}

struct Walk<'a> {
    server: &'a Server,
    http: reqwest::Client,
    inputs: Inputs,
    token: String,
    client: TestClient,
    cookies: String,
    /// Ids, names and tokens that answers have told.
    known: Vec<String>,
    /// Names of members that bodies have, by the document of the API.
    members: Vec<String>,
    form_names: Vec<&'static str>,
    /// What got a success, by method and address without what is drawn.
    done: BTreeSet<String>,
}

/// The names of all properties below a value.
fn properties(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                found.extend(properties.keys().cloned());
            }
            members.values().for_each(|value| properties_of(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| properties_of(value, found)),
        _ => (),
    }
}

fn properties_of(value: &Value, found: &mut BTreeSet<String>) {
    properties(value, found);
}

/// The texts that could be ids, cursors, secrets or names.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() < 300 => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => (),
    }
}

impl Walk<'_> {
    fn text(&mut self) -> String {
        match self.inputs.below(10) {
            0..5 if !self.known.is_empty() => {
                let at = self.inputs.below(self.known.len());
                self.known[at].clone()
            }
            9 => self.inputs.draw(&pieces(TEXTS, 4)),
            _ => self.inputs.one(TEXTS).to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.inputs.below(if depth > 2 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.inputs.below(2) == 0),
            2 => json!(self.inputs.draw(&any::<i64>())),
            3 => json!(self.inputs.below(100)),
            6 => {
                let many = self.inputs.below(4);
                (0..many).map(|_| self.value(depth + 1)).collect()
            }
            7 => Value::Object(self.object(depth + 1)),
            _ => self.text().into(),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let many = self.inputs.below(6);
        (0..many)
            .map(|_| {
                let at = self.inputs.below(self.members.len());
                (self.members[at].clone(), self.value(depth))
            })
            .collect()
    }

    fn body(&mut self, kind: &str) -> String {
        match kind {
            "application/x-www-form-urlencoded" => {
                let many = self.inputs.below(8);
                let mut form = form_urlencoded::Serializer::new(String::new());
                for _ in 0..many {
                    let name = self.inputs.below(self.form_names.len());
                    let value = self.text();
                    form.append_pair(self.form_names[name], &value);
                }
                form.finish()
            }
            "text/plain" => self.inputs.draw(&"\\PC{0,40}"),
            _ if self.inputs.below(12) == 0 => self
                .inputs
                .draw(&pieces(&["{", "}", "[", "\"a\"", ":", ",", "1e9", "null"], 12)),
            _ => Value::Object(self.object(0)).to_string(),
        }
    }

    fn address(&mut self, template: &str) -> String {
        let mut path = Vec::new();
        for part in template.split('/') {
            if part.starts_with('{') {
                let text = self.text();
                let text = if text.is_empty() { "0".to_owned() } else { text };
                path.push(
                    form_urlencoded::byte_serialize(text.as_bytes())
                        .collect::<String>()
                        .replace('+', "%20"),
                );
            } else {
                path.push(part.to_owned());
            }
        }
        let mut address = path.join("/");
        if self.inputs.below(3) == 0 {
            let query = self.body("application/x-www-form-urlencoded");
            address = format!("{address}?{query}");
        }
        address
    }

    async fn send(&mut self, method: &str, address: &str, kind: &str, body: String) {
        let url = self.server.url(address);
        let mut request = self.http.request(method.parse().unwrap(), &url);
        let mut said = format!("{method} {address} [{kind}] {body}");
        match self.inputs.below(10) {
            0 => (),
            1 => request = request.header("authorization", basic(&self.client.client_id, &self.client.secret)),
            2 => request = request.bearer_auth(self.text().replace(|letter: char| !letter.is_ascii_graphic(), "")),
            _ => request = request.bearer_auth(&self.token),
        }
        if self.inputs.below(3) > 0 {
            request = request.header("cookie", &self.cookies);
        }
        for _ in 0..self.inputs.below(3) {
            let (name, value) = HEADERS[self.inputs.below(HEADERS.len())];
            request = request.header(name, value);
            said = format!("{said} {name}: {value}");
        }
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let answer = match request.body(body).send().await {
            Ok(answer) => answer,
            Err(error) => panic!("{said}: {error}"),
        };
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(status < 500, "{said}: {status} {text}");
        if status < 400 {
            let place: Vec<&str> = address.split('?').next().unwrap().split('/').take(4).collect();
            self.done.insert(format!("{method} {}", place.join("/")));
        }
        if let Ok(value) = serde_json::from_str::<Value>(&text)
            && status < 300
            && self.known.len() < 2_000
        {
            texts(&value, &mut self.known);
        }
        if status == 401 && method != "OPTIONS" && self.inputs.below(20) == 0 {
            // the walk may have ended the client that it walks with
            self.token = administrator(self.server).await;
        }
    }

    async fn call(&mut self, route: &Route) {
        let address = self.address(&format!("{BASE}{}", route.path));
        let fits = self.inputs.below(10) > 0;
        let method = if fits {
            route.method.as_str()
        } else {
            self.inputs.one(&["GET", "POST", "PUT", "DELETE", "HEAD"])
        };
        let kind = match (fits, route.method, route.takes) {
            (true, _, None) => "",
            (true, Method::Patch, _) => "application/merge-patch+json",
            (true, ..) => "application/json",
            _ => self.inputs.one(TYPES),
        };
        let body = if fits && route.takes.is_none() {
            String::new()
        } else {
            self.body(kind)
        };
        self.send(method, &address, kind, body).await;
    }

    async fn visit(&mut self, path: &str) {
        let path = path.replace("{*name}", "{name}");
        let address = self.address(&path);
        let method = self.inputs.one(&[
            "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH",
        ]);
        let kind = if self.inputs.below(4) > 0 && !path.ends_with("/register") {
            "application/x-www-form-urlencoded"
        } else {
            self.inputs.one(TYPES)
        };
        let body = if method == "GET" {
            String::new()
        } else {
            self.body(kind)
        };
        self.send(method, &address, kind, body).await;
    }
}

/// SEC-723: no request of the walk makes the server fail, and at its end it serves, publishes public keys only, and no two
/// accounts share a name.
#[tokio::test]
async fn fuzz_http_stateful() {
    let server = Server::start().await;
    let token = administrator(&server).await;
    let person = server.user("walker").await;
    let client = server.client(|_| ()).await;
    let provider = server.provider();
    let browser = server.signed_in(&person).await;
    let http = plain_http()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let document = http.get(server.url("/api/v1/openapi.json")).send().await.unwrap();
    let mut members = BTreeSet::new();
    let document = document.text().await.unwrap();
    properties(&serde_json::from_str(&document).unwrap(), &mut members);
    assert!(members.len() > 50, "{members:?}");
    let key = browser.key.expose().to_owned();
    let mut walk = Walk {
        server: &server,
        http,
        inputs: Inputs::new(),
        token,
        client,
        cookies: format!("ostiary_session={}; ostiary_browser={key}", browser.cookie_value()),
        known: vec![person.id.to_string(), person.subject.clone(), "walker".to_owned()],
        members: members.into_iter().collect(),
        form_names: vec![
            "grant_type",
            "code",
            "refresh_token",
            "token",
            "client_id",
            "client_secret",
            "redirect_uri",
            "response_type",
            "scope",
            "state",
            "flow",
            "csrf",
            "decision",
            "username",
            "password",
            "intent",
            "return_to",
            "again",
            "account",
            "id_token_hint",
            "post_logout_redirect_uri",
            "limit",
            "after",
            "filter",
            "q",
            "ui_locales",
            "claims",
            "prompt",
        ],
        done: BTreeSet::new(),
    };
    let routes = table();
    let others = paths();
    assert!(others.len() > 20, "{others:?}");
    // new keys are slow to make, and the walk goes past most routes several times
    let slow = |route: &Route| route.path.starts_with("/keys") && route.method != Method::Get;
    for route in routes
        .iter()
        .filter(|route| matches!(route.permission, Permission::Open) || !slow(route))
    {
        walk.call(route).await;
    }
    for path in &others {
        walk.visit(path).await;
    }
    for _ in 0..STEPS {
        if walk.inputs.below(3) > 0 {
            let at = walk.inputs.below(routes.len());
            if !slow(&routes[at]) {
                walk.call(&routes[at]).await;
            }
        } else {
            let at = walk.inputs.below(others.len());
            walk.visit(&others[at]).await;
        }
    }

    assert!(walk.done.len() > 40, "the walk got nowhere: {:?}", walk.done);
    let ready = walk.http.get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    let keys = walk.http.get(server.url("/oauth2/jwks")).send().await.unwrap();
    let keys: Value = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
    for key in keys["keys"].as_array().unwrap() {
        assert!(["d", "p", "q", "k"].iter().all(|name| key.get(name).is_none()), "{key}");
    }
    let mut store = provider.store.read().await.unwrap();
    let users = store.list_users(None, 1_000).await.unwrap();
    let names: BTreeSet<String> = users.iter().map(|user| comparison_key(&user.username)).collect();
    assert_eq!(names.len(), users.len(), "two accounts share a name");
    drop(store);
    let token = administrator(&server).await;
    let party = RelyingParty::new(&server, &walk.client);
    assert_eq!(party.get("/api/v1/users", &token).await.status.as_u16(), 200);
    server.stop().await;
}
