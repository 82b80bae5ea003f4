//! What is remembered between requests, and how it is forgotten.
//!
//! Every kind of remembered thing has a generation in the store, raised in the transaction of each change; and what ends or
//! changes one by one (a session, a family, a person, a token) is appended to a list in its transaction. Every node reads
//! both twice a second, and takes note of its own changes at once; a node whose last reading is older than two seconds reads
//! again before it trusts its memory.
//!
//! Nothing is remembered for longer than a minute without being read again, and everything is bounded in number.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::forgetting::{Forgetting, MOST_READ};
use super::operations::keyring::Keyring;
use super::operations::metadata::Document;
use super::operations::published::Published;
use super::remembered::Remembered;
use super::token::verify::VerifiedToken;
use super::{Error, Provider};
use crate::clock::Clock;
use crate::model::setting::{self, Settings};
use crate::model::{Client, Digest, Grant, Id, Property, Resource, Session, Timestamp, User};
use crate::store::{Generations, SessionRow};

pub(crate) use super::forgetting::RestsOn;
pub use super::person::Person;
pub use super::remembered::Room;

/// How old a reading of the generations may be.
const TRUSTED_FOR: Duration = Duration::from_secs(2);
/// A node that has not read for so long forgets everything: the list of what ended is kept for an hour only.
const LOST_AFTER: Duration = Duration::from_secs(10 * 60);
/// Nothing is remembered for longer without being read again.
const LONGEST: Duration = Duration::from_secs(60);

/// What is remembered between requests.
#[derive(Default)]
pub struct Memory {
    inner: RwLock<Inner>,
}

pub(crate) struct Inner {
    read_at: Option<Instant>,
    /// Readings that began before are not trusted: this node has changed something since.
    changed_at: Option<Instant>,
    generations: Generations,
    forgetting: Forgetting,
    settings: Arc<Settings>,
    resources: Arc<Vec<Resource>>,
    properties: Arc<Vec<Property>>,
    keyring: Option<Arc<Keyring>>,
    clients: HashMap<String, Arc<Client>>,
    most_clients: usize,
    metadata: Option<(Arc<Settings>, Arc<Vec<Resource>>, Document)>,
    tokens: Remembered<Digest, Entry<VerifiedToken>>,
    people: Remembered<Id<User>, Entry<Person>>,
    sessions: Remembered<Id<Session>, Entry<SessionRow>>,
    grants: Remembered<Id<Grant>, Entry<Grant>>,
    secrets: Remembered<Digest, Entry<ProvenSecret>>,
}

/// A client showed its right secret from one place a moment ago, and nobody there had used up what may be guessed. It is found
/// by the digest of secret, client and place.
pub(crate) struct ProvenSecret;

/// Where memory stood before something was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    number: u64,
    /// Of clients, keys and settings.
    generations: [i64; 3],
    /// When the groups changed for the last time, or may have.
    pub(super) groups: u64,
}

/// What became of a reading of the generations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It was taken note of.
    Counts,
    /// The store it came from is not the one that decides any more, or an epoch began meanwhile.
    OfOlderEpoch,
}

/// Something that is remembered.
pub(crate) struct Entry<V> {
    value: Arc<V>,
    since: Since,
    rests_on: RestsOn,
    until: Timestamp,
}

/// What memory has to say.
pub(crate) enum Recalled<V> {
    /// This.
    Known(Arc<V>),
    /// Nothing: whoever reads it may have it remembered.
    Unknown(Since),
}

/// What is remembered one by one.
pub(crate) trait Rememberable: Sized {
    /// What it is found by.
    type Key: Eq + Hash;
    fn kept(inner: &Inner) -> &Remembered<Self::Key, Entry<Self>>;
    fn kept_mut(inner: &mut Inner) -> &mut Remembered<Self::Key, Entry<Self>>;
}

macro_rules! rememberable {
    ($($kind:ty, by $key:ty, in $field:ident;)+) => {$(
        impl Rememberable for $kind {
            type Key = $key;
            fn kept(inner: &Inner) -> &Remembered<$key, Entry<Self>> {
                &inner.$field
            }
            fn kept_mut(inner: &mut Inner) -> &mut Remembered<$key, Entry<Self>> {
                &mut inner.$field
            }
        }
    )+};
}

rememberable! {
    VerifiedToken, by Digest, in tokens;
    Person, by Id<User>, in people;
    SessionRow, by Id<Session>, in sessions;
    Grant, by Id<Grant>, in grants;
    ProvenSecret, by Digest, in secrets;
}

impl Default for Inner {
    fn default() -> Self {
        Self::with(Room::default())
    }
}

