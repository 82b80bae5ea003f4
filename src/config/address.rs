//! Addresses of all kinds: sockets, networks, databases, mail.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use toml::Value;
use url::Url;

use super::entries::{list, text};
use super::problem::Reason;
use crate::model::Secret;

/// Passwords that stand in examples everywhere, and therefore in every attacker's list.
const SAMPLES: &[&str] = &[
    "admin",
    "changeit",
    "changeme",
    "change-me",
    "change_me",
    "example",
    "ostiary",
    "password",
    "postgres",
    "redis",
    "root",
    "secret",
    "test",
];

/// An IP address and a port.
pub fn socket(value: &Value) -> Result<SocketAddr, Reason> {
    text(value)?.trim().parse().map_err(|_| Reason::Socket)
}

/// Networks, none of them the whole address space; a single address is a network of one.
pub fn networks(value: &Value) -> Result<Vec<IpNet>, Reason> {
    list(value)?.iter().map(|item| network(item)).collect()
}

fn network(item: &str) -> Result<IpNet, Reason> {
    let network = item
        .parse::<IpNet>()
        .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| Reason::Network)?;
    if network.prefix_len() == 0 {
        return Err(Reason::EveryNetwork);
    }
    Ok(network.trunc())
}

/// Scheme, host and port of an http server.
pub fn origin(value: &Value) -> Result<Url, Reason> {
    let url = Url::parse(text(value)?.trim()).map_err(|_| Reason::Url)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Reason::Url);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Reason::UrlUser);
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(Reason::UrlPath);
    }
    Ok(url)
}

/// The store.
pub fn database(value: &Value) -> Result<Secret, Reason> {
    let text = text(value)?;
    if text.starts_with("sqlite:") {
        return Ok(Secret::new(text));
    }
    remote(text, &["postgres://", "postgresql://"], "sqlite:, postgres://")
}

/// Redis in its forms.
pub fn redis(value: &Value) -> Result<Secret, Reason> {
    remote(
        text(value)?,
        &[
            "redis://",
            "rediss://",
            "redis+sentinel://",
            "redis+cluster://",
            "rediss+sentinel://",
            "rediss+cluster://",
        ],
        "redis://, rediss://, redis+sentinel://, redis+cluster://, rediss+sentinel://, rediss+cluster://",
    )
}

/// What keys in Redis begin with. Braces would choose the slot of a Cluster in our place.
pub fn redis_prefix(value: &Value) -> Result<String, Reason> {
    let text = text(value)?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    if text.len() <= 64 && text.chars().all(plain) {
        Ok(text)
    } else {
        Err(Reason::RedisPrefix)
    }
}

/// The mail server.
pub fn smtp(value: &Value) -> Result<Secret, Reason> {
    remote(text(value)?, &["smtp://", "smtps://"], "smtp://, smtps://")
}

/// A sender: `name@host` or `Name <name@host>`, on one line.
pub fn sender(value: &Value) -> Result<String, Reason> {
    let text = text(value)?;
    let bare = text
        .split_once('<')
        .map_or(Some(text.as_str()), |(_, rest)| rest.strip_suffix('>'))
        .ok_or(Reason::Mail)?;
    if text.chars().any(char::is_control) || !is_mail(bare) {
        return Err(Reason::Mail);
    }
    Ok(text)
}

/// A bare mail address.
pub fn mail(value: &Value) -> Result<String, Reason> {
    let text = text(value)?;
    if is_mail(&text) { Ok(text) } else { Err(Reason::Mail) }
}

/// A password that is not one of the well-known samples.
pub fn password(value: &Value) -> Result<Secret, Reason> {
    let text = text(value)?;
    if is_sample(&text) {
        Err(Reason::Sample)
    } else {
        Ok(Secret::new(text))
    }
}

fn remote(text: String, beginnings: &[&str], named: &'static str) -> Result<Secret, Reason> {
    let Some(rest) = beginnings.iter().find_map(|beginning| text.strip_prefix(beginning)) else {
        return Err(Reason::Scheme(named));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let password = authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .map(|(_, password)| password);
    if password.is_some_and(is_sample) {
        return Err(Reason::Sample);
    }
    Ok(Secret::new(text))
}

fn is_sample(password: &str) -> bool {
    SAMPLES.iter().any(|sample| password.eq_ignore_ascii_case(sample))
}

fn is_mail(text: &str) -> bool {
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "<>,;\"".contains(letter);
    text.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(odd))
}
