//! Which resources a token is asked for within a grant.

use super::{Audiences, Error, Provider};
use crate::model::{Client, GrantTerms};
use crate::protocol::parameters::Parameters;
use crate::protocol::{audience, refresh};

/// The resources of the next token. RFC 8707 section 2.2 leaves it to the server which are acceptable, and names what was
/// granted, or a subset of it, as the limit for codes and refresh tokens; certified servers keep to that. What was granted is
/// what the authorization request named; if it named none, what the granted scopes imply.
///
/// # Errors
/// `invalid_target` for a resource beyond that.
pub(super) async fn narrow(
    provider: &Provider,
    client: &Client,
    parameters: &Parameters,
    terms: &GrantTerms,
) -> Result<Vec<String>, Error> {
    if parameters.resources().is_empty() || !terms.resources.is_empty() {
        return Ok(refresh::narrow_resources(parameters, &terms.resources)?);
    }
    let audiences = Audiences::load(provider).await?;
    let implied = audience::settle(client, &terms.scope, &[], &audiences.surroundings())?;
    Ok(refresh::narrow_resources(parameters, &implied.audience)?)
}
