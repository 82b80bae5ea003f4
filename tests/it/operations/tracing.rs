//! Spans of requests as a collector gets them: real bytes of OTLP over HTTP, from a server in a process of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ostiary::telemetry::Parent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::leaving::Process;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
const OFTEN: Duration = Duration::from_millis(50);

/// What stands for a collector.
struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

/// A span as it came.
#[derive(Clone, Debug)]
struct Span {
    trace: String,
    parent: String,
    name: String,
    kind: u64,
    status: u64,
    started: u64,
    ended: u64,
    attributes: BTreeMap<String, String>,
    resource: BTreeMap<String, String>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = spans.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, kept.clone()));
            }
        });
        Self { address, spans }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first span that this is true of.
    async fn until(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        let began = Instant::now();
        loop {
            if let Some(span) = self.spans.lock().unwrap().iter().find(|span| is_it(span)) {
                return span.clone();
            }
            assert!(
                began.elapsed() < LONG,
                "no span {what} among {:#?}",
                self.spans.lock().unwrap()
            );
            tokio::time::sleep(OFTEN).await;
        }
    }
}

/// Takes requests of one connection.
async fn take(mut stream: TcpStream, spans: Arc<Mutex<Vec<Span>>>) {
    let mut read = Vec::new();
    loop {
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else {
            if more(&mut stream, &mut read).await {
                continue;
            } else {
                return;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let whole = end + 4 + length.trim().parse::<usize>().unwrap();
        while read.len() < whole {
            if !more(&mut stream, &mut read).await {
                return;
            }
        }
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        spans.lock().unwrap().extend(decode(&read[end + 4..whole]));
        read.drain(..whole);
        // an empty ExportTraceServiceResponse
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk).await {
        Ok(count) if count > 0 => {
            read.extend_from_slice(&chunk[..count]);
            true
        }
        _ => false,
    }
}

/// A field of a message in Protocol Buffers' encoding.
enum Field<'m> {
    Number(u64),
    Bytes(&'m [u8]),
}

impl<'m> Field<'m> {
    fn bytes(&self) -> &'m [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(number) => panic!("{number} where bytes were expected"),
        }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(_) => panic!("bytes where a number was expected"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    fn hex(&self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => {
                let (eight, rest) = message.split_at(8);
                message = rest;
                Field::Number(u64::from_le_bytes(eight.try_into().unwrap()))
            }
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Field::Bytes(bytes)
            }
            5 => {
                let (four, rest) = message.split_at(4);
                message = rest;
                Field::Number(u32::from_le_bytes(four.try_into().unwrap()).into())
            }
            kind => panic!("wire type {kind}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let (first, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

fn all<'m>(message: &'m [u8], number: u64) -> impl Iterator<Item = Field<'m>> {
    fields(message)
        .into_iter()
        .filter(move |(known, _)| *known == number)
        .map(|(_, field)| field)
}

/// KeyValue: key 1, AnyValue 2 (string 1, bool 2, int 3).
fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let pairs = all(message, number).map(|pair| {
        let key = all(pair.bytes(), 1).next().unwrap().text();
        let value = all(pair.bytes(), 2).next().unwrap().bytes();
        let value = match fields(value).into_iter().next().unwrap() {
            (1, text) => text.text(),
            (_, number) => number.number().to_string(),
        };
        (key, value)
    });
    pairs.collect()
}

/// ExportTraceServiceRequest of opentelemetry/proto/trace/v1.
fn decode(message: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in all(message, 1) {
        let resource = all(group.bytes(), 1).next().unwrap();
        let resource = attributes(resource.bytes(), 1);
        for scope in all(group.bytes(), 2) {
            for span in all(scope.bytes(), 2) {
                let one = |number| all(span.bytes(), number).next();
                spans.push(Span {
                    trace: one(1).unwrap().hex(),
                    parent: one(4).map(|parent| parent.hex()).unwrap_or_default(),
                    name: one(5).unwrap().text(),
                    kind: one(6).unwrap().number(),
                    started: one(7).unwrap().number(),
                    ended: one(8).unwrap().number(),
                    attributes: attributes(span.bytes(), 9),
                    status: one(15)
                        .and_then(|status| Some(all(status.bytes(), 3).next()?.number()))
                        .unwrap_or_default(),
                    resource: resource.clone(),
                });
            }
        }
    }
    spans
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// A GET with a `traceparent` of [`TRACE`] and more headers: what came back.
async fn ask(process: &Process, path: &str) -> String {
    let mut stream = TcpStream::connect(&process.address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTraceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n",
        process.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_span_of_a_request() {
    let collector = Collector::start().await;
    // whatever the log leaves out
    let more = [
        ("OSTIARY_TELEMETRY__OTLP_ENDPOINT", collector.url()),
        ("OSTIARY_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ("OSTIARY_LOG", "error".to_owned()),
    ];
    let process = Process::start_with("0s", &more).await;
    let answer = ask(&process, "/oauth2/userinfo?secret=in-the-query").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let (_, trace) = answer.split_once("\"trace_id\":\"").unwrap();
    let own = trace.split('"').next().unwrap().to_owned();
    let span = collector
        .until("of userinfo", |span| span.name == "GET /oauth2/userinfo")
        .await;
    assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, SPAN));
    // SPAN_KIND_SERVER; a refusal is no error of ours
    assert_eq!((span.kind, span.status), (2, 0));
    assert!(span.ended > span.started);
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "401"),
        ("http.route", "/oauth2/userinfo"),
        ("trace", own.as_str()),
    ];
    for (name, value) in expected {
        assert_eq!(
            span.attributes.get(name).map(String::as_str),
            Some(value),
            "{name} of {span:?}"
        );
    }
    assert_eq!(span.resource["service.name"], "ostiary");
    assert_eq!(span.resource["service.version"], env!("CARGO_PKG_VERSION"));
    // what was asked for stays here
    assert!(!format!("{:?}", collector.spans.lock().unwrap()).contains("in-the-query"));
    // a server that stops sends what waits
    ask(&process, "/oauth2/jwks").await;
    process.signal("-TERM");
    assert_eq!(process.ended().await, Some(0));
    collector
        .until("of the last request", |span| span.name == "GET /oauth2/jwks")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_choose_the_trace() {
    let collector = Collector::start().await;
    let more = [("OSTIARY_TELEMETRY__OTLP_ENDPOINT", collector.url())];
    let process = Process::start_with("0s", &more).await;
    ask(&process, "/oauth2/jwks").await;
    let span = collector
        .until("of the keys", |span| span.name == "GET /oauth2/jwks")
        .await;
    assert_ne!(span.trace, TRACE);
    assert_eq!(span.parent, "");
    process.signal("-TERM");
    assert_eq!(process.ended().await, Some(0));
}

/// Requests are served and the server stops in time, whether the collector is away or takes and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_holds_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    for address in [silent.local_addr().unwrap(), nobody] {
        let more = [("OSTIARY_TELEMETRY__OTLP_ENDPOINT", format!("http://{address}"))];
        let process = Process::start_with("0s", &more).await;
        let mut stream = TcpStream::connect(&process.address).await.unwrap();
        // more than wait at once
        let began = Instant::now();
        for _ in 0..3000 {
            assert!(process.ask(&mut stream, "/healthz").await.is_some());
        }
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
        process.signal("-TERM");
        let told = Instant::now();
        assert_eq!(process.ended().await, Some(0));
        assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
    }
    drop(silent);
}

