//! The token endpoint: RFC 6749 section 3.2.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{cors, parameters};
use crate::flow::{Call, token};
use crate::http::Http;
use crate::http::answer::oauth::{client_error, json_no_store};

/// POST.
pub async fn token(
    State(http): State<Http>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    raw: Result<parameters::Raw, crate::http::Refusal>,
) -> Response {
    let raw = match raw {
        Ok(raw) => raw,
        Err(refusal) => return axum::response::IntoResponse::into_response(refusal),
    };
    let parameters = match raw.form() {
        Ok(parameters) => parameters,
        Err(error) => return client_error(&call, error.into(), &headers),
    };
    let authenticated = parameters::authenticate(&http.provider, &call, &headers, &parameters, "/oauth2/token").await;
    let client = match authenticated {
        Ok(client) => client,
        Err(error) => return client_error(&call, error, &headers),
    };
    let response = match token::grant(&http.provider, &call, &client, &parameters).await {
        Ok(answer) => json_no_store(StatusCode::OK, &answer.to_json()),
        Err(error) => client_error(&call, error, &headers),
    };
    cors::for_client(&headers, Some(&client), response)
}
