//! The certificate that a client showed in the TLS handshake.

use std::sync::Arc;

/// The certificate that a client showed in the TLS handshake, in DER. Its chain leads to an authority of `tls.client_ca`, and
/// the client has proved that it holds the key. An extension of the requests of such a connection; requests of others have
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(Arc<[u8]>);

impl ClientCertificate {
    /// A certificate that the handshake has verified.
    pub fn verified(der: &[u8]) -> Self {
        Self(der.into())
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}
