//! A tiny balancer: every request goes to the next node that says it is ready, and no browser is kept at a node.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ostiary::clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::http::plain_http;
use super::process::{Node, PATIENCE, probe};

/// How often every node is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A running balancer. It ends when it is dropped.
pub struct Balancer {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    places: RwLock<Vec<Arc<Place>>>,
    next: AtomicUsize,
    http: reqwest::Client,
}

struct Place {
    address: SocketAddr,
    ready: AtomicBool,
    served: AtomicUsize,
}

impl Balancer {
    /// Listens at this address, without any node.
    pub async fn start(front: SocketAddr) -> Self {
        let http = plain_http()
            .redirect(reqwest::redirect::Policy::none())
            // a connection for each request: none is kept at a node that goes away
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            places: RwLock::default(),
            next: AtomicUsize::new(0),
            http,
        });
        let listener = TcpListener::bind(front).await.unwrap();
        let app = axum::Router::new().fallback(forward).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let asking = tokio::spawn(ask(shared.clone()));
        Self {
            shared,
            tasks: vec![serving, asking],
        }
    }

    /// Puts a node into rotation, as soon as it is ready.
    pub fn add(&self, node: &Node) {
        self.shared.places.write().unwrap().push(Arc::new(Place {
            address: node.address,
            ready: AtomicBool::new(false),
            served: AtomicUsize::new(0),
        }));
    }

    /// Takes a node out for good.
    pub fn remove(&self, address: SocketAddr) {
        self.shared
            .places
            .write()
            .unwrap()
            .retain(|place| place.address != address);
    }

    /// How many nodes are in rotation.
    pub fn in_rotation(&self) -> usize {
        self.shared.ready().len()
    }

    /// Whether this node is in rotation.
    pub fn has(&self, address: SocketAddr) -> bool {
        self.shared.ready().iter().any(|place| place.address == address)
    }

    /// How many requests each node was given.
    pub fn served(&self) -> Vec<(SocketAddr, usize)> {
        let places = self.shared.places.read().unwrap();
        let one = |place: &Arc<Place>| (place.address, place.served.load(Ordering::Relaxed));
        places.iter().map(one).collect()
    }

    /// Waits until so many nodes are in rotation.
    pub async fn holds(&self, nodes: usize) {
        let begun = clock::monotonic();
        while self.in_rotation() != nodes {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} nodes are in rotation, not {nodes}",
                self.in_rotation()
            );
            clock::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn ready(&self) -> Vec<Arc<Place>> {
        let places = self.places.read().unwrap();
        let ready = places.iter().filter(|place| place.ready.load(Ordering::Relaxed));
        ready.cloned().collect()
    }
}

async fn ask(shared: Arc<Shared>) {
    loop {
        let places = shared.places.read().unwrap().clone();
        let asked = places.iter().map(async |place| {
            let ready = probe(place.address, "/readyz").await == Some(200);
            place.ready.store(ready, Ordering::Relaxed);
        });
        futures_util::future::join_all(asked).await;
        clock::sleep(ASK_EVERY).await;
    }
}

/// Only a node that can't be connected to is passed over: what was sent may have been done, and is not sent twice.
async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let ready = shared.ready();
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    for turn in 0..ready.len() {
        let place = &ready[(first + turn) % ready.len()];
        place.served.fetch_add(1, Ordering::Relaxed);
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let url = format!("http://{}{target}", place.address);
        match send(&shared.http, &parts.method, &url, &parts.headers, body.clone()).await {
            Ok(response) => return response,
            Err(error) if error.is_connect() => place.ready.store(false, Ordering::Relaxed),
            Err(error) => return (StatusCode::BAD_GATEWAY, format!("balancer: {error:?}")).into_response(),
        }
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "1")],
        "balancer: no node is ready",
    )
        .into_response()
}

async fn send(
    http: &reqwest::Client,
    method: &Method,
    url: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, reqwest::Error> {
    let mut headers = headers.clone();
    headers.remove(header::CONNECTION);
    headers.remove(header::CONTENT_LENGTH);
    let answer = http
        .request(method.clone(), url)
        .headers(headers)
        .body(body)
        .send()
        .await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for (name, value) in answer.headers() {
        if !matches!(name.as_str(), "connection" | "transfer-encoding" | "content-length") {
            response.headers_mut().append(name, value.clone());
        }
    }
    *response.body_mut() = Body::from(answer.bytes().await?);
    Ok(response)
}
