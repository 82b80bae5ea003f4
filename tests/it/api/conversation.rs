//! A caller of the API with a token. Every answer it gets is held against the OpenAPI document.

use ostiary::http::api::route::Route;
use ostiary::model::{ConsentMode, GrantType, Scopes};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::schema::faults;
use crate::support::http::plain_http;
use crate::support::relying_party::{Answer, RelyingParty};
use crate::support::server::{Server, TestClient, TestUser};

/// The document that the first server of this process gave: but for addresses it is the same at each.
static DESCRIPTION: OnceCell<Value> = OnceCell::const_new();

/// A caller.
pub struct Caller<'a> {
    server: &'a Server,
    http: reqwest::Client,
    /// Empty: it brings none.
    pub token: String,
    document: &'static Value,
}

impl<'a> Caller<'a> {
    /// A caller with this token.
    pub async fn with_token(server: &'a Server, token: &str) -> Self {
        let http = plain_http().build().unwrap();
        let ask = async || {
            let document = http.get(server.url("/api/v1/openapi.json")).send().await.unwrap();
            serde_json::from_str(&document.text().await.unwrap()).unwrap()
        };
        Self {
            server,
            document: DESCRIPTION.get_or_init(ask).await,
            http,
            token: token.to_owned(),
        }
    }

    /// A client that got a token of its own with this scope.
    pub async fn client(server: &'a Server, scope: &str) -> Self {
        let client = service(server, scope).await;
        Self::with_token(server, &client_token(server, &client).await).await
    }

    /// The OpenAPI document.
    pub fn document(&self) -> &Value {
        self.document
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, &[]).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body), &[]).await
    }

    /// PUT of bytes, as they are.
    pub async fn put_bytes(&self, path: &str, bytes: Vec<u8>) -> Answer {
        let url = self.server.url(&format!("/api/v1{path}"));
        let request = self.http.put(url).bearer_auth(&self.token).body(bytes);
        let response = request.send().await.unwrap();
        let answer = Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        };
        self.judge("PUT", path, &answer);
        answer
    }

    /// A file, as it is.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let request = self.http.get(self.server.url(&format!("/api/v1{path}")));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// PATCH with a merge patch.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body), &[]).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, &[]).await
    }

    /// A request, and its answer after it was judged.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Answer {
        let mut all = headers.to_vec();
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            let content_type = if method == "PATCH" {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            all.push(("content-type", content_type));
        }
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        self.send_text(method, path, text, &all).await
    }

    /// The same with whatever body.
    pub async fn send_text(&self, method: &str, path: &str, body: String, headers: &[(&str, &str)]) -> Answer {
        let verb: Method = method.parse().unwrap();
        let mut request = self.http.request(verb, self.server.url(&format!("/api/v1{path}")));
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await.unwrap();
        let answer = Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        };
        self.judge(method, path, &answer);
        answer
    }

    /// A request to a route that is not among those of the administration, and its answer.
    pub async fn ask(&self, method: &str, path: &str) -> Answer {
        let verb: Method = method.parse().unwrap();
        let request = self.http.request(verb, self.server.url(&format!("/api/v1{path}")));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    /// Holds an answer against the document.
    fn judge(&self, method: &str, path: &str, answer: &Answer) {
        let status = answer.status.as_u16();
        assert_ne!(status, 500, "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
        if status >= 400 {
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{method} {path} {status}"
            );
            let schema = &self.document["components"]["responses"]["Problem"]["content"]["application/problem+json"];
            let wrong = faults(self.document, &schema["schema"], &answer.json());
            assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:?}");
            assert!(answer.get("type").starts_with("urn:ostiary:problem:"));
            assert_eq!(answer.json()["status"], status);
            return;
        }
        if status == 304 {
            return;
        }
        let operation = self.operation(method, path.split('?').next().unwrap());
        let Some(response) = operation["responses"].get(status.to_string()) else {
            panic!("{method} {path}: {status} is not described");
        };
        match response.get("content") {
            None => assert_eq!(
                (answer.body.as_str(), answer.header("content-type")),
                ("", ""),
                "{method} {path}"
            ),
            // a file is described by its type alone
            Some(content)
                if content["application/json"]["schema"] == serde_json::json!({"type": "string"})
                    || content.get("application/json").is_none() =>
            {
                let told = answer.header("content-type");
                let media_type = told.split(';').next().unwrap_or_default();
                assert!(content.get(media_type).is_some(), "{method} {path}: {told}");
            }
            Some(content) => {
                assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
                let wrong = faults(self.document, &content["application/json"]["schema"], &answer.json());
                assert!(wrong.is_empty(), "{method} {path}: {wrong:?}\n{}", answer.body);
            }
        }
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let fits = |template: &str| {
            let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template
                    .iter()
                    .zip(&path)
                    .all(|(known, part)| known.starts_with('{') || known == part)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let found = paths.iter().filter(|(template, _)| fits(template));
        found
            .filter_map(|(_, path)| path.get(method.to_lowercase()))
            .next()
            .unwrap_or_else(|| panic!("{method} {path} is not in the document"))
    }
}

/// A client that may get tokens of its own with this scope.
pub async fn service(server: &Server, scope: &str) -> TestClient {
    let scope = Scopes::parse(scope).unwrap();
    server
        .client(|client| {
            client.metadata.grant_types = vec![GrantType::ClientCredentials];
            client.metadata.scope = scope;
        })
        .await
}

/// A token of the client's own, with all its scopes.
pub async fn client_token(server: &Server, client: &TestClient) -> String {
    let party = RelyingParty::new(server, client);
    let scope = client.client.metadata.scope.to_string();
    let answer = party
        .token(&[("grant_type", "client_credentials"), ("scope", &scope)])
        .await;
    answer.ok().get("access_token")
}

/// A token of a person who signed in at a first-party client with this scope.
pub async fn user_token(server: &Server, user: &TestUser, scope: &str) -> String {
    let scopes = Scopes::parse(scope).unwrap();
    let client = server
        .client(|client| {
            client.metadata.scope = scopes;
            client.policy.consent = ConsentMode::Skip;
        })
        .await;
    let mut party = RelyingParty::new(server, &client);
    party.scope = scope.to_owned();
    party.tokens(user).await.get("access_token")
}

/// The path of a route with something in the place of its parameters.
pub fn somewhere(route: &Route) -> String {
    let place = |part: &str| match part.starts_with('{') {
        true if part == "{number}" => "0".to_owned(),
        true => "01890000-0000-7000-8000-000000000000".to_owned(),
        false => part.to_owned(),
    };
    route.path.split('/').map(place).collect::<Vec<_>>().join("/")
}
