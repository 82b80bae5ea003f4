//! The nodes: a provider and its routes each, with a memory of its own.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use ostiary::clock::Clock;
use ostiary::config::Config;
use ostiary::credential::{Parameters, Passwords};
use ostiary::egress::Egress;
use ostiary::ephemeral::{Ephemeral, RedisConnection};
use ostiary::flow::provider::{Issuer, Parts};
use ostiary::flow::session::{self, Proof};
use ostiary::flow::{Call, Provider};
use ostiary::http::layer::{Places, Running};
use ostiary::http::{self, Http, Limits, router};
use ostiary::model::{Client, ConsentMode, Id, Secret, Timestamp, User};
use ostiary::random;
use ostiary::sessions::Sessions;
use ostiary::store::Store;
use ostiary::vault::Vault;
use ostiary::view::Views;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::conductor::Conductor;
use crate::support::backend::{Backend, Place, furnish};
use crate::support::relying_party::{RelyingParty, basic};
use crate::support::rooms::doctor_of;
use crate::support::seed::{self, TestClient, TestUser};
use crate::support::server::configuration;

pub const ISSUER: &str = "http://localhost:7000";
pub const HOST: &str = "localhost:7000";

/// Several nodes over one store, on one clock.
pub struct Nodes {
    pub nodes: Vec<Node>,
    pub conductor: Conductor,
    pub clock: Clock,
    ephemeral: Ephemeral,
    sessions: Sessions,
    master: Vault,
    views: Arc<Views>,
    config: Config,
    place: Place,
    /// The store as nobody steers it.
    store: Store,
    _folder: TempDir,
}

/// One of them.
#[derive(Clone)]
pub struct Node {
    pub provider: Provider,
    routes: Router,
}

/// What a request was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub body: String,
}

impl Answer {
    /// A member of the JSON body; empty if there is none.
    pub fn get(&self, name: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body[name].as_str().unwrap_or_default().to_owned()
    }

    /// Whether introspection calls the token active.
    pub fn is_active(&self) -> bool {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["active"] == Value::Bool(true)
    }

    /// The code in the answer's address.
    pub fn code(&self) -> Option<String> {
        let url: url::Url = self.location.parse().ok()?;
        let code = url.query_pairs().find(|(name, _)| name == "code")?;
        Some(code.1.into_owned())
    }
}

impl Nodes {
    /// So many of them.
    pub async fn of(count: usize, backend: Backend) -> Self {
        // nothing of it has to last
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let mut config = configuration(folder.path());
        let place = Place::make(backend, &mut config).await;
        let clock = Clock::standing();
        let master = furnish(&config, Timestamp::from_micros(clock.micros())).await.into();
        let (ephemeral, sessions) = match &config.redis_url {
            Some(url) => {
                let connection = RedisConnection::open(url.expose(), &config.redis_prefix).unwrap();
                (Ephemeral::redis(connection.clone()), Sessions::redis(connection))
            }
            None => (
                Ephemeral::embedded(&folder.path().join("ephemeral.db")).await.unwrap(),
                Sessions::embedded(&folder.path().join("sessions.db")).await.unwrap(),
            ),
        };
        let store = Store::open(config.database_url.expose()).await.unwrap();
        let mut all = Self {
            store,
            nodes: Vec::new(),
            conductor: Conductor::default(),
            clock,
            ephemeral,
            sessions,
            master,
            views: Arc::new(Views::new().unwrap()),
            config,
            place,
            _folder: folder,
        };
        for number in 0..count {
            let node = all.open(number).await;
            all.nodes.push(node);
        }
        all
    }

    async fn open(&self, number: usize) -> Node {
        let store = Store::open(self.config.database_url.expose()).await.unwrap();
        let store = store.passing(self.conductor.of_node(number));
        let cheap = Parameters {
            memory_kib: 64,
            iterations: 1,
            parallelism: 1,
        };
        let provider = Provider::new(Parts {
            captcha: None,
            texts: ostiary::flow::provider::Texts::Taken,
            clock: self.clock.clone(),
            ephemeral: self.ephemeral.clone().in_epoch_of(store.epoch()),
            store,
            sessions: self.sessions.clone(),
            passwords: Passwords::new(cheap, 1, 16).unwrap(),
            egress: Egress::new(Vec::new()),
            master: self.master.clone(),
            issuer: Issuer::new(ISSUER.parse().unwrap()),
            authenticators: Default::default(),
            geo: Default::default(),
            breached: Default::default(),
            events: Default::default(),
            traces: Default::default(),
            uses: Default::default(),
            walk: Default::default(),
            wishes: Default::default(),
            memory: Default::default(),
            counts: Default::default(),
            watch: Default::default(),
            remote_keys: Default::default(),
            file_settings: Default::default(),
        });
        provider.refresh_memory().await.unwrap();
        let routes = router(Http::new(http::Parts {
            made: Default::default(),
            views: self.views.clone(),
            limits: Limits::default(),
            trusted_proxies: Arc::new([]),
            tls: false,
            administration: Places::new(2),
            running: Running::default(),
            door: Default::default(),
            metrics: Default::default(),
            tracing: None,
            doctor: doctor_of(&provider),
            provider: provider.clone(),
        }));
        Node { provider, routes }
    }

