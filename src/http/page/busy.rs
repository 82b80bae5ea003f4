//! The answer to whoever brings a password while more of them wait than can be hashed soon. In a storm most are turned away, so it costs next to
//! nothing: nobody is recognised, nothing is read, and the page is drawn once in each language.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use crate::flow::sign_in::password;
use crate::http::extract::Chosen;
use crate::http::{Http, Refusal};
use crate::view::{Busy, Frame, Locale, Page, negotiate};

/// Nothing but a style sheet, and no form.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
                      report-uri /csp-report";

/// The request as it came, or the answer where it brings a password that nobody looks at now.
pub(super) async fn turn_away(http: &Http, request: Request) -> Result<Request, Response> {
    if http.provider.passwords.has_room() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let body = match Bytes::from_request(whole, http).await {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(Refusal::too_large().into_response());
        }
        Err(_) => return Err(Refusal::bad_request("the form did not arrive").into_response()),
    };
    if !brings_password(&body) {
        return Ok(Request::from_parts(parts, body.into()));
    }
    match password::turned_away(&http.provider).await {
        None => Ok(Request::from_parts(parts, body.into())),
        Some(wait) => {
            let chosen = parts.extensions.get::<Chosen>().copied().unwrap_or_default();
            Err(answer(http, language(chosen, &parts.headers), wait.as_secs().max(1)))
        }
    }
}

/// Whether a form is sent for its password, and not for a code, a passkey or the way back.
fn brings_password(body: &[u8]) -> bool {
    let mut found = false;
    for (name, value) in form_urlencoded::parse(body) {
        match name.as_ref() {
            "password" => found = !value.is_empty(),
            "intent" => return false,
            "passkey" if !value.is_empty() => return false,
            _ => {}
        }
    }
    found
}

fn language(chosen: Chosen, headers: &HeaderMap) -> Locale {
    let chosen: Vec<&str> = chosen.locale().map(Locale::tag).into_iter().collect();
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    negotiate(&chosen, None, accepted)
}

fn answer(http: &Http, locale: Locale, seconds: u64) -> Response {
    let drawn = http.made.busy.get_or_init(|| {
        Locale::ALL
            .into_iter()
            .filter_map(|locale| Some((locale, draw(http, locale)?)))
            .collect()
    });
    let page = drawn.iter().find(|(drawn, _)| *drawn == locale).or(drawn.first());
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::RETRY_AFTER, HeaderValue::from(seconds)),
    ];
    let body = page.map(|(_, page)| page.clone()).unwrap_or_default();
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}

fn draw(http: &Http, locale: Locale) -> Option<Bytes> {
    let frame = Frame {
        locale,
        nonce: String::new(),
        trace: String::new(),
        path: None,
        query: String::new(),
        csrf: String::new(),
        signed_in: false,
        warning: None,
    };
    let page = http.views.page(&Page::Busy(Busy {}), &frame);
    let page = page.inspect_err(|error| tracing::error!(%error, "a page can't be drawn"));
    Some(Bytes::from(page.ok()?))
}
