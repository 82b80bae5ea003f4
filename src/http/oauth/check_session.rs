//! The frame of OpenID Connect Session Management 1.0 section 3.2: the one page that other sites may frame.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::http::extract::cookie::Name;
use crate::http::layer::MayBeFramed;
use crate::http::{Http, Refusal};
use crate::view::CheckSession;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// GET. The same for everybody: what differs is in the browser.
pub async fn show(State(http): State<Http>) -> Result<Response, Refusal> {
    let frame = CheckSession::reading(Name::State.text(&http.provider.issuer));
    let policy = format!(
        "default-src 'none'; script-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors *",
        frame.script
    );
    let policy = HeaderValue::from_str(&policy).map_err(|_| Refusal::failed())?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
    ];
    Ok((Extension(MayBeFramed), headers, frame.document).into_response())
}
