//! A mail server that speaks SMTP (RFC 5321) on a loopback port, takes every mail and keeps it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body, lines ended by CRLF.
    pub data: String,
}

impl Mail {
    /// The lines of the header, folded ones joined.
    pub fn headers(&self) -> Vec<String> {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.split("\r\n").map(str::to_owned).collect()
    }

    /// The value of one header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers().iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The decoded part of this type: `text/plain` or `text/html`.
    pub fn part(&self, content_type: &str) -> String {
        let content = format!("Content-Type: {content_type}");
        let Some(start) = self.data.find(&content) else {
            return String::new();
        };
        let part = &self.data[start..];
        let part = &part[..part.find("\r\n--").unwrap_or(part.len())];
        let (head, body) = part.split_once("\r\n\r\n").unwrap_or((part, ""));
        let head = head.to_ascii_lowercase();
        if head.contains("base64") {
            let packed: String = body.split_whitespace().collect();
            return String::from_utf8(STANDARD.decode(packed).unwrap()).unwrap();
        }
        if head.contains("quoted-printable") {
            return decode_quoted_printable(body);
        }
        body.to_owned()
    }
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub struct SmtpSink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// The argument of `AUTH PLAIN` that is asked for, if one is.
    wanted: Option<String>,
    refused: Mutex<HashMap<String, u16>>,
    mails: Mutex<Vec<Mail>>,
    arrived: Notify,
}

impl SmtpSink {
    /// A server that asks nobody who they are.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// A server that takes mails only after these credentials.
    pub async fn start_asking(user: &str, password: &str) -> Self {
        Self::listen(Some(STANDARD.encode(format!("\0{user}\0{password}")))).await
    }

    /// `smtp://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers this recipient with a reply code from now on.
    pub fn refuse(&self, recipient: &str, code: u16) {
        self.shared.refused.lock().unwrap().insert(recipient.to_owned(), code);
    }

    /// Takes mails for this recipient again.
    pub fn accept(&self, recipient: &str) {
        self.shared.refused.lock().unwrap().remove(recipient);
    }

    /// What has arrived and was not taken out.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// Takes out the oldest mail; waits for one.
    pub async fn next(&self) -> Mail {
        loop {
            let arrived = self.shared.arrived.notified();
            let oldest = {
                let mut mails = self.shared.mails.lock().unwrap();
                (!mails.is_empty()).then(|| mails.remove(0))
            };
            if let Some(mail) = oldest {
                return mail;
            }
            arrived.await;
        }
    }

    async fn listen(wanted: Option<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let sink = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                wanted,
                refused: Mutex::default(),
                mails: Mutex::default(),
                arrived: Notify::new(),
            }),
        };
        let shared = Arc::clone(&sink.shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { drop(converse(stream, &shared).await) });
            }
        });
        sink
    }
}

async fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut signed_in = shared.wanted.is_none();
    let mut mail: Option<Mail> = None;
    stream.write_all(b"220 sink.test ESMTP\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-sink.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN".to_owned(),
            "AUTH" => {
                signed_in = line.split(' ').nth(2) == shared.wanted.as_deref();
                if signed_in { "235 in" } else { "535 not you" }.to_owned()
            }
            "MAIL" if !signed_in => "530 who are you".to_owned(),
            "MAIL" => {
                mail = Some(Mail {
                    from: address(&line),
                    to: Vec::new(),
                    data: String::new(),
                });
                "250 go on".to_owned()
            }
            "RCPT" => {
                let recipient = address(&line);
                let refusal = shared.refused.lock().unwrap().get(&recipient).copied();
                match (refusal, mail.as_mut()) {
                    (Some(code), _) => format!("{code} not them"),
                    (None, None) => "503 from whom".to_owned(),
                    (None, Some(mail)) => {
                        mail.to.push(recipient);
                        "250 go on".to_owned()
                    }
                }
            }
            "DATA" => match mail.take().filter(|mail| !mail.to.is_empty()) {
                None => "503 to whom".to_owned(),
                Some(mut mail) => {
                    stream.write_all(b"354 go on\r\n").await?;
                    mail.data = read_data(&mut stream).await?;
                    shared.mails.lock().unwrap().push(mail);
                    shared.arrived.notify_waiters();
                    "250 kept".to_owned()
                }
            },
            "RSET" | "NOOP" => "250 fine".to_owned(),
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "500 what".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
    }
}

fn address(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.rfind('>').unwrap_or(line.len());
    line[start..end].to_owned()
}

/// RFC 5321 section 4.5.2: up to a line of a single dot; a doubled first dot is one.
async fn read_data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut data = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&data).into_owned());
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn decode_quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
