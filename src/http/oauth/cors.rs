//! Cross-origin reading: only where browsers' applications need it, only for origins that a client registered, never with
//! cookies (Fetch standard, section 3.2).

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::http::Http;
use crate::model::Client;

/// What anyone may read.
pub fn public(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// What pages of this client's origins may read.
pub fn for_client(request: &HeaderMap, client: Option<&Client>, mut response: Response) -> Response {
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(header::ORIGIN) else {
        return response;
    };
    let allowed = match (origin.to_str(), client) {
        (Ok(origin), Some(client)) => is_origin_of(client, origin),
        _ => false,
    };
    if allowed {
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("www-authenticate, retry-after"),
        );
    }
    response
}

/// Whether an origin is that of a redirect URI, or registered for this.
fn is_origin_of(client: &Client, origin: &str) -> bool {
    let of_redirect = |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.origin().ascii_serialization() == origin);
    origin != "null"
        && (client
            .metadata
            .allowed_cors_origins
            .iter()
            .any(|allowed| allowed == origin)
            || client.metadata.redirect_uris.iter().any(of_redirect))
}

/// May a page ask at all? A preflight does not say which client asks, so any well-formed web origin may; what it may read
/// is decided with the answer.
pub async fn preflight(State(_): State<Http>, headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Origin"));
    let web = headers.get(header::ORIGIN).filter(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| origin.starts_with("https://") || origin.starts_with("http://"))
    });
    if let Some(origin) = web {
        allow_asking(&mut response, origin.clone());
    }
    response
}

/// The same for what anyone may read.
pub async fn preflight_public() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow_asking(&mut response, HeaderValue::from_static("*"));
    response
}

fn allow_asking(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}