impl Inner {
    fn with(room: Room) -> Self {
        Self {
            read_at: None,
            changed_at: None,
            generations: Generations::default(),
            forgetting: Forgetting::default(),
            settings: Arc::default(),
            resources: Arc::default(),
            properties: Arc::default(),
            keyring: None,
            clients: HashMap::new(),
            most_clients: room.clients,
            metadata: None,
            tokens: Remembered::new(room.half),
            people: Remembered::new(room.half),
            sessions: Remembered::new(room.half),
            grants: Remembered::new(room.half),
            secrets: Remembered::new(room.half),
        }
    }

    /// Whether the last reading is younger than `age`, no later epoch is known, and this node has changed nothing since.
    fn is_trusted(&self, age: Duration, epoch: i64, now: Instant) -> bool {
        let is_latest = |read_at: Instant| {
            let is_young = now.saturating_duration_since(read_at) < age;
            is_young && self.changed_at.is_none_or(|changed| read_at >= changed)
        };
        self.generations.epoch >= epoch && self.read_at.is_some_and(is_latest)
    }

    /// The store may have lost what was read: every number in it may be one that stood for something else, so all of it is
    /// read anew.
    fn begin_epoch(&mut self, epoch: i64) {
        self.generations = Generations {
            epoch,
            ..Generations::default()
        };
        self.clients.clear();
        self.forgetting.begin_epoch();
    }

    fn published(&self) -> Option<Published> {
        Some(Published {
            settings: self.settings.clone(),
            resources: self.resources.clone(),
            keyring: self.keyring.clone()?,
        })
    }

    fn since(&self) -> Since {
        Since {
            number: self.forgetting.number(),
            generations: [self.generations.client, self.generations.key, self.generations.setting],
            groups: self.forgetting.groups(),
        }
    }

    fn counts<V>(&self, entry: &Entry<V>, now: Timestamp) -> bool {
        now < entry.until
            && entry.since.generations == self.since().generations
            && self.forgetting.counts(entry.since.number, &entry.rests_on)
    }
}

impl Provider {
    /// The settings in force.
    pub async fn settings(&self) -> Result<Arc<Settings>, Error> {
        self.trust_memory().await?;
        Ok(self.memory.look(|inner| inner.settings.clone()))
    }

    /// The settings as they were read last: for what no decision rests on, in the middle of a transaction.
    pub(super) fn settings_at_hand(&self) -> Arc<Settings> {
        self.memory.look(|inner| inner.settings.clone())
    }

    /// The settings in force where the store says this.
    pub(super) fn resolve_settings(&self, stored: Map<String, Value>) -> Settings {
        // a key that this program does not know (any more) is left alone: a newer node may have written it
        let known = stored.into_iter().filter_map(|(key, value)| {
            let declared = setting::Declaration::find(&key)?;
            Some((declared.key, declared.read(&value).ok()?))
        });
        Settings::resolve(&known.collect(), &self.file_settings)
    }

    /// Every resource there is.
    pub async fn resources(&self) -> Result<Arc<Vec<Resource>>, Error> {
        self.trust_memory().await?;
        Ok(self.memory.look(|inner| inner.resources.clone()))
    }

    /// Every property of people there is.
    pub async fn properties(&self) -> Result<Arc<Vec<Property>>, Error> {
        self.trust_memory().await?;
        Ok(self.memory.look(|inner| inner.properties.clone()))
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
        let at = |inner: &Inner| (inner.generations.epoch, inner.generations.client);
        let (known, since) = self
            .memory
            .look(|inner| (inner.clients.get(client_id).cloned(), at(inner)));
        if known.is_some() {
            return Ok(known);
        }
        let found = self.store.read().await?.find_client_by_client_id(client_id).await?;
        let Some(client) = found.map(Arc::new) else {
            return Ok(None);
        };
        self.memory.change(|inner| {
            // a change that was read about meanwhile would be forgotten again
            if at(inner) == since {
                if inner.clients.len() >= inner.most_clients {
                    inner.clients.clear();
                }
                inner.clients.insert(client.client_id.clone(), client.clone());
            }
        });
        Ok(Some(client))
    }

    /// A person with groups and permissions; inactive ones too.
    pub async fn person(&self, id: Id<User>, now: Timestamp) -> Result<Option<Arc<Person>>, Error> {
        let since = match self.recall::<Person>(&id, now).await? {
            Recalled::Known(person) => return Ok(Some(person)),
            Recalled::Unknown(since) => since,
        };
        let person = Person::read(&mut self.store.read().await?, id, now).await?;
        let Some(person) = person.map(Arc::new) else {
            return Ok(None);
        };
        let until = person.holds_until(now.after(LONGEST));
        self.remember(since, id, &person, RestsOn::user(id), until, now);
        Ok(Some(person))
    }

