//! The one check of everything that is stored about a client, whoever describes it.

use url::Url;

use crate::egress::Egress;
use crate::flow::{Error, FieldError};
use crate::jose::RemoteKeys;
use crate::model::{ClientMetadata, ClientPolicy, TokenEndpointAuthMethod};
use crate::protocol::client_registration::{MemberError, judge, judge_policy};

/// Refuses metadata and policies that can't be stored.
pub(in crate::flow) fn validate(
    egress: &Egress,
    metadata: &ClientMetadata,
    policy: &ClientPolicy,
) -> Result<(), Error> {
    let mut errors = judge(metadata);
    errors.extend(judge_documents(egress, metadata));
    errors.extend(judge_policy(policy));
    errors.extend(judge_keys(metadata));
    if errors.is_empty() {
        Ok(())
    } else {
        Err(invalid(errors))
    }
}

/// What this server would never ask for is better refused now than when it is needed.
fn judge_documents(egress: &Egress, metadata: &ClientMetadata) -> Vec<MemberError> {
    let documents = [
        ("jwks_uri", &metadata.jwks_uri),
        ("sector_identifier_uri", &metadata.sector_identifier_uri),
        // posted to, by the same rules
        ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
    ];
    let reachable = |uri: &str| Url::parse(uri).is_ok_and(|url| egress.admits(&url));
    documents
        .into_iter()
        .filter(|(_, uri)| uri.as_deref().is_some_and(|uri| !reachable(uri)))
        .map(|(member, _)| MemberError::new(member, "invalid", "must be https on port 443 of a public address"))
        .collect()
}

/// Keys by value can be judged at once; those behind a `jwks_uri` are when they are needed.
fn judge_keys(metadata: &ClientMetadata) -> Option<MemberError> {
    let jwks = metadata.jwks.as_ref()?;
    match RemoteKeys::registered(jwks.to_string().as_bytes()) {
        Err(error) => Some(MemberError::new("jwks", "invalid", &format!("can't be taken: {error}"))),
        Ok(keys)
            if keys.is_empty() && metadata.token_endpoint_auth_method == TokenEndpointAuthMethod::PrivateKeyJwt =>
        {
            Some(MemberError::new(
                "jwks",
                "invalid",
                "must hold a key that signatures can be verified with",
            ))
        }
        Ok(_) => None,
    }
}

/// The fields that can't be taken.
pub(super) fn invalid(errors: Vec<MemberError>) -> Error {
    let field = |error: MemberError| FieldError {
        pointer: error.pointer,
        code: error.code,
        detail: error.detail,
    };
    Error::Invalid(errors.into_iter().map(field).collect())
}
