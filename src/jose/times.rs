//! RFC 7519 sections 4.1.4 to 4.1.6: whether a token is within its times.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Error;
use crate::model::Timestamp;

/// The most that two clocks may differ.
pub const MAX_SKEW: Duration = Duration::from_secs(60);

/// 9999-12-31T23:59:59Z in seconds since 1970.
const LAST_SECOND: i64 = 253_402_300_799;

/// What is asked of a token's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// How far ahead the issuer's clock may be, for `nbf` and `iat`. More than [`MAX_SKEW`] counts as that. Expiry has
    /// no such grace.
    pub skew: Duration,
    /// How long ago the token may have been issued; asks for `iat`.
    pub max_age: Option<Duration>,
    /// How far away the expiry may be: bounds how long a used token must be remembered.
    pub max_life: Option<Duration>,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            skew: MAX_SKEW,
            max_age: None,
            max_life: None,
        }
    }
}

/// A token's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// `exp`: from this moment on the token is not accepted.
    pub expires: Timestamp,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `iat`.
    pub issued: Option<Timestamp>,
}

/// Whether the claims are within their times at `now`. `exp` is mandatory; all times are numbers, whole or not.
pub fn check_times(claims: &Map<String, Value>, now: Timestamp, limits: TimeLimits) -> Result<Times, Error> {
    let expires = time(claims, "exp")?.ok_or(Error::ExpiryMissing)?;
    let not_before = time(claims, "nbf")?;
    let issued = time(claims, "iat")?;
    let skew = limits.skew.min(MAX_SKEW);
    if now >= expires {
        return Err(Error::Expired);
    }
    if not_before.is_some_and(|not_before| not_before > now.after(skew)) {
        return Err(Error::NotYetValid);
    }
    if issued.is_some_and(|issued| issued > now.after(skew)) {
        return Err(Error::IssuedInFuture);
    }
    if limits.max_life.is_some_and(|life| expires > now.after(life)) {
        return Err(Error::ExpiryTooFar);
    }
    if let Some(age) = limits.max_age {
        let issued = issued.ok_or(Error::IssueTimeMissing)?;
        if issued.after(age) < now {
            return Err(Error::TooOld);
        }
    }
    Ok(Times {
        expires,
        not_before,
        issued,
    })
}

/// RFC 7519 section 2, NumericDate: seconds since 1970, with or without a fraction.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Error> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let unusable = Error::TimeNotUsable(name);
    let number = value.as_number().ok_or(unusable)?;
    if let Some(seconds) = number.as_i64() {
        return if (0..=LAST_SECOND).contains(&seconds) {
            Ok(Some(Timestamp::from_seconds(seconds)))
        } else {
            Err(unusable)
        };
    }
    let seconds = number.as_f64().ok_or(unusable)?;
    if !(0.0..=LAST_SECOND as f64).contains(&seconds) {
        return Err(unusable);
    }
    Ok(Some(Timestamp::from_micros((seconds * 1e6) as i64)))
}
