//! A page on its way to a browser, with the policy that belongs to it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::{Host, Url};

use super::Http;
use crate::flow::{Call, error::causes};
use crate::model::TraceId;
use crate::random;
use crate::view::{Frame, Link, Locale, OwnPath, Page, Warning};

/// Seconds after which a page that goes on does so.
const GO_ON_AFTER: u64 = 5;

/// What somebody else's widget on a page loads, as source expressions (CSP Level 3 section 2.3.1).
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Scripts.
    pub scripts: Vec<String>,
    /// Frames.
    pub frames: Vec<String>,
    /// Stylesheets.
    pub styles: Vec<String>,
    /// What its scripts ask.
    pub connections: Vec<String>,
}

/// A page on its way to a browser.
#[must_use = "a sheet is nothing before it is shown"]
pub struct Sheet {
    page: Page,
    locale: Locale,
    status: StatusCode,
    path: Option<OwnPath>,
    query: String,
    csrf: String,
    targets: Vec<String>,
    trace: Option<TraceId>,
    frames: Vec<String>,
    loaded: Loaded,
    onward: Option<(u64, OwnPath)>,
    signed_in: bool,
    warning: Option<Warning>,
}

impl Sheet {
    /// This page in this language.
    pub fn new(page: Page, locale: Locale) -> Self {
        Self {
            page,
            locale,
            status: StatusCode::OK,
            path: None,
            query: String::new(),
            csrf: String::new(),
            targets: Vec::new(),
            trace: None,
            frames: Vec::new(),
            loaded: Loaded::default(),
            onward: None,
            signed_in: false,
            warning: None,
        }
    }

    /// With another status than 200.
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Where a GET shows this page again: gives it the language switch.
    pub fn at(self, path: &str, query: &str) -> Self {
        Self {
            path: OwnPath::parse(path),
            query: query.to_owned(),
            ..self
        }
    }

    /// With the anti-forgery token of its forms.
    pub fn csrf(self, token: String) -> Self {
        Self { csrf: token, ..self }
    }

    /// Its forms may also lead to this redirect URI: browsers hold the redirect after a form's POST against `form-action`.
    pub fn leads_to(mut self, redirect_uri: &str) -> Self {
        self.targets
            .extend(Url::parse(redirect_uri).ok().map(|url| source(&url)));
        self
    }

    /// Somebody is signed in in the browser that gets it.
    pub fn for_somebody_signed_in(self) -> Self {
        Self {
            signed_in: true,
            ..self
        }
    }

    /// It tells of a call that was refused before: the id it shows is that one's.
    pub fn tells_of(self, trace: TraceId) -> Self {
        Self {
            trace: Some(trace),
            ..self
        }
    }

    /// It frames what is at these addresses.
    pub fn framing(mut self, addresses: &[Link]) -> Self {
        let urls = addresses.iter().filter_map(|address| Url::parse(address.as_str()).ok());
        self.frames = urls.map(|url| source(&url)).collect();
        self.frames.sort();
        self.frames.dedup();
        self
    }

    /// It loads what somebody else's widget needs.
    pub fn loading(self, loaded: Loaded) -> Self {
        Self { loaded, ..self }
    }

    /// The browser goes on to this path by itself after some seconds, scripts or not.
    pub fn goes_on_to(self, path: &OwnPath) -> Self {
        self.goes_on_after(GO_ON_AFTER, path)
    }

    /// The same after so many seconds.
    pub fn goes_on_after(self, seconds: u64, path: &OwnPath) -> Self {
        Self {
            onward: Some((seconds, path.clone())),
            ..self
        }
    }

    /// Left open, it says that a session is about to end.
    pub fn warns(self, warning: Option<Warning>) -> Self {
        Self { warning, ..self }
    }

    /// The response.
    pub fn show(self, http: &Http, call: &Call) -> Response {
        let nonce = random::hex_id();
        let onward = self.onward.clone();
        let policy = self.policy(&nonce, http.provider.issuer.is_https());
        let frame = Frame {
            locale: self.locale,
            nonce,
            trace: self.trace.unwrap_or(call.trace).text(),
            path: self.path,
            query: self.query,
            csrf: self.csrf,
            signed_in: self.signed_in,
            warning: self.warning,
        };
        let (status, document) = match http.views.page(&self.page, &frame) {
            Ok(document) => (self.status, document),
            Err(error) => {
                tracing::error!(causes = causes(&error), "a page can't be drawn");
                let plain = format!("<!doctype html><title>Ostiary</title><p>{}", call.trace);
                (StatusCode::INTERNAL_SERVER_ERROR, plain)
            }
        };
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::CONTENT_SECURITY_POLICY, policy),
        ];
        let mut response = (status, headers, document).into_response();
        let onward =
            onward.and_then(|(seconds, path)| HeaderValue::from_str(&format!("{seconds}; url={}", path.as_str())).ok());
        if let Some(onward) = onward {
            response.headers_mut().insert(header::REFRESH, onward);
        }
        response
    }

    /// The Content-Security-Policy (SEC-521): scripts by this response's nonce alone, forms to this server and to where
    /// the page may lead.
    fn policy(&self, nonce: &str, https: bool) -> HeaderValue {
        // logos of applications under development are on loopback addresses
        let images = if https { "https:" } else { "https: http:" };
        let targets: String = self.targets.iter().map(|target| format!(" {target}")).collect();
        let more = |sources: &[String]| sources.iter().map(|source| format!(" {source}")).collect::<String>();
        let directive = |name: &str, own: &str, sources: &[String]| match (own, sources) {
            ("", []) => String::new(),
            _ => format!(" {name}{own}{};", more(sources)),
        };
        let frames: Vec<String> = self.frames.iter().chain(&self.loaded.frames).cloned().collect();
        let frames = directive("frame-src", "", &frames);
        let asks = if self.page.asks() { " 'self'" } else { "" };
        let connections = directive("connect-src", asks, &self.loaded.connections);
        let (scripts, styles) = (more(&self.loaded.scripts), more(&self.loaded.styles));
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'{scripts}; style-src 'self'{styles}; img-src 'self' data: {images}; \
             form-action 'self'{targets};{frames}{connections} frame-ancestors 'none'; base-uri 'none'; report-uri /csp-report"
        );
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
    }
}

/// The source expression of a redirect URI (CSP Level 3 section 2.3.1): its origin, or the scheme where an expression can
/// name no more than that (private-use schemes, IPv6 addresses).
fn source(url: &Url) -> String {
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(Host::Domain(_) | Host::Ipv4(_))) => url.origin().ascii_serialization(),
        (scheme, _) => format!("{scheme}:"),
    }
}
