//! Where a sign-in to this server itself leads afterwards: a page of this server, nowhere else (SEC-032).

use url::Url;

use crate::view::OwnPath;

/// More than any address of ours.
const LONGEST: usize = 2048;

/// The path that was wished for, if it is one of this server as we write them: segments of plain characters, none empty,
/// none that begins with a dot. What a browser or a proxy might read as another host is not among them, in no encoding,
/// nor handed on in a query.
pub(super) fn wished(issuer: &Url, text: &str) -> Option<OwnPath> {
    let path = OwnPath::parse(text).filter(|path| path.as_str().len() <= LONGEST)?;
    let segments = path.as_str().split(['?', '#']).next()?.strip_prefix('/')?;
    let is_plain = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain)
    };
    let is_ours = segments.is_empty() || segments.strip_suffix('/').unwrap_or(segments).split('/').all(is_plain);
    let address = issuer.join(path.as_str()).ok()?;
    (is_ours && !text.contains("//") && address.origin() == issuer.origin()).then_some(path)
}

/// The absolute address of a path: what stands in `Location`.
pub(super) fn address(issuer: &Url, path: Option<&OwnPath>) -> String {
    path.and_then(|path| issuer.join(path.as_str()).ok())
        .filter(|address| address.origin() == issuer.origin())
        .map_or_else(|| issuer.to_string(), String::from)
}
