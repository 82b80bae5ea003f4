//! Redirect URIs: which may be registered, and when a requested one is a registered one.
//!
//! OpenID Connect Core 3.1.2.1 and RFC 9700 sections 2.1 and 4.1: byte for byte. RFC 8252 sections 7.1 to 7.3: private-use
//! schemes and the free port of loopback addresses, for native clients. RFC 3986 for the spelling.

use url::{Host, Url};

use crate::model::ApplicationType;

/// The longest URI that is stored.
pub const MAX_URI_BYTES: usize = 2048;

/// Why a URI can't be registered: half a sentence that follows the member's name.
pub type Reason = &'static str;

/// Whether this may be registered as a place to send people to: `redirect_uris` and `post_logout_redirect_uris`.
///
/// https anywhere; http on `localhost`, `127.0.0.1` and `[::1]`; private-use schemes with a dot for native clients.
pub fn judge_registration(uri: &str, application: ApplicationType) -> Result<(), Reason> {
    judge_characters(uri)?;
    if uri.contains('#') {
        // RFC 6749 section 3.1.2
        return Err("must not have a fragment");
    }
    let (scheme, rest) = split_scheme(uri)?;
    match scheme {
        "https" | "http" => {
            judge_web(uri, scheme, rest)?;
        }
        _ if scheme.contains('.') => judge_private_use(scheme, rest, application)?,
        _ => return Err("must be https, http on this machine, or a reverse-domain scheme of a native client"),
    }
    judge_patterns(rest)
}

/// Whether this may be stored as a link: logo, policy, terms, home page, a place to start a login from.
pub fn judge_link(uri: &str) -> Result<(), Reason> {
    judge_characters(uri)?;
    let (scheme, rest) = split_scheme(uri)?;
    match scheme {
        "https" | "http" => judge_web(uri, scheme, rest).map(drop),
        _ => Err("must be https, or http on this machine"),
    }
}

/// Whether this may be stored as a place that is told of the end of sessions: https anywhere, http on this machine, no fragment
/// (Back-Channel Logout 1.0 section 2.2, Front-Channel Logout 1.0 section 2).
pub fn judge_logout(uri: &str) -> Result<(), Reason> {
    if uri.contains('#') {
        return Err("must not have a fragment");
    }
    judge_link(uri)
}

/// Whether this may be stored as a document that the server fetches (`jwks_uri`, `sector_identifier_uri`).
///
/// http passes here: whether a network may be reached so is the operator's list's to say, at each fetch.
pub fn judge_document(uri: &str) -> Result<(), Reason> {
    judge_characters(uri)?;
    if uri.contains('#') {
        return Err("must not have a fragment");
    }
    match split_scheme(uri)? {
        ("https" | "http", rest) => judge_authority(uri, rest).map(drop),
        _ => Err("must be https"),
    }
}

/// Whether this is an origin (RFC 6454 section 6.2) of a page that may call from a browser.
pub fn judge_origin(origin: &str) -> Result<(), Reason> {
    judge_characters(origin)?;
    let (scheme, rest) = split_scheme(origin)?;
    if !matches!(scheme, "https" | "http") {
        return Err("must be https, or http on this machine");
    }
    let url = judge_web(origin, scheme, rest)?;
    if url.origin().ascii_serialization() == origin {
        Ok(())
    } else {
        Err("must be scheme, host and port only, in lower case, without a default port or a slash at the end")
    }
}

/// Whether a requested redirect URI is one of those registered.
///
/// Byte for byte. For native clients the port of an http loopback IP literal is free, because the operating system picks it
/// (RFC 8252 section 7.3); everything around the port still has to be the same.
pub fn matches(requested: &str, registered: &[String], application: ApplicationType) -> bool {
    if registered.iter().any(|known| known == requested) {
        return true;
    }
    if application != ApplicationType::Native {
        return false;
    }
    let Some(wanted) = Loopback::read(requested) else {
        return false;
    };
    registered
        .iter()
        .filter_map(|known| Loopback::read(known))
        .any(|known| known == wanted)
}

/// In what a requested redirect URI differs from the registered one that is nearest to it, in a word: for the traces, which
/// hold no text of a request.
pub fn difference(requested: &str, registered: &[String]) -> &'static str {
    // from near to far
    const WORDS: [&str; 9] = [
        "letter_case",
        "trailing_slash",
        "spelling",
        "query",
        "path",
        "port",
        "scheme",
        "host",
        "unreadable",
    ];
    let nearest = registered.iter().map(|known| one_difference(requested, known));
    let nearest = nearest.min_by_key(|word| WORDS.iter().position(|known| known == word));
    nearest.unwrap_or("nothing_registered")
}

fn one_difference(requested: &str, known: &str) -> &'static str {
    if requested.eq_ignore_ascii_case(known) {
        return "letter_case";
    }
    if requested.trim_end_matches('/') == known.trim_end_matches('/') {
        return "trailing_slash";
    }
    let (Ok(requested), Ok(known)) = (Url::parse(requested), Url::parse(known)) else {
        return "unreadable";
    };
    if requested.host_str() != known.host_str() {
        "host"
    } else if requested.scheme() != known.scheme() {
        "scheme"
    } else if requested.port_or_known_default() != known.port_or_known_default() {
        "port"
    } else if requested.path() != known.path() {
        "path"
    } else if requested.query() != known.query() {
        "query"
    } else {
        "spelling"
    }
}

