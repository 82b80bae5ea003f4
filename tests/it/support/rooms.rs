//! A provider without a server: flows by themselves, on SQLite and the embedded files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use ostiary::clock::Clock;
use ostiary::credential::{Parameters, Passwords};
use ostiary::crypto::MasterKey;
use ostiary::egress::Egress;
use ostiary::ephemeral::Ephemeral;
use ostiary::flow::memory::Memory;
use ostiary::flow::operations::doctor::Doctor;
use ostiary::flow::provider::{Issuer, Parts};
use ostiary::flow::{Call, Origin, Provider};
use ostiary::model::setting::SettingValue;
use ostiary::sessions::Sessions;
use ostiary::store::Store;
use tempfile::TempDir;

use super::server::configuration;

/// What looks at a provider that has no configuration of its own.
pub fn doctor_of(provider: &Provider) -> Arc<Doctor> {
    Arc::new(Doctor {
        gateway: None,
        config: configuration(Path::new("no-folder")),
        clock: provider.clock.clone(),
        issuer: provider.issuer.clone(),
        store: Ok(Some(provider.store.clone())),
        ephemeral: None,
        mailer: None,
        master: Some(provider.master.clone()),
    })
}

/// A provider with files and a clock of its own; loopback may be fetched from.
pub struct Rooms {
    pub provider: Provider,
    pub clock: Clock,
    _folder: TempDir,
}

impl Rooms {
    /// With the built-in settings.
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With these settings.
    pub async fn with(settings: &[(&'static str, SettingValue)]) -> Self {
        Self::remembering(settings, Memory::default()).await
    }

    /// With these settings and this memory.
    pub async fn remembering(settings: &[(&'static str, SettingValue)], memory: Memory) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store = Store::open(&format!("sqlite:{}", path("ostiary.db").display()))
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let clock = Clock::default();
        let loopback: IpNet = "127.0.0.0/8".parse().unwrap();
        let cheap = Parameters {
            memory_kib: 64,
            iterations: 1,
            parallelism: 1,
        };
        let provider = Provider::new(Parts {
            captcha: None,
            texts: ostiary::flow::provider::Texts::Taken,
            clock: clock.clone(),
            store,
            ephemeral: Ephemeral::embedded(&path("ephemeral.db")).await.unwrap(),
            sessions: Sessions::embedded(&path("sessions.db")).await.unwrap(),
            passwords: Passwords::new(cheap, 1, 16).unwrap(),
            egress: Egress::new(vec![loopback]),
            master: MasterKey::generate().into(),
            issuer: Issuer::new("https://login.example".parse().unwrap()),
            authenticators: Default::default(),
            geo: Default::default(),
            breached: Default::default(),
            events: Default::default(),
            traces: Default::default(),
            uses: Default::default(),
            walk: Default::default(),
            wishes: Default::default(),
            memory,
            counts: Default::default(),
            watch: Default::default(),
            remote_keys: Default::default(),
            file_settings: settings.iter().cloned().collect::<BTreeMap<_, _>>(),
        });
        Self {
            provider,
            clock,
            _folder: folder,
        }
    }

    /// A call by nobody known, from this address, now.
    pub fn call_from(&self, address: &str) -> Call {
        let address = Some(address.parse().unwrap());
        Call::new(
            &self.clock,
            Origin {
                address,
                user_agent: None,
            },
        )
    }

    /// A call by the operator, now.
    pub fn operator(&self) -> Call {
        Call::operator(&self.clock)
    }
}
