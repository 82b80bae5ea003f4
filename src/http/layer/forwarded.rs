//! Where a request comes from, and whether it came over TLS. `X-Forwarded-For` and `X-Forwarded-Proto` count when a
//! trusted proxy sends them, and only these two spellings: `Forwarded`, `X-Real-IP` and spellings with an underscore are
//! not read at all, so that two readers of one request can't disagree (SEC-561).

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::flow::Origin;
use crate::http::Http;
use crate::http::error::{self, Audience, Refusal};
use crate::model::Reason;
use crate::telemetry::Parent;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const TRACEPARENT: &str = "traceparent";
/// More hops than any chain of proxies has.
const MOST_HOPS: usize = 20;
const MOST_AGENT_CHARACTERS: usize = 300;

/// Where the request comes from.
pub(super) fn origin(http: &Http, request: &Request) -> Origin {
    Origin {
        address: peer(request).map(|peer| address(http, request, peer)),
        user_agent: request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| agent.chars().take(MOST_AGENT_CHARACTERS).collect()),
    }
}

/// The span of somebody else that the request belongs to, as a trusted proxy tells it (W3C Trace Context section 3.2). A
/// stranger could put a request into any trace.
pub(super) fn parent(http: &Http, request: &Request) -> Option<Parent> {
    peer(request).filter(|peer| is_trusted(http, *peer))?;
    let mut lines = request.headers().get_all(TRACEPARENT).iter();
    let parent = lines.next()?.to_str().ok()?;
    if lines.next().is_some() {
        return None;
    }
    Parent::parse(parent)
}

/// A request that was made over plain HTTP although the issuer is https (SEC-560). A page sends the browser to https; an
/// application is told, since it has shown its secrets to the network already.
pub(super) fn refuse_plain<B>(http: &Http, request: &Request<B>) -> Option<Response> {
    if http.tls || !http.provider.issuer.is_https() {
        return None;
    }
    let said = proto(request);
    if peer(request).is_some_and(|peer| is_trusted(http, peer)) {
        if said == Some("https") {
            return None;
        }
    } else if said.is_some() {
        // sending the browser to https would bring it back here in a circle
        tracing::warn!("a proxy that is not among trusted_proxies forwards requests");
        return Some(error::refused(
            Refusal::bad_request(
                "the proxy in front of this server is not among its trusted proxies (OSTIARY_TRUSTED_PROXIES)",
            )
            .reason(Reason::new("request.proxy")),
        ));
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let readable = [Method::GET, Method::HEAD].contains(request.method());
    if Audience::of(request.uri().path(), request.headers()) == Audience::Person && readable {
        let location = HeaderValue::from_str(&http.provider.issuer.path(path)).ok()?;
        return Some((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response());
    }
    Some(error::refused(
        Refusal::bad_request("this server is reached by https alone").reason(Reason::new("request.https_only")),
    ))
}

/// The nearest address that no trusted proxy has: read from the right, since each proxy appends what it saw. What is not
/// an address ends the reading.
fn address(http: &Http, request: &Request, peer: IpAddr) -> IpAddr {
    let mut address = peer;
    let lines: Vec<&str> = request
        .headers()
        .get_all(FOR)
        .iter()
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(MOST_HOPS) {
        if !is_trusted(http, address) {
            break;
        }
        let Ok(next) = hop.trim_matches([' ', '\t']).parse::<IpAddr>() else {
            break;
        };
        address = next.to_canonical();
    }
    address
}

fn peer<B>(request: &Request<B>) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.ip().to_canonical())
}

fn is_trusted(http: &Http, address: IpAddr) -> bool {
    http.trusted_proxies.iter().any(|network| network.contains(&address))
}

/// What the proxy says, if it says one thing.
fn proto<B>(request: &Request<B>) -> Option<&str> {
    let mut lines = request.headers().get_all(PROTO).iter();
    let said = lines.next()?;
    match (lines.next(), said.to_str()) {
        (None, Ok("https")) => Some("https"),
        (None, Ok("http")) => Some("http"),
        _ => Some("unclear"),
    }
}
