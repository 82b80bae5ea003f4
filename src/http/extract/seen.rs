//! What a request has brought, as the doctor judges it.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use std::net::SocketAddr;

use axum_extra::extract::cookie::CookieJar;

use super::browser;
use crate::flow::operations::doctor::Seen;
use crate::http::{Http, Refusal};

/// Forwarding headers that are not read, so that two readers of one request can't disagree.
const IGNORED: [&str; 6] = [
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-real-ip",
];
/// More of a header is not shown.
const MOST_CHARACTERS: usize = 200;

impl FromRequestParts<Http> for Seen {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Refusal> {
        let call = browser::call(parts, http).await?;
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let lines = |name: &str| {
            let all = parts.headers.get_all(name).iter();
            all.map(|value| {
                String::from_utf8_lossy(value.as_bytes())
                    .chars()
                    .take(MOST_CHARACTERS)
                    .collect()
            })
            .collect()
        };
        let in_target = parts.uri.authority().map(ToString::to_string);
        let in_header: Vec<String> = lines(header::HOST.as_str());
        Ok(Self {
            peer,
            trusted: peer.is_some_and(|peer| http.trusted_proxies.iter().any(|network| network.contains(&peer))),
            tls: http.tls,
            host: in_target.unwrap_or_else(|| in_header.join(", ")),
            forwarded_for: lines("x-forwarded-for"),
            forwarded_proto: lines("x-forwarded-proto"),
            ignored: IGNORED
                .iter()
                .filter(|name| parts.headers.contains_key(**name))
                .map(|name| (*name).to_owned())
                .collect(),
            cookies: CookieJar::from_headers(&parts.headers)
                .iter()
                .map(|cookie| cookie.name().chars().take(MOST_CHARACTERS).collect())
                .collect(),
            address: call.origin.address,
            // what it is compared with was not moved
            micros: http.provider.clock.system_micros(),
        })
    }
}
