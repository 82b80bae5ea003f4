//! Telling webhooks: several at a time, each by itself, so that one that does not answer holds up none of the others.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::clock;
use crate::flow::operations::webhooks;
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Webhook};

const EVERY: Duration = Duration::from_millis(500);
/// So many webhooks are told at a time.
const AT_ONCE: usize = 8;

/// Runs until it is told to stop; what is under way is finished first.
pub(super) async fn run(provider: Provider, mut stop: watch::Receiver<bool>) {
    let mut busy: BTreeSet<Id<Webhook>> = BTreeSet::new();
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = told_to_stop(&mut stop) => break,
            Some((id, done)) = under_way.next() => {
                busy.remove(&id);
                tell(done);
                continue;
            }
            () = clock::sleep(EVERY) => {}
        }
        if busy.len() >= AT_ONCE {
            continue;
        }
        match webhooks::due(&provider, &Call::system(&provider.clock)).await {
            Ok(due) => {
                for webhook in due {
                    if busy.len() < AT_ONCE && busy.insert(webhook.id) {
                        under_way.push(told(provider.clone(), webhook));
                    }
                }
            }
            Err(error) => tell(Err(error)),
        }
    }
    while let Some((_, done)) = under_way.next().await {
        tell(done);
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn told(provider: Provider, webhook: Webhook) -> (Id<Webhook>, Result<(), Error>) {
    let done = webhooks::deliver_to(&provider, &webhook).await;
    (webhook.id, done)
}

fn tell(done: Result<(), Error>) {
    if let Err(error) = done {
        tracing::warn!(job = "webhooks", %error, "a job failed; it is tried again");
    }
}
