//! The document behind a `sector_identifier_uri`: OpenID Connect Dynamic Client Registration section 5. Fetched once, when a
//! client is made or its URIs change.

use url::Url;

use super::validation::invalid;
use crate::egress::Limits;
use crate::flow::{Error, Provider};
use crate::model::ClientMetadata;
use crate::protocol::client_registration::MemberError;
use crate::protocol::sector;

/// The largest document that is read.
const MOST_BYTES: usize = 64 * 1024;

/// Refuses metadata whose sector document is not there or does not list every redirect URI.
pub(in crate::flow) async fn judge(provider: &Provider, metadata: &ClientMetadata) -> Result<(), Error> {
    let Some(uri) = &metadata.sector_identifier_uri else {
        return Ok(());
    };
    let wrong = |code, reason: &str| invalid(vec![MemberError::new("sector_identifier_uri", code, reason)]);
    let url = Url::parse(uri).map_err(|_| wrong("invalid", "must be a URI"))?;
    let limits = Limits {
        bytes: MOST_BYTES,
        ..Limits::default()
    };
    let fetched = provider.egress.get_json(&url, limits).await;
    let document = fetched.map_err(|_| wrong("unreachable", "must lead to a document that can be fetched"))?;
    sector::judge_document(&document.bytes, &metadata.redirect_uris).map_err(|reason| wrong("invalid", reason))
}
