//! A refusal in the form its reader understands.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::json;
use url::form_urlencoded;

use super::{Audience, Refusal};
use crate::flow::Call;
use crate::http::{Http, Sheet};
use crate::view::{ErrorPage, Page, Trouble, negotiate};

/// What a page that tells of a refusal keeps of its address for the language switch. Nothing else is repeated: least of all an
/// address that somebody asked to be sent to.
const KEPT: [&str; 3] = ["client_id", "flow", "again"];

/// Draws `refusal` into `response`, whose other headers stay. `headers` are the request's, and `address` is where a GET shows the
/// same again: for the language.
pub(in crate::http) fn draw(
    http: &Http,
    call: &Call,
    audience: Audience,
    (address, headers): (Option<&Uri>, &HeaderMap),
    refusal: Refusal,
    response: &mut Response,
) {
    let retry_after = refusal.retry_after.map(|time| time.as_secs().max(1));
    match audience {
        Audience::Person => page(http, call, (address, headers), refusal, retry_after, response),
        Audience::Client => json(response, "application/json", &oauth(&refusal, call)),
        Audience::Administrator => json(response, "application/problem+json", &problem(&refusal, call)),
    }
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn page(
    http: &Http,
    call: &Call,
    (address, headers): (Option<&Uri>, &HeaderMap),
    refusal: Refusal,
    retry: Option<u64>,
    response: &mut Response,
) {
    let languages = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|languages| languages.to_str().ok());
    let status = refusal.status;
    let (client, back) = refusal.client.map_or((None, None), |client| (Some(client.0), client.1));
    let query = address.and_then(Uri::query).unwrap_or_default();
    let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let wished: Vec<&str> = parameters
        .iter()
        .filter(|(name, _)| name == "ui_locales")
        .flat_map(|(_, locales)| locales.split(' '))
        .take(10)
        .collect();
    let kept = parameters.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let kept = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish();
    let sheet = Sheet::new(
        Page::Error(ErrorPage {
            trouble: refusal.trouble,
            retry,
            client,
            back,
            code: refusal.detail.as_ref().map(|_| refusal.code.to_owned()),
            detail: refusal.detail.map(std::borrow::Cow::into_owned),
        }),
        negotiate(&wished, None, languages),
    )
    .status(status);
    let drawn = match address {
        Some(address) => sheet.at(address.path(), &kept).show(http, call),
        None => sheet.show(http, call),
    };
    let (parts, body) = drawn.into_parts();
    *response.status_mut() = parts.status;
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = body;
}

fn json(response: &mut Response, content_type: &'static str, body: &serde_json::Value) {
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body.to_string());
}

/// RFC 6749 section 5.2, with the trace id beside it.
fn oauth(refusal: &Refusal, call: &Call) -> serde_json::Value {
    json!({
        "error": refusal.code,
        "error_description": sentence(refusal),
        "trace_id": call.trace,
    })
}

/// RFC 9457 section 3.
fn problem(refusal: &Refusal, call: &Call) -> serde_json::Value {
    json!({
        "type": format!("urn:ostiary:problem:{}", word(refusal)),
        "title": refusal.status.canonical_reason().unwrap_or("Refused"),
        "status": refusal.status.as_u16(),
        "detail": sentence(refusal),
        "trace_id": call.trace,
    })
}

fn sentence(refusal: &Refusal) -> &str {
    if let Some(detail) = &refusal.detail {
        return detail;
    }
    match refusal.trouble {
        Trouble::NotFound => "there is nothing at this address",
        Trouble::Method => "not with this method",
        Trouble::TooMany => "too many attempts",
        Trouble::Unavailable => "the server can't answer at the moment",
        Trouble::Failure => "the server failed",
        Trouble::Forbidden => "this is not allowed",
        _ => "the request can't be served",
    }
}

/// The stable word of a problem's type.
fn word(refusal: &Refusal) -> &'static str {
    match refusal.status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        StatusCode::MISDIRECTED_REQUEST => "wrong_host",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::INTERNAL_SERVER_ERROR => "failed",
        _ => "bad_request",
    }
}
