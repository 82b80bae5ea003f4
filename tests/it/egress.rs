//! The guarded client for everything the server fetches: which addresses it refuses, in every spelling, and what it does to
//! answers that are too large, too slow, compressed or lead elsewhere.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use ipnet::IpNet;
use ostiary::egress::{Document, Egress, Limits, Lookup, Reason, forbidden};
use ostiary::jose::PrivateKey;
use ostiary::model::{GrantType, SigningAlgorithm, TokenEndpointAuthMethod};
use ostiary::protocol::client_authentication::JWT_BEARER;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::api::conversation::Caller;
use crate::support::backend::length;
use crate::support::http::plain_http;
use crate::support::relying_party::{Answer, RelyingParty};
use crate::support::server::{Backend, Server, TestClient};
use crate::support::sources::texts;

/// Addresses inside, in every spelling.
const BYPASSES: [&str; 35] = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "１２７.0.0.1",
    "localhost",
    "LocalHost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "169.254.169.254",
    "100.100.100.200",
    "10.0.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
];

fn networks(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|network| network.parse().unwrap()).collect()
}

async fn get(egress: &Egress, url: &str, limits: Limits) -> Result<Document, Reason> {
    let url = Url::parse(url).unwrap();
    egress.get_json(&url, limits).await.map_err(|error| {
        // SEC-503: whoever asked learns nothing of the reason
        assert_eq!(error.to_string(), "the address can't be fetched");
        error.reason()
    })
}

/// A server that counts what it is asked and misbehaves by path.
struct Target {
    address: SocketAddr,
    seen: Arc<Mutex<HashMap<String, String>>>,
}

impl Target {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.lock().unwrap().insert("connection".to_owned(), String::new());
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { drop(answer(stream, address, &kept).await) });
            }
        });
        Self { address, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Head and body of the request to this path.
    fn seen(&self, path: &str) -> Option<String> {
        self.seen.lock().unwrap().get(path).cloned()
    }
}

