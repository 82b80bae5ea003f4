//! The only place that draws random values, all from the operating system's generator.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random bytes from the operating system.
///
/// A machine without randomness can't keep any promise of ours, so the process ends there instead of going on with a
/// guessable value.
#[allow(clippy::disallowed_methods)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    if getrandom::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}

/// 256 random bits in base64url: 43 characters. For codes, tokens, secrets, anti-forgery values.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// 128 random bits as 32 hex digits: trace ids.
pub fn hex_id() -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes::<16>().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .filter_map(|half| DIGITS.get(usize::from(half)).copied().map(char::from))
        .collect()
}

/// A number below `bound` without bias; 0 when `bound` is 0.
pub fn below(bound: u32) -> u32 {
    if bound == 0 {
        return 0;
    }
    let zone = u32::MAX - (u32::MAX % bound);
    loop {
        let drawn = u32::from_le_bytes(bytes::<4>());
        if drawn < zone {
            return drawn % bound;
        }
    }
}
