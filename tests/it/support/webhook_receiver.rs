//! Somebody who is told of events: keeps every message, checks its signature as Standard Webhooks has it, and answers as the test
//! wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ostiary::crypto;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// With this status.
    With(u16),
    /// Not at all.
    Never,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signatures: Vec<String>,
    /// The body as it came.
    pub text: String,
    /// The same, read.
    pub body: Value,
}

impl Message {
    /// Whether one of its signatures was made with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.text);
        let expected = format!("v1,{}", STANDARD.encode(crypto::signature(&key, signed.as_bytes())));
        self.signatures.contains(&expected)
    }

    /// What it is about.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }
}

struct Shelf {
    answers: Answers,
    messages: Vec<Message>,
}

/// A running receiver.
pub struct WebhookReceiver {
    /// Its address.
    pub url: String,
    shelf: Arc<Mutex<Shelf>>,
    serving: JoinHandle<()>,
}

impl WebhookReceiver {
    /// Serves on a free port of 127.0.0.1, and takes what it is told.
    pub async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", socket.local_addr().unwrap());
        let shelf = Arc::new(Mutex::new(Shelf {
            answers: Answers::With(200),
            messages: Vec::new(),
        }));
        let router = Router::new().route("/told", post(take)).with_state(shelf.clone());
        let serving = tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { url, shelf, serving }
    }

    /// From now on it answers so.
    pub fn answer(&self, answers: Answers) {
        self.shelf.lock().unwrap().answers = answers;
    }

    /// Everything it was told, the oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.shelf.lock().unwrap().messages.clone()
    }

    /// The kinds of everything it was told.
    pub fn kinds(&self) -> Vec<String> {
        self.messages()
            .iter()
            .map(|message| message.kind().to_owned())
            .collect()
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(shelf): State<Arc<Mutex<Shelf>>>, headers: HeaderMap, text: String) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    let message = Message {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap(),
        signatures: header("webhook-signature").split(' ').map(str::to_owned).collect(),
        body: serde_json::from_str(&text).unwrap(),
        text,
    };
    let answers = {
        let mut shelf = shelf.lock().unwrap();
        shelf.messages.push(message);
        shelf.answers
    };
    match answers {
        Answers::With(status) => (StatusCode::from_u16(status).unwrap(), "so it is").into_response(),
        Answers::Never => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::OK.into_response()
        }
    }
}
