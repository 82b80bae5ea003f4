//! The files that pages load. Their addresses carry a version, so that a browser may keep them.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::Refusal;
use crate::view::{Asset, Views};

const A_YEAR: &str = "public, max-age=31536000, immutable";

/// GET /assets/...
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let asset = Views::asset(&name).ok_or(Refusal::not_found())?;
    Ok(answer(&asset, &headers))
}

/// GET /favicon.ico, for browsers that look nowhere else.
pub(super) async fn favicon(headers: HeaderMap) -> Result<Response, Refusal> {
    let asset = Views::asset("mark.svg").ok_or(Refusal::not_found())?;
    Ok(answer(&asset, &headers))
}

fn answer(asset: &Asset, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).map(HeaderValue::as_bytes);
    let tag = HeaderValue::from_str(&asset.etag).unwrap_or(HeaderValue::from_static("\"\""));
    let caching = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static(A_YEAR)),
    ];
    if known == Some(asset.etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type))];
    (caching, content_type, asset.bytes).into_response()
}
