//! An installation of one process with a Postgres and a Redis of its own, each behind a proxy.

use std::net::SocketAddr;
use std::time::Duration;

use ostiary::clock;
use ostiary::model::{Client, ConsentMode, Secret};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ledger::{Told, ask};
use crate::ephemeral::redis_server::Server as Redis;
use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::process::{Installation, Node, Plan, until};
use crate::support::proxy::Proxy;
use crate::support::relying_party::RelyingParty;
use crate::support::seed::{TestClient, TestUser};
use crate::support::services::Postgres;

/// The promise: within this time somebody is told that something is away, and after this time it is back.
pub const PROMISE: Duration = Duration::from_secs(2);
/// What is allowed for a machine that has much else to do; in the long run, which has the machine to itself, little.
pub fn bound() -> Duration {
    length(PROMISE * 3, PROMISE + PROMISE / 4)
}

/// Whether the long runs are wanted.
pub fn full() -> bool {
    std::env::var("OSTIARY_TEST_LENGTH").is_ok_and(|length| length == "full")
}

/// One length in the test command, another in the long run.
pub fn length<T>(short: T, long: T) -> T {
    if full() { long } else { short }
}

/// Everything a fault test needs.
pub struct Site {
    pub node: Node,
    pub postgres: Postgres,
    /// Before Postgres.
    pub database: Proxy,
    pub redis: Redis,
    /// Before Redis.
    pub cache: Proxy,
    pub user: TestUser,
    pub client: TestClient,
    pub installation: Installation,
}

impl Site {
    /// A running node, a person and a client that is not asked for consent.
    pub async fn start() -> Self {
        Self::start_with(&[], |plan| plan, |_| ()).await
    }

    /// The same with settings of Postgres, after changes of the node and of the client.
    pub async fn start_with(
        settings: &[&str],
        plan: impl FnOnce(Plan) -> Plan,
        client: impl FnOnce(&mut Client),
    ) -> Self {
        let (postgres, redis) = tokio::join!(Postgres::start_with(settings), Redis::start(&["--save", ""]));
        Self::on(postgres, redis, plan, client).await
    }

    /// On these services.
    pub async fn on(
        postgres: Postgres,
        redis: Redis,
        plan: impl FnOnce(Plan) -> Plan,
        client: impl FnOnce(&mut Client),
    ) -> Self {
        let database = Proxy::start(postgres.address).await;
        let cache = Proxy::start(local(redis.port)).await;
        let installation = Installation::make_with(Backend::Embedded, |config| {
            config.database_url = Secret::new(postgres.url(postgres.address));
            config.redis_url = Some(Secret::new(format!("redis://127.0.0.1:{}", redis.port)));
        })
        .await;
        let user = installation.user("ada").await;
        let client = installation
            .client(|made| {
                made.policy.consent = ConsentMode::Skip;
                client(made);
            })
            .await;
        let started = installation
            .plan()
            .at(installation.front)
            .database(&postgres.url(database.address))
            .redis(&format!("redis://{}", cache.address));
        let node = plan(started).start().await;
        Self {
            node,
            postgres,
            database,
            redis,
            cache,
            user,
            client,
            installation,
        }
    }

    /// The client's side.
    pub fn party(&self) -> RelyingParty<'_> {
        RelyingParty::at(&self.installation.issuer(), &self.installation.host(), &self.client)
    }

    /// The address of a path that begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.installation.issuer())
    }

    /// Lets clients that lost an answer come back for as long as the long runs last.
    pub async fn retry_window(&self) {
        self.setting("token.refresh_retry_window", "\"3m\"").await;
    }

    /// Changes a setting behind the node's back, which hears of it within a second.
    pub async fn setting(&self, key: &str, value: &str) {
        self.postgres
            .run(&format!(
                "insert into settings (key, value) values ('{key}', '{value}')"
            ))
            .await;
        self.postgres
            .run("update generations set number = number + 1 where kind = 'setting'")
            .await;
        clock::sleep(Duration::from_millis(1200)).await;
    }

    /// What is asked again and again while something is away.
    pub async fn questions(&self) -> Questions {
        let party = self.party();
        let browser = Browser::new();
        let arrival = party.sign_in(&browser, &self.user).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        Questions {
            session: browser.cookie("ostiary_session").unwrap_or_default(),
            ..self.questions_with(&tokens.get("access_token"), &tokens.get("refresh_token"))
        }
    }

    /// The same with these tokens and without a session.
    pub fn questions_with(&self, access: &str, refresh: &str) -> Questions {
        Questions {
            base: self.installation.issuer(),
            authorize: self.party().authorization_url(),
            basic: crate::support::relying_party::basic(&self.client.client_id, &self.client.secret),
            access: access.to_owned(),
            refresh: refresh.to_owned(),
            session: String::new(),
        }
    }

    /// Waits until a whole sign-on works again. Gives how long it took.
    pub async fn recovers(&self, since: std::time::Instant) -> Duration {
        until(Duration::from_secs(30), "everything works again", async || {
            self.node.readiness().await == Some(200) && self.serves().await
        })
        .await;
        since.elapsed()
    }

    async fn serves(&self) -> bool {
        let questions = self.questions_with("none", "none");
        for question in [Question::Authorize, Question::Introspect, Question::Refresh] {
            if questions.ask(question).await.is_outage() {
                return false;
            }
        }
        true
    }
}