/// W3C Trace Context section 3.2.2: what is not well-formed is as good as absent.
#[test]
fn a_traceparent_is_taken_only_if_it_is_one() {
    let good = format!("00-{TRACE}-{SPAN}-01");
    assert!(Parent::parse(&good).is_some());
    assert!(Parent::parse(&format!("cc-{TRACE}-{SPAN}-01-what-comes-later")).is_some());
    for bad in [
        String::new(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}-{SPAN}-0g"),
        format!("0-{TRACE}-{SPAN}-01"),
    ] {
        assert_eq!(Parent::parse(&bad), None, "{bad}");
    }
}

/// A line of the log that this is true of.
async fn line(process: &Process, is_it: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        if let Some(line) = process.log.lock().unwrap().iter().find(|line| is_it(line)) {
            return line.clone();
        }
        assert!(
            began.elapsed() < LONG,
            "no such line in {:#?}",
            process.log.lock().unwrap()
        );
        tokio::time::sleep(OFTEN).await;
    }
}

/// The log is for people or for programs; in both each request stands with the id that its answer shows, and what happened
/// within it too.
#[tokio::test(flavor = "multi_thread")]
async fn log_lines_carry_the_trace_of_their_request() {
    let more = [
        ("OSTIARY_LOG_FORMAT", "json".to_owned()),
        ("OSTIARY_LOG", "info,ostiary=debug".to_owned()),
    ];
    let process = Process::start_with("0s", &more).await;
    let answer = ask(&process, "/oauth2/userinfo?secret=in-the-query").await;
    let (_, trace) = answer.split_once("\"trace_id\":\"").unwrap();
    let trace = trace.split('"').next().unwrap();
    let access = line(&process, |line| line.contains(trace) && line.contains("micros")).await;
    let access: serde_json::Value = serde_json::from_str(&access).unwrap();
    assert_eq!(access["level"], "INFO");
    assert_eq!(access["message"], "request");
    assert_eq!((&access["trace"], &access["method"]), (&trace.into(), &"GET".into()));
    assert_eq!(
        (&access["path"], &access["status"]),
        (&"/oauth2/userinfo".into(), &401.into())
    );
    assert!(access["micros"].is_u64() && access["timestamp"].is_string());
    let refused = line(&process, |line| line.contains("\"refused\"") && line.contains(trace)).await;
    let refused: serde_json::Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(refused["span"]["trace"], trace);
    for line in process.log.lock().unwrap().iter().filter(|line| !line.is_empty()) {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "no JSON: {line}"
        );
        assert!(!line.contains("in-the-query"), "{line}");
    }
    process.signal("-TERM");
    assert_eq!(process.ended().await, Some(0));

    let process = Process::start_with("0s", &[]).await;
    let answer = ask(&process, "/oauth2/userinfo").await;
    let (_, trace) = answer.split_once("\"trace_id\":\"").unwrap();
    let trace = trace.split('"').next().unwrap();
    let access = line(&process, |line| line.contains(trace) && line.contains("micros=")).await;
    assert!(
        access.contains(" INFO request trace=") && access.contains("path=\"/oauth2/userinfo\""),
        "{access}"
    );
    process.signal("-TERM");
    assert_eq!(process.ended().await, Some(0));
}
