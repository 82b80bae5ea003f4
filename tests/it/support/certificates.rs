//! Certificates of a test's own authority, and clients that speak TLS.

use std::path::PathBuf;
use std::sync::Arc;

use ostiary::config::Config;
use ostiary::server::Options;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::WantsClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::backend::Backend;
use super::server::Server;

/// A certificate for `localhost` with its authority, in files.
pub struct Certificates {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    pub fn make() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let made = Self { folder, authority };
        made.renew(2040);
        made
    }

    /// Where a file of this name is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new certificate and key in the files, good to the end of this year: the certificate.
    pub fn renew(&self, year: i32) -> CertificateDer<'static> {
        self.renew_between((1975, 1, 1), (year, 12, 31))
    }

    /// The same, good from one day to another: year, month, day.
    pub fn renew_between(&self, from: (i32, u8, u8), until: (i32, u8, u8)) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        leaf.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let leaf = leaf.signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.file("cert.pem"), leaf.pem()).unwrap();
        leaf.der().clone()
    }

    pub async fn server(&self) -> Server {
        self.server_with(|_| (), |_| ()).await
    }

    /// The same after the configuration and the options were changed.
    pub async fn server_with(&self, change: impl FnOnce(&mut Config), options: impl FnOnce(&mut Options)) -> Server {
        let tls = ostiary::config::Tls {
            cert: self.file("cert.pem"),
            key: self.file("key.pem"),
            client_ca: Some(self.file("ca.pem")),
        };
        let configure = |config: &mut Config| {
            config.public_url = "https://localhost:1".parse().unwrap();
            config.tls = Some(tls);
            change(config);
        };
        Server::start_fully(Backend::Embedded, configure, options).await
    }

    /// A client that believes this authority and shows a certificate of `own`, if there is one.
    pub fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[u8],
        own: Option<&Self>,
    ) -> ClientConfig {
        match own {
            Some(issuer) => self.client_with_certificate(versions, alpn, issuer).0,
            None => {
                let mut config = self.believing(versions).with_no_client_auth();
                config.alpn_protocols = vec![alpn.to_vec()];
                config
            }
        }
    }

    /// The same with a certificate of `issuer`, and the certificate.
    pub fn client_with_certificate(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[u8],
        issuer: &Self,
    ) -> (ClientConfig, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        let leaf: CertificateDer<'static> = params.signed_by(&key, &issuer.authority).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = self.believing(versions);
        let mut config = builder.with_client_auth_cert(vec![leaf.clone()], key).unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        (config, leaf)
    }

    fn believing(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
    }
}

pub async fn connect(server: &Server, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A GET over HTTP/1.1: everything that comes back.
pub async fn get(server: &Server, config: ClientConfig) -> std::io::Result<String> {
    get_path(server, config, "/healthz").await
}

/// The same of another path.
pub async fn get_path(server: &Server, config: ClientConfig, path: &str) -> std::io::Result<String> {
    let mut stream = connect(server, config).await?;
    let host = server.issuer().trim_start_matches("https://");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
