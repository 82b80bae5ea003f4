//! What is published: keys and metadata. They go on while the store is away, as this node read them last: whoever verifies a
//! token must not be stopped by an outage that has nothing to do with it. Nothing that decides is ever read here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::keyring::Keyring;
use crate::flow::{Error, Provider};
use crate::model::Resource;
use crate::model::setting::Settings;

/// A store that does not answer within this time is not waited for.
const WITHIN: Duration = Duration::from_millis(250);
/// As long as the longest-lived token that is verified with the keys.
const SERVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What is published is made from this.
#[derive(Clone)]
pub struct Published {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Every resource.
    pub resources: Arc<Vec<Resource>>,
    /// The keys.
    pub keyring: Arc<Keyring>,
}

/// As it stands, if nothing has to be read for it.
pub fn at_hand(provider: &Provider) -> Option<Published> {
    provider.published_at_hand()
}

/// As it stands, or as it stood when the store was last there.
///
/// # Errors
/// [`Error`] if the store has been away for a day, or was never there.
pub async fn read(provider: &Provider) -> Result<Published, Error> {
    let present = async {
        Ok::<_, Error>(Published {
            settings: provider.settings().await?,
            resources: provider.resources().await?,
            keyring: provider.keyring().await?,
        })
    };
    let refused = match timeout(WITHIN, present).await {
        Ok(Ok(present)) => return Ok(present),
        Ok(Err(refused)) => refused,
        Err(elapsed) => Error::Unavailable(Box::new(elapsed)),
    };
    provider.memory.read_within(SERVED_FOR, &provider.clock).ok_or(refused)
}
