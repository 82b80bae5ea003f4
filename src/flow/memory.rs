//! What is remembered between requests, and how it is forgotten.
//!
//! Every kind of remembered thing has a generation in the store, raised in the transaction of each change. Every node reads
//! the generations twice a second, and at once after its own changes; a node whose last reading is older than two seconds
//! reads again before it trusts its memory.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use super::operations::keyring::Keyring;
use super::operations::metadata::Document;
use super::operations::published::Published;
use super::{Error, Provider};
use crate::clock;
use crate::model::setting::{self, Settings};
use crate::model::{Client, Resource};
use crate::store::Generations;

/// How old a reading of the generations may be.
const TRUSTED_FOR: Duration = Duration::from_secs(2);
/// How many clients are remembered.
const MOST_CLIENTS: usize = 10_000;

/// What is remembered between requests.
#[derive(Default)]
pub struct Memory {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    read_at: Option<Instant>,
    generations: Generations,
    settings: Arc<Settings>,
    resources: Arc<Vec<Resource>>,
    keyring: Option<Arc<Keyring>>,
    clients: HashMap<String, Arc<Client>>,
    metadata: Option<(Arc<Settings>, Arc<Vec<Resource>>, Document)>,
}

impl Provider {
    /// The settings in force.
    pub async fn settings(&self) -> Result<Arc<Settings>, Error> {
        self.trust_memory().await?;
        Ok(self.memory.look(|inner| inner.settings.clone()))
    }

    /// Every resource there is.
    pub async fn resources(&self) -> Result<Arc<Vec<Resource>>, Error> {
        self.trust_memory().await?;
        Ok(self.memory.look(|inner| inner.resources.clone()))
    }

    /// The signing keys: those that sign, those that are published.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, Error> {
        self.trust_memory().await?;
        self.memory
            .look(|inner| inner.keyring.clone())
            .ok_or_else(|| Error::defect("no signing keys"))
    }

    /// The client that calls itself this; disabled ones too.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Client>>, Error> {
        self.trust_memory().await?;
        let (known, generation) = self
            .memory
            .look(|inner| (inner.clients.get(client_id).cloned(), inner.generations.client));
        if known.is_some() {
            return Ok(known);
        }
        let found = self.store.read().await?.find_client_by_client_id(client_id).await?;
        let Some(client) = found.map(Arc::new) else {
            return Ok(None);
        };
        self.memory.change(|inner| {
            // a change that was read about meanwhile would be forgotten again
            if inner.generations.client == generation {
                if inner.clients.len() >= MOST_CLIENTS {
                    inner.clients.clear();
                }
                inner.clients.insert(client.client_id.clone(), client.clone());
            }
        });
        Ok(Some(client))
    }

    /// Reads the generations and whatever they say has changed. Called twice a second, and after changes of our own.
    pub async fn refresh_memory(&self) -> Result<(), Error> {
        let read_at = clock::monotonic();
        let mut store = self.store.read().await?;
        let now = store.get_generations().await?;
        let before = self
            .memory
            .look(|inner| inner.read_at.map(|_| inner.generations))
            .unwrap_or_default();
        let settings = if now.setting == before.setting {
            None
        } else {
            let stored = store.list_settings().await?;
            // a key that this program does not know (any more) is left alone: a newer node may have written it
            let known = stored.into_iter().filter_map(|(key, value)| {
                let declared = setting::Declaration::find(&key)?;
                Some((declared.key, declared.read(&value).ok()?))
            });
            Some(Arc::new(Settings::resolve(&known.collect(), &self.file_settings)))
        };
        let resources = if now.resource == before.resource {
            None
        } else {
            Some(Arc::new(store.list_resources().await?))
        };
        if now.key != before.key {
            // first of all: what is read below may be sealed under another key already
            self.master.adopt(&store.list_master_keys().await?)?;
        }
        let keyring = if now.key == before.key {
            None
        } else {
            Some(Arc::new(Keyring::open(store.list_signing_keys().await?, &self.master)?))
        };
        self.memory.change(|inner| {
            // readings may overtake each other: what an older one brings does not count
            let known = &mut inner.generations;
            if let Some(settings) = settings.filter(|_| now.setting > known.setting) {
                inner.settings = settings;
                known.setting = now.setting;
            }
            if let Some(resources) = resources.filter(|_| now.resource > known.resource) {
                inner.resources = resources;
                known.resource = now.resource;
            }
            if let Some(keyring) = keyring.filter(|_| now.key > known.key) {
                inner.keyring = Some(keyring);
                known.key = now.key;
            }
            if now.client > known.client {
                inner.clients.clear();
                known.client = now.client;
            }
            known.epoch = known.epoch.max(now.epoch);
            inner.read_at = inner.read_at.max(Some(read_at));
        });
        self.ephemeral.begin_epoch(now.epoch);
        Ok(())
    }

    async fn trust_memory(&self) -> Result<(), Error> {
        let fresh = self
            .memory
            .look(|inner| inner.read_at.is_some_and(|read_at| read_at.elapsed() < TRUSTED_FOR));
        if fresh { Ok(()) } else { self.refresh_memory().await }
    }
}

impl Memory {
    /// What is remembered, trusted or not, if it was read within this time: for what is published, never for a decision.
    pub(super) fn read_within(&self, time: Duration) -> Option<Published> {
        self.look(|inner| {
            inner.read_at.filter(|read_at| read_at.elapsed() < time)?;
            Some(Published {
                settings: inner.settings.clone(),
                resources: inner.resources.clone(),
                keyring: inner.keyring.clone()?,
            })
        })
    }

    /// How long ago the generations were read; none before the first time.
    pub fn age(&self) -> Option<Duration> {
        self.look(|inner| inner.read_at).map(|read_at| read_at.elapsed())
    }

    /// The keyring as it is remembered, whether it is to be trusted or not: for its numbers.
    pub fn keyring(&self) -> Option<Arc<Keyring>> {
        self.look(|inner| inner.keyring.clone())
    }

    /// The metadata document that was made from these very settings and resources.
    pub(super) fn metadata_of(&self, settings: &Arc<Settings>, resources: &Arc<Vec<Resource>>) -> Option<Document> {
        self.look(|inner| {
            let (of_settings, of_resources, document) = inner.metadata.as_ref()?;
            let same = Arc::ptr_eq(of_settings, settings) && Arc::ptr_eq(of_resources, resources);
            same.then(|| document.clone())
        })
    }

    /// Remembers a metadata document until the settings or resources change.
    pub(super) fn remember_metadata(&self, settings: Arc<Settings>, resources: Arc<Vec<Resource>>, document: Document) {
        self.change(|inner| inner.metadata = Some((settings, resources, document)));
    }

    fn look<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        match self.inner.read() {
            Ok(inner) => look(&inner),
            Err(poisoned) => look(&poisoned.into_inner()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        match self.inner.write() {
            Ok(mut inner) => change(&mut inner),
            Err(poisoned) => change(&mut poisoned.into_inner()),
        }
    }
}
