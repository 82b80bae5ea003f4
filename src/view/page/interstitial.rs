//! RFC 9700 section 4.11.2: before an error sends a browser to an application that nobody here vouches for, the person is asked.

use serde::{Deserialize, Serialize};

use crate::view::{Client, Hidden, OwnPath};

/// A form that posts `decision` = `continue` or `cancel`, `csrf` and the hidden fields to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interstitial {
    /// The application.
    pub client: Client,
    /// The host, or the private scheme, that the browser would go to.
    pub destination: String,
    /// Where the form posts to.
    pub action: OwnPath,
    /// The interaction's id and the like.
    pub hidden: Vec<Hidden>,
}

impl Interstitial {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Client {
                verified: false,
                ..Client::sample()
            },
            destination: "shop.example".to_owned(),
            action: OwnPath::or_home("/continue"),
            hidden: vec![Hidden::new("interaction", "Zm9v")],
        }
    }
}
