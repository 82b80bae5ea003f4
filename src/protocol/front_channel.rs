//! OpenID Connect Front-Channel Logout 1.0 section 3: the address that the browser loads for a client.

use url::Url;

use crate::model::ClientMetadata;

/// The client's `frontchannel_logout_uri` with `iss` and `sid` added to its query; none if it has none.
pub fn address(metadata: &ClientMetadata, issuer: &str, session: &str) -> Option<String> {
    let mut url = Url::parse(metadata.frontchannel_logout_uri.as_deref()?).ok()?;
    url.query_pairs_mut()
        .append_pair("iss", issuer)
        .append_pair("sid", session);
    Some(url.into())
}
