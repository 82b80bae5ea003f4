//! Errors in OAuth's shape: RFC 6749 section 5.2, RFC 6750 section 3, RFC 7591 section 3.2.2.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::flow::{Call, Error};
use crate::http::Refusal;
use crate::protocol::{ErrorCode, OAuthError};

/// When to come again where places are all taken, in seconds: as often as those are given back that nobody uses.
const COME_AGAIN: &str = "600";

/// A refusal as JSON. What is no matter of the protocol (stores, throttling, defects) is drawn by the edge.
pub fn oauth_error(call: &Call, error: Error) -> Response {
    match error {
        Error::OAuth(error) => refusal(call, &error, &HeaderMap::new()),
        other => Refusal::from(other).into_response(),
    }
}

/// The same for an endpoint where clients authenticate: tells the scheme if the client tried one in a header (RFC 6749
/// section 5.2).
pub fn client_error(call: &Call, error: Error, request: &HeaderMap) -> Response {
    match error {
        Error::OAuth(error) => refusal(call, &error, request),
        other => Refusal::from(other).into_response(),
    }
}

/// The refusal of a resource that wants a bearer token (RFC 6750 section 3).
pub fn bearer_error(call: &Call, error: Error, presented: Presence) -> Response {
    let Error::OAuth(error) = error else {
        return Refusal::from(error).into_response();
    };
    let challenge = match presented {
        // section 3.1: who brought nothing is told nothing but the scheme
        Presence::Absent => "Bearer".to_owned(),
        Presence::Present => format!(
            "Bearer error=\"{}\", error_description=\"{}\"",
            error.code, error.description
        ),
    };
    let mut response = refusal(call, &error, &HeaderMap::new());
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Whether a request brought a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It did.
    Present,
    /// It did not.
    Absent,
}

/// An answer that nobody keeps (RFC 6749 section 5.1).
pub fn json_no_store(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (status, headers, body.to_string()).into_response()
}

fn refusal(call: &Call, error: &OAuthError, request: &HeaderMap) -> Response {
    tracing::info!(trace = %call.trace, code = %error.code, rule = error.rule, "refused");
    let body = json!({
        "error": error.code.as_str(),
        "error_description": error.description,
        "trace_id": call.trace,
    });
    let mut response = json_no_store(status(error.code), &body);
    response.extensions_mut().insert(error.reason());
    if error.code == ErrorCode::TemporarilyUnavailable {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static(COME_AGAIN));
    }
    if error.code == ErrorCode::InvalidClient && request.contains_key(header::AUTHORIZATION) {
        let challenge = HeaderValue::from_static("Basic realm=\"client authentication\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
        ErrorCode::InsufficientScope | ErrorCode::AccessDenied => StatusCode::FORBIDDEN,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}
