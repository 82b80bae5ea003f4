//! The listener's own certificate. TLS 1.2 and 1.3 with the library's suites: forward secrecy and authenticated encryption
//! only (RFC 9325 section 4.2).
//!
//! The files are read again when they change. New connections then see the new certificate, old ones go on; files that can't
//! be used change nothing but the log.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, crypto, version};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::Error;
use crate::clock;
use crate::config;
use crate::crypto::sha256;
use crate::egress::Certificate;
use crate::http::layer::Door;

/// The listener's certificate, as its files were last read. Clones share it.
#[derive(Clone)]
pub(super) struct Certificates(Arc<Inner>);

struct Inner {
    files: config::Tls,
    current: RwLock<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// What the files held when they were last read, whether it could be used or not.
    seen: [u8; 32],
}

/// What reading the files again brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// They hold what they held.
    Same,
    /// New connections see what they hold now.
    New,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Tls`] if they can't be used.
    pub(super) fn open(files: &config::Tls, door: &Door) -> Result<Self, Error> {
        let read = Files::read(files)?;
        let current = Current {
            acceptor: read.acceptor(files)?,
            seen: read.digest(),
        };
        read.tell_end(files, door);
        Ok(Self(Arc::new(Inner {
            files: files.clone(),
            current: RwLock::new(current),
        })))
    }

    /// What the next connection is accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        current.acceptor.clone()
    }

    /// Reads the files again. What can't be used is told once, not at every reading.
    ///
    /// # Errors
    /// [`Error::Tls`] if they changed and can't be used: the old certificate stays.
    fn read_again(&self, door: &Door) -> Result<Reading, Error> {
        let read = Files::read(&self.0.files)?;
        let digest = read.digest();
        let seen = |current: &Current| current.seen == digest;
        if seen(&self.0.current.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Reading::Same);
        }
        let acceptor = read.acceptor(&self.0.files);
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        current.seen = digest;
        current.acceptor = acceptor?;
        read.tell_end(&self.0.files, door);
        Ok(Reading::New)
    }

    /// Reads the files again every so often, and when the process gets SIGHUP, until it is told to stop.
    pub(super) async fn follow(self, every: Duration, door: Door, mut stop: watch::Receiver<bool>) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut unreadable = false;
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = clock::sleep(every) => (),
                () = asked => tracing::info!("the certificate's files are read again"),
            }
            let (certificates, door) = (self.clone(), door.clone());
            let read = tokio::task::spawn_blocking(move || {
                let read = certificates.read_again(&door);
                (read, door)
            });
            let Ok((read, door)) = read.await else { continue };
            match read {
                Ok(Reading::Same) => unreadable = false,
                Ok(Reading::New) => {
                    unreadable = false;
                    tracing::info!("new connections see the new certificate");
                }
                // a file that is gone has no digest to know it by
                Err(_) if unreadable => {}
                Err(error) => {
                    unreadable = true;
                    door.reload_failed();
                    tracing::error!(%error, "the certificate's files changed and can't be used; the old certificate stays");
                }
            }
        }
    }
}

/// The files' contents.
struct Files {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl Files {
    fn read(files: &config::Tls) -> Result<Self, Error> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| refused(path, &error));
        Ok(Self {
            cert: read(&files.cert)?,
            key: Zeroizing::new(read(&files.key)?),
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let authorities = self.client_ca.as_deref().unwrap_or_default();
        let digests = [sha256(&self.cert), sha256(&self.key), sha256(authorities)];
        sha256(&digests.concat())
    }

    /// What TLS connections are accepted with.
    fn acceptor(&self, files: &config::Tls) -> Result<TlsAcceptor, Error> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| Error::Tls(error.to_string()))?;
        let clients = match (&files.client_ca, &self.client_ca) {
            (Some(path), Some(pem)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path, pem)? {
                    roots.add(authority).map_err(|error| refused(path, &error))?;
                }
                // Who brings no certificate is as welcome as before: which route wants one is another room's matter. One
                // that none of these authorities vouches for ends the handshake (RFC 8705 section 2.1 wants the chain
                // validated); the request for it names the authorities, so that browsers offer no other.
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| refused(path, &error))?;
                versions.with_client_cert_verifier(verifier)
            }
            _ => versions.with_no_client_auth(),
        };
        let chain = certificates(&files.cert, &self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| refused(&files.key, &error))?;
        let mut config = clients
            .with_single_cert(chain, key)
            .map_err(|error| refused(&files.cert, &error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Tells when the certificate ends.
    fn tell_end(&self, files: &config::Tls, door: &Door) {
        let ends = certificates(&files.cert, &self.cert)
            .ok()
            .and_then(|chain| Certificate::read(chain.first()?))
            .map(|certificate| certificate.not_after);
        if let Some(ends) = ends {
            door.certificate_ends(ends);
        }
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|error| refused(path, &error))?;
    if certificates.is_empty() {
        return Err(Error::Tls(format!("{} holds no certificate", path.display())));
    }
    Ok(certificates)
}

fn refused(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Tls(format!("{}: {error}", path.display()))
}
