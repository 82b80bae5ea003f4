//! Whether everything that requests depend on answers.

use std::time::Duration;

use tokio::time::timeout;

use crate::flow::{Error, Provider};

/// What does not answer within this time does not answer.
const WITHIN: Duration = Duration::from_secs(1);

/// Whether store, short-lived state and sessions answer. What does not is told to the log.
pub async fn check(provider: &Provider) -> bool {
    let store = async {
        provider.store.ping().await?;
        Ok::<_, Error>(())
    };
    let ephemeral = async { Ok::<_, Error>(provider.ephemeral.ping().await?) };
    let sessions = async { Ok::<_, Error>(provider.sessions.ping().await?) };
    let (store, ephemeral, sessions) = tokio::join!(
        timeout(WITHIN, store),
        timeout(WITHIN, ephemeral),
        timeout(WITHIN, sessions)
    );
    let mut ready = true;
    if let Some(key) = provider.master.missing() {
        tracing::error!(%key, "the store is sealed under a master key that is not in the keys folder of this node");
        ready = false;
    }
    if provider.watch.holds_up() {
        tracing::warn!("something that everybody waits for stands still");
        ready = false;
    }
    for (name, answer) in [("store", store), ("ephemeral", ephemeral), ("sessions", sessions)] {
        if !matches!(answer, Ok(Ok(()))) {
            tracing::warn!(dependency = name, "does not answer");
            ready = false;
        }
    }
    ready
}
