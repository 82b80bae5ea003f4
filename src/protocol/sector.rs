//! Sectors: OpenID Connect Core section 8.1 and Dynamic Registration section 5. Clients of one sector are told the same
//! pairwise subject.

use url::Url;

use crate::model::ClientMetadata;

/// Why a client has no sector of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pairwise subjects need a sector_identifier_uri unless all redirect URIs share one host")]
pub struct NoSector;

/// The sector of a client: the host of its `sector_identifier_uri`, else the one host of its redirect URIs.
pub fn of(metadata: &ClientMetadata) -> Result<String, NoSector> {
    if let Some(uri) = &metadata.sector_identifier_uri {
        return host(uri).ok_or(NoSector);
    }
    let mut sector = None;
    for uri in &metadata.redirect_uris {
        let host = host(uri).ok_or(NoSector)?;
        match &sector {
            None => sector = Some(host),
            Some(known) if *known == host => {}
            Some(_) => return Err(NoSector),
        }
    }
    sector.ok_or(NoSector)
}

/// Judges the document behind a `sector_identifier_uri`: a JSON array of strings that holds every redirect URI
/// (Dynamic Registration section 5).
pub fn judge_document(document: &[u8], redirect_uris: &[String]) -> Result<(), &'static str> {
    let listed: Vec<String> = serde_json::from_slice(document).map_err(|_| "must lead to a JSON array of strings")?;
    if redirect_uris.iter().all(|uri| listed.contains(uri)) {
        Ok(())
    } else {
        Err("must lead to a document that lists every redirect URI")
    }
}

fn host(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    // the host of a private-use scheme belongs to nobody
    let of_the_web = matches!(url.scheme(), "https" | "http");
    url.host_str().filter(|_| of_the_web).map(str::to_ascii_lowercase)
}
