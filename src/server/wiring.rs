//! From configuration to provider: opens the store, the keys, the short-lived state, and whatever else flows work with.

use std::num::NonZero;
use std::time::Duration;

use super::{Error, Lock, backup};
use crate::captcha::Captcha;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::credential::{BreachedList, Parameters, Passwords, TrustedAuthenticators};
use crate::egress::Egress;
use crate::ephemeral::{self, Ephemeral, RedisConnection};
use crate::flow::audit::EventQueue;
use crate::flow::clients::keys::RemoteKeysCache;
use crate::flow::counts::Counts;
use crate::flow::memory::Memory;
use crate::flow::operations::keyring;
use crate::flow::operations::keys;
use crate::flow::people::Wishes;
use crate::flow::provider::{self, Issuer, Texts};
use crate::flow::session::{Uses, Walk};
use crate::flow::trace::Traces;
use crate::flow::watch::Watch;
use crate::flow::{Call, Provider};
use crate::geo::Geo;
use crate::model::{SigningKey, SigningKeyState, setting};
use crate::sessions::{self, Sessions, taken_over};
use crate::sql::Failpoints;
use crate::store::{self, Store};
use crate::vault::{self, Missing, Vault};

/// The embedded file of sessions, in the data folder.
const SESSIONS: &str = "sessions.db";
/// So long a server that has sessions to move waits for a Redis that is just starting.
const REDIS_STARTS_WITHIN: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Waiting places before the threads that hash passwords: bounds their memory. How long they would wait is bounded before.
const PLACES_A_WORKER: usize = 256;

/// A provider, and what is held as long as it is used.
pub struct Parts {
    /// What flows work with.
    pub provider: Provider,
    /// The data folder, where the store is embedded.
    pub lock: Option<Lock>,
}

/// What is done with a store of an older schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schema {
    Bring,
    Expect,
}

/// Whether the store is a file in the data folder.
pub fn is_embedded(config: &Config) -> bool {
    config.database_url.expose().starts_with("sqlite:")
}

/// The store alone, whatever its schema: for `migrate`.
///
/// # Errors
/// [`Error`] if it can't be opened.
pub async fn open(config: &Config) -> Result<(Store, Option<Lock>), Error> {
    let lock = take_folder(config)?;
    let url = config.migration_database_url.as_ref().unwrap_or(&config.database_url);
    Ok((Store::open(url.expose()).await?, lock))
}

/// What `migrate` would do. It changes nothing, makes nothing and needs nothing for itself: a server may be running.
///
/// # Errors
/// [`Error`] if the store can't be read, was moved, or is a newer program's.
pub async fn outstanding(config: &Config) -> Result<Vec<&'static str>, Error> {
    let url = config.migration_database_url.as_ref().unwrap_or(&config.database_url);
    if store::file(url.expose()).is_some_and(|file| !file.exists()) {
        return Ok(store::schema());
    }
    let store = Store::open(url.expose()).await?;
    let steps = store.pending_migrations().await;
    store.close().await;
    Ok(steps?)
}

/// The data folder, where the store is embedded. A restore that was interrupted is brought to its end first.
fn take_folder(config: &Config) -> Result<Option<Lock>, Error> {
    if !is_embedded(config) {
        return Ok(None);
    }
    let lock = Lock::take(&config.data_dir)?;
    backup::finish_interrupted(config)?;
    Ok(Some(lock))
}

/// Everything flows work with, for a command. The embedded store is brought to this program's schema; another must be there
/// already. A test may make it stand still at `failpoints`.
///
/// # Errors
/// [`Error`], in words for the operator.
pub async fn provide(config: &Config, clock: &Clock, failpoints: Failpoints) -> Result<Parts, Error> {
    let schema = if is_embedded(config) {
        Schema::Bring
    } else {
        Schema::Expect
    };
    let egress = Egress::new(config.egress.networks.clone());
    assemble(config, clock, schema, egress, failpoints).await
}

/// The same for a server, which brings any store to its schema.
pub(super) async fn provide_for_server(
    config: &Config,
    clock: &Clock,
    fetch_within: Duration,
    failpoints: Failpoints,
) -> Result<Parts, Error> {
    let egress = Egress::new(config.egress.networks.clone()).within_at_most(fetch_within);
    let parts = assemble(config, clock, Schema::Bring, egress, failpoints).await?;
    take_over_sessions(config, &parts.provider).await?;
    Ok(parts)
}

/// Who is signed in stays so when a node that had its sessions in a file is given a Redis.
async fn take_over_sessions(config: &Config, provider: &Provider) -> Result<(), Error> {
    let file = config.data_dir.join(SESSIONS);
    if config.redis_url.is_none() {
        if taken_over(&file).exists() {
            tracing::warn!("sessions were moved to Redis earlier and are not looked for there: people sign in once");
        }
        return Ok(());
    }
    let began = clock::monotonic();
    loop {
        let now = Call::system(&provider.clock).now;
        match provider.sessions.take_over(&file, now).await {
            Ok(None) => return Ok(()),
            Ok(Some(sessions)) => {
                tracing::info!(sessions, "the sessions of the embedded file are in Redis now");
                return Ok(());
            }
            Err(sessions::Error::Unavailable) if began.elapsed() < REDIS_STARTS_WITHIN => {
                clock::sleep(ASK_EVERY).await;
            }
            Err(source) => return Err(Error::SessionsNotMoved { file, source }),
        }
    }
}

