//! The `claims` parameter (OpenID Connect Core section 5.5).

use serde_json::Value;

use super::oauth_error::{ErrorCode, OAuthError};
use crate::model::{ClaimsRequest, RequestedClaim};

const MOST_BYTES: usize = 8 * 1024;
const MOST_CLAIMS: usize = 60;
const MOST_VALUES: usize = 20;

/// Reads the parameter. Members other than `userinfo` and `id_token` are ignored, as the specification asks.
pub fn parse(text: &str) -> Result<ClaimsRequest, OAuthError> {
    if text.len() > MOST_BYTES {
        return Err(refused("the claims parameter is too large"));
    }
    let Ok(Value::Object(members)) = serde_json::from_str::<Value>(text) else {
        return Err(refused("the claims parameter is not a JSON object"));
    };
    Ok(ClaimsRequest {
        userinfo: read(members.get("userinfo"))?,
        id_token: read(members.get("id_token"))?,
    })
}

fn read(member: Option<&Value>) -> Result<Vec<RequestedClaim>, OAuthError> {
    let claims = match member {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err(refused("userinfo and id_token of the claims parameter are objects")),
    };
    if claims.len() > MOST_CLAIMS {
        return Err(refused("the claims parameter names too many claims"));
    }
    claims.iter().map(|(name, wish)| read_claim(name, wish)).collect()
}

fn read_claim(name: &str, wish: &Value) -> Result<RequestedClaim, OAuthError> {
    let mut claim = RequestedClaim {
        name: name.to_owned(),
        essential: false,
        values: Vec::new(),
    };
    match wish {
        Value::Null => {}
        Value::Object(wish) => {
            claim.essential = wish.get("essential").and_then(Value::as_bool).unwrap_or(false);
            claim.values = match (wish.get("value"), wish.get("values")) {
                (Some(one), _) => vec![one.clone()],
                (None, Some(Value::Array(several))) => several.iter().take(MOST_VALUES).cloned().collect(),
                (None, _) => Vec::new(),
            };
        }
        _ => return Err(refused("a claim is asked for with null or an object")),
    }
    Ok(claim)
}

fn refused(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, "claims_parameter", description)
}
