//! A server of a test's own: started on a free port, with a clock that the test moves, and stopped with the test.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ostiary::clock::Clock;
use ostiary::config::{Config, File, Sms, SmsProvider};
use ostiary::flow::session::{self, Browser, Proof};
use ostiary::flow::{Call, Provider};
use ostiary::model::{Client, Group, Id, Profile, Secret, Timestamp, TokenEndpointAuthMethod, User};
use ostiary::random;
use ostiary::server::{Application, Options};
use ostiary::view::Views;
use tempfile::TempDir;

pub use super::backend::Backend;
use super::backend::{Place, backends, furnish};
use super::seed;
pub use super::seed::{TestClient, TestUser};

/// A running server.
pub struct Server {
    application: Application,
    clock: Clock,
    base: String,
    place: Place,
    folder: TempDir,
    config: Config,
}

impl Server {
    /// A server on SQLite and embedded files.
    pub async fn start() -> Self {
        Self::start_with(Backend::Embedded).await
    }

    /// A server on this backend.
    pub async fn start_with(backend: Backend) -> Self {
        Self::start_configured(backend, |_| ()).await
    }

    /// The same after the configuration was changed.
    pub async fn start_configured(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_fully(backend, change, |_| ()).await
    }

    /// The same, with options.
    pub async fn start_fully(
        backend: Backend,
        change: impl FnOnce(&mut Config),
        options: impl FnOnce(&mut Options),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(folder.path());
        let place = Place::make(backend, &mut config).await;
        change(&mut config);
        let clock = Clock::default();
        furnish(&config, Timestamp::from_micros(clock.micros())).await;
        let mut chosen = hasty();
        options(&mut chosen);
        let application = Application::start(config.clone(), clock.clone(), chosen).await.unwrap();
        let base = application.provider.issuer.as_str().to_owned();
        Self {
            application,
            clock,
            base,
            place,
            folder,
            config,
        }
    }

    /// The address of a path that begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        self.provider().issuer.as_str()
    }

    /// The issuer's host and port, which every request names, whichever node it is sent to.
    pub fn host(&self) -> String {
        let url = self.provider().issuer.url();
        format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
    }

    /// One more node of the same installation: the same store, keys and time behind another port. For Postgres and Redis
    /// only; stop it before this one.
    pub async fn node(&self) -> Self {
        self.node_configured(|_| ()).await
    }

    /// The same with another configuration.
    pub async fn node_configured(&self, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = self.config.clone();
        config.data_dir = folder.path().join("data");
        config.public_url = self.provider().issuer.url().clone();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        config.listen = free.local_addr().unwrap();
        drop(free);
        change(&mut config);
        let application = Application::start(config.clone(), self.clock.clone(), hasty())
            .await
            .unwrap();
        Self {
            base: format!("http://{}", application.address),
            application,
            clock: self.clock.clone(),
            place: self.place.shared(),
            folder,
            config,
        }
    }

    /// A server of this configuration, whose store is there and whose embedded files nobody else uses.
    pub async fn adopt(config: Config) -> Self {
        let clock = Clock::default();
        let application = Application::start(config.clone(), clock.clone(), hasty())
            .await
            .unwrap();
        let mut unused = config.clone();
        Self {
            base: application.provider.issuer.as_str().to_owned(),
            application,
            clock,
            place: Place::make(Backend::Embedded, &mut unused).await,
            folder: tempfile::tempdir().unwrap(),
            config,
        }
    }

    /// The server's time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Moves the server's time forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// What the server's flows work with.
    pub fn provider(&self) -> &Provider {
        &self.application.provider
    }

    /// A call by the operator, now.
    pub fn call(&self) -> Call {
        Call::operator(&self.clock)
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.application.address
    }

    /// Where it shows its numbers, if they have a listener of their own.
    pub fn metrics_address(&self) -> Option<std::net::SocketAddr> {
        self.application.metrics_address
    }

    /// Tells load balancers that it is about to stop.
    pub fn leave(&self) {
        self.application.leave();
    }

    /// What it was started with; the port is 0 there.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The folder of its files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A user with this name, a verified mail address and a random password.
    pub async fn user(&self, username: &str) -> TestUser {
        self.user_with(username, |_| ()).await
    }

    /// The same with another profile.
    pub async fn user_with(&self, username: &str, change: impl FnOnce(&mut Profile)) -> TestUser {
        let password = random::token();
        let hash = self
            .provider()
            .passwords
            .hash(Secret::new(password.clone()))
            .await
            .unwrap();
        let provider = self.provider();
        seed::user(
            &provider.store,
            self.call().now,
            username,
            (password, hash.expose()),
            change,
        )
        .await
    }

    /// An account as it is now.
    pub async fn account(&self, person: &TestUser) -> User {
        let mut store = self.provider().store.read().await.unwrap();
        store.find_user(person.id).await.unwrap().unwrap()
    }

    /// The account of a mail address.
    pub async fn account_of(&self, email: &str) -> User {
        let mut store = self.provider().store.read().await.unwrap();
        store.find_user_by_email(email).await.unwrap().unwrap()
    }

    /// A new browser in which somebody has signed in, without the pages.
    pub async fn signed_in(&self, person: &TestUser) -> Browser {
        let (provider, call) = (self.provider(), self.call());
        let user = self.account(person).await;
        let mut browser = session::recognize(provider, &call, None, None).await.unwrap();
        session::begin(provider, &call, &mut browser, &user, Proof::password(false))
            .await
            .unwrap();
        browser
    }

    /// A group with these permissions and members.
    pub async fn group(&self, name: &str, permissions: &[&str], members: &[&TestUser]) -> Id<Group> {
        let call = self.call();
        let group = Group {
            id: Id::new(call.now),
            name: name.to_owned(),
            external_id: None,
            description: None,
            permissions: permissions.iter().map(|&permission| permission.to_owned()).collect(),
            version: 1,
            created_at: call.now,
            updated_at: call.now,
        };
        let mut tx = self.provider().store.write().await.unwrap();
        tx.add_group(&group).await.unwrap();
        for member in members {
            tx.add_member(group.id, member.id, call.now).await.unwrap();
        }
        tx.commit().await.unwrap();
        group.id
    }

    /// A confidential client that may do the code flow with refresh tokens and asks for consent, after a change of it.
    pub async fn client(&self, change: impl FnOnce(&mut Client)) -> TestClient {
        let provider = self.provider();
        let client = seed::client(&provider.store, &provider.master, self.call().now, change).await;
        provider.refresh_memory().await.unwrap();
        client
    }

    /// A public client, as [`Server::client`].
    pub async fn public_client(&self, change: impl FnOnce(&mut Client)) -> TestClient {
        self.client(|client| {
            client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
            change(client);
        })
        .await
    }

    /// Changes settings: a table as in a file of `apply`.
    pub async fn settings(&self, table: serde_json::Value) {
        use ostiary::flow::operations::settings::{ChangedBy, change};
        let table = table.as_object().unwrap();
        change(self.provider(), &self.call(), table, ChangedBy::Command)
            .await
            .unwrap();
    }

    /// Runs a statement in the store behind the server's back, as another node would.
    pub async fn behind(&self, statement: &str) {
        let mut transaction = self.provider().store.database().write().await.unwrap();
        transaction.sql_built(statement.to_owned()).changed().await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Stops it in good order, and removes what it had.
    pub async fn stop(self) {
        self.application.stop().await;
        self.place.remove().await;
    }

    /// Stops it and starts another one on the same store, keys and time, at another port.
    pub async fn restart(self) -> Self {
        self.application.stop().await;
        let application = Application::start(self.config.clone(), self.clock.clone(), hasty())
            .await
            .unwrap();
        Self {
            base: application.provider.issuer.as_str().to_owned(),
            application,
            ..self
        }
    }
}

