//! What a request says about where it comes from and whom it is for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::routing::get;
use axum::{Router, body};
use ostiary::flow::{Call, Provider};
use ostiary::http::layer::Running;
use ostiary::http::{Http, Limits, Parts, router_with};
use ostiary::view::Views;
use proptest::prelude::*;
use tower::ServiceExt;

use super::{Inputs, pieces};
use crate::support::rooms::{Rooms, doctor_of};

const PROXIES: &str = "10.0.0.0/8";

const NAMES: &[&str] = &[
    "x-forwarded-for",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x_forwarded_for",
    "x-real-ip",
    "forwarded",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-original-host",
    "x-forwarded-ssl",
    "client-ip",
    "x-client-ip",
    "true-client-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
];

const VALUES: &[&str] = &[
    "198.51.100.7",
    "10.0.0.9",
    "10.1.1.1",
    "::1",
    "2001:db8::7",
    "[2001:db8::7]",
    "::ffff:10.0.0.9",
    "unknown",
    "_hidden",
    "127.0.0.1",
    "010.0.0.1",
    "198.51.100.7:80",
    ",",
    ", ",
    " ",
    "\t",
    "https",
    "http",
    "for=198.51.100.7",
    ";proto=https",
    "host=evil.example",
    "login.example",
    "evil.example",
    "\"",
    "%00",
];

const HOSTS: &[&str] = &[
    "login.example",
    "LOGIN.example",
    "login.example:443",
    "login.example:80",
    "login.example.",
    "evil.example",
    "login.example.evil.example",
    "login.example@evil.example",
    "evil.example/login.example",
    "login.example, evil.example",
    "",
    "login.example:0443",
    "127.0.0.1",
];

fn application(provider: &Provider, tls: bool) -> Router {
    let http = Http::new(Parts {
        made: Default::default(),
        provider: provider.clone(),
        views: Arc::new(Views::new().unwrap()),
        limits: Limits::default(),
        trusted_proxies: Arc::new([PROXIES.parse().unwrap()]),
        tls,
        administration: ostiary::http::layer::Places::new(2),
        running: Running::default(),
        door: Default::default(),
        metrics: Default::default(),
        tracing: None,
        doctor: doctor_of(provider),
    });
    let told = get(|Extension(call): Extension<Call>| async move { call.origin.address.unwrap().to_string() });
    router_with(http, Router::new().route("/told", told))
}

/// What the server takes the caller's address for; `None` if the request is refused.
async fn told(application: &Router, peer: IpAddr, host: &str, headers: &[(String, String)]) -> Option<IpAddr> {
    let mut request = Request::builder().uri("/told").body(Body::empty()).unwrap();
    request
        .extensions_mut()
        .insert(ConnectInfo(SocketAddr::new(peer, 40_000)));
    for (name, value) in [("host".to_owned(), host.to_owned())].iter().chain(headers) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value);
        }
    }
    let answer = application.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    assert!(status < 500, "{headers:?}");
    let text = body::to_bytes(answer.into_body(), 100_000).await.unwrap();
    (status == 200).then(|| String::from_utf8_lossy(&text).parse().unwrap())
}

/// The address that a list of hops leads to, read by another hand.
fn expected(peer: IpAddr, headers: &[(String, String)]) -> IpAddr {
    let proxies: ipnet::IpNet = PROXIES.parse().unwrap();
    let lines: Vec<&str> = headers
        .iter()
        .filter(|(name, value)| name == "x-forwarded-for" && HeaderValue::from_bytes(value.as_bytes()).is_ok())
        .map(|(_, value)| {
            if value.bytes().all(|byte| byte == b'\t' || (32..127).contains(&byte)) {
                value.as_str()
            } else {
                ""
            }
        })
        .collect();
    let joined = lines.join(",");
    let mut address = peer;
    if lines.is_empty() {
        return address;
    }
    for hop in joined.split(',').rev() {
        if !proxies.contains(&address) {
            break;
        }
        match hop.trim_matches([' ', '\t']).parse::<IpAddr>() {
            Ok(next) => address = next.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

/// SEC-719: an untrusted peer changes neither address nor scheme nor host, whatever it sends; a trusted one changes the
/// address as the list says, read from the right.
#[tokio::test]
async fn fuzz_forwarded() {
    let rooms = Rooms::open().await;
    let wrapped = application(&rooms.provider, true);
    let plain = application(&rooms.provider, false);
    let hops = [
        "10.0.0.9",
        "10.1.1.1",
        "198.51.100.7",
        "2001:db8::7",
        "::ffff:10.0.0.9",
        "unknown",
    ];
    let list = proptest::collection::vec(proptest::sample::select(hops.to_vec()), 1..4);
    let header = prop_oneof![
        (proptest::sample::select(NAMES), pieces(VALUES, 5)),
        list.prop_map(|hops| ("x-forwarded-for", hops.join(", "))),
        Just(("x-forwarded-proto", "https".to_owned())),
    ];
    let header = header.prop_map(|(name, value)| (name.to_owned(), value));
    let headers = proptest::collection::vec(header, 0..6);
    let mut inputs = Inputs::new();
    let mut moved = 0;
    for _ in 0..600 {
        let headers = inputs.draw(&headers);
        let outside: IpAddr = inputs
            .one(&["198.51.100.77", "11.0.0.1", "2001:db8::77", "::ffff:9.9.9.9"])
            .parse()
            .unwrap();
        assert_eq!(
            told(&wrapped, outside, "login.example", &headers).await,
            Some(outside.to_canonical()),
            "{headers:?}"
        );
        assert_eq!(
            told(&plain, outside, "login.example", &headers).await,
            None,
            "plain http: {headers:?}"
        );

        let proxy: IpAddr = inputs.one(&["10.0.0.1", "::ffff:10.0.0.1"]).parse().unwrap();
        let address = expected(proxy.to_canonical(), &headers);
        assert_eq!(
            told(&wrapped, proxy, "login.example", &headers).await,
            Some(address),
            "{headers:?}"
        );
        moved += usize::from(address != proxy.to_canonical());
        let says: Vec<&str> = headers
            .iter()
            .filter(|(name, value)| name == "x-forwarded-proto" && HeaderValue::from_bytes(value.as_bytes()).is_ok())
            .map(|(_, value)| value.as_str())
            .collect();
        let over_tls = says == ["https"];
        assert_eq!(
            told(&plain, proxy, "login.example", &headers).await.is_some(),
            over_tls,
            "{headers:?}"
        );

        let host = inputs.one(HOSTS);
        let own = ["login.example", "LOGIN.example", "login.example:443"].contains(&host);
        assert_eq!(
            told(&wrapped, proxy, host, &headers).await.is_some(),
            own,
            "{host} {headers:?}"
        );
    }
    assert!(moved > 30, "only {moved} lists were followed");
}
