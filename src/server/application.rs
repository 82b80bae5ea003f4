//! A running server: started by `serve`, by the demo and by tests, stopped in good order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::control::{Commands, ControlSocket};
use super::listener::Listener;
use super::signals::{End, Signals};
use super::tls::Certificates;
use super::{Error, Lock, Parts, wiring};
use crate::clock::{self, Clock};
use crate::config::{Config, SmsProvider};
use crate::egress::Egress;
use crate::flow::operations::outbox::Post;
use crate::flow::watch::Patience;
use crate::flow::{Call, Provider, people, session};
use crate::http::layer::{Door, Places, Running};
use crate::http::{self, Http, Limits, MetricsAccess};
use crate::jobs;
use crate::mail::Mailer;
use crate::sms::Gateway;
use crate::sql::Failpoints;
use crate::telemetry::Tracing;
use crate::view::Views;

/// What runs when the server is told to stop has this long to finish.
const FINISH_WITHIN: Duration = Duration::from_secs(15);

const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// As long as any kind of request has by itself.
const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// How often the certificate's files are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(5);

/// What differs between a server, the demo and a test.
pub struct Options {
    /// Places where the store can be told to stand still: none outside the tests.
    pub failpoints: Failpoints,
    /// Runs the commands that come by the local socket; without it there is no socket.
    pub commands: Option<Commands>,
    /// A request's head must be there within this time; so must the next one's on a kept connection.
    pub head_within: Duration,
    /// How often the certificate's files are looked at.
    pub certificates_every: Duration,
    /// No request to elsewhere takes longer, and what fails is told when its time is over.
    pub fetch_within: Duration,
    /// How long something that everybody waits for may be silent until it is told of.
    pub patience: Patience,
    /// Where spans of requests go.
    pub tracing: Option<Tracing>,
    /// More routes, beside the server's own.
    pub routes: Router<Http>,
    /// Pages that are compiled already, where one process runs several servers.
    pub views: Option<Arc<Views>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            failpoints: Failpoints::default(),
            commands: None,
            head_within: HEAD_WITHIN,
            certificates_every: CERTIFICATES_EVERY,
            fetch_within: FETCH_WITHIN,
            patience: Patience::default(),
            tracing: None,
            routes: Router::new(),
            views: None,
        }
    }
}

/// How a server ended that was told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What ran is finished.
    InOrder,
    /// It was told a second time, and finished nothing.
    AtOnce,
}

/// A running server.
pub struct Application {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it shows its numbers, if they have a listener of their own.
    pub metrics_address: Option<SocketAddr>,
    /// What its flows work with.
    pub provider: Provider,
    stop: watch::Sender<bool>,
    running: Running,
    door: Door,
    drain_delay: Duration,
    serving: Vec<JoinHandle<()>>,
    jobs: jobs::Running,
    control: Option<ControlSocket>,
    _lock: Option<Lock>,
}

impl Application {
    /// Starts a server. On port 0 the system chooses one, and the public URL follows it.
    ///
    /// # Errors
    /// [`Error`], in words for the operator. Nothing runs then.
    pub async fn start(mut config: Config, clock: Clock, options: Options) -> Result<Self, Error> {
        let (socket, address) = bind(config.listen).await?;
        let operators = match config.metrics.listen {
            Some(listen) => Some(bind(listen).await?),
            None => None,
        };
        if config.listen.port() == 0 {
            let moved = config.public_url.set_port(Some(address.port()));
            debug_assert!(moved.is_ok(), "a URL with a host takes any port");
        }
        let door = Door::default();
        let certificates = config
            .tls
            .as_ref()
            .map(|files| Certificates::open(files, &door))
            .transpose()?;
        let post = Post {
            mailer: mailer(&config)?,
            gateway: gateway(&config)?,
            views: match options.views {
                Some(views) => views,
                None => Arc::new(Views::new()?),
            },
        };
        let Parts { provider, lock } =
            wiring::provide_for_server(&config, &clock, options.fetch_within, options.failpoints).await?;
        let (stop, stopped) = watch::channel(false);
        let running = Running::default();
        let http = Http::new(http::Parts {
            provider: provider.clone(),
            views: post.views.clone(),
            limits: Limits {
                body_bytes: config.http.max_body_bytes,
                time: config.http.request_timeout,
            },
            trusted_proxies: config.trusted_proxies.clone().into(),
            tls: config.tls.is_some(),
            administration: Places::new(provider.store.connections() / 2),
            running: running.clone(),
            door: door.clone(),
            metrics: MetricsAccess {
                separate: config.metrics.listen.is_some(),
                token: config.metrics.token.clone(),
            },
            tracing: options.tracing,
            doctor: Arc::new(super::doctor::of_server(&config, &provider)),
            made: http::Made::default(),
        });
        let control = options
            .commands
            .filter(|_| wiring::is_embedded(&config))
            .map(|commands| ControlSocket::open(control_path(&config), commands, provider.clone(), stopped.clone()))
            .transpose()?;
        let metrics_address = operators.as_ref().map(|(_, address)| *address);
        let mut serving = Vec::new();
        if let Some((socket, _)) = operators {
            let listener = Listener {
                socket,
                tls: None,
                kept: None,
                router: http::operators(http.clone()),
                limits: config.http,
                head_within: options.head_within,
                stop: stopped.clone(),
                // what passes here is not counted as what passes there
                door: Door::default(),
            };
            serving.push(tokio::spawn(listener.serve()));
        }
        if let Some(certificates) = certificates.clone() {
            let following = certificates.follow(options.certificates_every, door.clone(), stopped.clone());
            serving.push(tokio::spawn(following));
        }
        let listener = Listener {
            socket,
            tls: certificates,
            kept: Some(http::Kept::new(http.clone())),
            router: http::router_with(http, options.routes),
            limits: config.http,
            head_within: options.head_within,
            stop: stopped.clone(),
            door: door.clone(),
        };
        serving.push(tokio::spawn(listener.serve()));
        Ok(Self {
            address,
            metrics_address,
            serving,
            jobs: jobs::start(&provider, post, options.patience, &stopped),
            provider,
            stop,
            running,
            door,
            drain_delay: config.http.drain_delay,
            control,
            _lock: lock,
        })
    }

