//! A refusal in the form its reader understands.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::{Audience, Reader, Refusal};
use crate::flow::Call;
use crate::http::{Http, Sheet};
use crate::view::{ErrorPage, OwnPath, Page, Trouble};

/// Draws `refusal` into `response`, whose other headers stay.
pub(in crate::http) fn draw(
    http: &Http,
    call: &Call,
    audience: Audience,
    reader: &Reader,
    refusal: Refusal,
    response: &mut Response,
) {
    let retry_after = refusal.retry_after.map(|time| time.as_secs().max(1));
    match audience {
        Audience::Person => page(http, call, reader, refusal, retry_after, response),
        Audience::Client => json(response, "application/json", &oauth(&refusal, call)),
        Audience::Administrator => json(response, "application/problem+json", &problem(&refusal, call)),
    }
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn page(http: &Http, call: &Call, reader: &Reader, refusal: Refusal, retry: Option<u64>, response: &mut Response) {
    let status = refusal.status;
    let (client, back) = refusal.client.map_or((None, None), |client| (Some(client.0), client.1));
    let page = Page::Error(ErrorPage {
        trouble: refusal.trouble,
        retry,
        client,
        back,
        sign_in: (refusal.trouble == Trouble::SetupLink).then(|| OwnPath::or_home("/login")),
        code: refusal.detail.as_ref().map(|_| refusal.code.to_owned()),
        detail: refusal.detail.map(std::borrow::Cow::into_owned),
    });
    let sheet = Sheet::new(page, reader.locale()).status(status);
    let drawn = match reader.again() {
        Some((path, query)) => sheet.at(path, &query).show(http, call),
        None => sheet.show(http, call),
    };
    let (parts, body) = drawn.into_parts();
    *response.status_mut() = parts.status;
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = body;
    reader.chosen.keep(http, response);
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
