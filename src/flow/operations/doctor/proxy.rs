//! What a request had on it when it arrived, against the public address and the trusted proxies.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Doctor, Finding};
use crate::model::{Check, Said};

/// A request as it arrived.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Who had the other end of the connection.
    pub peer: Option<IpAddr>,
    /// Whether that is a trusted proxy.
    pub trusted: bool,
    /// Whether the connection itself was TLS.
    pub tls: bool,
    /// The host it was meant for.
    pub host: String,
    /// `X-Forwarded-For`, line by line.
    pub forwarded_for: Vec<String>,
    /// `X-Forwarded-Proto`, line by line.
    pub forwarded_proto: Vec<String>,
    /// Other forwarding headers, by name; they are not read.
    pub ignored: Vec<String>,
    /// The names of its cookies.
    pub cookies: Vec<String>,
    /// Where it came from, as far as trusted proxies tell.
    pub address: Option<IpAddr>,
    /// The server's time, in microseconds since 1970.
    pub micros: i64,
}

/// Judges the way by which a request came.
pub(super) fn judge(doctor: &Doctor, seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let peer = seen.peer.map(|peer| peer.to_string()).unwrap_or_default();
    let trust = format!("OSTIARY_TRUSTED_PROXIES={peer}");
    let public = doctor.issuer.as_str();
    let expected = public.split_once("://").map_or(public, |(_, authority)| authority);
    let port = if doctor.issuer.is_https() { ":443" } else { ":80" };
    let host = seen.host.strip_suffix(port).unwrap_or(&seen.host);
    if !host.eq_ignore_ascii_case(expected) {
        let finding = Finding::wrong(Check::Proxy, Said::ProxyHost);
        findings.push(
            finding
                .with("host", &seen.host)
                .with("expected", expected)
                .line("proxy_set_header Host $http_host;"),
        );
    }
    let said: Vec<&str> = seen.forwarded_proto.iter().map(String::as_str).collect();
    let is_proxied = !said.is_empty() || !seen.forwarded_for.is_empty();
    if is_proxied && !seen.trusted {
        let finding = Finding::wrong(Check::Proxy, Said::ProxyUntrusted).with("peer", &peer);
        findings.push(finding.line(trust));
        return findings;
    }
    if doctor.issuer.is_https() && !seen.tls {
        match said.as_slice() {
            ["https"] => {}
            [] if !seen.trusted => {
                let finding = Finding::wrong(Check::Proxy, Said::ProxyPlain).with("peer", &peer);
                findings.push(finding.line("OSTIARY_TLS__CERT=/etc/ostiary/fullchain.pem"));
            }
            [] => {
                let finding = Finding::wrong(Check::Proxy, Said::ProxyProtoMissing).with("peer", &peer);
                findings.push(finding.line("proxy_set_header X-Forwarded-Proto $scheme;"));
            }
            other => {
                let finding = Finding::wrong(Check::Proxy, Said::ProxyProto).with("said", other.join(", "));
                findings.push(finding.line("proxy_set_header X-Forwarded-Proto $scheme;"));
            }
        }
    }
    if seen.trusted && !doctor.config.trusted_proxies.is_empty() && is_proxied && seen.forwarded_for.is_empty() {
        let finding = Finding::warning(Check::Proxy, Said::ProxyForMissing).with("peer", &peer);
        findings.push(finding.line("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"));
    }
    if findings.is_empty() {
        findings.push(if is_proxied {
            Finding::good(Check::Proxy, Said::ProxyOk).with("peer", &peer)
        } else {
            Finding::good(Check::Proxy, Said::ProxyNone)
        });
    }
    findings
}
