//! `[metrics]`: where the numbers of the process are shown, and to whom.

use std::net::SocketAddr;

use super::address;
use super::entries::{Entries, text};
use super::problem::Reason;
use crate::model::Secret;

/// Shorter ones could be guessed.
const SHORTEST_TOKEN: usize = 20;

/// Where `/metrics` is, and what it asks for.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// A listener of its own; without it they are on the server's, for whoever shows a credential.
    pub listen: Option<SocketAddr>,
    /// The bearer token that whoever reads them shows.
    pub token: Option<Secret>,
}

impl Metrics {
    pub(super) fn read(entries: &mut Entries) -> Self {
        Self {
            listen: entries.take("metrics.listen", address::socket),
            token: entries.take("metrics.token", token),
        }
    }
}

fn token(value: &toml::Value) -> Result<Secret, Reason> {
    let text = text(value)?;
    let is_one_word = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() < SHORTEST_TOKEN || !is_one_word {
        return Err(Reason::Token);
    }
    Ok(Secret::new(text))
}