    /// The slow row of a session, ended ones too.
    pub async fn session_row(&self, id: Id<Session>, now: Timestamp) -> Result<Option<Arc<SessionRow>>, Error> {
        let since = match self.recall::<SessionRow>(&id, now).await? {
            Recalled::Known(row) => return Ok(Some(row)),
            Recalled::Unknown(since) => since,
        };
        let row = self.store.read().await?.find_session(id).await?;
        Ok(row.map(|row| self.remember_session_row(since, row, now)))
    }

    /// Remembers a session's row that was read, or written, after `since`.
    pub(crate) fn remember_session_row(&self, since: Since, row: SessionRow, now: Timestamp) -> Arc<SessionRow> {
        let row = Arc::new(row);
        let rests_on = RestsOn {
            user: Some(row.user),
            session: Some(row.id),
            ..RestsOn::default()
        };
        self.remember(since, row.id, &row, rests_on, now.after(LONGEST), now);
        row
    }

    /// Where memory stands, for who reads or writes something that is to be remembered afterwards.
    pub(crate) async fn since(&self) -> Result<Since, Error> {
        self.trust_memory().await?;
        Ok(self.memory.look(Inner::since))
    }

    /// A family of tokens, ended ones too.
    pub async fn grant(&self, id: Id<Grant>, now: Timestamp) -> Result<Option<Arc<Grant>>, Error> {
        let since = match self.recall::<Grant>(&id, now).await? {
            Recalled::Known(grant) => return Ok(Some(grant)),
            Recalled::Unknown(since) => since,
        };
        let Some(grant) = self.store.read().await?.find_grant(id).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.remember_grant(since, &grant, now);
        Ok(Some(grant))
    }

    /// Remembers a family that was read, or begun, after `since`.
    pub(crate) fn remember_grant(&self, since: Since, grant: &Arc<Grant>, now: Timestamp) {
        let rests_on = RestsOn {
            user: Some(grant.user),
            session: Some(grant.session),
            grant: Some(grant.id),
            ..RestsOn::default()
        };
        self.remember(since, grant.id, grant, rests_on, now.after(LONGEST), now);
    }

    /// What is remembered under a key, if it still counts.
    pub(crate) async fn recall<V: Rememberable>(&self, key: &V::Key, now: Timestamp) -> Result<Recalled<V>, Error>
    where
        V::Key: Clone,
    {
        self.trust_memory().await?;
        let (known, is_old, since) = self.memory.look(|inner| match V::kept(inner).get(key) {
            Some((entry, is_old)) if inner.counts(entry, now) => (Some(entry.value.clone()), is_old, inner.since()),
            _ => (None, false, inner.since()),
        });
        let Some(known) = known else {
            return Ok(Recalled::Unknown(since));
        };
        if is_old {
            self.memory.change(|inner| V::kept_mut(inner).keep(key.clone()));
        }
        Ok(Recalled::Known(known))
    }

    /// Remembers what was read after `since`, until `until` at the latest.
    pub(crate) fn remember<V: Rememberable>(
        &self,
        since: Since,
        key: V::Key,
        value: &Arc<V>,
        rests_on: RestsOn,
        until: Timestamp,
        now: Timestamp,
    ) {
        let entry = Entry {
            value: value.clone(),
            since,
            rests_on,
            until: until.min(now.after(LONGEST)),
        };
        self.memory.change(|inner| V::kept_mut(inner).put(key, entry));
    }

    /// Forgets every secret that was shown: somebody has guessed, and whether more may be guessed has to be looked up.
    pub(crate) fn forget_secrets(&self) {
        self.memory.change(|inner| inner.secrets.clear());
    }

    /// Reads the generations and the list of what ended, and whatever they say has changed. Called twice a second.
    ///
    /// # Errors
    /// [`Error::Unavailable`] too if the store is of an older epoch than one that was seen: what it says is void.
    pub async fn refresh_memory(&self) -> Result<(), Error> {
        if self.read_generations().await? == Reading::Counts {
            return Ok(());
        }
        // one that was overtaken by the beginning of an epoch is made again; twice is no accident
        match self.read_generations().await? {
            Reading::Counts => Ok(()),
            Reading::OfOlderEpoch => Err(Error::Unavailable("the store is of an older epoch".into())),
        }
    }

