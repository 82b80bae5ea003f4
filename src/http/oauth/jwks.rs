//! The published keys: RFC 7517 section 5, with cache headers.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{cors, metadata};
use crate::flow::operations::published;
use crate::http::{Http, Refusal};

/// GET.
pub async fn document(State(http): State<Http>, headers: HeaderMap) -> Result<Response, Refusal> {
    let keyring = published::read(&http.provider).await?.keyring;
    Ok(cors::public(metadata::cached_json(
        &headers,
        keyring.document(),
        keyring.etag(),
    )))
}
