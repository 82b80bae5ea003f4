//! What a client may ask for that registered itself where anyone may, and that nobody vouches for: whoever makes one is a stranger,
//! and much of what a client asks is a row of the store (SEC-643).

use std::time::Duration;

use crate::ephemeral::{self, Counted, Counter, Spent};
use crate::flow::{Call, Error, Provider};
use crate::model::Client;

/// How often it may prove who it is, and in which time: far more than one person's application needs.
const PROOFS: u32 = 600;
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// Counts a proof of a client that nobody vouches for. Others are not counted.
///
/// # Errors
/// [`Error::Throttled`] if it has come too often.
pub(super) async fn spend(provider: &Provider, call: &Call, client: &Client) -> Result<(), Error> {
    if client.trusted {
        return Ok(());
    }
    let key = format!("unvouched {}", client.id);
    let counter = || Counter::new(Counted::Request, &key);
    let spent = match provider.ephemeral.spend(counter(), PROOFS, PERIOD, call.now).await {
        // clients go on while the shared counters do not answer
        Err(ephemeral::Error::Unavailable) => provider.ephemeral.spend_here(counter(), PROOFS, PERIOD, call.now),
        spent => spent?,
    };
    match spent {
        Spent::Allowed { .. } => Ok(()),
        Spent::Refused { retry_after } => Err(Error::Throttled {
            retry_after,
            rule: "client_unvouched",
        }),
    }
}
