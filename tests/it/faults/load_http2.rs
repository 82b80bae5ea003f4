//! Floods of small frames: a peer that sends them is sent away or outlasted, and the processor is free again.

use std::sync::Arc;
use std::time::Duration;

use ostiary::clock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ledger::report;
use super::site::length;
use crate::support::backend::{Backend, quick};
use crate::support::process::{Installation, Node};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&size[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

struct Secure {
    node: Node,
    config: Arc<ClientConfig>,
    installation: Installation,
}

impl Secure {
    async fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        let installation = Installation::make_with(Backend::Embedded, |_| ()).await;
        let file = |name: &str| installation.folder().join(name);
        std::fs::write(file("cert.pem"), leaf.pem()).unwrap();
        std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let issuer = installation.issuer().replace("http://", "https://");
        let node = installation
            .plan()
            .at(installation.front)
            .with("OSTIARY_PUBLIC_URL", issuer)
            .with("OSTIARY_TLS__CERT", file("cert.pem").display().to_string())
            .with("OSTIARY_TLS__KEY", file("key.pem").display().to_string())
            .spawn();
        let secure = Self {
            node,
            config: Arc::new(config),
            installation,
        };
        crate::support::process::until(crate::support::process::PATIENCE, "TLS is spoken", async || {
            secure.connect().await.is_some()
        })
        .await;
        secure
    }

    async fn connect(&self) -> Option<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.node.address).await.ok()?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(self.config.clone()).connect(name, stream).await.ok()
    }

    /// RFC 7541: :method, :scheme https, :path /, :authority.
    fn head(&self, method: u8) -> Vec<u8> {
        let authority = self.installation.host();
        let mut block = vec![method, 0x87, 0x84, 0x01, u8::try_from(authority.len()).unwrap()];
        block.extend_from_slice(authority.as_bytes());
        block
    }

    /// Whether an honest request is answered, and how long that takes.
    async fn serves(&self) -> Duration {
        let begun = clock::monotonic();
        let mut stream = self.connect().await.expect("nobody else is served");
        let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        request.extend(frame(SETTINGS, 0, 0, &[]));
        request.extend(frame(HEADERS, 0x5, 1, &self.head(0x82)));
        stream.write_all(&request).await.unwrap();
        let mut answer = [0; 4096];
        loop {
            let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await;
            let read = read.expect("an honest request hangs").unwrap();
            assert!(read > 0, "an honest request is cut");
            // a HEADERS frame of the answer on stream 1
            let mut rest = &answer[..read];
            while let [a, b, c, kind, _, s0, s1, s2, s3, after @ ..] = rest {
                if *kind == HEADERS && [*s0, *s1, *s2, *s3] == [0, 0, 0, 1] {
                    return begun.elapsed();
                }
                let size = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
                rest = after.get(size..).unwrap_or_default();
            }
        }
    }

    /// Processor time so far, in hundredths of a second.
    fn processor(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.node.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

/// A flood: its name, what opens it, and what is sent again and again.
type Flood<'a> = (&'static str, Vec<u8>, Box<dyn Fn(u32) -> Vec<u8> + 'a>);

/// REL-43: floods of resets, continuations, pings, settings and empty data: the connection ends or is outlasted, others are
/// served meanwhile, and the processor is free when it is over.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_small_frames_end_with_their_connection() {
    if quick() {
        return;
    }
    let secure = Secure::start().await;
    let quiet = secure.serves().await;
    let opening = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat();
    let floods: [Flood<'_>; 5] = [
        (
            "resets",
            Vec::new(),
            Box::new(|number| {
                let stream = number * 2 + 1;
                [
                    frame(HEADERS, 0x5, stream, &secure.head(0x82)),
                    frame(RESET, 0, stream, &8u32.to_be_bytes()),
                ]
                .concat()
            }),
        ),
        // a head that never ends (CVE-2024-27316)
        (
            "continuations",
            frame(HEADERS, 0x1, 1, &secure.head(0x82)),
            Box::new(|_| frame(CONTINUATION, 0, 1, &[0x00, 1, b'a', 1, b'b'])),
        ),
        ("pings", Vec::new(), Box::new(|_| frame(PING, 0, 0, &[7; 8]))),
        ("settings", Vec::new(), Box::new(|_| frame(SETTINGS, 0, 0, &[]))),
        (
            "empty data",
            frame(HEADERS, 0x4, 1, &secure.head(0x83)),
            Box::new(|_| frame(DATA, 0, 1, &[])),
        ),
    ];
    let lasts = length(Duration::from_millis(700), Duration::from_secs(10));
    for (name, first, next) in floods {
        let mut stream = secure.connect().await.unwrap();
        let mut sent = 0u32;
        let begun = clock::monotonic();
        let mut ended = stream.write_all(&[opening.clone(), first].concat()).await.is_err();
        while begun.elapsed() < lasts && !ended {
            let mut piece = Vec::new();
            for _ in 0..200 {
                piece.extend(next(sent));
                sent += 1;
            }
            // nothing is read: what the server wants to say about it has to wait, or end the connection
            let written = tokio::time::timeout(Duration::from_millis(300), stream.write_all(&piece)).await;
            ended = !matches!(written, Ok(Ok(())));
        }
        let meanwhile = secure.serves().await;
        drop(stream);
        assert!(
            meanwhile < quiet * 5 + Duration::from_secs(2),
            "{name}: {quiet:?} alone, {meanwhile:?} beside the flood"
        );
        // five seconds are promised; three times that for a machine that has much else to do
        let (over, bound) = (clock::monotonic(), Duration::from_secs(length(15, 5)));
        let busy = loop {
            let before = secure.processor();
            clock::sleep(Duration::from_secs(1)).await;
            let busy = secure.processor() - before;
            if busy < 20 {
                break busy;
            }
            assert!(
                over.elapsed() < bound,
                "{name}: {busy} hundredths of a second in a second, {bound:?} after it was over"
            );
        };
        report(
            "REL-43",
            format!(
                "{sent} {name}, stopped by the server: {ended}; others served in {meanwhile:?}; afterwards {busy} % of a core"
            ),
        );
    }
}
