//! A client's own site: pages at an origin that is not the server's, which keep what they are asked for.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::Html;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::form_urlencoded;

/// A request that reached the site.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: String,
}

impl Received {
    /// A parameter of the query, or of the form of a POST.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let parameters = if self.method == Method::POST {
            &self.body
        } else {
            &self.query
        };
        form_urlencoded::parse(parameters.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }
}

#[derive(Clone, Default)]
struct Shelf {
    page: Arc<Mutex<String>>,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A site on 127.0.0.1: for a browser that is another site than localhost, where the server is.
pub struct ClientSite {
    /// `http://127.0.0.1:PORT`
    pub origin: String,
    shelf: Shelf,
    serving: JoinHandle<()>,
}

impl ClientSite {
    /// Serves on a free port.
    pub async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", socket.local_addr().unwrap());
        let shelf = Shelf::default();
        let router = Router::new().fallback(answer).with_state(shelf.clone());
        let serving = tokio::spawn(async move { axum::serve(socket, router).await.unwrap() });
        Self { origin, shelf, serving }
    }

    /// What every address but the callback shows from now on.
    pub fn show(&self, page: &str) {
        page.clone_into(&mut self.shelf.page.lock().unwrap());
    }

    /// The requests for the callback, oldest first.
    pub fn callbacks(&self) -> Vec<Received> {
        let received = self.shelf.received.lock().unwrap();
        received.iter().filter(|one| one.path == "/callback").cloned().collect()
    }

    /// Every request, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.shelf.received.lock().unwrap().clone()
    }
}

impl Drop for ClientSite {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shelf): State<Shelf>, method: Method, address: Uri, body: String) -> Html<String> {
    let received = Received {
        method,
        path: address.path().to_owned(),
        query: address.query().unwrap_or_default().to_owned(),
        body,
    };
    let arrived = received.path == "/callback";
    shelf.received.lock().unwrap().push(received);
    let inside = if arrived {
        "<p>You are back at the client.".to_owned()
    } else {
        shelf.page.lock().unwrap().clone()
    };
    Html(format!(
        "<!doctype html><html lang=en><title>Client</title><link rel=icon href=data:,>{inside}"
    ))
}
