//! Whoever would read a page that tells of a refusal: in which language, and where the same is shown again in another.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, Uri, header};
use url::form_urlencoded;

use super::Audience;
use crate::http::Http;
use crate::http::extract::{Chosen, Native};
use crate::view::{Locale, negotiate};

/// What a page that tells of a refusal keeps of its address for the language switch. Nothing else is repeated: least of all an
/// address that somebody asked to be sent to.
const KEPT: [&str; 2] = ["flow", "again"];
/// The most languages of a request that are looked at.
const MOST_WISHED: usize = 10;

/// Whoever would read it.
pub struct Reader {
    address: Uri,
    is_get: bool,
    languages: Option<HeaderValue>,
    /// The language that was chosen.
    pub chosen: Chosen,
    /// The person's own, once somebody has looked who it is.
    pub native: Native,
}

impl Reader {
    /// Whoever sent this request. Only a person chooses a language.
    pub fn of(http: &Http, request: &Request, audience: Audience) -> Self {
        let chosen = match audience {
            Audience::Person => Chosen::of(http, request.uri(), request.headers()),
            Audience::Client | Audience::Administrator => Chosen::default(),
        };
        Self {
            address: request.uri().clone(),
            is_get: request.method() == Method::GET,
            languages: request.headers().get(header::ACCEPT_LANGUAGE).cloned(),
            chosen,
            native: Native::default(),
        }
    }

    /// The language of the page: the one that was chosen, what the application asks for, the person's own, the browser's.
    pub(super) fn locale(&self) -> Locale {
        let parameters = self.parameters();
        let wished = parameters
            .iter()
            .filter(|(name, _)| name == "ui_locales")
            .flat_map(|(_, locales)| locales.split(' '))
            .take(MOST_WISHED);
        let wished: Vec<&str> = self
            .chosen
            .locale()
            .map(Locale::tag)
            .into_iter()
            .chain(wished)
            .collect();
        let languages = self.languages.as_ref().and_then(|languages| languages.to_str().ok());
        negotiate(&wished, self.native.tag(), languages)
    }

    /// Where a GET shows the same again: path and query. Not where the whole request is what was refused, since a part of it would
    /// be refused for another reason.
    pub(super) fn again(&self) -> Option<(&str, String)> {
        if !self.is_get || self.address.path().starts_with("/oauth2/") {
            return None;
        }
        let parameters = self.parameters();
        let kept = parameters.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .finish();
        Some((self.address.path(), query))
    }

    fn parameters(&self) -> Vec<(String, String)> {
        let query = self.address.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}
