//! The listener's limits: who is slow, large or many does not keep the others out.

use std::time::Duration;

use rustls::version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::certificates::{Certificates, connect, get};
use crate::support::server::Server;

/// Longer than anything here takes; a test that reaches it hangs.
const HANGS: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_millis(500);

async fn impatient() -> Server {
    let change = |config: &mut ostiary::config::Config| {
        config.http.request_timeout = Duration::from_secs(1);
        config.http.max_connections = 16;
    };
    Server::start_fully(Backend::Embedded, change, |options| options.head_within = PATIENCE).await
}

/// Sends these bytes, and gives everything that comes until the server closes.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // a server that refuses early may have closed already
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    drop(
        timeout(HANGS, stream.read_to_end(&mut answer))
            .await
            .expect("the connection stays open"),
    );
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(server: &Server, method: &str, path: &str, more: &str) -> String {
    let host = server.issuer().trim_start_matches("http://");
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}")
}

/// SEC-563: slow heads, slow bodies, large heads, large bodies and many connections end by themselves, and others are served.
#[tokio::test(flavor = "multi_thread")]
async fn http_limits() {
    let server = impatient().await;
    // a head that does not end
    let answer = exchange(&server, head(&server, "GET", "/healthz", "").as_bytes()).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    // nothing at all
    assert_eq!(exchange(&server, b"").await, "");
    // a body that does not end
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type=";
    let answer = exchange(&server, head(&server, "POST", "/oauth2/token", form).as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 503"),
        "{answer}"
    );
    // a head that is too large, by its length and by its number
    let large = format!("X-Large: {}\r\n\r\n", "a".repeat(40_000));
    let answer = exchange(&server, head(&server, "GET", "/healthz", &large).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = format!("{}\r\n", "X-Many: a\r\n".repeat(200));
    let answer = exchange(&server, head(&server, "GET", "/healthz", &many).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    // a body that is too large, as it says and as it turns out
    let large = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 20000000\r\n\r\n";
    let answer = exchange(&server, head(&server, "POST", "/oauth2/token", large).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let large = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(3)
    );
    let answer = exchange(&server, head(&server, "POST", "/oauth2/token", &large).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // as many silent connections as there are places, three times over: somebody else is served all the same
    let mut silent = Vec::new();
    for _ in 0..48 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let served = timeout(HANGS, Browser::new().get(&server.url("/healthz")))
        .await
        .expect("nobody else is served");
    assert_eq!(served.status, 200);
    drop(silent);
    server.stop().await;
}

/// SEC-560: TLS 1.2 and 1.3 with forward secrecy and authenticated encryption; older versions and suites are refused, and so is
/// plain HTTP where the issuer is https.
#[tokio::test(flavor = "multi_thread")]
async fn tls_profile() {
    let certificates = Certificates::make();
    let server = certificates.server().await;
    for versions in [&[&version::TLS13][..], &[&version::TLS12]] {
        let answer = get(&server, certificates.client(versions, b"http/1.1", None))
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.to_lowercase().contains("strict-transport-security: "),
            "{answer}"
        );
    }
    // a certificate is asked for, never insisted on; one of a stranger is refused
    let known = certificates.client(&[&version::TLS13], b"http/1.1", Some(&certificates));
    assert!(get(&server, known).await.unwrap().starts_with("HTTP/1.1 200"));
    let stranger = Certificates::make();
    let unknown = certificates.client(&[&version::TLS13], b"http/1.1", Some(&stranger));
    assert!(get(&server, unknown).await.is_err());
    // alert 70 is protocol_version, 40 handshake_failure (RFC 8446 section 6.2)
    assert_eq!(alert(&server, &client_hello([3, 1], MODERN)).await, Some(70));
    assert_eq!(alert(&server, &client_hello([3, 2], MODERN)).await, Some(70));
    for suites in [STATIC_RSA, CBC, WORN_OUT] {
        assert_eq!(alert(&server, &client_hello([3, 3], suites)).await, Some(40));
    }
    // plain HTTP at the TLS port gets no answer in HTTP
    let plain = exchange(&server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1"), "{plain}");
    server.stop().await;

    // behind a proxy that is not trusted to say https: pages go to https, applications are told
    let server = Server::start_configured(Backend::Embedded, |config| {
        config.listen.set_port(0);
        config.public_url = "https://id.example.com".parse().unwrap();
    })
    .await;
    let host = server.issuer().trim_start_matches("https://").to_owned();
    let page = format!("GET /login HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    let answer = exchange(&server, page.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
    let api = format!("POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let answer = exchange(&server, api.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    server.stop().await;
}

/// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 and its RSA sister.
const MODERN: &[[u8; 2]] = &[[0xc0, 0x2b], [0xc0, 0x2f]];
/// TLS_RSA_WITH_AES_128_GCM_SHA256: no forward secrecy.
const STATIC_RSA: &[[u8; 2]] = &[[0x00, 0x9c]];
/// TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA and its RSA sister: no authenticated encryption.
const CBC: &[[u8; 2]] = &[[0xc0, 0x09], [0xc0, 0x13]];
/// RC4, triple DES, NULL.
const WORN_OUT: &[[u8; 2]] = &[[0xc0, 0x11], [0xc0, 0x12], [0xc0, 0x10]];

/// A ClientHello of this version with these suites (RFC 5246 section 7.4.1.2).
fn client_hello(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &length(body), body].concat();
    let extensions = [
        extension(10, &[0, 4, 0, 23, 0, 29]),     // supported_groups: P-256, X25519
        extension(11, &[1, 0]),                   // ec_point_formats: uncompressed
        extension(13, &[0, 6, 4, 3, 4, 1, 8, 4]), // signature_algorithms
        extension(
            0,
            &[0, 12, 0, 0, 9, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'],
        ),
        extension(23, &[]), // extended_master_secret
    ]
    .concat();
    let suites = suites.concat();
    let body = [
        &version[..],
        &[9; 32],
        &[0],
        &length(&suites),
        &suites,
        &[1, 0],
        &length(&extensions),
        &extensions,
    ]
    .concat();
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

/// The alert that answers these bytes.
async fn alert(server: &Server, hello: &[u8]) -> Option<u8> {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(hello).await.unwrap();
    let mut answer = Vec::new();
    timeout(HANGS, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    (answer.first() == Some(&21)).then(|| answer[6])
}

/// SEC-563: a peer that opens streams only to reset them is sent away (CVE-2023-44487), and others are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_ends_its_own_connection() {
    let certificates = Certificates::make();
    let server = certificates.server().await;
    let mut stream = connect(&server, certificates.client(&[&version::TLS13], b"h2", None))
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let authority = server.issuer().trim_start_matches("https://").to_owned();
    let frame = |kind: u8, flags: u8, id: u32, body: &[u8]| {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&size[1..], &[kind, flags], &id.to_be_bytes(), body].concat()
    };
    // RFC 7541: :method GET, :scheme https, :path /, :authority
    let mut block = vec![0x82, 0x87, 0x84, 0x01];
    block.push(u8::try_from(authority.len()).unwrap());
    block.extend_from_slice(authority.as_bytes());
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    flood.extend(frame(4, 0, 0, &[]));
    for index in 0..2000u32 {
        flood.extend(frame(1, 0x5, index * 2 + 1, &block));
        flood.extend(frame(3, 0, index * 2 + 1, &8u32.to_be_bytes()));
    }
    // the server may be gone before everything is sent
    drop(stream.write_all(&flood).await);
    let mut answer = Vec::new();
    drop(
        timeout(HANGS, stream.read_to_end(&mut answer))
            .await
            .expect("the flood is endured"),
    );
    let good = get(&server, certificates.client(&[&version::TLS13], b"http/1.1", None))
        .await
        .unwrap();
    assert!(good.starts_with("HTTP/1.1 200"), "{good}");
    server.stop().await;
}

/// What runs when the server is told to stop is finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_answers_what_it_has_begun() {
    let server = Server::start().await;
    let client = server
        .client(|client| {
            client.metadata.grant_types = vec![ostiary::model::GrantType::ClientCredentials];
            client.metadata.response_types.clear();
        })
        .await;
    let body = "grant_type=client_credentials";
    let authorization = crate::support::relying_party::basic(&client.client_id, &client.secret);
    let form = format!(
        "Authorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(head(&server, "POST", "/oauth2/token", &form).as_bytes())
        .await
        .unwrap();
    // somebody waits for the body
    let mut go_on = [0; 25];
    timeout(HANGS, stream.read_exact(&mut go_on)).await.unwrap().unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    // the rest comes after the server was told to stop
    let stopping = tokio::spawn(server.stop());
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(HANGS, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    stopping.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
