//! What the application keeps for a browser: in memory, under a random name in a cookie.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value};

use crate::model::Secret;
use crate::random;

const COOKIE: &str = "sample_session";
/// More browsers than a sandbox sees; then the oldest ones sign in again.
const MOST: usize = 1000;

/// What is kept for a browser.
#[derive(Clone, Default)]
pub(super) struct Session {
    /// A sign-in that is under way.
    pub(super) attempt: Option<Attempt>,
    /// Who is signed in.
    pub(super) signed_in: Option<SignedIn>,
    /// What happened last, to be shown.
    pub(super) notice: Option<Notice>,
}

/// A sign-in that is under way.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) state: Secret,
    pub(super) nonce: Secret,
    pub(super) code_verifier: Secret,
}

/// A signed-in person.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) id_token: Secret,
    pub(super) claims: Map<String, Value>,
    pub(super) userinfo: Map<String, Value>,
    pub(super) access_token: Secret,
    pub(super) refresh_token: Option<Secret>,
    pub(super) scope: String,
    pub(super) refreshed: u32,
}

/// What happened last.
#[derive(Clone)]
pub(super) struct Notice {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) good: bool,
}

impl Notice {
    pub(super) fn good(title: &str, text: impl Into<String>) -> Self {
        Self {
            title: title.to_owned(),
            text: text.into(),
            good: true,
        }
    }

    pub(super) fn bad(title: &str, text: impl Into<String>) -> Self {
        Self {
            good: false,
            ..Self::good(title, text)
        }
    }
}

/// A session of the server's that has ended.
pub(super) struct EndedAtProvider {
    pub(super) session: Option<String>,
    pub(super) subject: Option<String>,
    /// When the server said so, for people to read.
    pub(super) told_at: String,
}

impl EndedAtProvider {
    /// Whether an ID token with these claims was given in it.
    fn is_of(&self, claims: &Map<String, Value>) -> bool {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        match (&self.session, &self.subject) {
            (Some(session), subject) => {
                text("sid") == Some(session) && subject.as_deref().is_none_or(|subject| text("sub") == Some(subject))
            }
            (None, Some(subject)) => text("sub") == Some(subject),
            (None, None) => false,
        }
    }
}

/// The sessions of all browsers.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Session>) -> T) -> T {
        match self.0.lock() {
            Ok(mut sessions) => act(&mut sessions),
            Err(poisoned) => act(&mut poisoned.into_inner()),
        }
    }

    /// The session of this name.
    pub(super) fn get(&self, name: &str) -> Session {
        self.with(|sessions| sessions.get(name).cloned()).unwrap_or_default()
    }

    /// Puts a session in place.
    pub(super) fn put(&self, name: &str, session: Session) {
        self.with(|sessions| {
            if sessions.len() >= MOST && !sessions.contains_key(name) {
                sessions.clear();
            }
            sessions.insert(name.to_owned(), session);
        });
    }

    /// Signs out whoever signed in with this session of the server's, or all of a person where none is named.
    pub(super) fn sign_out(&self, ended: &EndedAtProvider) {
        self.with(|sessions| {
            for session in sessions.values_mut() {
                let is_meant = session
                    .signed_in
                    .as_ref()
                    .is_some_and(|person| ended.is_of(&person.claims));
                if is_meant {
                    session.signed_in = None;
                    session.notice = Some(Notice::good(
                        "You were signed out at the provider",
                        format!("It said so at {}: your session here is over as well.", ended.told_at),
                    ));
                }
            }
        });
    }

    /// Ends a session.
    pub(super) fn end(&self, name: &str) {
        self.with(|sessions| drop(sessions.remove(name)));
    }
}

/// The name of the browser's session, from its cookie.
pub(super) fn name(headers: &HeaderMap) -> Option<String> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// A new name with the cookie that keeps it.
pub(super) fn new_name() -> (String, Option<HeaderValue>) {
    let name = random::token();
    let cookie = HeaderValue::from_str(&format!("{COOKIE}={name}; Path=/; HttpOnly; SameSite=Lax")).ok();
    (name, cookie)
}
