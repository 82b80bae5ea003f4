//! A request that another site posted arrives without our cookies (`SameSite=Lax`); asked again from a page of our own, it has them.

use serde::{Deserialize, Serialize};

use crate::view::{Hidden, OwnPath};

/// A form that a script submits at once by GET; without scripts a button does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Repost {
    /// The same endpoint.
    pub action: OwnPath,
    /// What was posted.
    pub parameters: Vec<Hidden>,
}

impl Repost {
    /// An authorization request.
    pub fn sample() -> Self {
        Self {
            action: OwnPath::or_home("/oauth2/authorize"),
            parameters: vec![
                Hidden::new("client_id", "shop"),
                Hidden::new("scope", "openid"),
                Hidden::new("state", "af0ifjsldkj"),
            ],
        }
    }
}
