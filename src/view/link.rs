//! Addresses that may stand in a page. A scheme that can run a script never gets into one of these types (SEC-004).

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Why a text is not one of the addresses below.
#[derive(Debug, thiserror::Error)]
#[error("not an address that a page may show")]
pub struct NotShown;

/// An absolute `https:` or `http:` address, in the URL standard's normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Link(String);

impl Link {
    /// `None` for any other scheme, whatever its letter case or the blanks in it, and for what is not an absolute URL.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "https" | "http") && url.has_host()).then(|| Self(url.into()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An address as the samples use it.
    pub fn sample() -> Self {
        Self("https://shop.example/".to_owned())
    }
}

impl TryFrom<String> for Link {
    type Error = NotShown;

    fn try_from(text: String) -> Result<Self, NotShown> {
        Self::parse(&text).ok_or(NotShown)
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.0
    }
}

/// The address of an application's logo: `https:`, or `http:` on this computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Logo(String);

impl Logo {
    /// `None` for what a page does not load: it then shows the first letter of the application's name.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let shown = match url.scheme() {
            "https" => url.has_host(),
            "http" => match url.host() {
                Some(Host::Domain(name)) => name == "localhost",
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            },
            _ => false,
        };
        shown.then(|| Self(url.into()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Logo {
    type Error = NotShown;

    fn try_from(text: String) -> Result<Self, NotShown> {
        Self::parse(&text).ok_or(NotShown)
    }
}

impl From<Logo> for String {
    fn from(logo: Logo) -> Self {
        logo.0
    }
}

/// A path on this server, with or without a query: where our own forms and links lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnPath(String);

impl OwnPath {
    /// `None` unless it starts with exactly one slash, so that a browser cannot read another host into it, and holds
    /// neither a backslash nor a control character.
    pub fn parse(text: &str) -> Option<Self> {
        let own = text.starts_with('/')
            && !text.starts_with("//")
            && !text.contains(|letter: char| letter == '\\' || letter.is_control());
        own.then(|| Self(text.to_owned()))
    }

    /// The path, or `/` where `text` is not one.
    pub fn or_home(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| Self("/".to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OwnPath {
    type Error = NotShown;

    fn try_from(text: String) -> Result<Self, NotShown> {
        Self::parse(&text).ok_or(NotShown)
    }
}

impl From<OwnPath> for String {
    fn from(path: OwnPath) -> Self {
        path.0
    }
}