async fn assemble(
    config: &Config,
    clock: &Clock,
    schema: Schema,
    egress: Egress,
    failpoints: Failpoints,
) -> Result<Parts, Error> {
    let file_settings = setting::read_table(&config.settings).map_err(Error::Settings)?;
    let lock = take_folder(config)?;
    let store = open_store(config, schema).await?.passing(failpoints);
    let master = open_vault(config, &store).await?;
    let (ephemeral, sessions) = match &config.redis_url {
        Some(url) => {
            let connection =
                RedisConnection::open(url.expose(), &config.redis_prefix).map_err(ephemeral::Error::from)?;
            (Ephemeral::redis(connection.clone()), Sessions::redis(connection))
        }
        None => {
            let folder = make_folder(config)?;
            (
                Ephemeral::embedded(&folder.join("ephemeral.db")).await?,
                Sessions::embedded(&folder.join(SESSIONS)).await?,
            )
        }
    };
    let provider = Provider::new(provider::Parts {
        clock: clock.clone(),
        ephemeral: ephemeral.in_epoch_of(store.epoch()),
        store,
        sessions,
        passwords: passwords(config)?,
        breached: match &config.breached_passwords {
            Some(path) => BreachedList::open(path)?,
            None => BreachedList::default(),
        },
        captcha: config
            .captcha
            .clone()
            .map(|service| Captcha::new(service, egress.clone())),
        authenticators: match &config.passkeys_authenticators {
            Some(path) => TrustedAuthenticators::open(path)?,
            None => TrustedAuthenticators::default(),
        },
        egress,
        texts: match config.sms {
            Some(_) => Texts::Taken,
            None => Texts::Nowhere,
        },
        geo: match &config.geoip_database {
            Some(path) => Geo::open(path)?,
            None => Geo::default(),
        },
        master,
        issuer: Issuer::new(config.public_url.clone()),
        remote_keys: RemoteKeysCache::default(),
        events: EventQueue::default(),
        traces: Traces::default(),
        uses: Uses::default(),
        walk: Walk::default(),
        wishes: Wishes::default(),
        memory: Memory::default(),
        counts: Counts::default(),
        watch: Watch::default(),
        file_settings,
    });
    let furnished = furnish(&provider, &Call::system(clock)).await;
    // of two nodes that found an empty store and made a master key each, one did not make the keys that are there now
    let keys = provider.store.read().await?.list_signing_keys().await?;
    let mut kept = keys.iter().filter(|key| key.state != SigningKeyState::Retired);
    if !kept.all(|key| provider.master.open(keyring::SEALED_FOR, &key.sealed).is_ok()) {
        return Err(vault::Error::Wrong(config.keys_dir.clone()).into());
    }
    furnished?;
    Ok(Parts { provider, lock })
}

/// What has to be there before anything is served.
async fn furnish(provider: &Provider, call: &Call) -> Result<(), crate::flow::Error> {
    provider.refresh_memory().await?;
    keys::step(provider, call).await?;
    // another node may have been faster
    provider.refresh_memory().await
}

async fn open_store(config: &Config, schema: Schema) -> Result<Store, Error> {
    let store = Store::open(config.database_url.expose()).await?;
    let mut pending = store.pending_migrations().await?;
    if schema == Schema::Bring
        && !pending.is_empty()
        && let Some(url) = &config.migration_database_url
    {
        let owned = Store::open(url.expose()).await?;
        tell_migrated(&owned.migrate().await?);
        owned.close().await;
        pending = store.pending_migrations().await?;
    }
    if pending.is_empty() {
        return Ok(store);
    }
    if schema == Schema::Expect {
        store.close().await;
        return Err(Error::OldSchema(pending.len()));
    }
    match store.migrate().await {
        Ok(steps) => tell_migrated(&steps),
        Err(source @ store::Error::Failed(_)) if !store.is_embedded() => {
            store.close().await;
            return Err(Error::MayNotMigrate {
                pending: pending.len(),
                source,
            });
        }
        Err(error) => return Err(error.into()),
    }
    Ok(store)
}

fn tell_migrated(steps: &[&'static str]) {
    for step in steps {
        tracing::info!(step, "the store's schema was brought forward");
    }
}

/// The master keys: made with an empty store, and proven on what is sealed in any other.
pub(super) async fn open_vault(config: &Config, store: &Store) -> Result<Vault, Error> {
    let mut store = store.read().await?;
    let records = store.list_master_keys().await?;
    let sealed: Vec<SigningKey> = store
        .list_signing_keys()
        .await?
        .into_iter()
        .filter(|key| key.state != SigningKeyState::Retired)
        .collect();
    let missing = if sealed.is_empty() && records.is_empty() {
        Missing::Made
    } else {
        Missing::Refused
    };
    let vault = Vault::at(&config.keys_dir, &records, missing, |key| {
        sealed
            .iter()
            .all(|sealed| key.open(keyring::SEALED_FOR, &sealed.sealed).is_ok())
    })?;
    let opens = |key: &SigningKey| vault.open(keyring::SEALED_FOR, &key.sealed).is_ok();
    if !sealed.iter().all(opens) {
        return Err(vault::Error::Wrong(config.keys_dir.clone()).into());
    }
    Ok(vault)
}

fn make_folder(config: &Config) -> Result<&std::path::Path, Error> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(Error::file(&config.data_dir, "the data folder can't be made"))?;
    Ok(&config.data_dir)
}

fn passwords(config: &Config) -> Result<Passwords, Error> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = config
        .hashing
        .workers
        .and_then(|workers| usize::try_from(workers).ok())
        .unwrap_or(cores);
    let parameters = Parameters {
        memory_kib: config.hashing.memory_kib,
        iterations: config.hashing.iterations,
        parallelism: config.hashing.parallelism,
    };
    Ok(Passwords::new(
        parameters,
        workers,
        workers.saturating_mul(PLACES_A_WORKER),
    )?)
}
