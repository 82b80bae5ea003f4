//! RFC 7636: a code is redeemed only by who began. S256 alone; the comparison is oxide-auth's, in constant time.

use std::borrow::Cow;

use oxide_auth::code_grant::extensions::Pkce;
use oxide_auth::primitives::grant::Value;

use super::oauth_error::{ErrorCode, OAuthError};

/// The length of an S256 challenge: 32 bytes in base64url (RFC 7636 section 4.2).
const CHALLENGE_LENGTH: usize = 43;

/// Judges what an authorization request says of PKCE; gives the challenge.
pub fn challenge(challenge: Option<&str>, method: Option<&str>, required: bool) -> Result<Option<String>, OAuthError> {
    let Some(challenge) = challenge else {
        if method.is_some() {
            return Err(refused(
                "pkce.method_alone",
                "code_challenge_method without code_challenge",
            ));
        }
        if required {
            // RFC 7636 section 4.4.1, RFC 9700 section 2.1.1
            return Err(refused("pkce.required", "this client has to send a code_challenge"));
        }
        return Ok(None);
    };
    // absent means plain (RFC 7636 section 4.3), and plain is refused (RFC 9700 section 2.1.1)
    if method != Some("S256") {
        return Err(refused("pkce.method", "code_challenge_method has to be S256"));
    }
    if challenge.len() != CHALLENGE_LENGTH || !challenge.bytes().all(is_base64url) {
        return Err(refused(
            "pkce.challenge",
            "code_challenge is not the base64url of a SHA-256 digest",
        ));
    }
    Ok(Some(challenge.to_owned()))
}

/// Judges the verifier of a token request against the challenge of its authorization request (RFC 7636 section 4.6).
///
/// A verifier without a challenge is refused, too: else a stripped challenge would go unnoticed (RFC 9700 section 2.1.1).
pub fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OAuthError> {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(mismatch("pkce.unexpected_verifier", "there was no code_challenge")),
        (Some(_), None) => return Err(mismatch("pkce.verifier_missing", "the code_verifier is missing")),
        (Some(challenge), Some(verifier)) => (challenge, verifier),
    };
    let well_formed = (43..=128).contains(&verifier.len())
        && verifier
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    // the shape in which oxide-auth keeps an S256 challenge
    let kept = Value::private(Some(format!("{challenge}S")));
    let right = Pkce::required()
        .verify(Some(kept), Some(Cow::Borrowed(verifier)))
        .is_ok();
    if well_formed && right {
        Ok(())
    } else {
        Err(mismatch(
            "pkce.verifier",
            "the code_verifier does not belong to the code_challenge",
        ))
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn refused(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, rule, description)
}

fn mismatch(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, rule, description)
}