/// Refresh tokens in use: each family asks for its next token again and again, and comes back with the same one when it was
/// told to, or was told nothing.
pub struct Families {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Vec<Told>>>,
}

impl Families {
    /// This many, each with a pause between two requests.
    pub async fn start(site: &Site, count: usize, pause: Duration) -> Self {
        let party = site.party();
        let browser = Browser::new();
        party.sign_in(&browser, &site.user).await;
        let stop = watch::Sender::new(false);
        let mut tasks = Vec::new();
        for _ in 0..count {
            let arrival = party.sign_in(&browser, &site.user).await;
            let tokens = party.redeem(arrival.code()).await.ok();
            let mut asks = site.questions_with(&tokens.get("access_token"), &tokens.get("refresh_token"));
            let stopped = stop.subscribe();
            tasks.push(tokio::spawn(async move {
                let mut told = Vec::new();
                while !*stopped.borrow() {
                    told.push(asks.refresh().await);
                    clock::sleep(pause).await;
                }
                // I1, I3: whatever became of the last one, the next goes well
                for _ in 0..200 {
                    told.push(asks.refresh().await);
                    if !told.last().unwrap().is_outage() {
                        return told;
                    }
                    clock::sleep(Duration::from_millis(100)).await;
                }
                panic!("a family does not come back: {:?}", told.last());
            }));
        }
        Self { stop, tasks }
    }

    /// Ends them. Everything they were told, which holds what a ledger has to hold: no family was lost, and none was told that
    /// it had asked for what is not its.
    pub async fn end(self) -> Vec<Told> {
        self.stop.send_replace(true);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.unwrap());
        }
        for told in &all {
            told.judge("a family");
        }
        all
    }
}

/// An address of this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// One of everything that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    Alive,
    KeySet,
    Metadata,
    Asset,
    LoginPage,
    Authorize,
    SignedIn,
    Refresh,
    Introspect,
    UserInfo,
    Api,
}

impl Question {
    /// What goes on whatever is away.
    pub const FREE: [Self; 4] = [Self::Alive, Self::KeySet, Self::Metadata, Self::Asset];
    /// What needs the store of sessions and of pending requests, or leads to what does.
    pub const OF_SESSIONS: [Self; 3] = [Self::Authorize, Self::SignedIn, Self::LoginPage];
    /// What needs the database, and nothing else.
    pub const OF_DATABASE: [Self; 4] = [Self::Refresh, Self::Introspect, Self::UserInfo, Self::Api];
}

/// Who asks.
#[derive(Clone)]
pub struct Questions {
    base: String,
    authorize: String,
    basic: String,
    pub access: String,
    pub refresh: String,
    session: String,
}

impl Questions {
    /// Asks.
    pub async fn ask(&self, question: Question) -> Told {
        let http = super::ledger::http();
        let get = |path: &str| http.get(format!("{}{path}", self.base));
        let form = |path: &str, body: String| {
            http.post(format!("{}{path}", self.base))
                .header("authorization", &self.basic)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
        };
        let request = match question {
            Question::Alive => get("/healthz"),
            Question::KeySet => get("/oauth2/jwks"),
            Question::Metadata => get("/.well-known/openid-configuration"),
            Question::Asset => get("/favicon.ico"),
            Question::LoginPage => get("/login"),
            Question::Authorize => http.get(&self.authorize),
            Question::SignedIn => get("/").header("cookie", format!("ostiary_session={}", self.session)),
            Question::Refresh => form(
                "/oauth2/token",
                format!("grant_type=refresh_token&refresh_token={}", self.refresh),
            ),
            Question::Introspect => form("/oauth2/introspect", format!("token={}", self.access)),
            Question::UserInfo => get("/oauth2/userinfo").header("authorization", format!("Bearer {}", self.access)),
            Question::Api => get("/api/v1/users").header("authorization", format!("Bearer {}", self.access)),
        };
        ask(request).await
    }

    /// Asks for the next token and keeps it. What is neither an answer nor a refusal for now is a family that was lost.
    pub async fn refresh(&mut self) -> Told {
        let told = self.ask(Question::Refresh).await;
        match told.status {
            Some(200) => {
                self.refresh = told.get("refresh_token");
                self.access = told.get("access_token");
            }
            Some(503 | 429) | None => (),
            Some(_) => panic!("a family was lost: {told:?}"),
        }
        told
    }

    /// Asks all of these, again and again, for this long.
    pub async fn keep_asking(&self, questions: &[Question], long: Duration) -> Vec<(Question, Told)> {
        let begun = clock::monotonic();
        let mut told = Vec::new();
        while begun.elapsed() < long {
            let round = questions.iter().map(|&question| {
                let asks = self.clone();
                tokio::spawn(async move { (question, asks.ask(question).await) })
            });
            // the next round does not wait for the slowest of this one
            let round: Vec<_> = round.collect();
            clock::sleep(Duration::from_millis(100)).await;
            told.extend(round);
        }
        let mut answers = Vec::new();
        for task in told {
            answers.push(task.await.unwrap());
        }
        answers
    }
}
