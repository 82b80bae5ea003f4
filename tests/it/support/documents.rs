//! A server of documents that a relying party publishes: what it answers can be changed, and its visits are counted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Default)]
struct Shelf {
    answers: HashMap<String, String>,
    visits: HashMap<String, usize>,
}

/// A running server of documents.
pub struct Documents {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

impl Documents {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let shared = shelf.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let shelf = shared.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut chunk = [0; 1024];
                    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                        match stream.read(&mut chunk).await {
                            Ok(0) | Err(_) => return,
                            Ok(count) => request.extend_from_slice(&chunk[..count]),
                        }
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    let answer = {
                        let mut shelf = shelf.lock().unwrap();
                        *shelf.visits.entry(path.clone()).or_default() += 1;
                        shelf.answers.get(&path).cloned()
                    };
                    let answer =
                        answer.unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned());
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, shelf }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers a path with this document from now on.
    pub fn put(&self, path: &str, body: &str) {
        self.put_answer(path, "200 OK", "content-type: application/json\r\n", body);
    }

    /// Answers a path with this status, these header lines and this body from now on.
    pub fn put_answer(&self, path: &str, status: &str, headers: &str, body: &str) {
        let answer = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        self.shelf.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// How often a path was asked for.
    pub fn visits(&self, path: &str) -> usize {
        self.shelf.lock().unwrap().visits.get(path).copied().unwrap_or_default()
    }
}
