//! Requests written by hand, for what no client would send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::server::Server;

/// An answer as it came.
pub struct Raw {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Raw {
    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }
}

/// Sends these lines as a request's head, with a body.
pub async fn send(server: &Server, lines: &[&str], body: &str) -> Raw {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let length = format!("content-length: {}", body.len());
    let mut head: Vec<&str> = lines.to_vec();
    head.push("connection: close");
    if !body.is_empty() {
        head.push(&length);
    }
    let request = format!("{}\r\n\r\n{body}", head.join("\r\n"));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Raw {
        status: head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
