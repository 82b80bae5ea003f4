//! OAuth 2.0 Form Post Response Mode section 2: the authorization response as a form that the browser posts.

use serde::{Deserialize, Serialize};

use crate::view::{Hidden, Link};

/// A form that a script submits at once; without scripts a button does. It leaves this server, so it carries the response's
/// parameters and nothing of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FormPost {
    /// The application's name.
    pub client: String,
    /// Its `redirect_uri`.
    pub action: Link,
    /// `code`, `state`, `iss`, or `error` and the rest.
    pub parameters: Vec<Hidden>,
}

impl FormPost {
    /// A successful response.
    pub fn sample() -> Self {
        Self {
            client: "Shop".to_owned(),
            action: Link::sample(),
            parameters: vec![
                Hidden::new("code", "c29tZSBjb2Rl"),
                Hidden::new("state", "af0ifjsldkj"),
                Hidden::new("iss", "https://id.example"),
            ],
        }
    }
}