    /// A node is killed and started again: what it remembered is gone, and what it had not written.
    pub async fn restart(&mut self, number: usize) {
        self.nodes[number].provider.store.close().await;
        self.nodes[number] = self.open(number).await;
    }

    /// A person.
    pub async fn person(&self) -> TestUser {
        let password = (
            random::token(),
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        );
        let name = format!("person-{}", random::hex_id());
        seed::user(self.store(), self.call().now, &name, password, |_| ()).await
    }

    /// A person whose password lets them in.
    pub async fn person_with_password(&self) -> TestUser {
        let password = random::token();
        let hash = self.nodes[0].provider.passwords.hash(Secret::new(password.clone()));
        let hash = hash.await.unwrap();
        let name = format!("person-{}", random::hex_id());
        seed::user(self.store(), self.call().now, &name, (password, hash.expose()), |_| ()).await
    }

    /// A client that nobody has to allow anything, after a change of it.
    pub async fn client(&self, change: impl FnOnce(&mut Client)) -> TestClient {
        let change = |client: &mut Client| {
            client.policy.consent = ConsentMode::Skip;
            change(client);
        };
        seed::client(self.store(), &self.master, self.call().now, change).await
    }

    /// A call by the operator, now.
    pub fn call(&self) -> Call {
        Call::operator(&self.clock)
    }

    /// The store, as no node has it open.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops them all.
    pub async fn stop(self) {
        for node in &self.nodes {
            node.provider.store.close().await;
        }
        self.store.close().await;
        drop(self.ephemeral.close().await);
        self.place.remove().await;
    }
}

impl Node {
    /// Signs a person in: the cookies of the browser, and the session.
    pub async fn sign_in(&self, user: Id<User>) -> Result<(String, Id<ostiary::model::Session>), ostiary::flow::Error> {
        let call = Call::operator(&self.provider.clock);
        let found = self.provider.store.read().await?.find_user(user).await?;
        let user = found.ok_or(ostiary::flow::Error::NotFound)?;
        let mut browser = session::recognize(&self.provider, &call, None, None).await?;
        let begun = session::begin(&self.provider, &call, &mut browser, &user, Proof::password(false)).await;
        let account = begun.map_err(|error| match error {
            session::NotBegun::Failed(error) => error,
            session::NotBegun::Device(refused) => panic!("{refused:?}"),
            session::NotBegun::Factor(_) | session::NotBegun::Action(_) | session::NotBegun::Changed => {
                ostiary::flow::Error::NotFound
            }
            session::NotBegun::Full(full) => panic!("{full:?}"),
        })?;
        let cookies = format!(
            "ostiary_session={}; ostiary_browser={}",
            browser.cookie_value(),
            browser.key.expose()
        );
        Ok((cookies, account.session.id))
    }

    /// A silent sign-on; the verifier is the party's.
    pub async fn authorize(&self, party: &Party, cookies: &str) -> Answer {
        let request = Request::get(&party.authorize).header(header::COOKIE, cookies);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Redeems a code.
    pub async fn redeem(&self, party: &Party, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &party.redirect_uri),
            ("code_verifier", &party.verifier),
        ];
        self.post("/oauth2/token", party, &form).await
    }

    /// Exchanges a refresh token.
    pub async fn refresh(&self, party: &Party, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth2/token", party, &form).await
    }

    /// Asks whether a token counts.
    pub async fn introspect(&self, party: &Party, token: &str) -> Answer {
        self.post("/oauth2/introspect", party, &[("token", token)]).await
    }

    /// Revokes a token.
    pub async fn revoke(&self, party: &Party, token: &str) -> Answer {
        self.post("/oauth2/revoke", party, &[("token", token)]).await
    }

    /// Asks whose an access token is.
    pub async fn userinfo(&self, token: &str) -> Answer {
        let request = Request::get("/oauth2/userinfo").header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, party: &Party, form: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request::post(path)
            .header(header::AUTHORIZATION, &party.basic)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(Body::from(body)).unwrap()).await
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        self.exchange(request).await.0
    }

    /// Sends any request. Gives the answer, and the headers that came with it.
    pub async fn exchange(&self, mut request: Request<Body>) -> (Answer, HeaderMap) {
        request.headers_mut().insert(header::HOST, HOST.parse().unwrap());
        let answer = self.routes.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let location = headers.get(header::LOCATION);
        let location = location.map_or("", |location| location.to_str().unwrap()).to_owned();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let answer = Answer {
            status,
            location,
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        (answer, headers)
    }
}

/// What a client shows.
#[derive(Clone, Debug)]
pub struct Party {
    authorize: String,
    redirect_uri: String,
    verifier: String,
    basic: String,
}

impl Party {
    /// Of this client.
    pub fn of(client: &TestClient) -> Self {
        let mut party = RelyingParty::at(ISSUER, HOST, client);
        party.scope = "openid".to_owned();
        let url: url::Url = party.authorization_url().parse().unwrap();
        Self {
            authorize: format!("{}?{}", url.path(), url.query().unwrap()),
            redirect_uri: client.redirect_uri.clone(),
            verifier: party.code_verifier.clone(),
            basic: basic(&client.client_id, &client.secret),
        }
    }
}
