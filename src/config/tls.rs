//! `[tls]`: the listener's own certificate.

use std::path::PathBuf;

use super::entries::{Entries, path};
use super::problem::Problem;

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
        let (cert_there, key_there) = (entries.has("tls.cert"), entries.has("tls.key"));
        let authorities_there = entries.has("tls.client_ca");
        let cert = entries.take("tls.cert", path);
        let key = entries.take("tls.key", path);
        let client_ca = entries.take("tls.client_ca", path);
        if cert_there && !key_there {
            entries.note(Problem::Lonely {
                present: "tls.cert",
                missing: "tls.key",
            });
        }
        if key_there && !cert_there {
            entries.note(Problem::Lonely {
                present: "tls.key",
                missing: "tls.cert",
            });
        }
        if authorities_there && !cert_there {
            entries.note(Problem::Lonely {
                present: "tls.client_ca",
                missing: "tls.cert",
            });
        }
        Some(Self {
            cert: cert?,
            key: key?,
            client_ca,
        })
    }
}
