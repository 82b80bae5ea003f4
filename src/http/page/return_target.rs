//! Where a sign-in to this server itself leads afterwards: a page of this server, nowhere else (SEC-032).

use url::Url;

use crate::view::OwnPath;

/// More than any address of ours.
const LONGEST: usize = 2048;

/// The path that was wished for, if it is one of this server.
pub(super) fn wished(issuer: &Url, text: &str) -> Option<OwnPath> {
    let path = OwnPath::parse(text).filter(|path| path.as_str().len() <= LONGEST)?;
    let address = issuer.join(path.as_str()).ok()?;
    (address.origin() == issuer.origin()).then_some(path)
}

/// The absolute address of a path: what stands in `Location`, where `//` or `/\` can't be misread.
pub(super) fn address(issuer: &Url, path: Option<&OwnPath>) -> String {
    path.and_then(|path| issuer.join(path.as_str()).ok())
        .filter(|address| address.origin() == issuer.origin())
        .map_or_else(|| issuer.to_string(), String::from)
}
