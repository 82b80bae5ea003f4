//! A request is for the issuer's own host and port, by whatever way it names them (SEC-568). Behind another name a page
//! could be shown whose cookies and links belong to nobody. `X-Forwarded-Host` is never read: proxies pass `Host` on.

use axum::extract::Request;
use axum::http::header;
use axum::response::Response;

use crate::http::Http;
use crate::http::error::{self, Refusal};

/// Refuses what is meant for another host (RFC 9110 section 15.5.20).
pub(super) fn refuse_foreign<B>(http: &Http, request: &Request<B>) -> Option<Response> {
    let issuer = &http.provider.issuer;
    let own = issuer.as_str().split_once("://").map_or("", |(_, authority)| authority);
    let standard_port = if issuer.is_https() { ":443" } else { ":80" };
    let is_own = |named: &str| {
        named
            .strip_suffix(standard_port)
            .unwrap_or(named)
            .eq_ignore_ascii_case(own)
    };
    // HTTP/2 and the absolute form carry it in the target, HTTP/1.1 in the header; where both do, both have to agree
    let in_target = request.uri().authority().map(|authority| authority.as_str());
    let mut in_header = request.headers().get_all(header::HOST).iter();
    let first = in_header.next().map(|host| host.to_str().unwrap_or_default());
    let repeated = in_header.next().is_some();
    let named = in_target.is_some() || first.is_some();
    let is_ours = named && !repeated && in_target.is_none_or(is_own) && first.is_none_or(is_own);
    (!is_ours).then(|| error::refused(Refusal::wrong_host(issuer.as_str())))
}
