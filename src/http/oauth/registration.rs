//! POST /oauth2/register, and GET, PUT, DELETE /oauth2/register/{client_id}: RFC 7591, RFC 7592.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::Value;

use crate::flow::clients::{registration, registration_management};
use crate::flow::{Call, Error, Provider};
use crate::http::Http;
use crate::http::answer::oauth::{Presence, bearer_error, json_no_store, oauth_error};
use crate::model::Secret;
use crate::protocol::{ErrorCode, OAuthError};

/// The largest registration that is read.
const MOST_BYTES: usize = 64 * 1024;

/// The routes of registration.
pub fn routes() -> Router<Http> {
    Router::new()
        .route("/oauth2/register", post(register))
        .route("/oauth2/register/{client_id}", get(manage).put(manage).delete(manage))
}

/// Registers a client (RFC 7591 section 3.1).
async fn register(
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
        Ok(information) => json_no_store(StatusCode::CREATED, &Value::Object(information)),
        Err(error) => refused(&call, error, &headers),
    }
}

/// Reads, replaces or deletes a registration (RFC 7592 section 2).
async fn manage(
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
            let replaced = registration_management::replace(&provider, &call, &client_id, token, &body);
            return replaced.await.map(Some);
        }
        registration_management::find(&provider, &call, &client_id, token)
            .await
            .map(Some)
    };
    match managed.await {
        Ok(Some(information)) => json_no_store(StatusCode::OK, &Value::Object(information)),
        Ok(None) => (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response(),
        Err(error) => refused(&call, error, &headers),
    }
}

/// A token that does not count is answered as RFC 6750 says, everything else as RFC 7591 section 3.2.2.
fn refused(call: &Call, error: Error, headers: &HeaderMap) -> Response {
    match &error {
        Error::OAuth(refusal) if refusal.code == ErrorCode::InvalidToken => {
            let presence = if headers.contains_key(AUTHORIZATION) {
                Presence::Present
            } else {
                Presence::Absent
            };
            bearer_error(call, error, presence)
        }
        _ => oauth_error(call, error),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Error> {
    let refused = |rule, sentence| OAuthError::new(ErrorCode::InvalidClientMetadata, rule, sentence);
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(refused(
            "client_registration.content_type",
            "the request must be application/json",
        )
        .into());
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
