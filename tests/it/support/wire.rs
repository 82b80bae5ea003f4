//! The leanest client: prepared bytes over a kept connection, so that what is measured or raced is the server.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::form_urlencoded;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(45);

/// A connection to a node.
pub struct Wire {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct WireAnswer {
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl WireAnswer {
    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// As JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text member; empty if it is not there.
    pub fn get(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }
}

impl Wire {
    /// To this address; the connection is made when it is needed.
    pub fn to(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: Vec::new(),
        }
    }

    /// Connects, if that was not done yet.
    pub async fn connect(&mut self) -> std::io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
            self.buffer.clear();
        }
        Ok(())
    }

    /// Sends a request and waits for its answer. After an error the connection is made anew.
    ///
    /// # Errors
    /// The answer did not come: whether the request was done is not known.
    pub async fn exchange(&mut self, request: &[u8]) -> std::io::Result<WireAnswer> {
        self.exchange_within(request, PATIENCE).await
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// The same.
    pub async fn exchange_within(&mut self, request: &[u8], within: Duration) -> std::io::Result<WireAnswer> {
        let answer = match timeout(within, self.try_exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn try_exchange(&mut self, request: &[u8]) -> std::io::Result<WireAnswer> {
        self.connect().await?;
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(request).await?;
        loop {
            if let Some((answer, length, closes)) = parse(&self.buffer) {
                self.buffer.drain(..length);
                if closes {
                    self.stream = None;
                }
                return Ok(answer);
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// One whole answer at the beginning of the bytes, how long it is, and whether the connection ends with it.
fn parse(bytes: &[u8]) -> Option<(WireAnswer, usize, bool)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let value = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let closes = value("connection") == Some("close");
    let start = head_end + 4;
    let (body, end) = if value("transfer-encoding") == Some("chunked") {
        unchunk(bytes, start)?
    } else {
        let length: usize = value("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        (bytes.get(start..start + length)?.to_vec(), start + length)
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    Some((WireAnswer { status, headers, body }, end, closes))
}

fn unchunk(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    loop {
        let line = bytes.get(at..)?.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?, 16).ok()?;
        let data = at + line + 2;
        body.extend_from_slice(bytes.get(data..data + size)?);
        bytes.get(data + size..data + size + 2)?;
        at = data + size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

/// The bytes of a POST of a form.
pub fn form(host: &str, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Vec<u8> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
    all.extend_from_slice(headers);
    request("POST", host, path, &all, &body)
}

/// The bytes of a request.
pub fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{lines}content-length: {length}\r\n\r\n{body}").into_bytes()
}
