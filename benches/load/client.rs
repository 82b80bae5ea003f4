//! As much of HTTP/1.1 as the load needs: one kept connection, answers with a Content-Length.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A kept connection.
pub struct Connection {
    stream: TcpStream,
    address: String,
    read: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub retry_after: Option<String>,
    /// `name=value` of every cookie that was set.
    pub cookies: Vec<String>,
    pub body: String,
}

impl Connection {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        Self {
            stream,
            address: address.to_owned(),
            read: Vec::new(),
        }
    }

    pub async fn get(&mut self, target: &str, headers: &str) -> Result<Answer, String> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address);
        self.send(&request).await
    }

    pub async fn post(&mut self, target: &str, headers: &str, form: &str) -> Result<Answer, String> {
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n{headers}\r\n{form}",
            self.address,
            form.len()
        );
        self.send(&request).await
    }

    async fn send(&mut self, request: &str) -> Result<Answer, String> {
        let trouble = |error: std::io::Error| error.to_string();
        self.stream.write_all(request.as_bytes()).await.map_err(trouble)?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await.map_err(trouble)? == 0 {
                return Err("the connection was closed".to_owned());
            }
            if let Some(answer) = whole(&self.read) {
                return Ok(answer);
            }
        }
    }
}

/// The answer, once it is there in full.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut location, mut retry_after, mut cookies) = (0, None, None, Vec::new());
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name {
            "content-length" => length = value.parse().ok()?,
            "retry-after" => retry_after = Some(value.to_owned()),
            "location" => location = Some(value.to_owned()),
            "set-cookie" => cookies.extend(value.split(';').next().map(str::to_owned)),
            _ => {}
        }
    }
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some(Answer {
        status,
        location,
        retry_after,
        cookies,
        body: String::from_utf8_lossy(body).into_owned(),
    })
}
