//! The introspection endpoint: RFC 7662.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::parameters;
use crate::flow::token::introspection;
use crate::flow::{Call, Error};
use crate::http::answer::oauth::{client_error, json_no_store};
use crate::http::{Http, Refusal};

/// POST.
pub async fn introspect(
    State(http): State<Http>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    raw: parameters::Raw,
) -> Result<Response, Refusal> {
    let answer = async {
        let parameters = raw.form()?;
        let provider = &http.provider;
        let caller = parameters::authenticate(provider, &call, &headers, &parameters, "/oauth2/introspect").await?;
        introspection::introspect(provider, &call, &caller, &parameters).await
    };
    Ok(match answer.await {
        Ok(answer) => json_no_store(StatusCode::OK, &answer),
        Err(error @ Error::OAuth(_)) => client_error(&call, error, &headers),
        Err(other) => return Err(other.into()),
    })
}
