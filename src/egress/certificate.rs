//! Certificates looked at, not trusted: what a server presents and what a PEM file holds, for whoever judges a setup.
//! X.509 as of RFC 5280 section 4.1, as much of it as tells dates, names and order.

use std::io;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use time::{Date, Month, PrimitiveDateTime, Time};

/// A certificate, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The first moment it counts, in seconds since 1970.
    pub not_before: i64,
    /// The last moment it counts, in seconds since 1970.
    pub not_after: i64,
    /// The names and addresses it is for.
    pub names: Vec<String>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
}

impl Certificate {
    /// Reads DER; none if it is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, outer, _) = element(der)?;
        let (_, mut rest, _) = element(outer)?;
        if rest.first() == Some(&0xa0) {
            rest = element(rest)?.2;
        }
        let (_, _, rest) = element(rest)?;
        let (_, _, rest) = element(rest)?;
        let (_, issuer, rest) = element(rest)?;
        let (_, validity, rest) = element(rest)?;
        let (_, subject, rest) = element(rest)?;
        let (_, _, rest) = element(rest)?;
        let (kind, from, after) = element(validity)?;
        let (kind_after, until, _) = element(after)?;
        Some(Self {
            not_before: moment(kind, from)?,
            not_after: moment(kind_after, until)?,
            names: names(rest),
            issuer: issuer.to_vec(),
            subject: subject.to_vec(),
        })
    }

    /// Whether it is for this host: by name, by one star for the leftmost label (RFC 9525 section 6.3), or by address.
    pub fn covers(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.names.iter().any(|name| {
            let by_star = name.strip_prefix("*.").is_some_and(|parent| {
                bare.split_once('.')
                    .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
            });
            name.eq_ignore_ascii_case(bare) || by_star
        })
    }

    /// Whether it was made by itself.
    pub fn is_own_issuer(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether `next` carries the name that it was issued by.
    pub fn is_followed_by(&self, next: &Self) -> bool {
        self.issuer == next.subject
    }
}

/// The certificates of a PEM text, in their order (RFC 7468 section 5).
pub fn read_pem(text: &str) -> Vec<Certificate> {
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .filter_map(|rest| {
            let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
            let body: String = body.split_whitespace().collect();
            Certificate::read(&STANDARD.decode(body).ok()?)
        })
        .collect()
}

/// The certificates that a server presents, leaf first. Nothing is sent on the connection, and nothing of it is believed.
/// It waits on the caller's thread.
///
/// # Errors
/// The system's word, or that of TLS.
pub fn presented(host: &str, port: u16, within: Duration) -> io::Result<Vec<Certificate>> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Looker(provider)))
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (bare, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, within) {
            Err(error) => last = error,
            Ok(mut stream) => {
                stream.set_read_timeout(Some(within))?;
                stream.set_write_timeout(Some(within))?;
                while connection.is_handshaking() {
                    connection.complete_io(&mut stream)?;
                }
                let chain = connection.peer_certificates().unwrap_or_default();
                return Ok(chain.iter().filter_map(|der| Certificate::read(der)).collect());
            }
        }
    }
    Err(last)
}

/// Takes any certificate, so that a wrong one can be looked at.
#[derive(Debug)]
struct Looker(Arc<CryptoProvider>);

impl ServerCertVerifier for Looker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The first element of DER: its tag, its content, and what follows it (X.690 section 8.1).
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        let length = bytes
            .iter()
            .fold(0usize, |length, byte| (length << 8) | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// RFC 5280 section 4.1.2.5: two digits of the year until 2049, four from 2050.
fn moment(kind: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        0x17 => {
            let year: i32 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        0x18 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(two(0)?).ok()?, two(2)?).ok()?;
    let time = Time::from_hms(two(4)?, two(6)?, two(8)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

/// The subject alternative names among what follows the key.
fn names(mut rest: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Some((tag, content, after)) = element(rest) {
        rest = after;
        if tag != 0xa3 {
            continue;
        }
        let Some((_, mut extensions, _)) = element(content) else {
            continue;
        };
        while let Some((_, extension, after)) = element(extensions) {
            extensions = after;
            collect_names(extension, &mut names);
        }
    }
    names
}

/// RFC 5280 section 4.2.1.6.
fn collect_names(extension: &[u8], names: &mut Vec<String>) {
    const ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
    let Some((_, id, rest)) = element(extension) else {
        return;
    };
    if id != ALTERNATIVE_NAME {
        return;
    }
    let value = match element(rest) {
        // whether it is critical stands before it
        Some((0x01, _, rest)) => element(rest),
        other => other,
    };
    let Some((_, mut list, _)) = value.and_then(|(_, value, _)| element(value)) else {
        return;
    };
    while let Some((tag, name, after)) = element(list) {
        list = after;
        match (tag, name.len()) {
            (0x82, _) => names.extend(std::str::from_utf8(name).map(str::to_owned)),
            (0x87, 4) => names.extend(<[u8; 4]>::try_from(name).map(|octets| IpAddr::from(octets).to_string())),
            (0x87, 16) => names.extend(<[u8; 16]>::try_from(name).map(|octets| IpAddr::from(octets).to_string())),
            _ => {}
        }
    }
}
