//! The public keys of clients: parsed once, fetched from `jwks_uri` seldom, never kept long.
//!
//! Fetched keys are used for 20 minutes at most, less if the document says so, but never fetched more often than every ten
//! seconds. A signature by an unknown key is reason to fetch again once a minute for each client: whoever sends random key
//! ids makes one request a minute, not one each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use crate::egress::{Egress, Limits};
use crate::jose::{MAX_DOCUMENT_BYTES, RemoteKeys};
use crate::model::{Client, Id, Timestamp};

/// How long fetched keys are used at most.
const OLDEST: Duration = Duration::from_secs(20 * 60);
/// How long fetched keys are used at least, and how long a failure stands.
const LEAST: Duration = Duration::from_secs(10);
/// How often an unknown key is reason to fetch again.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(60);
/// The clients whose keys are kept.
const MOST_CLIENTS: usize = 1000;

/// The keys of clients, of this process.
#[derive(Default)]
pub struct RemoteKeysCache {
    entries: Mutex<HashMap<Id<Client>, Arc<Entry>>>,
}

/// The keys of one client. The lock is held while they are fetched, so that one request fetches and the others wait.
struct Entry {
    /// Which registration they belong to: keys move with it.
    version: i64,
    made_at: Timestamp,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<RemoteKeys>>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
    tried_at: Option<Timestamp>,
    fetched_for_unknown_at: Option<Timestamp>,
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// The client registered none.
    #[error("the client has no keys")]
    None,
    /// The registered ones can't be read.
    #[error("the client's keys can't be read")]
    Unreadable,
    /// They can't be fetched at present.
    #[error("the client's keys can't be fetched")]
    Unreachable,
}

impl RemoteKeysCache {
    /// The keys of a client.
    pub async fn get(&self, egress: &Egress, client: &Client, now: Timestamp) -> Result<Arc<RemoteKeys>, NoKeys> {
        let entry = self.entry(client, now);
        let mut state = entry.state.lock().await;
        if let Some(jwks) = &client.metadata.jwks {
            if state.keys.is_none() {
                let keys = RemoteKeys::registered(jwks.to_string().as_bytes()).map_err(|_| NoKeys::Unreadable)?;
                state.keys = Some(Arc::new(keys));
            }
        } else if now >= state.fresh_until || state.keys.is_none() {
            state.fetch(egress, client, now).await?;
        }
        state.keys.clone().ok_or(NoKeys::None)
    }

    /// The keys of a client, fetched again because a signature is by none of those known; the known ones if that was tried
    /// within the last minute or they are not fetched at all.
    pub async fn get_newer(&self, egress: &Egress, client: &Client, now: Timestamp) -> Result<Arc<RemoteKeys>, NoKeys> {
        let entry = self.entry(client, now);
        let mut state = entry.state.lock().await;
        let waited = |since: Timestamp| now.since(since) >= UNKNOWN_KEY_INTERVAL;
        if client.metadata.jwks_uri.is_some() && state.fetched_for_unknown_at.is_none_or(waited) {
            state.fetched_for_unknown_at = Some(now);
            state.tried_at = None;
            // failed: those known are as good as they were
            let _ = state.fetch(egress, client, now).await;
        }
        state.keys.clone().ok_or(NoKeys::Unreachable)
    }

    fn entry(&self, client: &Client, now: Timestamp) -> Arc<Entry> {
        let mut entries = self.lock();
        if let Some(entry) = entries.get(&client.id)
            && entry.version == client.version
        {
            return entry.clone();
        }
        if entries.len() >= MOST_CLIENTS {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.made_at).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                entries.remove(&oldest);
            }
        }
        let entry = Arc::new(Entry {
            version: client.version,
            made_at: now,
            state: tokio::sync::Mutex::default(),
        });
        entries.insert(client.id, entry.clone());
        entry
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id<Client>, Arc<Entry>>> {
        // a map is whole between its calls, whoever panicked holding it
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Fetches unless that failed a moment ago. Keys that can't be renewed serve on until they are too old.
    async fn fetch(&mut self, egress: &Egress, client: &Client, now: Timestamp) -> Result<(), NoKeys> {
        let uri = client.metadata.jwks_uri.as_deref().ok_or(NoKeys::None)?;
        let tried_lately = self.tried_at.is_some_and(|tried| now.since(tried) < LEAST);
        if !tried_lately {
            self.tried_at = Some(now);
            let url = Url::parse(uri).map_err(|_| NoKeys::Unreadable)?;
            let limits = Limits {
                bytes: MAX_DOCUMENT_BYTES,
                ..Limits::default()
            };
            if let Ok(document) = egress.get_json(&url, limits).await
                && let Ok(keys) = RemoteKeys::fetched(&document.bytes)
            {
                self.keys = Some(Arc::new(keys));
                self.fetched_at = now;
                self.fresh_until = now.after(document.max_age.unwrap_or(OLDEST).clamp(LEAST, OLDEST));
                return Ok(());
            }
        }
        if self.keys.is_some() && now.since(self.fetched_at) < OLDEST {
            return Ok(());
        }
        self.keys = None;
        Err(NoKeys::Unreachable)
    }
}
