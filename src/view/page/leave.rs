//! An error would lead to an application that nobody vouches for: the person sees where before the browser goes there.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::view::{Client, Hidden, OwnPath};

/// A form that posts `decision` = `go` or `stay`, `csrf` and the hidden fields to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leave {
    /// Who asked.
    pub client: Client,
    /// Where it would lead: a host, or the scheme of an application on this device.
    pub place: String,
    /// Which of the sentences.
    pub cause: LeaveCause,
    /// The registered error code (RFC 6749 section 4.1.2.1), for whoever builds the application.
    pub code: String,
    /// The error's description, for the same reader.
    pub detail: String,
    /// Where the form posts to.
    pub action: OwnPath,
    /// What has to come back with the answer.
    pub hidden: Vec<Hidden>,
    /// Whether the form that was sent had been open for too long.
    pub expired: bool,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveCause {
    /// The person did not allow it.
    Denied,
    /// The person did not sign in.
    Cancelled,
    /// The application asked for what it can't have.
    Beyond,
    /// The application's request does not work.
    Faulty,
}

impl LeaveCause {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Denied, Self::Cancelled, Self::Beyond, Self::Faulty];
}

impl Leave {
    /// The place that a redirect URI leads to, as a person can tell it from another: the host as it is looked up, with the port
    /// if it is not the usual one.
    pub fn place(redirect_uri: &str) -> String {
        let Ok(url) = Url::parse(redirect_uri) else {
            return String::new();
        };
        match (url.scheme(), url.host_str(), url.port()) {
            ("http" | "https", Some(host), Some(port)) => format!("{host}:{port}"),
            ("http" | "https", Some(host), None) => host.to_owned(),
            (scheme, _, _) => format!("{scheme}:"),
        }
    }

    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Client {
                verified: false,
                ..Client::sample()
            },
            place: "shop.example:8443".to_owned(),
            cause: LeaveCause::Beyond,
            code: "invalid_scope".to_owned(),
            detail: "the client may have none of these scopes".to_owned(),
            action: OwnPath::or_home("/login/leave?flow=Zm9v"),
            hidden: vec![Hidden::new("request", "Zm9v")],
            expired: true,
        }
    }
}
