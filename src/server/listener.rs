//! Accepts connections and serves them within limits: nobody who is slow, large or many keeps the others out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tower::ServiceExt;

use super::places::{Arrival, Places};
use super::timed_body::Timed;
use super::tls::Certificates;
use crate::clock;
use crate::config;
use crate::http::Kept;
use crate::http::layer::{ClientCertificate, Door};

/// A peer that does not answer a ping of ours within this time is gone.
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// A TLS handshake must be done within this time.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// What runs when the server is told to stop has this long to finish.
const FINISH_WITHIN: Duration = Duration::from_secs(15);
const MOST_HEADERS: usize = 100;
/// Requests at once on one HTTP/2 connection.
const MOST_STREAMS: u32 = 100;
/// Streams that a peer opened and reset before we took them up (CVE-2023-44487).
const MOST_RESETS: usize = 20;
const MOST_LOCAL_RESETS: usize = 100;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The system is out of file descriptors or memory: wait for connections to end before accepting more.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
/// What a listener needs.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Certificates>,
    pub(super) router: Router,
    /// What is answered before any route is looked for.
    pub(super) kept: Option<Kept>,
    pub(super) limits: config::Http,
    /// A request's head must be there within this time; so must the next one's on a kept connection.
    pub(super) head_within: Duration,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) door: Door,
}

impl Listener {
    /// Serves until told to stop, then until what runs is finished.
    pub(super) async fn serve(mut self) {
        let mut places = Places::new(self.limits.max_connections, self.tls.is_some());
        let server = Arc::new(builder(&self.limits, self.head_within, self.tls.is_some()));
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut self.stop) => break,
                accepted = places.accept(&self.socket) => accepted,
            };
            let Arrival { stream, peer, place } = match accepted {
                Ok(Some(arrival)) => arrival,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    clock::sleep(PAUSE_AFTER_ERROR).await;
                    continue;
                }
            };
            drop(stream.set_nodelay(true));
            let connection = Connection {
                server: server.clone(),
                router: self.router.clone(),
                kept: self.kept.clone(),
                peer,
                stop: self.stop.clone(),
                door: self.door.clone(),
                certificate: None,
                body_within: self.limits.request_timeout,
                head_bytes: self.limits.max_header_bytes,
                _place: place,
            };
            match &self.tls {
                None => drop(tokio::spawn(connection.serve(stream))),
                Some(tls) => drop(tokio::spawn(connection.serve_tls(tls.acceptor(), stream))),
            }
        }
        drop(self.socket);
        if !places.empty(FINISH_WITHIN).await {
            tracing::warn!("requests were still running when the time to finish was over");
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // an application that is gone is a stopped one
    drop(stop.wait_for(|stop| *stop).await);
}

fn builder(limits: &config::Http, head_within: Duration, tls: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_headers(MOST_HEADERS)
        .max_buf_size(limits.max_header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(MOST_LOCAL_RESETS)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(PONG_WITHIN);
    // without TLS there is HTTP/1.1 alone: telling HTTP/2 from the first bytes would wait for them without an end
    if tls { builder } else { builder.http1_only() }
}

struct Connection {
    server: Arc<auto::Builder<TokioExecutor>>,
    router: Router,
    kept: Option<Kept>,
    peer: SocketAddr,
    stop: watch::Receiver<bool>,
    door: Door,
    certificate: Option<ClientCertificate>,
    body_within: Duration,
    head_bytes: usize,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve_tls(self, tls: tokio_rustls::TlsAcceptor, stream: TcpStream) {
        let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await else {
            self.door.handshake_failed();
            return;
        };
        let session = stream.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.map(|certificate| ClientCertificate::verified(certificate));
        let server = Arc::new(if http2 {
            self.server.as_ref().clone().http2_only()
        } else {
            self.server.as_ref().clone().http1_only()
        });
        Self {
            server,
            certificate,
            ..self
        }
        .serve(stream)
        .await;
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let Self {
            server,
            router,
            kept,
            peer,
            mut stop,
            door,
            certificate,
            body_within,
            head_bytes,
            _place,
        } = self;
        let _open = door.connection();
        let leaving = door.clone();
        let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let door = leaving.clone();
            let keeps = request.version() < Version::HTTP_2;
            let fits = size(&request) <= head_bytes;
            let ready = kept.as_ref().filter(|_| fits).and_then(|kept| kept.answer(&request));
            let router = (fits && ready.is_none()).then(|| router.clone());
            async move {
                let mut response = match (ready, router) {
                    (Some(ready), _) => ready,
                    (None, Some(router)) => {
                        router
                            .oneshot(request.map(|body| Body::new(Timed::new(body, body_within))))
                            .await?
                    }
                    (None, None) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response(),
                };
                // the proxy's next request goes to a node that stays
                if keeps && door.is_leaving() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = server.serve_connection(TokioIo::new(stream), answer);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The size of a request's head. The buffer it is read into grows in steps, so that a head somewhat above the limit may fit.
fn size(request: &hyper::Request<Incoming>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let fields = request.headers().iter();
    // a colon, a blank and the end of the line for each
    fields.fold(target, |size, (name, value)| {
        size + name.as_str().len() + value.len() + 4
    })
}
