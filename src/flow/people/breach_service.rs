//! The service that knows passwords which others have lost, asked without telling it which one is meant: it is sent the first five digits
//! of the SHA-1, and answers with the rest of all that begin so. One in a million passwords begins so.
//!
//! Off unless an address is set. Where it does not answer in time the rest of the rules decide, and the log says so.

use std::time::Duration;

use url::Url;

use crate::crypto;
use crate::egress::Limits;
use crate::flow::{Error, Provider};
use crate::model::Secret;
use crate::model::setting::PASSWORD_BREACH_URL;

/// So many digits are told.
const TOLD: usize = 5;
/// About 1,000 lines of 40 characters come with the usual padding.
const LIMITS: Limits = Limits {
    bytes: 512 * 1024,
    time: Duration::from_secs(3),
};
/// Lines of no password are mixed in, so that the length of the answer does not tell which digits were asked for.
const PADDED: (&str, &str) = ("add-padding", "true");

/// Whether the service lists a password.
///
/// # Errors
/// [`Error::Unavailable`] if the settings can't be read; the service's silence is no error.
pub(super) async fn lists(provider: &Provider, password: &Secret) -> Result<bool, Error> {
    let settings = provider.settings().await?;
    let Some(base) = settings.url(PASSWORD_BREACH_URL) else {
        return Ok(false);
    };
    let digits = crypto::hex(&crypto::sha1(password.expose().as_bytes())).to_ascii_uppercase();
    let Some((told, rest)) = digits.split_at_checked(TOLD) else {
        return Ok(false);
    };
    let Ok(url) = Url::parse(&format!("{base}{told}")) else {
        return Ok(false);
    };
    match provider.egress.get_text(&url, PADDED, LIMITS).await {
        Ok(document) => Ok(is_among(&document.bytes, rest)),
        Err(error) => {
            tracing::warn!(reason = %error.reason(), "the service for breached passwords does not answer: the other rules decide");
            Ok(false)
        }
    }
}

/// Whether a line has these digits, seen once at least; those of the padding were never seen.
fn is_among(answer: &[u8], digits: &str) -> bool {
    answer.split(|byte| *byte == b'\n').any(|line| {
        let Some((suffix, seen)) = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.trim().split_once(':'))
        else {
            return false;
        };
        suffix.eq_ignore_ascii_case(digits) && seen.parse().is_ok_and(|seen: u64| seen > 0)
    })
}
