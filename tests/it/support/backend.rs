//! What a test server stores things in: files of its own, or a schema and a key prefix of its own on the servers of the test command.

use std::path::Path;

use ostiary::config::Config;
use ostiary::crypto::MasterKey;
use ostiary::flow::operations::keyring::SEALED_FOR;
use ostiary::jose::PrivateKey;
use ostiary::model::{Id, Secret, SigningAlgorithm, SigningKey, SigningKeyState, Timestamp};
use ostiary::random;
use ostiary::sql::{Database, Durability};
use ostiary::store::Store;
use tokio::sync::OnceCell;

/// What a server stores things in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// SQLite, and the embedded files for what is short-lived.
    Embedded,
    /// Postgres and Redis.
    PostgresRedis,
}

/// Whether the tests run without servers (`OSTIARY_TEST_QUICK=1`).
pub fn quick() -> bool {
    std::env::var("OSTIARY_TEST_QUICK").is_ok_and(|quick| quick == "1")
}

/// Whether this run has the time for everything (`OSTIARY_TEST_LENGTH=full`).
pub fn full() -> bool {
    std::env::var("OSTIARY_TEST_LENGTH").is_ok_and(|length| length == "full")
}

/// One length in the quick part, another in the test command, a third where there is time for everything.
pub fn length<T>(short: T, usual: T, long: T) -> T {
    if full() {
        long
    } else if quick() {
        short
    } else {
        usual
    }
}

/// Those of this run.
pub fn backends() -> Vec<Backend> {
    if quick() {
        vec![Backend::Embedded]
    } else {
        vec![Backend::Embedded, Backend::PostgresRedis]
    }
}

/// A test server's own place on a backend.
pub struct Place {
    pub backend: Backend,
    schema: Option<String>,
}

impl Place {
    /// Makes room, and writes it into the configuration.
    pub async fn make(backend: Backend, config: &mut Config) -> Self {
        config.redis_prefix = format!("test:{}:", random::hex_id());
        let schema = match backend {
            Backend::Embedded => None,
            Backend::PostgresRedis => {
                let schema = format!("it_{}", random::hex_id());
                administer(&format!("create schema {schema}")).await;
                config.database_url = in_schema(&schema);
                config.redis_url = Some(provided("OSTIARY_TEST_REDIS_URL"));
                Some(schema)
            }
        };
        Self { backend, schema }
    }

    /// The same place, for one more server in it. What is shared is removed by the first.
    pub fn shared(&self) -> Self {
        Self {
            backend: self.backend,
            schema: None,
        }
    }

    /// Removes what was made on shared servers.
    pub async fn remove(&self) {
        if let Some(schema) = &self.schema {
            administer(&format!("drop schema {schema} cascade")).await;
        }
    }
}

/// The address of a server that the test command provides.
pub fn provided(variable: &str) -> Secret {
    let url = std::env::var(variable)
        .unwrap_or_else(|_| panic!("this test needs {variable}: run ./scripts/test, or set OSTIARY_TEST_QUICK=1"));
    Secret::new(url)
}

fn in_schema(schema: &str) -> Secret {
    let url = provided("OSTIARY_TEST_POSTGRES_URL");
    let mark = if url.expose().contains('?') { '&' } else { '?' };
    Secret::new(format!("{}{mark}options[search_path]={schema}", url.expose()))
}

async fn administer(statement: &str) {
    let url = provided("OSTIARY_TEST_POSTGRES_URL");
    let database = Database::open(url.expose(), Durability::Full).await.unwrap();
    let mut connection = database.read().await.unwrap();
    connection.sql_built(statement.to_owned()).changed().await.unwrap();
    drop(connection);
    database.close().await;
}

/// What every test's store begins with, made once for all of this process: making it is slow, copying it is not.
static BEGINNING: OnceCell<Beginning> = OnceCell::const_new();

struct Beginning {
    master: [u8; 32],
    keys: Vec<(SigningAlgorithm, Secret)>,
    /// The file of an embedded store that has them.
    sqlite: Vec<u8>,
}

impl Beginning {
    async fn make(now: Timestamp) -> Self {
        let make = |algorithm| (algorithm, PrivateKey::generate(algorithm).unwrap().to_jwk());
        let keys = [
            SigningAlgorithm::Rs256,
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
        ]
        .map(make)
        .to_vec();
        let mut beginning = Self {
            master: random::bytes(),
            keys,
            sqlite: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ostiary.db");
        beginning.write(&format!("sqlite:{}", path.display()), now).await;
        beginning.sqlite = std::fs::read(path).unwrap();
        beginning
    }

    /// Into an empty store.
    async fn write(&self, url: &str, now: Timestamp) {
        let master = MasterKey::new(self.master);
        let store = Store::open(url).await.unwrap();
        store.migrate().await.unwrap();
        let mut tx = store.write().await.unwrap();
        for (algorithm, jwk) in &self.keys {
            let key = SigningKey {
                id: Id::new(now),
                kid: PrivateKey::from_jwk(jwk.expose().as_bytes()).unwrap().kid().to_owned(),
                algorithm: *algorithm,
                state: SigningKeyState::Active,
                sealed: master.seal(SEALED_FOR, jwk.expose().as_bytes()),
                created_at: now,
                activated_at: Some(now),
                retiring_at: None,
                retired_at: None,
            };
            tx.add_signing_key(&key).await.unwrap();
        }
        tx.raise_key_generation().await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
    }
}

/// Gives an empty store and an empty key folder a master key and active signing keys, which are the same for all tests.
/// Gives the master key.
pub async fn furnish(config: &Config, now: Timestamp) -> MasterKey {
    let beginning = BEGINNING.get_or_init(|| Beginning::make(now)).await;
    let master = MasterKey::new(beginning.master);
    write_master_key(&config.keys_dir, &master);
    std::fs::create_dir_all(&config.data_dir).unwrap();
    match ostiary::store::file(config.database_url.expose()) {
        Some(path) => {
            std::fs::write(&path, &beginning.sqlite).unwrap();
            restrict(&path);
        }
        None => beginning.write(config.database_url.expose(), now).await,
    }
    master
}

/// For its owner alone.
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn write_master_key(keys_dir: &Path, master: &MasterKey) {
    use base64::Engine;
    std::fs::create_dir_all(keys_dir).unwrap();
    let path = keys_dir.join("master.key");
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(master.expose());
    std::fs::write(&path, text).unwrap();
    restrict(&path);
}
