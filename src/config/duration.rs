//! Times with their unit: `500ms`, `30s`, `5m`, `1h`, `1d`.

use std::time::Duration;

use super::problem::Reason;

/// Reads one number and one unit.
pub fn parse(text: &str) -> Result<Duration, Reason> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let number: u64 = digits.parse().map_err(|_| Reason::Duration)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(Reason::Duration),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or(Reason::Duration)
}
