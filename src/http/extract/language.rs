//! The language that somebody chose with the switch at a page's foot. It stays while the browser is open, in a cookie that holds a
//! language of ours and nothing else.

use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use url::form_urlencoded;

use super::Provenance;
use super::cookie::{self, Name};
use crate::http::Http;
use crate::view::Locale;

/// The language that somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// By this very request.
    switched: Option<Locale>,
    /// Before.
    kept: Option<Locale>,
    /// Whether it counts no more.
    forgets: bool,
    /// Whether the switch was pressed on a page of ours: somebody else's link chooses nothing for the pages after it.
    lasts: bool,
}

impl Chosen {
    /// What a request says. What an authorization request calls `ui_locales` is the application's wish, and no choice.
    pub fn of(http: &Http, address: &Uri, headers: &HeaderMap) -> Self {
        let query = address.query().filter(|_| !address.path().starts_with("/oauth2/"));
        let switched = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "ui_locales")
            .and_then(|(_, tag)| exactly(&tag));
        Self {
            switched,
            kept: cookie::read(http, headers, Name::Language).and_then(|tag| exactly(&tag)),
            forgets: false,
            lasts: switched.is_some() && Provenance::of(http, headers) == Provenance::Own,
        }
    }

    /// The language, if one was chosen.
    pub fn locale(self) -> Option<Locale> {
        self.switched.or(self.kept)
    }

    /// The same where the person has said which language is theirs: what was chosen before counts no more.
    #[must_use]
    pub const fn forgotten(self) -> Self {
        Self {
            switched: None,
            kept: None,
            forgets: true,
            lasts: false,
        }
    }

    /// Gives the browser the cookie, if it has another or none.
    pub fn keep(self, http: &Http, response: &mut Response) {
        if self.forgets {
            let ended = cookie::make(http, Name::Language, String::new(), Some(0)).to_string();
            if let Ok(value) = HeaderValue::from_str(&ended) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            return;
        }
        let new = self
            .switched
            .filter(|switched| self.lasts && self.kept != Some(*switched));
        let cookie = new.map(|locale| cookie::make(http, Name::Language, locale.tag().to_owned(), None).to_string());
        if let Some(value) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// The language of the person who is signed in, as soon as it is known: for pages that are drawn when the handler is done.
#[derive(Clone, Debug, Default)]
pub struct Native(Arc<OnceLock<String>>);

impl Native {
    /// Keeps it. What was kept before stays.
    pub(super) fn learn(&self, tag: &str) {
        self.0.get_or_init(|| tag.to_owned());
    }

    /// Its tag (BCP 47).
    pub fn tag(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// The language of exactly this tag, as the switch and the cookie have it.
fn exactly(tag: &str) -> Option<Locale> {
    Locale::ALL.into_iter().find(|locale| locale.tag() == tag)
}
