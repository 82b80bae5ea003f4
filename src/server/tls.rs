//! The listener's own certificate. TLS 1.2 and 1.3 with the library's suites: forward secrecy and authenticated encryption
//! only (RFC 9325 section 4.2).

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, crypto, version};
use tokio_rustls::TlsAcceptor;

use super::Error;
use crate::config;

/// What TLS connections are accepted with.
pub(super) fn acceptor(tls: &config::Tls) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| Error::Tls(error.to_string()))?;
    let clients = match &tls.client_ca {
        None => versions.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| refused(path, &error))?;
            }
            // a browser without a certificate is as welcome as before: which route wants one is another room's matter
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| refused(path, &error))?;
            versions.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates(&tls.cert)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| refused(&tls.key, &error))?;
    let mut config = clients
        .with_single_cert(chain, key)
        .map_err(|error| refused(&tls.cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| refused(path, &error))?
        .collect();
    let certificates = read.map_err(|error| refused(path, &error))?;
    if certificates.is_empty() {
        return Err(Error::Tls(format!("{} holds no certificate", path.display())));
    }
    Ok(certificates)
}

fn refused(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Tls(format!("{}: {error}", path.display()))
}
