//! The cookies (SEC-520). All are out of reach for scripts, and for https bound to this very host by their prefix; a
//! loopback http issuer goes without prefix and `Secure`, since browsers would not keep them there.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::flow::Call;
use crate::flow::session::Browser;
use crate::http::Http;

/// A cookie of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The tokens of the browser's sessions.
    Session,
    /// The browser's key.
    Browser,
    /// The language that was chosen.
    Language,
}

impl Name {
    fn text(self, http: &Http) -> &'static str {
        match (self, http.provider.issuer.is_https()) {
            (Self::Session, true) => "__Host-ostiary_session",
            (Self::Session, false) => "ostiary_session",
            (Self::Browser, true) => "__Host-ostiary_browser",
            (Self::Browser, false) => "ostiary_browser",
            (Self::Language, true) => "__Host-ostiary_language",
            (Self::Language, false) => "ostiary_language",
        }
    }
}

/// The value of a cookie that the request brings.
pub fn read(http: &Http, headers: &HeaderMap, name: Name) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name.text(http)).map(|cookie| cookie.value().to_owned())
}

/// Gives the browser the cookies it has to keep: to be called on every response that a [`Browser`] took part in.
pub fn keep(http: &Http, call: &Call, browser: &Browser, mut response: Response) -> Response {
    let new_key = browser
        .is_new
        .then(|| make(http, Name::Browser, browser.key.expose().to_owned(), None));
    let new_tokens = browser.is_changed.then(|| {
        // a browser that is closed forgets people who did not ask to stay, so all of them have to have asked
        let stays = browser.accounts.iter().all(|account| account.facts.remember);
        let last = browser.accounts.iter().map(|account| account.session.expires).max();
        let seconds = match last {
            None => Some(0),
            Some(last) if stays => Some(last.since(call.now).as_secs()),
            Some(_) => None,
        };
        make(http, Name::Session, browser.cookie_value(), seconds)
    });
    for cookie in new_key.into_iter().chain(new_tokens) {
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// A cookie of this server; one without a number of seconds ends with the browser.
pub(super) fn make(http: &Http, name: Name, value: String, seconds: Option<u64>) -> Cookie<'static> {
    let mut cookie = Cookie::build((name.text(http), value))
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