    /// Serves until the process is told to end. SIGTERM: it leaves load balancers first, and serves on for the configured
    /// time. SIGINT: nobody at a terminal wants to wait for that. What runs is finished, unless a second signal comes.
    pub async fn run(self, mut signals: Signals) -> Ended {
        let told = signals.next().await;
        tokio::select! {
            () = self.end(told) => Ended::InOrder,
            _ = signals.next() => {
                tracing::warn!("told a second time to end: what runs is given up");
                Ended::AtOnce
            }
        }
    }

    async fn end(self, told: End) {
        self.leave();
        if told == End::Terminate && !self.drain_delay.is_zero() {
            tracing::info!(delay = ?self.drain_delay, "leaving: load balancers are told before the door closes");
            clock::sleep(self.drain_delay).await;
        }
        tracing::info!("stopping: what runs is finished first");
        self.stop().await;
    }

    /// Says from now on that it is not ready, and serves all the same; connections end with their next answer.
    pub fn leave(&self) {
        self.door.leave();
    }

    /// Stops: accepts nothing more, finishes what runs, ends the jobs, closes the store.
    pub async fn stop(self) {
        self.leave();
        self.stop.send_replace(true);
        for serving in self.serving {
            drop(serving.await);
        }
        // what changes something runs to its end although its caller is gone
        if timeout(FINISH_WITHIN, self.running.finished()).await.is_err() {
            tracing::warn!("changes were still running when the time to finish was over");
        }
        self.jobs.ended().await;
        if let Err(error) = people::answer_wishes(&self.provider).await {
            tracing::warn!(%error, "the last wishes for a new password were not answered");
        }
        if let Err(error) = self.provider.write_traces().await {
            tracing::warn!(%error, "the last traces were not written");
        }
        if let Err(error) = session::write_uses(&self.provider).await {
            tracing::warn!(%error, "the last uses of sessions were not written");
        }
        let last = Call::system(&self.provider.clock).now;
        if let Err(error) = self.provider.write_last_events(last).await {
            tracing::warn!(%error, "the last events can't be written");
        }
        if let Some(control) = self.control {
            control.close().await;
        }
        if let Err(error) = self.provider.ephemeral.close().await {
            tracing::warn!(%error, "short-lived state can't be written");
        }
        self.provider.store.close().await;
    }
}

/// Where the local socket is.
pub(super) fn control_path(config: &Config) -> PathBuf {
    config.data_dir.join("control.sock")
}

fn mailer(config: &Config) -> Result<Option<Mailer>, Error> {
    config
        .smtp_url
        .as_ref()
        .map(|url| Mailer::new(url.expose(), &config.mail_from))
        .transpose()
        .map_err(Error::Mail)
}

fn gateway(config: &Config) -> Result<Option<Gateway>, Error> {
    let egress = Egress::new(config.egress.networks.clone());
    config
        .sms
        .as_ref()
        .filter(|sms| !matches!(sms.provider, SmsProvider::Outbox))
        .map(|sms| Gateway::new(sms, egress))
        .transpose()
        .map_err(Error::Sms)
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listen = |source| Error::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(listen)?;
    let address = socket.local_addr().map_err(listen)?;
    Ok((socket, address))
}
