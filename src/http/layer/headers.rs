//! The headers of every response, error pages and files included (SEC-522, SEC-523, SEC-530). A route that needs another
//! value sets its own.

use axum::http::HeaderValue;
use axum::http::header::{self, HeaderName};
use axum::response::Response;

use crate::http::Http;

/// Mark of a response that other sites may frame; who may, its own policy says.
#[derive(Clone, Copy, Debug)]
pub struct MayBeFramed;

const EVERYWHERE: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), \
         gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()",
    ),
    // pages bring a policy of their own
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// A year, subdomains included.
const STRICT: &str = "max-age=31536000; includeSubDomains";

/// Adds what the route did not set itself.
pub(in crate::http) fn add(http: &Http, response: &mut Response) {
    let framed = response.extensions().get::<MayBeFramed>().is_some();
    let headers = response.headers_mut();
    // these and the two below, without growing on the way
    headers.reserve(EVERYWHERE.len() + 2);
    for (name, value) in EVERYWHERE {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if framed {
        // the policy of the page itself says who may
        headers.remove(header::X_FRAME_OPTIONS);
    }
    // what scripts of other origins may read, they may also load
    let shared = headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    let resource_policy = if shared { "cross-origin" } else { "same-origin" };
    headers
        .entry(RESOURCE_POLICY)
        .or_insert(HeaderValue::from_static(resource_policy));
    if http.provider.issuer.is_https() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT));
    }
}
