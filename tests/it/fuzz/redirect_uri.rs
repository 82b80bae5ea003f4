//! Redirect URIs that are nearly right.

use ostiary::model::ApplicationType;
use ostiary::protocol::redirect_uri::{judge_document, judge_link, judge_origin, judge_registration, matches};
use proptest::prelude::*;
use url::Url;

use super::{Change, holds, pieces};

const PIECES: &[&str] = &[
    "https",
    "http",
    "HTTPS",
    "com.example.app",
    "javascript",
    "data",
    ":",
    "//",
    "/",
    "\\",
    "client.example",
    "localhost",
    "127.0.0.1",
    "127.0.0.1.evil.example",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0x7f.1",
    "2130706433",
    "@",
    "user:secret@",
    ":8080",
    ":0",
    ":080",
    ":99999",
    "?",
    "a=b",
    "#",
    "&",
    "%2f",
    "%2e%2e",
    "..",
    ".",
    "*",
    "%",
    "\t",
    "\n",
    " ",
    "\u{ff0f}",
    "\u{3002}",
    "ß",
    "xn--",
    "callback",
    ";",
    "[",
    "]",
];

const KINDS: [ApplicationType; 2] = [ApplicationType::Web, ApplicationType::Native];

const REGISTERED: &[&str] = &[
    "https://client.example/callback",
    "https://client.example/callback?tenant=1",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:8080/callback?a=b",
    "http://[::1]/callback",
    "http://localhost/callback",
    "com.example.app:/callback",
];

/// What a match may leave out: the port of an http loopback address, as the other parser reads it.
fn without_port(uri: &str) -> Option<Url> {
    let mut url = Url::parse(uri).ok()?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    if url.scheme() != "http" || !loopback {
        return None;
    }
    url.set_port(None).ok()?;
    Some(url)
}

fn assert_match_is_deserved(requested: &str, registered: &str) {
    let known = [registered.to_owned()];
    for kind in KINDS {
        if requested == registered || !matches(requested, &known, kind) {
            continue;
        }
        assert_eq!(kind, ApplicationType::Native, "{requested} for {registered}");
        let requested_elsewhere = without_port(requested).unwrap_or_else(|| panic!("{requested} for {registered}"));
        assert_eq!(Some(requested_elsewhere), without_port(registered));
    }
    assert!(matches(registered, &known, ApplicationType::Web), "{registered}");
}

fn judge(uri: &str) {
    for kind in KINDS {
        if judge_registration(uri, kind).is_err() {
            continue;
        }
        let url = Url::parse(uri).unwrap();
        assert!(
            !uri.contains(['#', '\\', '*', ' ', '\t', '\n']) && uri.is_ascii(),
            "{uri}"
        );
        assert!(url.username().is_empty() && url.password().is_none(), "{uri}");
        match url.scheme() {
            "https" | "http" => {
                let host = url.host_str().unwrap();
                let authority = uri.split("//").nth(1).unwrap().split(['/', '?']).next().unwrap();
                assert!(authority.to_ascii_lowercase().starts_with(host), "{uri}: {host}");
                // a third reader, which is not the one that judged
                let read: http::Uri = uri.parse().unwrap();
                assert!(read.host().unwrap().eq_ignore_ascii_case(host), "{uri}: {host}");
                let port = url.port_or_known_default();
                let default = if url.scheme() == "https" { 443 } else { 80 };
                assert_eq!(read.port_u16().or(Some(default)), port, "{uri}");
                let plain = url.scheme() == "http";
                assert!(!plain || ["localhost", "127.0.0.1", "[::1]"].contains(&host), "{uri}");
            }
            scheme => assert!(scheme.contains('.') && kind == ApplicationType::Native, "{uri}"),
        }
        assert!(matches(uri, &[uri.to_owned()], kind));
    }
    if judge_link(uri).is_ok() || judge_document(uri).is_ok() {
        let scheme = Url::parse(uri).unwrap().scheme().to_owned();
        assert!(["https", "http"].contains(&scheme.as_str()), "{uri}");
    }
    if judge_origin(uri).is_ok() {
        assert_eq!(Url::parse(uri).unwrap().origin().ascii_serialization(), uri);
    }
}

/// SEC-700: nothing panics; what is registered means the same to three readers of URLs; a match is equality, or equality but
/// for the port of a loopback address.
#[test]
fn fuzz_redirect_uri() {
    holds(4_000, pieces(PIECES, 9), |uri| judge(&uri));
    let web = (
        prop_oneof![Just("https"), Just("http")],
        pieces(PIECES, 3),
        prop_oneof![
            Just("client.example"),
            Just("127.0.0.1"),
            Just("[::1]"),
            Just("localhost")
        ],
        pieces(PIECES, 4),
    );
    holds(4_000, web, |(scheme, before, host, after)| {
        judge(&format!("{scheme}://{before}{host}{after}"));
        judge(&format!("{scheme}://{host}{after}"));
    });
    let near = (
        proptest::sample::select(REGISTERED),
        proptest::sample::select(REGISTERED),
        proptest::collection::vec(Change::any(), 1..3),
    );
    holds(6_000, near, |(registered, other, changes)| {
        let changed = changes
            .iter()
            .fold(registered.to_owned(), |text, change| change.of_text(&text));
        assert_match_is_deserved(&changed, registered);
        assert_match_is_deserved(&changed, other);
        judge(&changed);
    });
    let port = (
        proptest::sample::select(REGISTERED),
        "(:[0-9]{0,6})?",
        pieces(PIECES, 3),
    );
    holds(3_000, port, |(registered, port, rest)| {
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            assert_match_is_deserved(&format!("http://{host}{port}/callback{rest}"), registered);
            assert_match_is_deserved(&format!("http://{host}{port}{rest}/callback"), registered);
        }
    });
}
