//! `[tls]`: the listener's own certificate.

use std::path::PathBuf;

use super::entries::{Entries, path};

/// PEM files of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, leaf first.
    pub cert: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
    /// Authorities whose client certificates are asked for.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    pub(super) fn read(entries: &mut Entries) -> Option<Self> {
        let lonely = entries.lonely(&[
            ("tls.cert", "tls.key"),
            ("tls.key", "tls.cert"),
            ("tls.client_ca", "tls.cert"),
        ]);
        let cert = entries.take("tls.cert", path);
        let key = entries.take("tls.key", path);
        let client_ca = entries.take("tls.client_ca", path);
        entries.note(lonely);
        Some(Self {
            cert: cert?,
            key: key?,
            client_ca,
        })
    }
}
