//! Files of users, those that come and those that are wanted, are worked on piece by piece, as long as there is one and nobody says stop.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::flow::operations::{exports, imports};
use crate::flow::{Call, Error, Provider};

const EVERY: Duration = Duration::from_secs(1);

/// Runs until it is told to stop; the piece under way is finished first.
pub(super) async fn run(provider: Provider, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock::sleep(EVERY) => (),
        }
        loop {
            match work(&provider).await {
                Ok(true) if !*stop.borrow() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(job = "imports", %error, "a job failed; it is tried again");
                    break;
                }
            }
        }
    }
}

async fn work(provider: &Provider) -> Result<bool, Error> {
    let more = imports::work(provider, &Call::system(&provider.clock)).await?;
    Ok(exports::work(provider, &Call::system(&provider.clock)).await? || more)
}
