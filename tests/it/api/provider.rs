//! A provider on an empty embedded store, and the calls that tests make on it.

use ostiary::clock::Clock;
use ostiary::credential::{Parameters, Passwords};
use ostiary::crypto::MasterKey;
use ostiary::egress::Egress;
use ostiary::ephemeral::Ephemeral;
use ostiary::flow::memory::Memory;
use ostiary::flow::people::{ChangeSource, NewGroup, NewUser, Rights, create_group, create_user};
use ostiary::flow::provider::{Issuer, Parts};
use ostiary::flow::{Call, Error, Provider};
use ostiary::model::{Group, Scopes, User};
use ostiary::sessions::Sessions;
use ostiary::store::Store;
use tempfile::TempDir;

/// A provider, its clock, and what keeps its files.
pub struct Ground {
    pub provider: Provider,
    pub clock: Clock,
    _folder: TempDir,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&format!("sqlite:{}/store.db", folder.path().display()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let clock = Clock::default();
        let parameters = Parameters {
            memory_kib: 64,
            iterations: 1,
            parallelism: 1,
        };
        let provider = Provider::new(Parts {
            clock: clock.clone(),
            store,
            ephemeral: Ephemeral::embedded(&folder.path().join("ephemeral.db")).await.unwrap(),
            sessions: Sessions::embedded(&folder.path().join("sessions.db")).await.unwrap(),
            passwords: Passwords::new(parameters, 2, 100).unwrap(),
            egress: Egress::new(Vec::new()).unwrap(),
            master: MasterKey::generate(),
            issuer: Issuer::new("https://id.example".parse().unwrap()),
            events: Default::default(),
            remote_keys: Default::default(),
            memory: Memory::default(),
            file_settings: std::collections::BTreeMap::new(),
        });
        Self {
            provider,
            clock,
            _folder: folder,
        }
    }

    pub fn call(&self) -> Call {
        Call::operator(&self.clock)
    }

    /// Makes a user of this name in these groups.
    pub async fn user(&self, username: &str, groups: &[&str]) -> User {
        let new = NewUser {
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            ..NewUser::named(username)
        };
        create_user(&self.provider, &self.call(), &ChangeSource::Command, new)
            .await
            .unwrap()
            .user
    }

    /// Makes a group with these permissions.
    pub async fn group(&self, name: &str, permissions: &[&str]) -> Group {
        let new = NewGroup {
            name: name.to_owned(),
            permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
            ..NewGroup::default()
        };
        create_group(&self.provider, &self.call(), &ChangeSource::Command, new)
            .await
            .unwrap()
    }

    /// The kinds of the events so far, the newest first.
    pub async fn events(&self) -> Vec<String> {
        let mut store = self.provider.store.read().await.unwrap();
        let events = store.list_events(None, 200).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }
}

/// A caller of the API who holds these permissions.
pub fn holder(permissions: &str) -> ChangeSource {
    ChangeSource::Api(Rights::Held(Scopes::parse(permissions).unwrap()))
}

/// The pointers and codes of the fields that were refused.
pub fn fields<T: std::fmt::Debug>(answer: Result<T, Error>) -> Vec<(String, &'static str)> {
    match answer {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| (error.pointer, error.code)).collect(),
        other => panic!("expected refused fields, got {other:?}"),
    }
}
