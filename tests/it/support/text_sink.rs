//! Somebody who takes text messages by HTTP on a loopback port: keeps every request byte for byte, and answers as the test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The whole of it.
    pub bytes: String,
}

impl Request {
    /// Method and target.
    pub fn line(&self) -> &str {
        self.bytes.split(" HTTP/1.1\r\n").next().unwrap()
    }

    /// The value of one header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.bytes.split("\r\n\r\n").next().unwrap();
        head.split("\r\n").skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What comes after the head.
    pub fn body(&self) -> &str {
        self.bytes.split_once("\r\n\r\n").unwrap().1
    }
}

struct Shelf {
    answer: (u16, String),
    requests: Vec<Request>,
}

/// A running sink.
pub struct TextSink {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
    serving: JoinHandle<()>,
}

impl TextSink {
    /// Answers with this status and body.
    pub async fn start(status: u16, body: &str) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let shelf = Arc::new(Mutex::new(Shelf {
            answer: (status, body.to_owned()),
            requests: Vec::new(),
        }));
        let kept = shelf.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                tokio::spawn(take(stream, kept.clone()));
            }
        });
        Self {
            address,
            shelf,
            serving,
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers so.
    pub fn answer(&self, status: u16, body: &str) {
        self.shelf.lock().unwrap().answer = (status, body.to_owned());
    }

    /// Everything that came, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shelf.lock().unwrap().requests.clone()
    }

    /// Forgets what came.
    pub fn clear(&self) {
        self.shelf.lock().unwrap().requests.clear();
    }

    /// The only one that came since the last look.
    pub fn only(&self) -> Request {
        let mut requests = std::mem::take(&mut self.shelf.lock().unwrap().requests);
        assert_eq!(requests.len(), 1);
        requests.remove(0)
    }
}

impl Drop for TextSink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(mut stream: TcpStream, shelf: Arc<Mutex<Shelf>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer).await else {
            return;
        };
        bytes.extend_from_slice(&buffer[..count]);
        if is_whole(&bytes) {
            break;
        }
    }
    let (status, body) = {
        let mut shelf = shelf.lock().unwrap();
        let bytes = String::from_utf8(bytes).unwrap();
        shelf.requests.push(Request { bytes });
        shelf.answer.clone()
    };
    let answer = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    drop(stream.write_all(answer.as_bytes()).await);
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
