//! POST /oauth2/register, and GET, PUT, DELETE /oauth2/register/{client_id}: RFC 7591, RFC 7592.

use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::flow::clients::{registration, registration_management};
use crate::flow::{Call, Error, Provider};
use crate::http::answer::oauth_error;
use crate::model::Secret;
use crate::protocol::{ErrorCode, OAuthError};

/// The largest registration that is read.
const MOST_BYTES: usize = 64 * 1024;

/// Registers a client (RFC 7591 section 3.1).
pub async fn register(
    State(provider): State<Provider>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let registered = async {
        let body = read(&headers, body).await?;
        registration::register(&provider, &call, bearer(&headers), &body).await
    };
    match registered.await {
        Ok(information) => told(StatusCode::CREATED, information),
        Err(error) => oauth_error(&call, error),
    }
}

/// Reads, replaces or deletes a registration (RFC 7592 section 2).
pub async fn manage(
    State(provider): State<Provider>,
    Extension(call): Extension<Call>,
    Path(client_id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = bearer(&headers);
    let managed = async {
        if method == Method::DELETE {
            registration_management::delete(&provider, &call, &client_id, token).await?;
            return Ok(None);
        }
        if method == Method::PUT {
            let body = read(&headers, body).await?;
            return registration_management::replace(&provider, &call, &client_id, token, &body).await.map(Some);
        }
        registration_management::find(&provider, &call, &client_id, token).await.map(Some)
    };
    match managed.await {
        Ok(Some(information)) => told(StatusCode::OK, information),
        Ok(None) => (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response(),
        Err(error) => oauth_error(&call, error),
    }
}

/// RFC 7591 section 3.2.1: never to be kept by a cache.
fn told(status: StatusCode, information: Map<String, Value>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, Value::Object(information).to_string()).into_response()
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Error> {
    let refused = |rule, sentence| OAuthError::new(ErrorCode::InvalidClientMetadata, rule, sentence);
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(refused("client_registration.content_type", "the request must be application/json").into());
    }
    to_bytes(body, MOST_BYTES)
        .await
        .map_err(|_| refused("client_registration.size", "the request is larger than 64 KiB").into())
}

/// RFC 6750 section 2.1. Two headers, or one of another scheme, are no token.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}
