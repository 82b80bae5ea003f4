//! `/picture/...`: the pictures that people have of themselves. Whoever has the address sees it, as applications do that were told;
//! nobody guesses one. It is shown as a picture and as nothing else, on whatever page.

use axum::extract::{Path, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::flow::people;
use crate::http::{Http, Refusal};

/// The name changes with the picture. Not for ever all the same: what was removed is gone tomorrow.
const A_DAY: &str = "public, max-age=86400";

/// GET /picture/{name}
pub(super) async fn show(State(http): State<Http>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let picture = people::find_picture(&http.provider, &name).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(picture.format.as_str())),
        (header::CACHE_CONTROL, HeaderValue::from_static(A_DAY)),
        // as an image it is drawn; whoever opens it by itself gets a file (SEC-467)
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"picture\""),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        ),
        // applications show it on their own pages
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        ),
    ];
    Ok((headers, picture.bytes).into_response())
}