    async fn read_generations(&self) -> Result<Reading, Error> {
        self.note_own_changes();
        let read_at = self.clock.moment();
        let mut store = self.store.read().await?;
        let (before, mark) = self.memory.look(|inner| (inner.generations, inner.forgetting.mark()));
        let next_mark = store.get_ended_mark().await?;
        let ended = match mark {
            Some(mark) if mark != next_mark || !self.store.is_embedded() => store.list_ended(mark, MOST_READ).await?,
            _ => Vec::new(),
        };
        let now = store.get_generations().await?;
        if now.epoch < before.epoch.max(self.store.known_epoch()) {
            return Ok(Reading::OfOlderEpoch);
        }
        // in another epoch no number says that something is as it was
        let before = match now.epoch == before.epoch {
            true => before,
            false => Generations::default(),
        };
        let settings = match now.setting == before.setting {
            true => None,
            false => Some(Arc::new(self.resolve_settings(store.list_settings().await?))),
        };
        let resources = match now.resource == before.resource {
            true => None,
            false => Some(Arc::new(store.list_resources().await?)),
        };
        let properties = match now.property == before.property {
            true => None,
            false => Some(Arc::new(store.list_properties().await?)),
        };
        if now.key != before.key {
            // first of all: what is read below may be sealed under another key already
            self.master.adopt(&store.list_master_keys().await?)?;
        }
        let keyring = match now.key == before.key {
            true => None,
            false => Some(Arc::new(Keyring::open(store.list_signing_keys().await?, &self.master)?)),
        };
        self.know_webhooks(&mut store, now).await?;
        let mut reading = Reading::Counts;
        self.memory.change(|inner| {
            // one may have begun meanwhile
            if now.epoch < inner.generations.epoch {
                reading = Reading::OfOlderEpoch;
                return;
            }
            if now.epoch > inner.generations.epoch {
                inner.begin_epoch(now.epoch);
            }
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
            if let Some(properties) = properties.filter(|_| now.property > known.property) {
                inner.properties = properties;
                known.property = now.property;
            }
            if let Some(keyring) = keyring.filter(|_| now.key > known.key) {
                inner.keyring = Some(keyring);
                known.key = now.key;
            }
            if now.client > known.client {
                inner.clients.clear();
                known.client = now.client;
            }
            inner.forgetting.read(mark, next_mark, &ended);
            if inner
                .read_at
                .is_some_and(|before| read_at.saturating_duration_since(before) > LOST_AFTER)
            {
                inner.forgetting.forget_everything();
            }
            inner.read_at = inner.read_at.max(Some(read_at));
        });
        if reading == Reading::Counts {
            self.ephemeral.begin_epoch(now.epoch);
        }
        Ok(reading)
    }

    async fn trust_memory(&self) -> Result<(), Error> {
        self.note_own_changes();
        self.refresh_memory_older_than(TRUSTED_FOR).await
    }

    /// Reads again if the last reading is older than this.
    pub async fn refresh_memory_older_than(&self, age: Duration) -> Result<(), Error> {
        let (epoch, now) = (self.store.known_epoch(), self.clock.moment());
        let fresh = self.memory.look(|inner| inner.is_trusted(age, epoch, now));
        if fresh { Ok(()) } else { self.refresh_memory().await }
    }

    /// What is published, if it is to be trusted without being read again.
    pub(super) fn published_at_hand(&self) -> Option<Published> {
        self.note_own_changes();
        let (epoch, now) = (self.store.known_epoch(), self.clock.moment());
        self.memory.look(|inner| {
            let trusted = inner.is_trusted(TRUSTED_FOR, epoch, now);
            trusted.then(|| inner.published()).flatten()
        })
    }

    /// Forgets what this node has ended or changed itself.
    fn note_own_changes(&self) {
        if !self.store.has_own_changes() {
            return;
        }
        self.memory.change(|inner| {
            // taken under the lock: whoever finds nothing to take note of waits here until it is noted
            let own = self.store.take_own_changes();
            if !own.ended.is_empty() {
                inner.forgetting.note(own.ended);
            }
            if !own.raised.is_empty() {
                inner.changed_at = Some(self.clock.moment());
            }
        });
    }
}

impl Memory {
    /// One with room for so much.
    pub fn with(room: Room) -> Self {
        Self {
            inner: RwLock::new(Inner::with(room)),
        }
    }

    /// What is remembered, trusted or not, if it was read within this time: for what is published, never for a decision.
    pub(super) fn read_within(&self, time: Duration, clock: &Clock) -> Option<Published> {
        let now = clock.moment();
        self.look(|inner| {
            inner
                .read_at
                .filter(|read_at| now.saturating_duration_since(*read_at) < time)?;
            inner.published()
        })
    }

    /// How long ago the generations were read; none before the first time.
    pub fn age(&self, clock: &Clock) -> Option<Duration> {
        self.look(|inner| inner.read_at)
            .map(|read_at| clock.moment().saturating_duration_since(read_at))
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

    /// How much is remembered of each kind.
    pub fn sizes(&self) -> [(&'static str, usize); 6] {
        self.look(|inner| {
            [
                ("clients", inner.clients.len()),
                ("grants", inner.grants.len()),
                ("people", inner.people.len()),
                ("secrets", inner.secrets.len()),
                ("sessions", inner.sessions.len()),
                ("tokens", inner.tokens.len()),
            ]
        })
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
