//! The metadata document, at both of its addresses: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::cors;
use crate::flow::operations::metadata;
use crate::http::{Http, Refusal};

/// GET.
pub async fn document(State(http): State<Http>, headers: HeaderMap) -> Result<Response, Refusal> {
    let document = metadata::document(&http.provider, http.views.locales().map(|locale| locale.tag()).to_vec()).await?;
    Ok(cors::public(cached_json(&headers, document.bytes, &document.etag)))
}

/// A document that anyone may keep for five minutes.
pub fn cached_json(request: &HeaderMap, bytes: bytes::Bytes, etag: &str) -> Response {
    let quoted = format!("\"{etag}\"");
    let known = request.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let not_modified = known.is_some_and(|known| known.split(',').any(|known| known.trim() == quoted));
    let mut response = if not_modified {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            bytes,
        )
            .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    if let Ok(etag) = HeaderValue::from_str(&quoted) {
        headers.insert(header::ETAG, etag);
    }
    response
}
