//! The listener's certificate: read again when its files change, and clients' certificates as routes see them.

use std::time::{Duration, Instant};

use axum::Extension;
use axum::Router;
use axum::routing::get as route;
use ostiary::http::layer::ClientCertificate;
use rustls::version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::certificates::{Certificates, connect, get, get_path};
use crate::support::cli::Terminal;
use crate::support::http::plain_http;
use crate::support::server::Server;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
const OFTEN: Duration = Duration::from_millis(50);
/// Longer than a test: files are looked at when the process is told to alone.
const NEVER: Duration = Duration::from_secs(3600);

async fn server(certificates: &Certificates, every: Duration) -> Server {
    let configure = |config: &mut ostiary::config::Config| {
        config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
    };
    certificates
        .server_with(configure, |options| {
            options.certificates_every = every;
            options.routes = Router::new().route("/seen", route(seen));
        })
        .await
}

/// What a handler knows of the client's certificate.
async fn seen(certificate: Option<Extension<ClientCertificate>>) -> String {
    match certificate {
        None => "none".to_owned(),
        Some(Extension(certificate)) => format!("{:?}", certificate.der()),
    }
}

/// The certificate that new connections see.
async fn shown(server: &Server, certificates: &Certificates) -> Vec<u8> {
    let client = certificates.client(&[&version::TLS13], b"http/1.1", None);
    let stream = connect(server, client).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < LONG, "{what} does not happen");
        tokio::time::sleep(OFTEN).await;
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>, server: &Server) -> String {
    let host = server.issuer().trim_start_matches("https://");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("ok\n") {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(count > 0, "the connection ended: {answer}");
        answer.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
    }
    answer
}

async fn number(server: &Server, name: &str) -> f64 {
    let url = format!("http://{}/metrics", server.metrics_address().unwrap());
    let http = plain_http().build().unwrap();
    let text = http.get(url).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_connections_see_a_new_certificate_and_old_ones_go_on() {
    let certificates = Certificates::make();
    let first = certificates.renew(2039);
    let server = server(&certificates, OFTEN).await;
    assert_eq!(shown(&server, &certificates).await, first.to_vec());
    // 2039-12-31T00:00:00Z, written as UTCTime
    assert_eq!(
        number(&server, "ostiary_tls_certificate_ends_seconds").await,
        2_208_902_400.0
    );
    let client = certificates.client(&[&version::TLS13], b"http/1.1", None);
    let mut old = connect(&server, client).await.unwrap();
    ask(&mut old, &server).await;

    let second = certificates.renew(2060);
    until("the reload", async || {
        shown(&server, &certificates).await == second.to_vec()
    })
    .await;
    // written as GeneralizedTime: from 2050 on there is no other way
    assert_eq!(
        number(&server, "ostiary_tls_certificate_ends_seconds").await,
        2_871_676_800.0
    );
    assert!(ask(&mut old, &server).await.starts_with("HTTP/1.1 200"));
    let certificate = old.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    assert_eq!(certificate, first.to_vec());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_can_not_be_used_change_nothing() {
    let certificates = Certificates::make();
    let good = certificates.renew(2041);
    let server = server(&certificates, OFTEN).await;
    let failed = async || number(&server, "ostiary_tls_reloads_failed_total").await;
    assert_eq!(failed().await, 0.0);
    // a key that is not the certificate's
    let other = Certificates::make();
    std::fs::copy(other.file("key.pem"), certificates.file("key.pem")).unwrap();
    until("the first failure", async || failed().await == 1.0).await;
    assert_eq!(shown(&server, &certificates).await, good.to_vec());
    // not a certificate at all, then nothing
    std::fs::write(certificates.file("cert.pem"), "nothing of the kind").unwrap();
    until("the second failure", async || failed().await >= 1.0).await;
    std::fs::remove_file(certificates.file("cert.pem")).unwrap();
    assert_eq!(shown(&server, &certificates).await, good.to_vec());
    // and once they are good, they count
    let better = certificates.renew(2042);
    until("the reload", async || {
        shown(&server, &certificates).await == better.to_vec()
    })
    .await;
    server.stop().await;
}

/// A real process, told by SIGHUP; the timer would find the change as well, but not so soon.
#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_signal_reads_the_files_at_once() {
    let certificates = Certificates::make();
    let server = server(&certificates, NEVER).await;
    let old = shown(&server, &certificates).await;
    let new = certificates.renew(2043);
    assert_eq!(shown(&server, &certificates).await, old);
    let own = std::process::id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-HUP", &own])
        .status()
        .unwrap();
    assert!(sent.success());
    until("the reload", async || {
        shown(&server, &certificates).await == new.to_vec()
    })
    .await;
    server.stop().await;
}

/// RFC 8705: a client's certificate is asked for, never insisted on; routes see it when an authority of `tls.client_ca` vouches
/// for it, and a foreign one ends the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn routes_see_the_verified_certificate_of_a_client() {
    let certificates = Certificates::make();
    let server = server(&certificates, OFTEN).await;
    for versions in [&[&version::TLS13][..], &[&version::TLS12]] {
        let bare = certificates.client(versions, b"http/1.1", None);
        let answer = get_path(&server, bare, "/seen").await.unwrap();
        assert!(answer.ends_with("\r\n\r\nnone"), "{answer}");
        let (own, der) = certificates.client_with_certificate(versions, b"http/1.1", &certificates);
        let answer = get_path(&server, own, "/seen").await.unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\n{:?}", &der[..])), "{answer}");
        let stranger = Certificates::make();
        let (foreign, _) = certificates.client_with_certificate(versions, b"http/1.1", &stranger);
        assert!(get(&server, foreign).await.is_err());
    }
    assert!(number(&server, "ostiary_tls_handshakes_failed_total").await >= 2.0);
    // without authorities nobody is asked, and what is offered unasked is not there
    let plain = certificates
        .server_with(
            |config| {
                if let Some(tls) = &mut config.tls {
                    tls.client_ca = None;
                }
            },
            |options| options.routes = Router::new().route("/seen", route(seen)),
        )
        .await;
    let (own, _) = certificates.client_with_certificate(&[&version::TLS13], b"http/1.1", &certificates);
    let answer = get_path(&plain, own, "/seen").await.unwrap();
    assert!(answer.ends_with("\r\n\r\nnone"), "{answer}");
    plain.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_with_files_that_can_not_be_used() {
    let certificates = Certificates::make();
    std::fs::write(certificates.file("key.pem"), "no key").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ran = Terminal::at(folder.path())
        .with("OSTIARY_PUBLIC_URL", "https://localhost:1")
        .with("OSTIARY_TLS__CERT", certificates.file("cert.pem").to_str().unwrap())
        .with("OSTIARY_TLS__KEY", certificates.file("key.pem").to_str().unwrap())
        .run(&["serve"])
        .await;
    let said = ran.refused();
    assert!(said.contains("key.pem"), "{said}");
}
