//! The revocation endpoint: RFC 7009.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{cors, parameters};
use crate::flow::Call;
use crate::flow::token::revocation;
use crate::http::answer::oauth::client_error;
use crate::http::{Http, Refusal};

/// POST. An empty 200 for whatever token (section 2.2).
pub async fn revoke(
    State(http): State<Http>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    raw: parameters::Raw,
) -> Result<Response, Refusal> {
    let provider = &http.provider;
    let parameters = match raw.form() {
        Ok(parameters) => parameters,
        Err(error) => return Ok(client_error(&call, error.into(), &headers)),
    };
    let client = match parameters::authenticate(provider, &call, &headers, &parameters, "/oauth2/revoke").await {
        Ok(client) => client,
        Err(error) => return Ok(client_error(&call, error, &headers)),
    };
    let response = match revocation::revoke(provider, &call, &client, &parameters).await {
        Ok(()) => (
            StatusCode::OK,
            [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        )
            .into_response(),
        Err(error) => client_error(&call, error, &headers),
    };
    Ok(cors::for_client(&headers, Some(&client), response))
}