async fn answer(stream: TcpStream, address: SocketAddr, seen: &Mutex<HashMap<String, String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        request.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.push_str(std::str::from_utf8(&body).unwrap());
    let path = request.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().insert(path.clone(), request);
    let answer = match path.as_str() {
        "/ok" => "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: public, Max-Age=60\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        "/no-store" => "HTTP/1.1 200 OK\r\ncache-control: max-age=60, no-store\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        "/posted" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "/missing" => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/redirect" => format!("HTTP/1.1 302 Found\r\nlocation: http://{address}/inner\r\ncontent-length: 0\r\n\r\n"),
        "/redirect-metadata" => "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/compressed" => "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        "/announced" => "HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n{".to_owned(),
        "/exact" => format!("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{}", " ".repeat(1000)),
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(),
        "/nonsense" => "220 sink ESMTP\r\n".to_owned(),
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            loop {
                stream.write_all(b"10\r\n0123456789abcdef\r\n").await?;
            }
        }
        "/slow" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{").await?;
            return std::future::pending().await;
        }
        "/silent" => return std::future::pending().await,
        _ => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned(),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// SEC-500: one guarded client; every bypass form is refused before anything is asked.
#[tokio::test]
async fn egress_guard_matrix() {
    let target = Target::start().await;
    let port = target.address.port();
    let closed = Egress::new(Vec::new());
    // what fails is answered when the time is over: a short one, and all at once, for there are many
    let limits = Limits {
        time: Duration::from_secs(2),
        ..Limits::default()
    };

    let asked = BYPASSES.map(async |address| {
        let reason = get(&closed, &format!("https://{address}/"), limits).await;
        assert_eq!(reason, Err(Reason::Address), "{address}");
    });
    join_all(asked).await;
    let urls = [
        ("http://example.com/".to_owned(), Reason::Scheme),
        ("http://example.com:443/".to_owned(), Reason::Scheme),
        (target.url("/ok"), Reason::Scheme),
        (format!("http://localhost:{port}/ok"), Reason::Scheme),
        ("https://example.com:8443/".to_owned(), Reason::Port),
        ("https://example.com:80/".to_owned(), Reason::Port),
        (format!("https://127.0.0.1:{port}/ok"), Reason::Port),
        ("https://user:password@example.com/".to_owned(), Reason::UserInfo),
        ("https://user@example.com/".to_owned(), Reason::UserInfo),
        ("https://example.com@127.0.0.1/".to_owned(), Reason::UserInfo),
        ("ftp://example.com/".to_owned(), Reason::Scheme),
        ("file:///etc/passwd".to_owned(), Reason::Scheme),
        ("data:application/json,{}".to_owned(), Reason::Scheme),
        ("gopher://127.0.0.1:6379/_PING".to_owned(), Reason::Scheme),
    ];
    for (url, reason) in urls {
        assert_eq!(get(&closed, &url, limits).await, Err(reason), "{url}");
    }

    // what the operator admits admits nothing else, neither by address nor by name nor in another spelling
    let elsewhere = Egress::new(networks(&["10.0.0.0/8", "fd00::/8"]));
    assert_eq!(get(&elsewhere, &target.url("/ok"), limits).await, Err(Reason::Scheme));
    let by_name = format!("http://localhost:{port}/ok");
    let asked = [by_name.as_str(), "https://localhost/ok"].map(async |url| {
        assert_eq!(get(&elsewhere, url, limits).await, Err(Reason::Address), "{url}");
    });
    join_all(asked).await;
    let loopback = Egress::new(networks(&["127.0.0.0/8"]));
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}/ok");
    assert_eq!(get(&loopback, &mapped, limits).await, Err(Reason::Scheme));
    assert_eq!(target.seen("connection"), None);

    // the same target, admitted
    let admitted = Egress::new(networks(&["127.0.0.0/8", "::1/128"]));
    let document = get(&admitted, &target.url("/ok"), limits).await.unwrap();
    assert_eq!(document.bytes, b"{}");
    assert_eq!(document.content_type, "application/json");
    assert_eq!(document.max_age, Some(Duration::from_secs(60)));
    get(&admitted, &by_name, limits).await.unwrap();
    let request = target.seen("/ok").unwrap().to_ascii_lowercase();
    assert!(request.contains("user-agent: ostiary\r\n"), "{request}");
    for absent in ["accept-encoding", "cookie", "referer", "authorization"] {
        assert!(!request.contains(absent), "{request}");
    }
    let with_password = target.url("/ok").replace("//", "//user:password@");
    assert_eq!(get(&admitted, &with_password, limits).await, Err(Reason::UserInfo));
    let failing = [
        // TLS is not optional where https is asked for
        (target.url("/ok").replace("http:", "https:"), Reason::Connect),
        (target.url("/redirect"), Reason::Redirect),
        (target.url("/redirect-metadata"), Reason::Redirect),
        (target.url("/missing"), Reason::Status(404)),
        (target.url("/nonsense"), Reason::Transport),
        (target.url("/cut"), Reason::Transport),
    ];
    let asked = failing.map(async |(url, reason)| {
        assert_eq!(get(&admitted, &url, limits).await, Err(reason), "{url}");
    });
    join_all(asked).await;
    assert_eq!(target.seen("/inner"), None);
}

/// A resolver that gives these answers one after the other, the last one again and again; and how often it was asked.
fn rebinding(answers: &[&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
    let answers: Vec<Vec<IpAddr>> = answers
        .iter()
        .map(|answer| answer.iter().map(|ip| ip.parse().unwrap()).collect())
        .collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let lookup: Lookup = Arc::new(move |_| {
        let at = count.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        let answer = answers[at].clone();
        Box::pin(async move { Ok(answer) })
    });
    (lookup, asked)
}

/// SEC-500: a name that leads elsewhere when it is asked about again leads nowhere else: what was checked is connected to,
/// and a name of which one address may not be used is not used at all.
#[tokio::test]
async fn egress_guard_matrix_rebinding() {
    let target = Target::start().await;
    let port = target.address.port();
    // the same port of another address, which nobody has admitted
    let forbidden = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let limits = Limits {
        time: Duration::from_millis(500),
        ..Limits::default()
    };
    let url = format!("http://rebinding.example:{port}/ok");
    let admitted = || networks(&["127.0.0.1/32"]);

    let (lookup, asked) = rebinding(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let egress = Egress::resolving(admitted(), lookup);
    assert_eq!(get(&egress, &url, limits).await.unwrap().bytes, b"{}");
    assert_eq!(
        asked.load(Ordering::Relaxed),
        1,
        "resolved once, and that is what was connected to"
    );
    // each further request is checked anew
    for refused in join_all((0..3).map(|_| get(&egress, &url, limits))).await {
        assert_eq!(refused, Err(Reason::Address));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    // the other way round: what was refused once is not remembered against the name
    let (lookup, _) = rebinding(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let egress = Egress::resolving(admitted(), lookup);
    assert_eq!(get(&egress, &url, limits).await, Err(Reason::Address));
    get(&egress, &url, limits).await.unwrap();

    // good ones beside a bad one, at every place
    let mixed = [
        ["127.0.0.1", "127.0.0.2"],
        ["127.0.0.2", "127.0.0.1"],
        ["127.0.0.1", "::1"],
        ["127.0.0.1", "::ffff:127.0.0.1"],
        ["127.0.0.1", "169.254.169.254"],
    ];
    let asked = mixed.map(async |answer| {
        let (lookup, _) = rebinding(&[&answer]);
        let egress = Egress::resolving(admitted(), lookup);
        assert_eq!(get(&egress, &url, limits).await, Err(Reason::Address), "{answer:?}");
    });
    join_all(asked).await;
    // nothing is admitted: a public name that turns inside is refused on the port that is left
    let turned = [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ];
    let turned = turned.map(|inside| [vec![inside], vec!["1.1.1.1", inside], vec![inside, "1.1.1.1"]]);
    let asked = turned.into_iter().flatten().map(async |answers| {
        let (lookup, _) = rebinding(&[&answers]);
        let egress = Egress::resolving(Vec::new(), lookup);
        let refused = get(&egress, "https://rebinding.example/ok", limits).await;
        assert_eq!(refused, Err(Reason::Address), "{answers:?}");
    });
    join_all(asked).await;
    let none: (Lookup, _) = rebinding(&[&[]]);
    let egress = Egress::resolving(admitted(), none.0);
    assert_eq!(get(&egress, &url, limits).await, Err(Reason::Resolution));
    let silent = tokio::time::timeout(Duration::from_millis(50), forbidden.accept()).await;
    assert!(silent.is_err(), "somebody came to the forbidden address");
}

/// How many servers share the forms: each answers some while the others wait.
const SERVERS: usize = 13;

/// By no feature of a server is one of these addresses asked.
async fn every_feature_refuses(forms: &[String]) {
    let server = Server::start_configured(Backend::Embedded, |config| {
        // something is admitted, so that http and ports are not what is refused
        config.egress.networks = networks(&["203.0.113.0/24"]);
    })
    .await;
    let budgets = json!({"guess.source_budget": 100_000, "client_registration.mode": "open"});
    server.settings(budgets).await;
    let caller = Caller::client(&server, "admin").await;
    let http = plain_http().build().unwrap();
    for some in forms.chunks(2) {
        let (server, caller, http) = (&server, &caller, &http);
        let asked = some.iter().map(|form| async move {
            // a name is looked at when it is fetched: a sector's document at once, keys when they are needed
            let late = form.contains("ocal") && !form.contains('@');
            let registered = ["jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"].map(async |member| {
                let mut client = json!({"redirect_uris": ["https://client.example/callback"], "scope": "openid"});
                client[member] = json!(form);
                let dynamic = http
                    .post(server.url("/oauth2/register"))
                    .header("content-type", "application/json")
                    .body(client.to_string())
                    .send();
                let (made, registered) = tokio::join!(caller.post("/clients", client.clone()), dynamic);
                if member == "sector_identifier_uri" || !late {
                    assert_eq!(made.status, 422, "{member} {form}: {}", made.body);
                    assert_eq!(registered.unwrap().status(), 400, "{member} {form}");
                }
            });
            let client = server
                .client(|client| {
                    client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::PrivateKeyJwt;
                    client.metadata.grant_types = vec![GrantType::ClientCredentials];
                    client.metadata.jwks_uri = Some(form.clone());
                })
                .await;
            let (answer, _) = tokio::join!(asserted(server, &client), join_all(registered));
            assert_eq!(
                (answer.status.as_u16(), answer.error().as_str()),
                (401, "invalid_client"),
                "{form}: {}",
                answer.body
            );
        });
        join_all(asked).await;
    }
    server.stop().await;
}

/// SEC-500: every member of a client that names something to be fetched, with every bypass form, by each way to bring it in:
/// the interface, dynamic registration, and a client that stands in the store already.
#[tokio::test]
async fn egress_guard_matrix_of_every_feature() {
    let target = Target::start().await;
    let port = target.address.port();
    let mut forms: Vec<String> = BYPASSES.iter().map(|address| format!("https://{address}/ok")).collect();
    forms.extend(BYPASSES.iter().map(|address| format!("http://{address}:{port}/ok")));
    forms.extend([
        target.url("/ok"),
        format!("https://127.0.0.1:{port}/ok"),
        format!("https://user:password@localhost:{port}/ok"),
        format!("http://localhost:{port}/redirect"),
        format!("https://example.com@127.0.0.1:{port}/ok"),
    ]);
    // the quick part tries every eighth: the address rules themselves are shown for every form by egress_guard_matrix
    let forms: Vec<String> = forms.into_iter().step_by(length(8, 1, 1)).collect();
    // what is refused is answered when its time is over: several at once, but not more than an interface has places for
    let each = forms.chunks(forms.len().div_ceil(SERVERS)).map(every_feature_refuses);
    join_all(each).await;
    assert_eq!(target.seen("connection"), None, "somebody came");

    // admitted, but led elsewhere by the answer
    let server = Server::start().await;
    let caller = Caller::client(&server, "admin").await;
    let led = ["/redirect", "/redirect-metadata"].map(async |path| {
        let mut body = json!({"redirect_uris": ["https://client.example/callback"], "scope": "openid"});
        body["sector_identifier_uri"] = json!(target.url(path));
        let client = server
            .client(|client| {
                client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::PrivateKeyJwt;
                client.metadata.grant_types = vec![GrantType::ClientCredentials];
                client.metadata.jwks_uri = Some(target.url(path));
            })
            .await;
        let (made, answer) = tokio::join!(caller.post("/clients", body), asserted(&server, &client));
        assert_eq!(made.status, 422, "{path}");
        assert_eq!(answer.error(), "invalid_client", "{path}");
        assert!(target.seen(path).is_some());
    });
    join_all(led).await;
    assert_eq!(target.seen("/inner"), None);
    server.stop().await;
}

/// What a client is told that authenticates by an assertion under a key of its own.
async fn asserted(server: &Server, client: &TestClient) -> Answer {
    let now = server.call().now.seconds();
    let set = json!({
        "iss": client.client_id, "sub": client.client_id, "aud": server.issuer(),
        "iat": now, "exp": now + 60, "jti": ostiary::random::token(),
    });
    let key = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
    let signer = key.signer(SigningAlgorithm::Es256).unwrap();
    let assertion = signer.sign("JWT", set.as_object().unwrap()).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client.client_id.as_str()),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.as_str()),
    ];
    RelyingParty::new(server, client)
        .post_as("/oauth2/token", &form, &[])
        .await
}

/// SEC-505, the part of it that lies here: documents are bounded in size, time and age.
#[tokio::test]
async fn documents_are_bounded_in_size_time_and_age() {
    let target = Target::start().await;
    let egress = Egress::new(networks(&["127.0.0.1/32"]));
    let limits = Limits {
        bytes: 1000,
        ..Limits::default()
    };
    assert_eq!(
        get(&egress, &target.url("/exact"), limits).await.unwrap().bytes.len(),
        1000
    );
    let one_less = Limits { bytes: 999, ..limits };
    let hasty = Limits {
        time: Duration::from_millis(150),
        ..limits
    };
    let failing = [
        ("/exact", one_less, Reason::Oversize),
        ("/announced", limits, Reason::Oversize),
        ("/endless", limits, Reason::Oversize),
        ("/compressed", limits, Reason::Encoding),
        ("/slow", hasty, Reason::Timeout),
        ("/silent", hasty, Reason::Timeout),
    ];
    // at once: what fails is answered when its time is over
    let asked = failing.map(async |(path, limits, reason)| {
        let answer = get(&egress, &target.url(path), limits).await;
        assert_eq!(answer, Err(reason), "{path}");
    });
    join_all(asked).await;
    let not_kept = get(&egress, &target.url("/no-store"), limits).await.unwrap();
    assert_eq!(not_kept.max_age, Some(Duration::ZERO));
    assert_eq!(get(&egress, &target.url("/exact"), limits).await.unwrap().max_age, None);
}

#[tokio::test]
async fn a_form_is_posted_under_the_same_rules() {
    let target = Target::start().await;
    let form = [("logout_token", "a.b+c&d"), ("x", "ä")];
    let admitted = Egress::new(networks(&["127.0.0.1/32"]));
    let url = Url::parse(&target.url("/posted")).unwrap();
    let document = admitted.post_form(&url, &form, Limits::default()).await.unwrap();
    assert!(document.bytes.is_empty());
    let request = target.seen("/posted").unwrap();
    assert!(request.starts_with("POST "), "{request}");
    assert!(
        request.contains("content-type: application/x-www-form-urlencoded\r\n"),
        "{request}"
    );
    assert!(
        request.ends_with("\r\n\r\nlogout_token=a.b%2Bc%26d&x=%C3%A4"),
        "{request}"
    );

    let closed = Egress::new(Vec::new());
    let error = closed.post_form(&url, &form, Limits::default()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Scheme);
    let url = Url::parse(&target.url("/redirect")).unwrap();
    let error = admitted.post_form(&url, &form, Limits::default()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Redirect);
}

/// SEC-725: the first and last address of every refused network, and its neighbours.
#[test]
fn addresses_are_public_or_refused() {
    let refused = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.0.0",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:0:0",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::808:808",
        "64:ff9b:1::808:808",
        "100::1",
        "1fff:ffff::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff::1",
        "2002::1",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff00::1",
        "ff02::1",
    ];
    for ip in refused {
        let ip: IpAddr = ip.parse().unwrap();
        assert!(forbidden(ip, &[]), "{ip}");
        assert!(!forbidden(ip, &[IpNet::from(ip)]), "{ip} is admitted by name");
    }
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7::1",
        "2003::1",
        "2606:4700::1111",
        "3ffe:ffff::1",
    ];
    for ip in public {
        assert!(!forbidden(ip.parse().unwrap(), &[]), "{ip}");
    }
    // an admitted IPv4 network does not admit the addresses that carry one of its own inside
    let ten = networks(&["10.0.0.0/8"]);
    for ip in ["::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"] {
        assert!(forbidden(ip.parse().unwrap(), &ten), "{ip}");
    }
}

/// SEC-501: no other HTTP client is made anywhere in the server. The sandbox's sample application is not the server: it stands
/// for somebody else's, and talks to the issuer that it was started with.
#[test]
fn egress_single_client() {
    let mut read = 0;
    for (name, text) in texts("src", &["rs"]) {
        if name.starts_with("src/egress/") || name.starts_with("src/demo/sample/") {
            continue;
        }
        read += 1;
        for client in [
            "reqwest::",
            "use reqwest",
            "hyper_util::client",
            "hyper::client",
            "ureq::",
        ] {
            assert!(!text.contains(client), "{name} names {client}");
        }
    }
    assert!(read > 10);
}
