//! A service that tells people from programs, as the documentation of hCaptcha, reCAPTCHA and Turnstile has it: a script that fills a
//! field of the form by way of a frame of its own, and `siteverify`, which takes what the widget brought once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use ostiary::config::{Captcha, CaptchaAddress, CaptchaSources};
use ostiary::model::Secret;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use url::Url;

pub const SITE_KEY: &str = "10000000-ffff-ffff-ffff-000000000001";
pub const SECRET: &str = "0x0000000000000000000000000000000000000000";
pub const FIELD: &str = "h-captcha-response";

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As documented.
    Well,
    /// It answers with what nobody understands.
    Confused,
    /// It answers that it can't.
    Failing,
}

struct Known {
    mood: Mood,
    used: BTreeSet<String>,
    asked: Vec<BTreeMap<String, String>>,
}

/// A running service.
pub struct CaptchaService {
    pub origin: String,
    known: Arc<Mutex<Known>>,
    serving: JoinHandle<()>,
}

impl CaptchaService {
    pub async fn start() -> Self {
        let known = Arc::new(Mutex::new(Known {
            mood: Mood::Well,
            used: BTreeSet::new(),
            asked: Vec::new(),
        }));
        let app = Router::new()
            .route("/1/api.js", get(script))
            .route("/frame", get(frame))
            .route("/siteverify", post(verify))
            .with_state(known.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { origin, known, serving }
    }

    /// The configuration that leads to it.
    pub fn configuration(&self) -> Captcha {
        let url = |path: &str| Url::parse(&format!("{}{path}", self.origin)).unwrap();
        let own = || vec![self.origin.clone()];
        Captcha {
            site_key: SITE_KEY.to_owned(),
            secret: Secret::new(SECRET),
            script: url("/1/api.js"),
            verify: url("/siteverify"),
            class: "h-captcha".to_owned(),
            field: FIELD.to_owned(),
            sources: CaptchaSources {
                scripts: own(),
                frames: own(),
                styles: Vec::new(),
                connections: Vec::new(),
            },
            address: CaptchaAddress::Told,
        }
    }

    pub fn be(&self, mood: Mood) {
        self.known.lock().unwrap().mood = mood;
    }

    /// What it was asked, each form.
    pub fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.known.lock().unwrap().asked.clone()
    }

    /// It does not answer any more.
    pub fn stop(&self) {
        self.serving.abort();
    }
}

impl Drop for CaptchaService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn script() -> impl IntoResponse {
    let script = format!(
        "for (const place of document.querySelectorAll('.h-captcha')) {{
  const frame = document.createElement('iframe');
  frame.src = new URL('/frame', document.currentScript.src) + '#' + place.dataset.sitekey;
  const field = document.createElement('input');
  field.type = 'hidden';
  field.name = '{FIELD}';
  place.append(frame, field);
  addEventListener('message', (event) => {{
    if (event.source === frame.contentWindow) field.setAttribute('value', event.data);
  }});
}}"
    );
    ([(header::CONTENT_TYPE, "text/javascript")], script)
}

async fn frame() -> impl IntoResponse {
    let page = "<!doctype html><title>a box to tick</title><button>I am a person</button><script>
document.querySelector('button').onclick = () => parent.postMessage('person-' + Math.random().toString(36).slice(2), '*');
document.querySelector('button').click();
</script>";
    ([(header::CONTENT_TYPE, "text/html")], page)
}

/// A form with `secret`, `response` and perhaps `remoteip`; whatever begins with `person-` was brought by a person, once.
async fn verify(
    State(known): State<Arc<Mutex<Known>>>,
    Form(form): Form<BTreeMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let mut known = known.lock().unwrap();
    known.asked.push(form.clone());
    match known.mood {
        Mood::Well => {}
        Mood::Confused => return (StatusCode::OK, Json(json!("yes"))),
        Mood::Failing => return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({}))),
    }
    let refused = |code: &str| (StatusCode::OK, Json(json!({"success": false, "error-codes": [code]})));
    let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if text("secret") != SECRET {
        return refused("invalid-input-secret");
    }
    match text("response") {
        "" => refused("missing-input-response"),
        response if !response.starts_with("person-") => refused("invalid-input-response"),
        response if !known.used.insert(response.to_owned()) => refused("timeout-or-duplicate"),
        _ => {
            let told = json!({"success": true, "challenge_ts": "2026-01-01T00:00:00Z", "hostname": "localhost"});
            (StatusCode::OK, Json(told))
        }
    }
}
