//! The way to database and Redis: TLS with a checked certificate, except to this machine and to hosts that the operator names.

use toml::Value;
use url::Url;

use super::entries::{Entries, list};
use super::problem::Reason;
use crate::model::Secret;

/// The key that names the exceptions.
const UNENCRYPTED: &str = "unencrypted_backends";

/// The hosts that may be reached without TLS.
#[derive(Clone, Debug, Default)]
pub struct Unencrypted(Vec<String>);

impl Unencrypted {
    pub(super) fn read(entries: &mut Entries) -> Self {
        Self(entries.take(UNENCRYPTED, hosts).unwrap_or_default())
    }

    fn admits(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        is_here(host) || self.0.iter().any(|named| named.eq_ignore_ascii_case(host))
    }
}

fn hosts(value: &Value) -> Result<Vec<String>, Reason> {
    let hosts = list(value)?;
    let plain = |host: &String| {
        let colon = host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err();
        !host.is_empty() && !colon && !host.contains(['/', '@', '*', ' '])
    };
    if hosts.iter().all(plain) {
        Ok(hosts)
    } else {
        Err(Reason::Hosts)
    }
}

/// Whether a host is this machine, or a Unix socket.
fn is_here(host: &str) -> bool {
    host.is_empty()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The address of a database as it is connected to: where it says nothing about TLS and is neither here nor an exception,
/// the server's certificate is checked.
pub(super) fn database(
    entries: &mut Entries,
    key: &str,
    parse: fn(&Value) -> Result<Secret, Reason>,
    except: &Unencrypted,
) -> Option<Secret> {
    entries.take(key, |value| verified(parse(value)?, except))
}

pub(super) fn verified(address: Secret, except: &Unencrypted) -> Result<Secret, Reason> {
    if address.expose().starts_with("sqlite:") {
        return Ok(address);
    }
    // what is no URL is told by whoever connects
    let Ok(url) = Url::parse(address.expose()) else {
        return Ok(address);
    };
    let mut host = url.host_str().unwrap_or_default().to_owned();
    let mut mode = None;
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "host" | "hostaddr" => host = value.into_owned(),
            "sslmode" | "ssl-mode" => mode = Some(value.into_owned()),
            _ => {}
        }
    }
    let host = percent_encoding::percent_decode_str(&host)
        .decode_utf8_lossy()
        .into_owned();
    match mode.as_deref() {
        _ if except.admits(&host) => Ok(address),
        Some("verify-full" | "verify-ca") => Ok(address),
        Some(_) => Err(Reason::UnverifiedDatabase),
        None => {
            let mark = if url.query().is_some() { '&' } else { '?' };
            Ok(Secret::new(format!("{}{mark}sslmode=verify-full", address.expose())))
        }
    }
}

/// The address of Redis: every host of it is here, an exception, or reached by TLS.
pub(super) fn redis(
    entries: &mut Entries,
    parse: fn(&Value) -> Result<Secret, Reason>,
    except: &Unencrypted,
) -> Option<Secret> {
    entries.take("redis_url", |value| {
        let address = parse(value)?;
        let (scheme, rest) = address.expose().split_once("://").unwrap_or_default();
        if rest.ends_with("#insecure") {
            return Err(Reason::UncheckedCertificate);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        let encrypted = scheme.starts_with("rediss");
        let admitted = |place: &str| except.admits(host_of(place));
        if encrypted || hosts.split(',').all(admitted) {
            Ok(address)
        } else {
            Err(Reason::UnencryptedRedis)
        }
    })
}

/// `host:port` without the port.
fn host_of(place: &str) -> &str {
    match place.split_once(']') {
        Some((host, _)) => host.trim_start_matches('['),
        None => place.split(':').next().unwrap_or_default(),
    }
}