/// An http URI on a loopback IP literal, its port left out.
#[derive(PartialEq, Eq)]
struct Loopback<'a> {
    host: &'static str,
    after_port: &'a str,
}

impl<'a> Loopback<'a> {
    fn read(uri: &'a str) -> Option<Self> {
        let rest = uri.strip_prefix("http://")?;
        for host in ["127.0.0.1", "[::1]"] {
            let Some(after_host) = rest.strip_prefix(host) else {
                continue;
            };
            let after_port = match after_host.strip_prefix(':') {
                None => after_host,
                Some(with_port) => {
                    let digits = with_port.bytes().take_while(u8::is_ascii_digit).count();
                    let (port, after_port) = with_port.split_at_checked(digits)?;
                    if port.starts_with('0') {
                        return None;
                    }
                    port.parse::<u16>().ok()?;
                    after_port
                }
            };
            // what follows the host is a path or a query, never more host
            return (after_port.is_empty() || after_port.starts_with(['/', '?'])).then_some(Self { host, after_port });
        }
        None
    }
}

/// RFC 3986 appendix A: a URI is made of these characters and well-formed percent-encodings. Browsers drop tabs and line
/// ends and turn backslashes around, so that what was compared would not be where they go.
fn judge_characters(uri: &str) -> Result<(), Reason> {
    if uri.is_empty() {
        return Err("must not be empty");
    }
    if uri.len() > MAX_URI_BYTES {
        return Err("must not be longer than 2048 bytes");
    }
    let mut bytes = uri.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let hexadecimal = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
                if !hexadecimal(bytes.next()) || !hexadecimal(bytes.next()) {
                    return Err("has a percent sign that encodes nothing");
                }
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => {}
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'#' | b'[' | b']' | b'@' => {}
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {}
            b'\\' | b'^' | b'{' | b'}' | b'|' => return Err("must not be a pattern"),
            _ => return Err("has a character that a URI can't have"),
        }
    }
    Ok(())
}

/// RFC 3986 section 3.1, in lower case: another spelling of a scheme is another way past a list.
fn split_scheme(uri: &str) -> Result<(&str, &str), Reason> {
    let (scheme, rest) = uri.split_once(':').ok_or("must be an absolute URI")?;
    let starts_with_letter = scheme.starts_with(|first: char| first.is_ascii_lowercase());
    let spelled = scheme
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'));
    if starts_with_letter && spelled {
        Ok((scheme, rest))
    } else {
        Err("must be an absolute URI with a scheme in lower case")
    }
}

fn judge_web(uri: &str, scheme: &str, rest: &str) -> Result<Url, Reason> {
    let (url, host) = judge_authority(uri, rest)?;
    if scheme == "http" && !matches!(host.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]") {
        // RFC 8252 section 7.3 and 8.3; RFC 9700 section 2.6
        return Err("may be http on localhost, 127.0.0.1 and [::1] only");
    }
    Ok(url)
}

/// Host and port as they are written: they must be what a browser makes of them.
fn judge_authority<'a>(uri: &str, rest: &'a str) -> Result<(Url, &'a str), Reason> {
    let after = rest.strip_prefix("//").ok_or("must have a host")?;
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, path) = after.split_at_checked(end).ok_or("must have a host")?;
    if authority.contains('@') {
        return Err("must not have user information");
    }
    let (host, port) = split_port(authority);
    if port.is_some_and(|port| port.starts_with('0') || port.parse::<u16>().is_err()) {
        return Err("must have a port that is a number from 1 to 65535, or none");
    }
    let name = host
        .bytes()
        .all(|byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'));
    let literal = host.starts_with('[');
    if host.is_empty() || host.starts_with('.') || host.contains("..") || !(name || literal) {
        return Err("must have a plain host name");
    }
    let url = Url::parse(uri).map_err(|_| "must be a URI")?;
    let read = match url.host() {
        Some(Host::Domain(domain)) => domain.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        None => return Err("must have a host"),
    };
    if !read.eq_ignore_ascii_case(host) {
        // 0x7f.1, 2130706433 and the like
        return Err("must spell its host the usual way");
    }
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
        .replace("%2e", ".");
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("must not have dot segments");
    }
    Ok((url, host))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // a colon inside an IPv6 literal
        Some((_, after)) if after.contains(']') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

/// RFC 8252 section 7.1: a reverse domain name as the scheme.
fn judge_private_use(scheme: &str, rest: &str, application: ApplicationType) -> Result<(), Reason> {
    if application != ApplicationType::Native {
        return Err("may have a private-use scheme only for native clients");
    }
    if scheme.split('.').any(str::is_empty) {
        return Err("must have a reverse domain name as its scheme");
    }
    if !rest.starts_with('/') {
        return Err("must go on with a slash after a private-use scheme");
    }
    let authority = rest.strip_prefix("//").and_then(|after| after.split(['/', '?']).next());
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err("must not have user information");
    }
    Ok(())
}

/// RFC 9700 section 4.1.3: what is stored is a URI, not a way to describe many.
fn judge_patterns(rest: &str) -> Result<(), Reason> {
    // the brackets of an IPv6 literal, and only those, are no pattern
    let literal = rest.strip_prefix("//[").and_then(|after| after.split_once(']'));
    let after_host = literal.map_or(rest, |(_, after)| after);
    let encoded_star = after_host.to_ascii_lowercase().contains("%2a");
    if encoded_star || after_host.contains(['*', '$', '(', ')', '[', ']']) || after_host.contains(".+") {
        return Err("must not be a pattern");
    }
    Ok(())
}
