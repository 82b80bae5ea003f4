//! Doing it again where others were changing the same rows: the database has undone everything, so the whole of it may be
//! done once more. Nothing else is ever repeated: after an outage it is not known what has happened.

use std::time::Duration;

use super::Error;
use crate::{clock, random};

/// How long is waited before the second and the third time, at most.
pub const PAUSES: [Duration; 2] = [Duration::from_millis(40), Duration::from_millis(160)];

/// Does it, up to three times. `act` begins with the transaction, or before it.
///
/// # Errors
/// [`Error::Contended`] after the third time; any other at once.
pub async fn again<T, F>(act: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for longest in PAUSES {
        match act().await {
            Err(Error::Contended) => pause(longest).await,
            answer => return answer,
        }
    }
    act().await
}

/// Waits for up to this time: those who met once must not meet again.
pub async fn pause(longest: Duration) {
    clock::sleep(share_of(longest)).await;
}

/// Between nothing and all of it.
fn share_of(longest: Duration) -> Duration {
    let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    Duration::from_micros(u64::from(random::below(micros)))
}