impl Server {
    /// Stops it, does something with its configuration and folders, and starts it again at the same address.
    pub async fn restart_after(mut self, between: impl AsyncFnOnce(&mut Config)) -> Self {
        let (address, public_url) = (self.address(), self.provider().issuer.url().clone());
        let commands = Some(ostiary::cli::commands());
        self.application.stop().await;
        between(&mut self.config).await;
        self.config.listen = address;
        self.config.public_url = public_url;
        let options = Options { commands, ..hasty() };
        self.application = Application::start(self.config.clone(), self.clock.clone(), options)
            .await
            .unwrap();
        self
    }
}

/// The pages, compiled once for all servers of this process.
static VIEWS: LazyLock<Arc<Views>> = LazyLock::new(|| Arc::new(Views::new().unwrap()));

/// The options of a test's server: nobody waits five seconds for an address that fails.
fn hasty() -> Options {
    Options {
        fetch_within: Duration::from_secs(2),
        views: Some(VIEWS.clone()),
        ..Options::default()
    }
}

/// The configuration of a test's server, with its files below `folder`: a free port, cheap password hashes, and outgoing
/// requests to this machine allowed.
pub fn configuration(folder: &std::path::Path) -> Config {
    let mut config = Config::read(None::<File>, Vec::<(String, String)>::new()).unwrap();
    config.listen.set_port(0);
    config.data_dir = folder.join("data");
    config.keys_dir = folder.join("keys");
    config.database_url = Secret::new(format!("sqlite:{}", config.data_dir.join("ostiary.db").display()));
    // text messages stay in the outbox, where tests read them
    config.sms = Some(Sms {
        provider: SmsProvider::Outbox,
        account: String::new(),
        secret: None,
        sender: String::new(),
    });
    config.hashing.memory_kib = 64;
    config.hashing.iterations = 1;
    config.egress.networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    config
}

/// Runs a test on SQLite and embedded files, and on Postgres and Redis unless this is a quick run.
pub async fn each_backend(test: impl AsyncFn(&Server)) {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        test(&server).await;
        server.stop().await;
    }
}
