//! A relying party's address for logout tokens (Back-Channel Logout 1.0 section 2.8): keeps what it is told, and answers as the
//! test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ostiary::model::SigningAlgorithm;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::form_urlencoded;

use super::relying_party::jwt_header;
use super::server::Server;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// 200.
    Takes,
    /// With this status.
    Answers(u16),
    /// Not at all.
    Keeps,
}

struct Shelf {
    manner: Manner,
    tokens: Vec<String>,
}

/// A running receiver.
pub struct LogoutReceiver {
    /// The `backchannel_logout_uri`.
    pub uri: String,
    shelf: Arc<Mutex<Shelf>>,
    serving: JoinHandle<()>,
}

impl LogoutReceiver {
    /// Serves on a free port of 127.0.0.1, and takes what it is told.
    pub async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/backchannel", socket.local_addr().unwrap());
        let shelf = Arc::new(Mutex::new(Shelf {
            manner: Manner::Takes,
            tokens: Vec::new(),
        }));
        let router = Router::new()
            .route("/backchannel", post(take))
            .with_state(shelf.clone());
        let serving = tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { uri, shelf, serving }
    }

    /// From now on it answers so.
    pub fn answer(&self, manner: Manner) {
        self.shelf.lock().unwrap().manner = manner;
    }

    /// Everything it was told, oldest first.
    pub fn tokens(&self) -> Vec<String> {
        self.shelf.lock().unwrap().tokens.clone()
    }

    /// Waits until it was told this often, and gives the last token.
    pub async fn told(&self, times: usize) -> String {
        for _ in 0..600 {
            let tokens = self.tokens();
            if tokens.len() >= times {
                assert_eq!(tokens.len(), times, "told too often");
                return tokens.last().unwrap().clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("told {} times, not {times}", self.tokens().len());
    }
}

impl Drop for LogoutReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(shelf): State<Arc<Mutex<Shelf>>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    let mut fields = form_urlencoded::parse(body.as_bytes());
    let (name, token) = fields.next().unwrap();
    assert_eq!((name.as_ref(), fields.next()), ("logout_token", None));
    let manner = {
        let mut shelf = shelf.lock().unwrap();
        shelf.tokens.push(token.into_owned());
        shelf.manner
    };
    match manner {
        Manner::Takes => StatusCode::OK.into_response(),
        Manner::Answers(status) => (
            StatusCode::from_u16(status).unwrap(),
            [("content-type", "application/json")],
            r#"{"error":"logout_failed"}"#,
        )
            .into_response(),
        Manner::Keeps => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::OK.into_response()
        }
    }
}

/// The claims of a logout token that is as section 2.4 wants it, verified as a relying party does (section 2.6).
pub async fn verified(server: &Server, client_id: &str, token: &str) -> Map<String, Value> {
    assert_eq!(jwt_header(token)["typ"], "logout+jwt");
    let keyring = server.provider().keyring().await.unwrap();
    let claims = keyring
        .set()
        .verify(token, &["logout+jwt"], SigningAlgorithm::ALL)
        .unwrap();
    assert_eq!(claims["iss"], server.issuer());
    assert_eq!(claims["aud"], client_id);
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=120).contains(&lifetime), "{lifetime}");
    assert!(!claims["jti"].as_str().unwrap().is_empty());
    assert_eq!(
        claims["events"],
        serde_json::json!({"http://schemas.openid.net/event/backchannel-logout": {}})
    );
    assert!(claims.contains_key("sid") && claims.contains_key("sub"));
    assert!(!claims.contains_key("nonce"));
    claims
}
