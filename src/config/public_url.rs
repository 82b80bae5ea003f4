//! `public_url`: the issuer. OpenID Connect Discovery 1.0 section 3 wants https; a loopback host is the exception, for trying and developing.

use toml::Value;
use url::{Host, Url};

use super::address;
use super::entries::Entries;
use super::problem::Reason;

const DEFAULT: &str = "http://localhost:8080";

pub(super) fn read(entries: &mut Entries) -> Url {
    entries.take("public_url", parse).unwrap_or_else(default)
}

fn parse(value: &Value) -> Result<Url, Reason> {
    let url = address::origin(value)?;
    if url.scheme() == "http" && !loopback(&url) {
        return Err(Reason::PlainHttp);
    }
    Ok(url)
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

fn default() -> Url {
    match Url::parse(DEFAULT) {
        Ok(url) => url,
        // the constant parses; nothing may go on with another issuer than the documented one
        Err(_) => std::process::abort(),
    }
}
