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
use super::{Error, Lock, Parts, tls, wiring};
use crate::clock::Clock;
use crate::config::Config;
use crate::flow::Provider;
use crate::flow::operations::outbox::Post;
use crate::http::layer::{Places, Running};
use crate::http::{self, Http, Limits};
use crate::jobs;
use crate::mail::Mailer;
use crate::view::Views;

/// What runs when the server is told to stop has this long to finish.
const FINISH_WITHIN: Duration = Duration::from_secs(15);

const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// What differs between a server, the demo and a test.
pub struct Options {
    /// Runs the commands that come by the local socket; without it there is no socket.
    pub commands: Option<Commands>,
    /// A request's head must be there within this time; so must the next one's on a kept connection.
    pub head_within: Duration,
    /// More routes, beside the server's own.
    pub routes: Router<Http>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commands: None,
            head_within: HEAD_WITHIN,
            routes: Router::new(),
        }
    }
}

/// A running server.
pub struct Application {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its flows work with.
    pub provider: Provider,
    stop: watch::Sender<bool>,
    running: Running,
    serving: JoinHandle<()>,
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
        let listen = |source| Error::Listen {
            address: config.listen,
            source,
        };
        let socket = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        if config.listen.port() == 0 {
            let moved = config.public_url.set_port(Some(address.port()));
            debug_assert!(moved.is_ok(), "a URL with a host takes any port");
        }
        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let post = Post {
            mailer: mailer(&config)?,
            views: Arc::new(Views::new()?),
        };
        let Parts { provider, lock } = wiring::provide_for_server(&config, &clock).await?;
        let (stop, stopped) = watch::channel(false);
        let running = Running::default();
        let http = Http {
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
        };
        let router = http::router_with(http, options.routes);
        let control = options
            .commands
            .filter(|_| wiring::is_embedded(&config))
            .map(|commands| ControlSocket::open(control_path(&config), commands, provider.clone(), stopped.clone()))
            .transpose()?;
        let listener = Listener {
            socket,
            tls: acceptor,
            router,
            limits: config.http,
            head_within: options.head_within,
            stop: stopped.clone(),
        };
        Ok(Self {
            address,
            serving: tokio::spawn(listener.serve()),
            jobs: jobs::start(&provider, post, &stopped),
            provider,
            stop,
            running,
            control,
            _lock: lock,
        })
    }

    /// Serves until the process is told to end (SIGTERM, SIGINT).
    pub async fn run(self) {
        told_to_end().await;
        tracing::info!("stopping: what runs is finished first");
        self.stop().await;
    }

    /// Stops: accepts nothing more, finishes what runs, ends the jobs, closes the store.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.serving.await);
        // what changes something runs to its end although its caller is gone
        if timeout(FINISH_WITHIN, self.running.finished()).await.is_err() {
            tracing::warn!("changes were still running when the time to finish was over");
        }
        self.jobs.ended().await;
        if let Err(error) = self.provider.write_noted_events().await {
            tracing::warn!(%error, "the last events can't be written");
        }
        if let Some(control) = self.control {
            control.close().await;
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

async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals can't be listened to; the server ends only by force");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}
