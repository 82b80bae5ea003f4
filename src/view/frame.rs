//! What every page needs beside its own context.

use serde::Serialize;
use url::form_urlencoded;

use super::{Locale, OwnPath};

/// The request a page answers, as far as the page shows it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The language of the page.
    pub locale: Locale,
    /// The nonce of the Content-Security-Policy, for the page's one script.
    pub nonce: String,
    /// The trace id of the request, 32 hex digits; error pages show ten of them.
    pub trace: String,
    /// Where a GET shows this page again, for the language switch; without it there is no switch.
    pub path: Option<OwnPath>,
    /// The query of that GET, as it stood in the request line (without `?`), or empty.
    pub query: String,
    /// The anti-forgery token of every form of ours, sent as `csrf`.
    pub csrf: String,
    /// Whether somebody is signed in in the browser: then the page's foot leads to the account and to signing out (SEC-182).
    pub signed_in: bool,
    /// What the page says before a session ends, if it is left open for so long.
    pub warning: Option<Warning>,
}

/// What a page that is left open says before a session ends. Without scripts it goes on to a page that says it.
#[derive(Clone, Debug, Serialize)]
pub struct Warning {
    /// After how many seconds.
    pub after: u64,
    /// After how many seconds the session has ended.
    pub end: u64,
    /// Whether staying is possible, and offered: a form that posts `csrf` to `page`.
    pub can_stay: bool,
    /// The page that says how the session stands.
    pub page: OwnPath,
    /// That form's anti-forgery token.
    pub csrf: String,
}

impl Warning {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            after: 3540,
            end: 3600,
            can_stay: true,
            page: OwnPath::or_home("/login/ending?return_to=%2Faccount"),
            csrf: "Y3NyZg".to_owned(),
        }
    }
}

impl Frame {
    /// A frame as the tests use it.
    pub fn sample(locale: Locale) -> Self {
        Self {
            locale,
            nonce: "bm9uY2U".to_owned(),
            trace: "8f14e45fceea167a5a36dedd4bea2543".to_owned(),
            path: OwnPath::parse("/login"),
            query: "interaction=Zm9v&ui_locales=fr".to_owned(),
            csrf: "Y3NyZg".to_owned(),
            signed_in: true,
            warning: Some(Warning::sample()),
        }
    }

    /// The frame as templates see it.
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown {
            nonce: &self.nonce,
            csrf: &self.csrf,
            trace: self.trace.get(..10).unwrap_or(&self.trace),
            direction: self.locale.direction(),
            languages: self.languages(),
            signed_in: self.signed_in,
            warning: self.warning.as_ref(),
        }
    }

    /// The language switch: this page's own address with another `ui_locales`.
    fn languages(&self) -> Vec<Language> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        let path = path.as_str().split('?').next().unwrap_or_default();
        Locale::ALL
            .into_iter()
            .map(|locale| Language {
                tag: locale.tag(),
                name: locale.name(),
                current: locale == self.locale,
                href: format!("{path}?{}", query_in(&self.query, locale)),
            })
            .collect()
    }
}

/// `query` with `ui_locales` replaced.
fn query_in(query: &str, locale: Locale) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "ui_locales");
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("ui_locales", locale.tag())
        .finish()
}

/// What templates see as `frame`.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    nonce: &'a str,
    csrf: &'a str,
    trace: &'a str,
    direction: &'static str,
    languages: Vec<Language>,
    signed_in: bool,
    warning: Option<&'a Warning>,
}

#[derive(Serialize)]
struct Language {
    tag: &'static str,
    name: &'static str,
    current: bool,
    href: String,
}
