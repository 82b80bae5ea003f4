//! How many requests of a kind may use the store at once: administration and exports leave the rest of it to those who sign in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::error::Refusal;

/// How long is waited for a place.
const WITHIN: Duration = Duration::from_secs(1);

/// Places of one kind. Clones share them.
#[derive(Clone)]
pub struct Places(Arc<Semaphore>);

/// A place that is held, given back when it is dropped.
pub type Place = OwnedSemaphorePermit;

impl Places {
    /// This many, at least one.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.max(1))))
    }

    /// A place.
    ///
    /// # Errors
    /// A refusal that says when to come again, if there is none in time.
    pub async fn take(&self) -> Result<Place, Refusal> {
        match timeout(WITHIN, self.0.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Refusal::crowded()),
        }
    }
}
