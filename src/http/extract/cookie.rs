//! The cookies (SEC-520). For https they are bound to this very host by their prefix; a loopback http issuer goes without prefix
//! and `Secure`, since browsers would not keep them there.
//!
//! All but one are out of reach for scripts and for other sites. That one says nothing but that something has changed: it is made
//! for the script of the one page that other sites frame (OpenID Connect Session Management 1.0).

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::flow::Call;
use crate::flow::provider::Issuer;
use crate::flow::session::{Browser, browser_state};
use crate::http::Http;

/// How long a browser keeps its device after a sign-in: no browser keeps a cookie for longer than 400 days (RFC 6265bis section
/// 5.5).
const DEVICE_SECONDS: u64 = 400 * 24 * 60 * 60;

/// A cookie of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The tokens of the browser's sessions.
    Session,
    /// The browser's key.
    Browser,
    /// The language that was chosen.
    Language,
    /// Its signed-in state, as a word.
    State,
    /// Which device it is.
    Device,
}

impl Name {
    /// Its name.
    pub fn text(self, issuer: &Issuer) -> &'static str {
        match (self, issuer.is_https()) {
            (Self::Session, true) => "__Host-ostiary_session",
            (Self::Session, false) => "ostiary_session",
            (Self::Browser, true) => "__Host-ostiary_browser",
            (Self::Browser, false) => "ostiary_browser",
            (Self::Language, true) => "__Host-ostiary_language",
            (Self::Language, false) => "ostiary_language",
            (Self::State, true) => "__Host-ostiary_state",
            (Self::State, false) => "ostiary_state",
            (Self::Device, true) => "__Host-ostiary_device",
            (Self::Device, false) => "ostiary_device",
        }
    }
}

/// The value of a cookie that the request brings.
pub fn read(http: &Http, headers: &HeaderMap, name: Name) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name.text(&http.provider.issuer))
        .map(|cookie| cookie.value().to_owned())
}

/// Gives the browser the cookies it has to keep: to be called on every response that a [`Browser`] took part in.
pub fn keep(http: &Http, call: &Call, browser: &Browser, mut response: Response) -> Response {
    let new_key = browser
        .is_new
        .then(|| make(http, Name::Browser, browser.key.expose().to_owned(), None));
    let new_tokens = browser.is_changed.then(|| {
        let seconds = if browser.accounts.is_empty() {
            Some(0)
        } else {
            lasting(call, browser)
        };
        make(http, Name::Session, browser.cookie_value(), seconds)
    });
    let device = browser.device.as_ref().filter(|_| browser.is_device_told);
    let device = device.map(|device| make(http, Name::Device, device.expose().to_owned(), Some(DEVICE_SECONDS)));
    for cookie in new_key
        .into_iter()
        .chain(new_tokens)
        .chain(device)
        .chain(new_state(http, call, browser))
    {
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// How long a cookie of the people who are signed in lasts; none: until the browser is closed. Such a browser forgets people who
/// did not ask to stay, so all of them have to have asked.
fn lasting(call: &Call, browser: &Browser) -> Option<u64> {
    let stays = browser.accounts.iter().all(|account| account.facts.remember);
    let last = browser.accounts.iter().map(|account| account.session.expires).max()?;
    stays.then(|| last.since(call.now).as_secs())
}

/// The browser's signed-in state, where it is not the one that it holds. Where nobody ever was signed in there is none.
fn new_state(http: &Http, call: &Call, browser: &Browser) -> Option<Cookie<'static>> {
    if browser.accounts.is_empty() && browser.state.is_none() {
        return None;
    }
    let state = browser_state(&http.provider, browser);
    if browser.state.as_deref() == Some(state.as_str()) && !browser.is_changed {
        return None;
    }
    let mut cookie = make(http, Name::State, state, lasting(call, browser));
    cookie.set_http_only(false);
    if http.provider.issuer.is_https() {
        // it is read in a frame on other sites
        cookie.set_same_site(SameSite::None);
    }
    Some(cookie)
}

/// A cookie of this server; one without a number of seconds ends with the browser.
pub(super) fn make(http: &Http, name: Name, value: String, seconds: Option<u64>) -> Cookie<'static> {
    let mut cookie = Cookie::build((name.text(&http.provider.issuer), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(http.provider.issuer.is_https())
        .build();
    if let Some(seconds) = seconds {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        cookie.set_max_age(time::Duration::seconds(seconds));
    }
    cookie
}
